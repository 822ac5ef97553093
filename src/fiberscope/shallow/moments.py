"""Second moments of a uniform point of the unit cube on one or two half-spaces, exactly.

    M_{ij} = E[ y y^T 1{l_i(y) > 0} 1{l_j(y) > 0} ],      y = (y_1, ..., y_n, 1),  l_i(y) = <row_i, y>.

Everything quadratic in a network of one hidden layer, its mean square and its Fisher information, is a sum of such
moments. Inputs that neither row reads factor out. In the others the cube is cut into r! simplices (Kuhn, 1960), and a
simplex whose corners lie on both sides of a hyperplane is split at a point of an edge until none does. A simplex with
corners v_0 .. v_r and probability p has, with S = sum v (Lasserre and Avrachenkov, Amer. Math. Monthly 108, 2001),

    E[1] = p,   E[x] = p S / (r + 1),   E[x x^T] = p (sum v v^T + S S^T) / ((r + 1)(r + 2)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import permutations
from typing import Any

import numpy as np

MAX_INPUTS = 5
"""A pair of half-spaces that reads more inputs than this is left to other methods (6! simplices and their pieces)."""

Corner = list[Any]


class CubeMoments:
    """Moments for fixed ``rows`` (each n + 1 numbers), computed once for every pair that is asked.

    ``exact``: over the rationals (floats are dyadic), otherwise in floats. ``balls``, with ``exact``: the simplices
    stay exact, their moments are added up in balls of the working precision of python-flint (Johansson, Arb, 2017),
    because exact sums grow with the number of simplices. ``known``: moments of the same kind, to share.

    >>> CubeMoments([[1.0, -0.5]], inputs=1, exact=False).pair(0, None).tolist()  # y > 1/2
    [[0.2916666666666667, 0.375], [0.375, 0.5]]
    """

    def __init__(
        self, rows: list[list[Any]], *, inputs: int, exact: bool, balls: bool = False, known: CubeMoments | None = None
    ) -> None:
        self.inputs, self.exact, self.balls = inputs, exact, balls
        self.rows = [_rational(row) if exact else row for row in rows]
        self._found: dict[tuple[tuple[Any, ...], ...], np.ndarray | None] = {} if known is None else known._found
        self._keys = [tuple(row) for row in self.rows]
        self._side = [_side(row) for row in self.rows]

    def __len__(self) -> int:
        """The number of different pairs computed so far."""
        return len(self._found)

    def side(self, i: int) -> int:
        """+1 where row i is nowhere negative on the cube, -1 where it is nowhere positive (also if 0), else 0."""
        return self._side[i]

    def reads(self, i: int | None, j: int | None) -> int:
        """How many inputs the pair depends on."""
        return len(self._support([k for k in (i, j) if k is not None and not self._side[k]]))

    def pair(self, i: int | None, j: int | None) -> np.ndarray | None:
        """``M_ij`` (n + 1 x n + 1); None as an index means no condition, None as an answer means zero."""
        wanted = [k for k in (i, j) if k is not None]
        if any(self._side[k] < 0 for k in wanted):
            return None
        crossing = sorted({self._keys[k]: k for k in wanted if not self._side[k]}.values())
        key = tuple(sorted(self._keys[k] for k in crossing))
        if key not in self._found:
            self._found[key] = self._moments(crossing)
        return self._found[key]

    def _support(self, crossing: list[int]) -> list[int]:
        return [c for c in range(self.inputs) if any(self.rows[k][c] != 0 for k in crossing)]

    def _moments(self, crossing: list[int]) -> np.ndarray | None:
        support = self._support(crossing)
        rows = [[self.rows[k][c] for c in (*support, -1)] for k in crossing]
        one = _rational([1])[0] if self.exact else 1.0
        mass, first, second = _on_support(rows, one, self._ball if self.balls else _same)
        if mass == 0:
            return None
        n = self.inputs
        out = np.empty((n + 1, n + 1), dtype=object if self.exact else np.float64)
        out[:, :] = mass / 4
        for c in range(n):
            out[c, c] = mass / 3
        out[n, :] = out[:, n] = mass / 2
        out[n, n] = mass
        for a, s in enumerate(support):
            out[s, :] = out[:, s] = first[a] / 2
            out[s, n] = out[n, s] = first[a]
        for a, s in enumerate(support):
            for b, t in enumerate(support):
                out[s, t] = second[a][b]
        return out

    @staticmethod
    def _ball(value: Any) -> Any:
        from flint import arb

        return arb(value)


def _same(value: Any) -> Any:
    return value


def _side(row: list[Any]) -> int:
    top = row[-1] + sum(v for v in row[:-1] if v > 0)
    if top <= 0:
        return -1
    return int(row[-1] + sum(v for v in row[:-1] if v < 0) >= 0)


def _rational(row: list[Any]) -> list[Any]:
    from flint import fmpq

    from fiberscope.numerics.exact import rational

    return [v if isinstance(v, fmpq) else rational(v) for v in row]


def _on_support(rows: list[list[Any]], one: Any, lift: Callable[[Any], Any]) -> tuple[Any, list[Any], list[list[Any]]]:
    """Mass, first and second moments over the inputs that are read; every corner carries the rows' values behind it."""
    r = len(rows[0]) - 1 if rows else 0
    zero = lift(one * 0)
    mass, first = zero, [zero] * r
    second = [[zero] * r for _ in range(r)]
    volume = lift(one / math.factorial(r))
    for path in _kuhn(r):
        corners = [[*(one * c for c in corner), *(_value(row, corner) for row in rows)] for corner in path]
        pieces = [(corners, volume)]
        for place in range(r, r + len(rows)):
            pieces = [part for whole in pieces for part in _positive(*whole, place, lift)]
        for piece, p in pieces:
            mass += p
            points = [[lift(v) for v in corner[:r]] for corner in piece]
            total = [sum(column) for column in zip(*points, strict=True)]
            for a in range(r):
                first[a] += p * total[a] / (r + 1)
                for b in range(a + 1):
                    value = sum((x[a] * x[b] for x in points), total[a] * total[b])
                    second[a][b] += p * value / ((r + 1) * (r + 2))
    for a in range(r):
        for b in range(a):
            second[b][a] = second[a][b]
    return mass, first, second


