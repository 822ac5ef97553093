"""Rank and null space of small matrices: exactly over the rationals, or in floats with the gap of the decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.numerics.tolerance import DEPENDENCE


def reduce_columns(matrix: np.ndarray) -> tuple[list[int], np.ndarray, float]:
    """``(pivots, R, kept)``: reduced row echelon form R (rank x columns) and its pivot columns, from the left.

    Rationals (object arrays) exactly. Floats after scaling the columns to length 1, with entries below the tolerance
    taken for zero; ``kept`` is the smallest pivot that was not (inf for rationals, or without pivots).

    >>> pivots, R, _ = reduce_columns(np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]))
    >>> pivots, R.tolist()
    ([0, 2], [[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    """
    if matrix.dtype == object:
        return _exact(matrix)
    rows, columns = matrix.shape
    sizes = np.linalg.norm(matrix, axis=0)
    sizes[sizes == 0] = 1.0
    work = matrix / sizes
    pivots: list[int] = []
    kept = np.inf
    for c in range(columns):
        r = len(pivots)
        if r == rows:
            break
        best = r + int(np.abs(work[r:, c]).argmax())
        if abs(work[best, c]) <= DEPENDENCE:
            work[r:, c] = 0.0
            continue
        kept = min(kept, float(abs(work[best, c])))
        work[[r, best]] = work[[best, r]]
        work[r] /= work[r, c]
        others = np.arange(rows) != r
        work[others] -= np.outer(work[others, c], work[r])
        work[others, c] = 0.0
        pivots.append(c)
    scale = sizes / sizes[pivots][:, None] if pivots else np.zeros((0, columns))
    return pivots, work[: len(pivots)] * scale, kept


def _exact(matrix: np.ndarray) -> tuple[list[int], np.ndarray, float]:
    from flint import fmpq_mat

    rows, columns = matrix.shape
    if rows == 0 or columns == 0:
        return [], np.empty((0, columns), dtype=object), np.inf
    reduced, rank = fmpq_mat(rows, columns, matrix.ravel().tolist()).rref()
    table = np.empty((rank, columns), dtype=object)
    for r, row in enumerate(reduced.tolist()[:rank]):
        table[r] = row
    return [next(c for c in range(columns) if table[r, c] != 0) for r in range(rank)], table, np.inf


def null_space(matrix: np.ndarray) -> tuple[list[dict[int, Any]], float]:
    """A basis of the null space, one sparse vector {column: value} per column without pivot, and ``kept`` as above.

    The vector of column c is 1 at c and expresses it by the pivot columns to its left.

    >>> null_space(np.array([[1.0, 2.0]]))[0]
    [{0: -2.0, 1: 1.0}]
    """
    pivots, table, kept = reduce_columns(matrix)
    one = _one(matrix)
    small = DEPENDENCE if matrix.dtype != object else 0
    out = []
    for c in sorted(set(range(matrix.shape[1])) - set(pivots)):
        column = table[:, c].tolist()
        vector = {p: -v for p, v in zip(pivots, column, strict=True) if abs(v) > small}
        out.append({**vector, c: one})
    return out, kept


def rank(matrix: np.ndarray) -> int:
    """The rank, with the same decisions."""
    return len(reduce_columns(matrix)[0])


def _one(matrix: np.ndarray) -> Any:
    if matrix.dtype != object:
        return 1.0
    from flint import fmpq

    return fmpq(1)
