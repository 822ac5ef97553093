"""Rank-revealing orthogonal factorization of one block: which rows it takes, and what is dropped.

Plain QR comes first: when the triangle is far from singular all its pivots count, and a pivoted factorization would say
the same (every pivot of pivoted QR is at least the smallest singular value). Otherwise QR with column pivoting decides;
so it does for blocks wider than tall, where it also picks columns that are far from dependent. Where its pivots
overstate (the triangle they accept has a singular value below the cut: Kahan's matrices) the singular values decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.linear import reflectors
from fiberscope.linear.triangular import smallest_singular_value
from fiberscope.numerics.tolerance import PLAIN_QR_MARGIN

_SMALL = 128  # columns; below it LAPACK pivots about as fast as it does not


@dataclass(frozen=True)
class Block:
    """``Q^T B = [kept_rows; dropped]`` for an m x n block ``B``; ``kept_rows[:, pivots]`` is an upper triangle."""

    packed: np.ndarray  # m x k reflectors of Q
    taus: np.ndarray  # k
    kept_rows: np.ndarray  # k x n
    pivots: np.ndarray  # k column numbers
    smallest_kept: float  # estimate of the smallest singular value of the kept triangle; inf when k = 0
    largest_dropped: float  # largest dropped pivot; 0.0 when nothing was dropped
    dropped_norm: float  # Frobenius norm of the dropped part

    @property
    def rank(self) -> int:
        return len(self.taus)


def reduce(block: np.ndarray, cut: float) -> Block:
    """Factor a block so that its kept part has full row rank and its dropped part no pivot above `cut`."""
    rows, columns = block.shape
    size = min(rows, columns)
    if _SMALL < columns <= rows:
        packed, taus = reflectors.qr(block)
        smallest = smallest_singular_value(packed[:size, :size], PLAIN_QR_MARGIN * cut)
        if smallest > PLAIN_QR_MARGIN * cut:
            triangle = reflectors.upper_triangle(packed, size)
            return Block(packed, taus, triangle, np.arange(size), smallest, 0.0, 0.0)
    return _pivoted(block, cut)


def _pivoted(block: np.ndarray, cut: float) -> Block:
    """The careful way, for blocks that may lose rank."""
    if not block.size:
        empty = np.zeros(0)
        return Block(block[:, :0], empty, block[:0], np.zeros(0, dtype=np.intp), np.inf, 0.0, 0.0)
    packed, taus, order = reflectors.pivoted_qr(block)
    pivots = np.abs(np.diagonal(packed))
    rank = int(np.argmax(pivots <= cut)) if (pivots <= cut).any() else len(pivots)
    smallest = smallest_singular_value(packed[:rank, :rank], cut) if rank else np.inf
    if smallest > cut:
        rest = np.triu(packed[rank : len(pivots), rank:])
        dropped_pivot = float(pivots[rank]) if rank < len(pivots) else 0.0
        return _finish(packed, taus, order, rank, smallest, dropped_pivot, float(np.linalg.norm(rest)))
    left, values, right = np.linalg.svd(block, full_matrices=False)
    rank = int((values > cut).sum())
    packed, taus, order = reflectors.pivoted_qr((left[:, :rank] * values[:rank]) @ right[:rank])
    smallest = float(values[rank - 1]) if rank else np.inf
    dropped_pivot = float(values[rank]) if rank < len(values) else 0.0
    return _finish(packed, taus, order, rank, smallest, dropped_pivot, float(np.linalg.norm(values[rank:])))


def _finish(
    packed: np.ndarray, taus: np.ndarray, order: np.ndarray, rank: int, kept: float, dropped: float, norm: float
) -> Block:
    kept_rows = np.empty((rank, packed.shape[1]), order="F")
    kept_rows[:, order] = reflectors.upper_triangle(packed, rank)
    return Block(packed[:, :rank], taus[:rank], kept_rows, order[:rank], kept, dropped, norm)
