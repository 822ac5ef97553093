"""Upper triangles: solving with them, and how close they are to singular."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

_ITERATIONS = 3


def _blas() -> Any:
    from scipy.linalg import blas

    return blas


def solve(triangle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``triangle^{-1} right``; exact zeros below the staircase of `right` stay exact."""
    return _blas().dtrsm(1.0, triangle, right) if right.size else right


def solve_staircase(triangle: np.ndarray, right: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """``triangle^{-1} right`` where column c of `right` vanishes from row ``heights[c]`` on (nondecreasing)."""
    out = np.zeros(right.shape, order="F")
    for first, last, height in _panels(heights):
        out[:height, first:last] = solve(triangle[:height, :height], right[:height, first:last])
    return out


def times_staircase(left: np.ndarray, right: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """``left @ right`` for such a matrix on the right."""
    out = np.empty((len(left), right.shape[1]), order="F")
    for first, last, height in _panels(heights):
        np.matmul(right[:height, first:last].T, left[:, :height].T, out=out[:, first:last].T)
    return out


def _panels(heights: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """At most eight panels of at least 128 columns, each with its largest height."""
    size = len(heights)
    width = max(128, -(-size // 8))
    for first in range(0, size, width):
        last = min(first + width, size)
        yield first, last, int(heights[last - 1])


def smallest_singular_value(triangle: np.ndarray, floor: float) -> float:
    """An estimate from above of the smallest singular value of an upper triangle, by inverse iteration; O(n^2).

    ``1 / |R^-T x|`` is never below it for unit x, and with a random start close to it (Dixon 1983). It stops early,
    with a diagonal entry, when that is already at most `floor`.

    >>> round(smallest_singular_value(np.array([[1.0, 5.0], [0.0, 2.0]]), 0.0), 3)
    0.366
    """
    smallest = float(np.abs(np.diagonal(triangle)).min())
    if smallest <= floor or smallest == 0.0:
        return smallest
    triangle, x, dtrsv = np.asfortranarray(triangle), _start(len(triangle)), _blas().dtrsv
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_ITERATIONS):
            half = dtrsv(triangle, x, trans=1)
            squared = float(half @ half)
            if not 0.0 < squared < float("inf"):
                return 0.0
            smallest = min(smallest, squared**-0.5)
            x = dtrsv(triangle, half)
            squared = float(x @ x)
            if not 0.0 < squared < float("inf"):
                return 0.0
            x *= squared**-0.5
    return smallest


@lru_cache(maxsize=64)
def _start(size: int) -> np.ndarray:
    """A random unit vector, the same in every run."""
    x = np.random.default_rng(size).standard_normal(size)
    return x / np.linalg.norm(x)
