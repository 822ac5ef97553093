"""Linear channels carried by others up to rounding: any rows beyond the rank of their kernels, on a box.

With more linear channels than kernel entries some are combinations of others, with coefficients that no float holds.
The nearest floats do: what they leave of a row, a part of 1e-12 at most, is a deviation that the certificate's bound
counts. Basis rows come first by QR with pivoting, which keeps coefficients small.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from fiberscope.equivalence.compression.folding import SINGLE, Rows
from fiberscope.equivalence.compression.slicing import Fold

RANK, LEFT, LARGEST = 1e-9, 1e-12, 8.0
"""Smallest pivot, part of a row that may be left over, largest coefficient (of rows of length 1)."""


def near_tries(rows: Rows) -> Iterator[tuple[str, list[Fold]]]:
    """What to fold: all at once, then unit by unit; with constants for the biases of readers, then without."""
    for table in (rows.kernel, np.column_stack([rows.kernel, rows.bias])):
        found = near_dependent(rows, table.astype(np.float64))
        if found:
            yield "folded", found
        if len(found) > 1:
            yield from (("folded", [fold]) for fold in found[:SINGLE])


def near_dependent(rows: Rows, table: np.ndarray) -> list[Fold]:
    """Linear units whose rows are combinations of others' up to rounding."""
    size = np.linalg.norm(table, axis=1)
    units = [i for i in sorted(rows.factor) if np.isfinite(size[i]) and size[i] > 0]
    if len(units) < 2:
        return []
    pivoted: Any = qr((table[units] / size[units, None]).T, mode="r", pivoting=True)
    triangle, order = pivoted
    steps = np.abs(np.diag(triangle))
    rank = int(np.sum(steps > RANK * steps[0]))
    basis, out = [units[k] for k in order[:rank]], []
    coefficients = solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:])
    for column, place in zip(coefficients.T, order[rank:].tolist(), strict=True):
        i = units[place]
        terms = {k: c * size[i] / size[k] for k, c in zip(basis, column.tolist(), strict=True) if c}
        left = table[i] - sum((c * table[k] for k, c in terms.items()), start=np.zeros(table.shape[1]))
        if np.abs(column).max() > LARGEST or np.abs(left).max() > LEFT * size[i]:
            continue
        line = {k: Fraction(float(c)) for k, c in terms.items()}
        out.append(Fold(i, {k: rows.factor[i] * c / rows.factor[k] for k, c in line.items()}, line))
    return out
