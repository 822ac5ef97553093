"""The linear system behind all networks of one function: which orientations of its folds occur, with what freedom.

Every unit with w != 0 has sign s, scale r and weight p = q r on a hyperplane (u, t). With K_j = kink_j / jump and
B = linear / mean (ReLU: the kinks and twice the slope), a network computes f iff

    sum_{units on fold j} p_i = K_j,   sum_{units on another hyperplane} p_i = 0,   sum_i s_i p_i u_i^T = B,

the output bias being free. A fold is pure (all its units have one sign s_j) or mixed; with v_H = P_H^+ - P_H^-, the
difference of the sums of both orientations on H, the last equation is

    sum_{mixed H} v_H u_H^T = R := B - sum_{pure folds} s_j K_j u_j^T.

Folds that are mixed absorb the part of R in k x U, U = span of their normals; G mixed hyperplanes that are no folds
("fresh") absorb any part of rank at most G.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational
from fiberscope.shallow.bend import bend
from fiberscope.shallow.linear_relations import null_space, rank
from fiberscope.shallow.normal_form import NormalForm
from fiberscope.shallow.reversals import zero_sum_subsets

MAX_STATES = 300_000
"""No more orientations of the folds than this are looked at."""


@dataclass(frozen=True)
class State:
    """``signs[j]``: +1, -1, or 0 for a mixed fold; ``rank``: of R modulo k x U; ``span``: dim U; ``empty``: the sides
    (fold, sign) of mixed folds whose sum of p is forced to be 0 when no fresh hyperplane carries anything."""

    signs: tuple[int, ...]
    rank: int
    span: int
    empty: frozenset[tuple[int, int]]

    @property
    def mixed(self) -> tuple[int, ...]:
        return tuple(j for j, s in enumerate(self.signs) if s == 0)


@dataclass(frozen=True, eq=False)
class Mixed:
    """A choice of mixed folds: ``across`` (n x n'), a basis of the x with <u, x> = 0 for their normals u; ``duals[j]``:
    x with <u_j, x> = 1 and 0 for the other mixed folds, for those j that have one."""

    folds: tuple[int, ...]
    across: np.ndarray
    duals: dict[int, np.ndarray]


@dataclass(frozen=True, eq=False)
class FiberEquation:
    """``normals`` (m x n), ``offsets`` (m,), ``kinks`` K (m x k), ``slopes`` B (k x n), ``constant`` (k,); exact."""

    normals: np.ndarray
    offsets: np.ndarray
    kinks: np.ndarray
    slopes: np.ndarray
    constant: np.ndarray
    activation: str

    @classmethod
    def of(cls, form: NormalForm, activation: str = "relu") -> FiberEquation:
        """The system of an exact normal form on all inputs, for units with this activation.

        Errors: InputError for a float form, one that holds on a box only, or an activation that is not bent or whose
        sides have opposite slopes.
        """
        law = bend(activation)
        if not form.exact or form.domain is not None:
            raise InputError(
                "the fiber needs an exact normal form on all inputs; compute it with exact=True and no box"
            )
        if law.mean == 0 or law.jump == 0:
            raise InputError(
                f"activation {activation!r}: the fiber is known for ReLU and leaky ReLU of slope not 1 or -1"
            )
        kinks, slopes = form.kinks / rational(law.jump), form.linear / rational(law.mean)
        return cls(form.normals, form.offsets, kinks, slopes, form.constant, activation)

    @property
    def folds(self) -> int:
        return len(self.normals)

    @property
    def inputs(self) -> int:
        return self.slopes.shape[1]

    @property
    def outputs(self) -> int:
        return self.slopes.shape[0]

    @cached_property
    def _mixed(self) -> dict[tuple[int, ...], Mixed]:
        return {}

    def mixed(self, folds: tuple[int, ...]) -> Mixed:
        """The geometry of a set of mixed folds (computed once)."""
        if folds not in self._mixed:
            across = self._across(folds)
            duals = {}
            for j in folds:
                others = self._across(tuple(i for i in folds if i != j))
                values = self.normals[j] @ others if others.shape[1] else np.zeros(0)
                place = next((c for c, v in enumerate(values) if v != 0), None)
                if place is not None:
                    duals[j] = others[:, place] / values[place]
            self._mixed[folds] = Mixed(folds, across, duals)
        return self._mixed[folds]

    def _across(self, folds: tuple[int, ...]) -> np.ndarray:
        n, zero = self.inputs, rational(0)
        vectors, _ = null_space(self.normals[list(folds)].reshape(len(folds), n))
        out = np.full((n, len(vectors)), zero, dtype=object)
        for c, vector in enumerate(vectors):
            for i, value in vector.items():
                out[i, c] = value
        return out

    def residual(self, signs: tuple[int, ...]) -> np.ndarray:
        """R (k x n) for these orientations, 0 for mixed folds."""
        out = self.slopes
        for j, s in enumerate(signs):
            if s:
                out = out - np.outer(self.kinks[j] * s, self.normals[j])
        return out

    def state(self, signs: tuple[int, ...]) -> State:
        """How much of R the mixed folds leave over, and which sums they are left with."""
        mixed = self.mixed(tuple(j for j, s in enumerate(signs) if s == 0))
        left = self.residual(signs)
        across = left @ mixed.across
        if not (across != 0).any():
            return self._settled(signs, mixed, left)
        return State(signs, rank(across), self.inputs - mixed.across.shape[1], frozenset())

    def _settled(self, signs: tuple[int, ...], mixed: Mixed, left: np.ndarray) -> State:
        empty = set()
        for j, dual in mixed.duals.items():
            v = left @ dual
            empty |= {(j, -side) for side in (1, -1) if (v == self.kinks[j] * side).all()}
        return State(signs, 0, self.inputs - mixed.across.shape[1], frozenset(empty))

    def states(self, spare: int, max_states: int = MAX_STATES) -> Iterator[State]:
        """All orientations that ``spare`` units beyond one per fold can realise: |mixed| + 2 rank <= spare.

        Errors: InputError when more than ``max_states`` orientations would have to be looked at.
        """
        m, looked = self.folds, 0
        for size in range(min(spare, m) + 1):
            for folds in combinations(range(m), size):
                mixed = self.mixed(folds)
                pure = [j for j in range(m) if j not in folds]
                room = (spare - size) // 2
                for choice in self._choices(pure, mixed, room, max_states):
                    signs = [0] * m
                    for j, s in zip(pure, choice, strict=True):
                        signs[j] = s
                    looked += 1
                    if looked > max_states:
                        raise InputError(f"{m} folds: more than {max_states} orientations to look at; raise max_states")
                    found = self.state(tuple(signs))
                    if found.rank <= room:
                        yield found

    def _choices(self, pure: list[int], mixed: Mixed, room: int, max_states: int) -> Iterator[tuple[int, ...]]:
        """Orientations of the pure folds: all of them if there is room for fresh hyperplanes, else those that leave no
        residual, sum_j s_j K_j u_j^T = B across the mixed folds, as zero-sum subsets with s_j = 2 x_j - 1."""
        if room and 2 ** len(pure) > max_states:
            raise InputError(f"{self.folds} folds: more than {max_states} orientations to look at; raise max_states")
        if room or len(pure) < 5:
            yield from product((1, -1), repeat=len(pure))
            return
        parts = [np.outer(self.kinks[j], self.normals[j] @ mixed.across).ravel() for j in pure]
        target = sum(parts, (self.slopes @ mixed.across).ravel())
        zero = np.array([rational(0)], dtype=object)  # one coordinate more: there may be none
        vectors = np.array([np.concatenate([v, zero]) for v in (*(2 * part for part in parts), -target)], dtype=object)
        found = zero_sum_subsets(vectors, limit=2 * max_states + 2)
        if found.truncated:
            raise InputError(f"{self.folds} folds: more than {max_states} orientations to look at; raise max_states")
        for chosen in found.sets:
            if len(pure) in chosen:
                yield tuple(1 if x in chosen else -1 for x in range(len(pure)))


def fresh_freedom(equation: FiberEquation, state: State, fresh: int) -> tuple[int | None, int | None]:
    """Dimensions of the solutions (v_H, u_g, t_g) with ``fresh`` mixed hyperplanes beside the folds: with some v_g !=
    0, and with all v_g = 0; None where there are none.

    Modulo U the equation reads V Y = R, V = (v_g) of size k x G, Y = (u_g) of size G x n', n' = n - dim U. The V of
    rank a whose columns span those of R (rank r) have dimension (a - r)(k - a) + a G, and leave (G - a) n' for Y.
    Without U, every u_g must come from Y, so a = G needs r > 0.
    """
    n, k, G, r = equation.inputs, equation.outputs, fresh, state.rank
    along = k * (len(state.mixed) - state.span)
    if G == 0:
        return None, along if r == 0 else None
    across = n - state.span
    inner = [
        (a - r) * (k - a) + a * G + (G - a) * across
        for a in range(max(1, r), min(k, G) + 1)
        if not (a == G and r == 0 and state.span == 0)
    ]
    carrying = along + G * state.span + max(inner) if inner else None
    return carrying, along + G * n if r == 0 else None