def _value(row: list[Any], corner: tuple[int, ...]) -> Any:
    return sum((v for v, c in zip(row[:-1], corner, strict=True) if c), row[-1])


@lru_cache(maxsize=16)
def _kuhn(r: int) -> list[list[tuple[int, ...]]]:
    """Corner paths 0 -> (1, ..., 1) of the r-cube, one per order of the coordinates: r! simplices of equal volume."""
    paths = []
    for order in permutations(range(r)):
        corner = [0] * r
        path = [tuple(corner)]
        for c in order:
            corner[c] = 1
            path.append(tuple(corner))
        paths.append(path)
    return paths


def _positive(
    corners: list[Corner], volume: Any, place: int, lift: Callable[[Any], Any]
) -> Iterator[tuple[list[Corner], Any]]:
    """The part of a simplex where the linear function in ``place`` is positive, as simplices with their volumes."""
    stack = [(corners, volume)]
    while stack:
        piece, p = stack.pop()
        plus = next((i for i, corner in enumerate(piece) if corner[place] > 0), None)
        if plus is None:
            continue
        minus = next((i for i, corner in enumerate(piece) if corner[place] < 0), None)
        if minus is None:
            yield piece, p
            continue
        a, b = piece[plus], piece[minus]
        t = a[place] / (a[place] - b[place])  # the edge crosses zero at a + t (b - a)
        cut = [u + t * (v - u) for u, v in zip(a, b, strict=True)]
        cut[place] = a[place] * 0
        part = lift(t)
        stack.append(([*piece[:plus], cut, *piece[plus + 1 :]], p * (1 - part)))
        stack.append(([*piece[:minus], cut, *piece[minus + 1 :]], p * part))
