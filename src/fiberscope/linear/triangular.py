"""Upper triangles: solving with them, and how close they are to singular."""

from __future__ import annotations

from typing import Any

import numpy as np

_ITERATIONS = 3


def _blas() -> Any:
    from scipy.linalg import blas

    return blas


def solve(triangle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``triangle^{-1} right``; exact zeros below the staircase of `right` stay exact."""
    return _blas().dtrsm(1.0, triangle, right) if right.size else right


def smallest_singular_value(triangle: np.ndarray, floor: float) -> float:
    """An estimate from above of the smallest singular value of an upper triangle, by inverse iteration; O(n^2).

    ``1 / |R^-T x|`` is never below it for unit x, and with a random start close to it (Dixon 1983). It stops early,
    with a diagonal entry, when that is already at most `floor`.

    >>> round(smallest_singular_value(np.array([[1.0, 5.0], [0.0, 2.0]]), 0.0), 3)
    0.366
    """
    diagonal = np.abs(np.diagonal(triangle))
    smallest = float(diagonal.min())
    if smallest <= floor or smallest == 0.0:
        return smallest
    triangle = np.asfortranarray(triangle)
    x = np.random.default_rng(len(diagonal)).standard_normal(len(diagonal))
    for _ in range(_ITERATIONS):
        half = _blas().dtrsv(triangle, x / np.linalg.norm(x), trans=1)
        size = float(np.linalg.norm(half))
        if not np.isfinite(size) or size == 0.0:
            return 0.0
        smallest = min(smallest, 1.0 / size)
        x = _blas().dtrsv(triangle, half / size)
        if not np.isfinite(x).all():
            return 0.0
    return smallest
