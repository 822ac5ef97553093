"""Directions in which the weights can move without changing the function to the first order, each with its cause.

The derivatives of f by the weights of a unit on H are affine functions on its active side, and for different
hyperplanes these are independent up to affine functions (near a point of H nothing else has a kink). So the null space
is found hyperplane by hyperplane. With l_i = (w_i, b_i):

    dead       a unit that is zero on the whole domain: all its weights              (n + 1 + k)
    unread     a unit with q_i = 0: its w_i and b_i                                  (n + 1)
    scaling    (l_i, q_i) -> ((1 + e) l_i, (1 - e) q_i)                              (1)
    exchange   units i, j with one active side trade output weight                   (k for every further unit)
    boundary   their boundaries part so that the kinks balance: sum q_i (x) dl_i = 0   (n for every dependence of the q)
    constant   a unit that is constant, or linear on the domain, against the output bias
    affine     affine functions made by several hyperplanes with units on both sides, or by linear units, cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.shallow.active import Active, Hyperplane
from fiberscope.shallow.linear_relations import null_space, reduce_columns

Place = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class NullVector:
    """``entries``: {("W1", (unit, input)): value, ...}, the weights that move; ``units``: those that take part."""

    kind: str
    units: tuple[int, ...]
    entries: dict[Place, Any]

    def arrays(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        """The direction as arrays of the model's ``shapes`` (rationals give object arrays)."""
        exact = not all(isinstance(v, float) for v in self.entries.values())
        kind = object if exact else np.float64
        out = {name: np.full(shape, 0 if exact else 0.0, dtype=kind) for name, shape in shapes.items()}
        for (name, index), value in self.entries.items():
            out[name][index] = value
        return out


def null_vectors(units: Active) -> tuple[list[NullVector], float]:
    """A basis of the null space, and the smallest pivot that was not taken for zero (inf over the rationals).

    >>> from fiberscope.shallow.active import active
    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> [(v.kind, v.units) for v in null_vectors(active(four_hyperplanes()))[0]]
    [('scaling', (0,)), ('scaling', (1,)), ('scaling', (2,)), ('scaling', (3,))]
    """
    search = _Search(units)
    for i, slope in sorted(units.slope.items()):
        search.linear_unit(i, slope)
    for plane in units.hyperplanes:
        for sign in (1, -1):
            search.one_side(plane, sign)
    search.cancellations()
    return search.found, search.kept


