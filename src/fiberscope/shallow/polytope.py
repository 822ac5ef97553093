"""A polyhedron {x: G x <= h} of inputs with interior, and on which side of its boundary a unit stays there.

Linear programs are solved in floats (HiGHS) and never believed: a point with <w, x> + b > 0 is moved towards an
interior point until it satisfies every inequality in rationals; a bound max <= 0 is proved by rational multipliers
y >= 0 with G^T y = w and <h, y> + b <= 0 (Farkas). What neither settles is an error that names the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rationals

_STEPS = (2.0**-40, 2.0**-30, 2.0**-20, 2.0**-10, 2.0**-4)


@dataclass(frozen=True, eq=False)
class Polytope:
    """``G`` (c, n) and ``h`` (c,), floats or rationals: all x with G x <= h."""

    G: np.ndarray
    h: np.ndarray

    @classmethod
    def of(cls, polytope: Any, inputs: int) -> Polytope:
        """A polytope from a pair (G, h), with the shapes checked; errors: InputError.

        >>> Polytope.of((np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]), np.array([1.0, 0.0, 0.0])), 2).h.shape
        (3,)
        """
        if isinstance(polytope, Polytope):
            G, h = polytope.G, polytope.h
        else:
            try:
                G, h = (a if a.dtype == object else a.astype(np.float64) for a in map(np.asarray, polytope))
            except (TypeError, ValueError):
                raise InputError("polytope: expected a pair (G, h) of arrays meaning G x <= h") from None
        if G.ndim != 2 or G.shape[1] != inputs or h.shape != (len(G),):
            raise InputError(f"polytope: G {G.shape} and h {h.shape}; expected (c, {inputs}) and (c,)")
        if not all(np.isfinite(a).all() for a in (G, h) if a.dtype != object):
            raise InputError("polytope: holds NaN or infinity; leave out the inequality instead")
        return cls(G, h)

    def equals(self, other: Polytope | None) -> bool:
        """Whether both are written with the same numbers."""
        if other is None or self.G.shape != other.G.shape:
            return False
        return bool((self.G == other.G).all() and (self.h == other.h).all())

    def to_json(self) -> dict[str, Any]:
        """``{"G": [[...]], "h": [...]}``, rationals as strings."""
        plain = (lambda v: str(v)) if self.G.dtype == object or self.h.dtype == object else float
        return {"G": [[plain(v) for v in row] for row in self.G.tolist()], "h": [plain(v) for v in self.h.tolist()]}

    def __str__(self) -> str:
        return f"a polytope of {len(self.G)} inequalities"

    @cached_property
    def rational(self) -> tuple[np.ndarray, np.ndarray]:
        """G and h over Q."""
        return rationals(self.G), rationals(self.h)

    @cached_property
    def _floats(self) -> tuple[np.ndarray, np.ndarray]:
        from fiberscope.numerics.exact import nearest_floats

        return tuple(a if a.dtype != object else nearest_floats(a)[0] for a in (self.G, self.h))  # type: ignore[return-value]

    def inside(self, x: np.ndarray) -> bool:
        """Whether every inequality holds strictly at a rational point."""
        G, h = self.rational
        return bool((G @ x < h).all()) if len(G) else True

    @cached_property
    def centre(self) -> np.ndarray:
        """A rational point with every inequality strict (the centre of a large ball inside).

        Errors: InputError when none is found: the set is empty or has no interior.
        """
        from scipy.optimize import linprog

        G, h = self._floats
        n = G.shape[1]
        length = np.linalg.norm(G, axis=1)
        A, c = np.column_stack([G, length]), np.zeros(n + 1)
        c[-1] = -1.0
        done = linprog(c, A_ub=A, b_ub=h, bounds=[(None, None)] * n + [(0, 1.0)], method="highs")
        if done.status == 0:
            x = rationals(done.x[:n])
            if self.inside(x):
                return x
        raise InputError(
            "polytope: no point was found with G x < h; the set must have interior (check signs of G and h)"
        )

    def sides(self, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Per row: +1 where <w, x> + b >= 0 on the polytope, -1 where <= 0, 0 where both signs occur inside.

        Errors: InputError naming the unit whose side could not be proved.
        """
        W, b = rationals(W), rationals(b)
        out = np.empty(len(W), dtype=np.int64)
        for i in range(len(W)):
            above, below = self._reaches(W[i], b[i]), self._reaches(-W[i], -b[i])
            if above is None or below is None:
                raise InputError(
                    f"polytope: whether unit {i} changes sign inside is undecided (its boundary touches the polytope "
                    "within rounding, and no exact proof was found); change h a little"
                )
            out[i] = 0 if above and below else (1 if above else -1)
        return out

    def _reaches(self, w: np.ndarray, b: Any) -> bool | None:
        """Whether <w, x> + b > 0 somewhere inside, proved in rationals; None if neither way was proved."""
        if w @ self.centre + b > 0:
            return True
        if not (w != 0).any():
            return False
        from scipy.optimize import linprog

        from fiberscope.numerics.exact import nearest_floats

        G, h = self._floats
        direction, offset = nearest_floats(w)[0], float(nearest_floats(np.array([b], dtype=object))[0][0])
        size = max(1.0, abs(offset), float(np.abs(direction).max()))
        capped = np.vstack([G, direction / size]), np.append(h, 1.0 - offset / size)  # value / size <= 1: bounded
        done = linprog(-direction / size, A_ub=capped[0], b_ub=capped[1], bounds=(None, None), method="highs")
        if done.status != 0:
            return None
        top = rationals(done.x)
        for step in map(rationals, np.array(_STEPS)[:, None]):
            x = top + (self.centre - top) * step[0]
            if w @ x + b > 0 and self.inside(x):
                return True
        return False if self._bounded(w, b, -np.asarray(done.ineqlin.marginals)[:-1]) else None

    def _bounded(self, w: np.ndarray, b: Any, multipliers: np.ndarray) -> bool:
        """Whether rational y >= 0 near ``multipliers`` prove <w, x> + b <= 0: G^T y = w, <h, y> + b <= 0."""
        from fiberscope.shallow.rational_solve import solve

        G, h = self.rational
        support = np.flatnonzero(multipliers > 1e-9 * max(float(multipliers.max(initial=0.0)), 1e-300))
        y = solve(G[support].T, w)
        return y is not None and bool((y >= 0).all()) and bool(h[support] @ y + b <= 0)
