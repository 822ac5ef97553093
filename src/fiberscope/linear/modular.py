"""Ranks modulo a prime: proven lower bounds of the ranks over Q, in machine words.

A minor that is not 0 modulo p is not 0, so for integer matrices ``rank mod p <= rank over Q``; a common denominator of
a factor changes no rank. Where the bound meets ``min(d_i, ..., d_k)`` the rank is proven. Random factors of floats have
the largest ranks possible, so this settles them without a single rational.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import Any

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.bars_from_pivots import bars_from_pivots

PRIME = 2**31 - 1  # products of two residues fit 64 bits


def modular_barcode(factors: Sequence[np.ndarray], prime: int = PRIME) -> Barcode:
    """The barcode of the factors modulo `prime`, each multiplied by its common denominator first.

    Its ranks are proven lower bounds of those over Q. ``factors`` hold floats, integers or rationals.

    >>> modular_barcode([np.array([[2.0, 0.0], [0.0, 1.0]])], prime=3).rank(1, 0)
    2
    """
    from flint import nmod_mat

    size = factors[0].shape[1]
    kept: Any = None  # columns that span the image at the last layer, by birth; the rest is a complement
    steps = []
    for factor in factors:
        rows, columns = factor.shape
        matrix = nmod_mat(rows, columns, residues(factor, prime), prime)
        if kept is not None:
            matrix = matrix * kept
        echelon, rank = matrix.rref()
        pivots = leading_columns(np.array([int(v) for v in echelon.entries()]).reshape(rows, columns), rank)
        steps.append((pivots, rows))
        kept = completed(matrix, pivots, lambda r, c, v: nmod_mat(r, c, v, prime))
    bars, _ = bars_from_pivots(size, steps)
    return barcode_of(bars, len(factors))


def generic_barcode(widths: Sequence[int]) -> Barcode:
    """The barcode with every rank as large as the widths allow, ``r_{k~i} = min(d_i, ..., d_k)``.

    >>> generic_barcode([2, 1, 2]).bars
    ((0, 0, 1), (0, 2, 1), (2, 2, 1))
    """
    length = len(widths) - 1
    ranks = {(k, i): min(widths[i : k + 1]) for i in range(length + 1) for k in range(i, length + 1)}
    return Barcode.from_ranks(ranks, length)


def barcode_of(bars: Sequence[tuple[int, int]], length: int) -> Barcode:
    """The multiset of single bars."""
    counts: dict[tuple[int, int], int] = {}
    for bar in bars:
        counts[bar] = counts.get(bar, 0) + 1
    return Barcode.from_bars(length, counts)


def leading_columns(echelon: np.ndarray, rank: int) -> list[int]:
    """The pivot columns of a reduced row echelon form of the given rank."""
    return [int(np.argmax(row != 0)) for row in echelon[:rank]]


def completed(matrix: Any, pivots: Sequence[int], build: Any) -> Any:
    """The invertible flint matrix ``[matrix[:, pivots], unit vectors]``; `build(rows, columns, entries)` makes one."""
    rows = matrix.nrows()
    entries = np.array(matrix.entries(), dtype=object).reshape(rows, matrix.ncols())[:, list(pivots)]
    spanning = build(rows, len(pivots), entries.ravel().tolist())
    echelon, rank = spanning.transpose().rref() if pivots else (None, 0)
    free = set(range(rows))
    if echelon is not None:
        shape = (len(pivots), rows)
        free -= set(leading_columns(np.array(echelon.entries(), dtype=object).reshape(shape), rank))
    units = np.zeros((rows, rows - rank), dtype=object)
    units[sorted(free), np.arange(rows - rank)] = 1
    return build(rows, rows, np.hstack([entries, units]).ravel().tolist())


def residues(matrix: np.ndarray, prime: int) -> list[int]:
    """The entries times a common denominator, modulo `prime`, row by row."""
    if matrix.dtype != object and matrix.dtype.kind == "f" and prime < 2**32:
        fractions, exponents = np.frexp(matrix.ravel())
        integers = np.ldexp(fractions, 53).astype(np.int64)
        nonzero = integers != 0
        powers = np.where(nonzero, exponents - (exponents[nonzero].min() if nonzero.any() else 0), 0)
        table = np.ones(int(powers.max(initial=0)) + 1, dtype=np.uint64)
        for k, _ in enumerate(table[1:], start=1):
            table[k] = 2 * int(table[k - 1]) % prime
        reduced = np.mod(integers, prime).astype(np.uint64)
        return (reduced * table[powers] % np.uint64(prime)).tolist()
    pairs = [_pair(v) for v in matrix.ravel().tolist()]
    common = lcm(*{q for _, q in pairs})
    return [p * (common // q) % prime for p, q in pairs]


def _pair(value: Any) -> tuple[int, int]:
    if hasattr(value, "as_integer_ratio"):
        return value.as_integer_ratio()
    return int(value.p), int(value.q)
