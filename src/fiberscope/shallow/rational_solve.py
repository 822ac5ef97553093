"""Linear systems, ranks and bases over Q."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fiberscope.numerics.exact import rationals

PRIME = (1 << 61) - 1


def flint_matrix(A: np.ndarray) -> Any:
    """The ``flint.fmpq_mat`` of an array (floats or rationals)."""
    from flint import fmpq_mat

    rows, columns = A.shape
    return fmpq_mat(rows, columns, rationals(A).ravel().tolist())


def rank(A: np.ndarray) -> int:
    """The rank of a matrix over Q.

    >>> rank(np.array([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    if not A.size:
        return 0
    return min(A.shape) if _full_rank_modulo(A) else flint_matrix(A).rref()[1]


def _full_rank_modulo(A: np.ndarray) -> bool:
    """Whether A, its rows made whole, has full rank modulo a prime; then it has over Q."""
    from flint import nmod_mat

    rows = []
    for row in rationals(A).tolist():
        common = math.lcm(*(int(v.q) for v in row))
        rows += [int(v.p) * (common // int(v.q)) % PRIME for v in row]
    r, c = A.shape
    return nmod_mat(r, c, rows, PRIME).rank() == min(r, c)


def reduced(A: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The nonzero rows of the reduced row echelon form, and the columns of their leading ones."""
    if not A.size:
        return np.empty((0, A.shape[1]), dtype=object), []
    echelon, size = flint_matrix(A).rref()
    rows = np.empty((size, A.shape[1]), dtype=object)
    pivots = []
    for i in range(size):
        row = [echelon[i, j] for j in range(A.shape[1])]
        rows[i] = row
        pivots.append(next(j for j, v in enumerate(row) if v != 0))
    return rows, pivots


def solve(A: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Some rational x with A x = y (free unknowns 0), or None if there is none; A (r x c), y (r,) or (r, s).

    >>> [str(v) for v in solve(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([1.0, 1.0]))]
    ['1/2', '1/3']
    """
    right = rationals(y).reshape(len(A), -1)
    columns = A.shape[1]
    rows, pivots = reduced(np.concatenate([rationals(A), right], axis=1))
    if any(p >= columns for p in pivots):
        return None
    x = rationals(np.zeros((columns, right.shape[1])))
    for row, pivot in zip(rows, pivots, strict=True):
        x[pivot] = row[columns:]
    return x.reshape((columns,) if y.ndim == 1 else (columns, right.shape[1]))


def null_space(A: np.ndarray) -> np.ndarray:
    """A basis of {x: A x = 0} as columns (c x nullity), over Q."""
    columns = A.shape[1]
    rows, pivots = reduced(A)
    free = [j for j in range(columns) if j not in set(pivots)]
    basis = rationals(np.zeros((columns, len(free))))
    one = rationals(np.ones(1))[0]
    for c, j in enumerate(free):
        basis[j, c] = one
        for row, pivot in zip(rows, pivots, strict=True):
            basis[pivot, c] = -row[j]
    return basis
