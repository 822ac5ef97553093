"""Matrices over Q as numpy object arrays of ``flint.fmpq``, and the few operations that floats and rationals share."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_exact(matrix: np.ndarray) -> bool:
    """Whether the entries are rationals (an object array) instead of floats."""
    return matrix.dtype == object


def to_flint(matrix: np.ndarray) -> Any:
    """The ``flint.fmpq_mat`` of a matrix of floats (each an exact dyadic rational), integers or rationals."""
    from flint import fmpq_mat

    from fiberscope.numerics.exact import rational, rationals

    rows, columns = matrix.shape
    if matrix.dtype != object:
        matrix = rationals(np.asarray(matrix, dtype=np.float64))
    entries = [rational(v) if isinstance(v, int) else v for v in matrix.ravel().tolist()]
    return fmpq_mat(rows, columns, entries)


def from_flint(matrix: Any) -> np.ndarray:
    """The object array (rows x columns) of a ``flint.fmpq_mat``."""
    out = np.empty(matrix.nrows() * matrix.ncols(), dtype=object)
    for i, entry in enumerate(matrix.entries()):
        out[i] = entry
    return out.reshape(matrix.nrows(), matrix.ncols())


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a square matrix: LAPACK's for floats, exact for rationals. Size 0 is allowed."""
    if is_exact(matrix):
        return from_flint(to_flint(matrix).inv()) if len(matrix) else matrix
    return np.linalg.inv(matrix)
