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

from fiberscope.equivalence.compression.folding import SINGLE, Rows, facing, turned_fold
from fiberscope.equivalence.compression.slicing import Fold

RANK, LEFT, LARGEST = 1e-9, 1e-12, 8.0
"""Smallest pivot, part of a row that may be left over, largest coefficient (of rows of length 1)."""

Line = dict[int, Fraction]


def near_tries(rows: Rows) -> Iterator[tuple[str, list[Fold]]]:
    """What to fold: all at once, then unit by unit; with constants for the biases of readers, then without."""
    tables = [t.astype(np.float64) for t in (rows.kernel, np.column_stack([rows.kernel, rows.bias]))]
    for table in tables:
        found = near_dependent(rows, table)
        if found:
            yield "folded", found
        if len(found) > 1:
            yield from (("folded", [fold]) for fold in found[:SINGLE])
    for table in tables:
        yield from (("opposite", [fold]) for fold in near_opposite(rows, table))


def near_dependent(rows: Rows, table: np.ndarray) -> list[Fold]:
    """Linear units whose rows are combinations of others' up to rounding."""
    units = sorted(rows.factor)
    basis, inverse = independent(table, units)
    lines = {i: carried(table, basis, inverse, i) for i in units if i not in basis}
    return [
        Fold(i, {k: rows.factor[i] * c / rows.factor[k] for k, c in line.items()}, line)
        for i, line in lines.items()
        if line
    ]


def near_opposite(rows: Rows, table: np.ndarray) -> Iterator[Fold]:
    """Units that bend on the boundary of another from the other side, a combination of linear ones up to rounding."""
    pairs = list(facing(rows))
    if not pairs:
        return
    basis, inverse = independent(table, sorted(rows.factor))
    for turned, other, c in pairs:
        line = carried(table, basis, inverse, turned)
        if line:
            yield turned_fold(rows, turned, other, c, line)


def independent(table: np.ndarray, units: list[int]) -> tuple[list[int], np.ndarray]:
    """Units whose rows, of length 1, span those of all, and the pseudoinverse of these rows."""
    size = np.linalg.norm(table, axis=1)
    usable = [i for i in units if np.isfinite(size[i]) and size[i] > 0]
    if not usable:
        return [], np.zeros((table.shape[1], 0))
    whole = table[usable] / size[usable, None]
    pivoted: Any = qr(whole.T, mode="economic", pivoting=True)
    q, triangle, order = pivoted
    steps = np.abs(np.diag(triangle))
    rank = int(np.sum(steps > RANK * steps[0]))
    inverse = solve_triangular(triangle[:rank, :rank], q[:, :rank].T)
    return [usable[k] for k in order[:rank]], inverse.T


def carried(table: np.ndarray, basis: list[int], inverse: np.ndarray, unit: int) -> Line | None:
    """A row as a combination of basis rows, or None where more than rounding is left or coefficients are large."""
    size = np.linalg.norm(table[[*basis, unit]], axis=1)
    if not basis or not np.isfinite(size[-1]) or size[-1] == 0:
        return None
    column = table[unit] / size[-1] @ inverse
    terms = {k: c * size[-1] / s for k, c, s in zip(basis, column.tolist(), size[:-1].tolist(), strict=True) if c}
    left = table[unit] - sum((c * table[k] for k, c in terms.items()), start=np.zeros(table.shape[1]))
    if np.abs(column).max() > LARGEST or np.abs(left).max() > LEFT * size[-1]:
        return None
    return {k: Fraction(float(c)) for k, c in terms.items()}