class _Search:
    def __init__(self, units: Active) -> None:
        self.units = units
        self.n, self.k = units.rows.shape[1] - 1, units.outer.shape[0]
        self.one = units.jump * 0 + 1
        self.found: list[NullVector] = []
        self.kept = float("inf")
        # Weights that the vectors found so far do not use up: of linear units, and of units on hyperplane sides.
        self.free_linear: list[tuple[Place, int]] = []
        self.free_side: dict[tuple[int, int], list[Place]] = {}

    def add(self, kind: str, members: list[int], entries: dict[Place, Any]) -> None:
        self.found.append(NullVector(kind, tuple(sorted(set(members))), {p: v for p, v in entries.items() if v != 0}))

    def inner(self, i: int, c: int) -> Place:
        return ("W1", (i, c)) if c < self.n else ("b1", (i,))

    def inner_places(self, i: int) -> list[Place]:
        return [self.inner(i, c) for c in range(self.n + 1)]

    def outer_places(self, i: int) -> list[Place]:
        return [("W2", (a, i)) for a in range(self.k)]

    def read(self, i: int) -> bool:
        return any(q != 0 for q in self.units.outer[:, i].tolist())

    def scale_or_unread(self, i: int) -> None:
        """The vectors that every unit has: its scaling, or all of (w, b) when nothing reads it."""
        if not self.read(i):
            for place in self.inner_places(i):
                self.add("unread", [i], {place: self.one})
            return
        entries = dict(zip(self.inner_places(i), self.units.rows[i].tolist(), strict=True))
        outer = dict(zip(self.outer_places(i), (-self.units.outer[:, i]).tolist(), strict=True))
        self.add("scaling", [i], {**entries, **outer})

    def linear_unit(self, i: int, slope: Any) -> None:
        row = self.units.rows[i].tolist()
        if slope == 0 or all(v == 0 for v in row):
            for place in (*self.inner_places(i), *self.outer_places(i)):
                self.add("dead", [i], {place: self.one})
            return
        self.scale_or_unread(i)
        pivot = max(range(self.n + 1), key=lambda c: abs(row[c]))
        left = [p for c, p in enumerate(self.inner_places(i)) if c != pivot] if self.read(i) else []
        self.free_linear += [(place, i) for place in (*self.outer_places(i), *left)]

    def one_side(self, plane: Hyperplane, sign: int) -> None:
        members = plane.side(sign)
        if not members:
            return
        scale = dict(zip(plane.units, plane.scales, strict=True))
        for i in members:
            self.scale_or_unread(i)
        head = members[0]
        for i in members[1:]:
            for a in range(self.k):
                trade = {("W2", (a, i)): self.one / scale[i], ("W2", (a, head)): -self.one / scale[head]}
                self.add("exchange", [head, i], trade)
        readers = [i for i in members if self.read(i)]
        pivots, table, kept = reduce_columns(self.units.outer[:, readers])
        self.kept = min(self.kept, kept)
        for place in sorted(set(range(len(readers))) - set(pivots)):
            column = table[:, place].tolist()
            shares = {readers[p]: -v for p, v in zip(pivots, column, strict=True) if v != 0}
            shares[readers[place]] = self.one
            for c in range(self.n + 1):
                if c != plane.pivot:
                    self.add("boundary", list(shares), {self.inner(i, c): v for i, v in shares.items()})
        basis = [readers[p] for p in pivots]
        left = [self.inner(i, c) for i in basis for c in range(self.n + 1) if c != plane.pivot]
        self.free_side[self.units.hyperplanes.index(plane), sign] = [*self.outer_places(head), *left]

    def cancellations(self) -> None:
        """What is left: affine functions from linear units, from both sides of one hyperplane, and the output bias."""
        below, jump = self.units.below, self.units.jump
        mixed = [
            h for h in range(len(self.units.hyperplanes)) if (h, 1) in self.free_side and (h, -1) in self.free_side
        ]
        size = self.k * (self.n + 1)
        places: list[Place] = [("b2", (a,)) for a in range(self.k)]
        columns = [self.column([(0, self.bias(a))], len(mixed) + 1, size) for a in range(self.k)]
        for place, i in self.free_linear:
            places.append(place)
            columns.append(self.column([(0, self.motion(place, i) * self.units.slope[i])], len(mixed) + 1, size))
        for number, h in enumerate(mixed, start=1):
            for sign in (1, -1):
                for place in self.free_side[h, sign]:
                    a = self.motion(place, place[1][-1] if place[0] == "W2" else place[1][0])
                    everywhere = below if sign > 0 else below + jump
                    places.append(place)
                    columns.append(
                        self.column([(0, a * everywhere), (number, a * (jump * sign))], len(mixed) + 1, size)
                    )
        vectors, kept = null_space(np.array(columns, dtype=self.units.rows.dtype).T)
        self.kept = min(self.kept, kept)
        for vector in vectors:
            entries = {places[c]: v for c, v in vector.items()}
            self.add(self.cause(entries), self.movers(entries), entries)

    def column(self, parts: list[tuple[int, np.ndarray]], blocks: int, size: int) -> list[Any]:
        out = [self.one * 0] * (blocks * size)
        for block, values in parts:
            out[block * size : (block + 1) * size] = values.tolist()
        return out

    def bias(self, a: int) -> np.ndarray:
        return self.tensor(a, self.n)

    def tensor(self, a: int, c: int) -> np.ndarray:
        out = np.full((self.k, self.n + 1), self.one * 0, dtype=self.units.rows.dtype)
        out[a, c] = self.one
        return out.ravel()

    def motion(self, place: Place, i: int) -> np.ndarray:
        """q_i (x) dl_i or dq_i (x) l_i: what a weight adds to the affine function of unit i, as k (n + 1) numbers."""
        name, index = place
        out = np.full((self.k, self.n + 1), self.one * 0, dtype=self.units.rows.dtype)
        if name == "W2":
            out[index[0]] = self.units.rows[i]
        else:
            out[:, index[1] if name == "W1" else self.n] = self.units.outer[:, i]
        return out.ravel()

    @staticmethod
    def movers(entries: dict[Place, Any]) -> list[int]:
        inner = {index[0] for name, index in entries if name in ("W1", "b1")}
        return sorted(inner | {index[1] for name, index in entries if name == "W2"})

    def cause(self, entries: dict[Place, Any]) -> str:
        return "constant" if len(self.movers(entries)) == 1 and any(name == "b2" for name, _ in entries) else "affine"
