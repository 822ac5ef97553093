"""A bounded set of inputs ``lo <= x <= hi, G x <= h``: its points for searches, or a proof that there is none.

Linear programs are solved in floats (HiGHS). That the set is empty is believed only after multipliers ``y >= 0`` with
``min over the box of y (G x - h) > 0`` were checked in rationals (Farkas). Points serve searches only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError

FLAT = 1e-9
"""A largest slack below this part of the size of a row (of unit length) is a program's rounding."""
VERTICES = 96


@dataclass(frozen=True, eq=False)
class Polytope:
    """``G`` [R, n] and ``h`` [R], both finite, cut the box ``lo, hi`` [n]."""

    G: np.ndarray
    h: np.ndarray
    lo: np.ndarray
    hi: np.ndarray

    @classmethod
    def of(cls, pair: Any, lo: np.ndarray, hi: np.ndarray) -> Polytope:
        """From a pair ``(G, h)``; errors: InputError for wrong shapes, numbers that are not finite, or an empty set.

        >>> Polytope.of(([[1.0, 1.0]], [1.0]), np.zeros(2), np.ones(2)).rows
        1
        """
        try:
            G, h = (np.array(part, dtype=np.float64) for part in pair)
        except (TypeError, ValueError):
            raise InputError("polytope: expected a pair (G, h) of arrays meaning G x <= h") from None
        if G.ndim != 2 or G.shape[1] != len(lo) or h.shape != (len(G),) or not len(G):
            raise InputError(f"polytope: G {G.shape} and h {h.shape}; expected (R, {len(lo)}) and (R,), R at least 1")
        if not (np.isfinite(G).all() and np.isfinite(h).all()):
            raise InputError("polytope: holds NaN or infinity; leave the constraint out instead")
        made = cls(G, h, lo, hi)
        made.centre  # noqa: B018 (refuses an empty set)
        return made

    @property
    def rows(self) -> int:
        """How many constraints cut the box."""
        return len(self.h)

    @cached_property
    def _unit(self) -> tuple[np.ndarray, np.ndarray]:
        """Constraints of unit length."""
        length = np.linalg.norm(self.G, axis=1)
        length = np.where(length > 0, length, 1.0)
        return self.G / length[:, None], self.h / length

    def _program(self, cost: np.ndarray, G: np.ndarray, h: np.ndarray, bounds: Any) -> Any:
        from scipy.optimize import linprog

        return linprog(cost, A_ub=G, b_ub=h, bounds=bounds, method="highs")

    @cached_property
    def centre(self) -> np.ndarray:
        """A point as far inside all constraints as there is; errors: InputError when no input fits."""
        n, (G, h) = len(self.lo), self._unit
        cost = np.eye(n + 1)[n]
        box = np.column_stack([self.lo, self.hi])
        first = self._program(cost, np.column_stack([G, -np.ones(len(h))]), h, [*box, (None, None)])
        size = FLAT * (1.0 + np.abs(h).max() + np.abs(box).max())
        if first.status == 0 and first.x[-1] > 0 and self.excluded(-np.asarray(first.ineqlin.marginals)):
            raise InputError("no input fits: the linear constraints exclude the whole box")
        if first.status != 0 or first.x[-1] > size:
            raise InputError("polytope: no input was found that fits, and none could be excluded; scale its numbers")
        wide = self.hi > self.lo
        face = np.eye(n)[wide]
        ones = -0.5 * (self.hi - self.lo)[wide, None]
        G = np.block([[G, -np.ones((len(h), 1))], [face, -ones], [-face, -ones]])
        h = np.concatenate([h, self.hi[wide], -self.lo[wide]])
        second = self._program(cost, G, h, [*box, (None, None)])
        if second.status == 0 and first.x[-1] < -size:
            return np.clip(second.x[:n], self.lo, self.hi)
        return self._corners(first.x[:n]).mean(axis=0)  # the set is flat

    def excluded(self, multipliers: np.ndarray) -> bool:
        """Whether ``y (G x - h) > 0`` on the whole box for these ``y`` (of unit rows), in rationals."""
        length = np.linalg.norm(self.G, axis=1)
        y = np.where(length > 0, multipliers / np.where(length > 0, length, 1.0), multipliers)
        y = np.where(y > 1e-9 * max(float(y.max(initial=0.0)), 1e-300), y, 0.0)
        form, total = [Fraction(0)] * len(self.lo), Fraction(0)
        for r in np.flatnonzero(y):
            factor = Fraction(float(y[r]))
            total -= factor * Fraction(float(self.h[r]))
            for i in np.flatnonzero(self.G[r]):
                form[i] += factor * Fraction(float(self.G[r, i]))
        for slope, low, high in zip(form, self.lo.tolist(), self.hi.tolist(), strict=True):
            total += slope * Fraction(low if slope > 0 else high)
        return total > 0

    @cached_property
    def _equal(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows that stand in both directions: their G, h, and which rows they are."""
        both = {(*row, limit) for row, limit in zip((self.G + 0.0).tolist(), (self.h + 0.0).tolist(), strict=True)}
        flipped = zip((-self.G + 0.0).tolist(), (-self.h + 0.0).tolist(), strict=True)
        mark = np.array([(*row, limit) in both for row, limit in flipped], dtype=bool)
        return self.G[mark], self.h[mark], mark

    @cached_property
    def vertices(self) -> np.ndarray:
        """Corners found by linear programs in random directions [K, n]."""
        return self._corners(self.centre)

    def _corners(self, *found: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(0)
        box, out = np.column_stack([self.lo, self.hi]), [*found]
        for direction in rng.standard_normal((VERTICES, len(self.lo))):
            done = self._program(direction, *self._unit, box)
            out += [done.x] if done.status == 0 else []
        return np.clip(np.array(out), self.lo, self.hi)

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Mixtures of corners, few of them and very unequal, so that faces and edges are met."""
        corners = self.vertices
        few = min(len(self.lo) + 1, 6, len(corners))
        chosen = rng.integers(0, len(corners), (count, few))
        weights = rng.gamma(0.4, size=(count, few)) + 1e-12
        return self.clip(np.einsum("ck,ckn->cn", weights / weights.sum(axis=1, keepdims=True), corners[chosen]))

    def clip(self, x: np.ndarray) -> np.ndarray:
        """Points of the set on the way from ``x`` [N, n] to the centre, after a projection where rows are equations."""
        x = np.clip(x, self.lo, self.hi)
        equal, value, mark = self._equal
        if len(value):
            x = x - (x @ equal.T - value) @ np.linalg.pinv(equal).T
        G = np.concatenate([self.G[~mark], np.eye(len(self.lo)), -np.eye(len(self.lo))])
        h = np.concatenate([self.h[~mark], self.hi, -self.lo])
        way = x - self.centre
        speed, room = way @ G.T, np.maximum(h - G @ self.centre, 0.0)
        with np.errstate(all="ignore"):
            far = np.where(speed > room + 1e-14 * np.abs(h), room / np.where(speed > 0, speed, 1.0), 1.0).min(
                axis=1, initial=1.0
            )
        return np.clip(self.centre + way * far[:, None], self.lo, self.hi)

    def bounding(self) -> np.ndarray:
        """Multipliers of the constraints [2 n, R] for which they bound each input, above first, then below."""
        n, box = len(self.lo), np.column_stack([self.lo, self.hi])
        length = np.linalg.norm(self.G, axis=1)
        out = np.zeros((2 * n, self.rows))
        for k in range(2 * n):
            cost = np.zeros(n)
            cost[k % n] = -1.0 if k < n else 1.0
            done = self._program(cost, *self._unit, box)
            if done.status == 0:
                found = np.maximum(-np.asarray(done.ineqlin.marginals), 0.0)
                out[k] = found / np.where(length > 0, length, 1.0)
        return out
