"""The orthogonal staircase: ranks of all products ``W_k ... W_{i+1}`` at once, with a backward error.

Sweep ``l = 1 .. L`` with orthogonal ``Q_l`` (d_l x d_l) whose columns are grouped by birth ``b = 0 .. l``, such that
the groups ``0 .. b`` span the image of ``W_{l~b} = W_l ... W_{b+1}``. ``Q_0 = I``. In the bases ``Q`` the factor

    Q_l^T W_l Q_{l-1} = [ K_00 K_01 ... ]
                        [      K_11 ... ]   + dropped,     K_bb of full row rank p_b
                        [           ... ]
                        [  0    0    0  ]

is a block staircase: block b of the columns is reduced by an orthogonal factorization of the rows that no earlier block
took; it takes ``p_b`` of them, and what is left of it, no pivot above the cut, is dropped. So

    r_{l~i} = p_0 + ... + p_i = number of columns of Q_l born at i or before,

no product is ever formed, and the rank list is always that of some matrices: those with the dropped entries set to 0.
They are at distance ``sqrt(sum of dropped^2)`` exactly, since the ``Q_l`` are orthogonal.

The cut is one number for all layers: with a cut relative to each layer, a layer of noise alone would have full rank.
This is the staircase idea of Van Dooren (1979) and Demmel and Kagstrom (GUPTRI, 1993) for chains of maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fiberscope.linear import reflectors
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.rank_revealing import reduce


@dataclass(frozen=True)
class Step:
    """One factor in the orthogonal bases: ``Q_l`` and the kept rows of ``Q_l^T W_l Q_{l-1}``."""

    basis: np.ndarray  # Q_l, d_l x d_l
    upper: np.ndarray  # r x d_{l-1}: the staircase; its columns `pivots` are an invertible upper triangle
    pivots: np.ndarray  # r columns of Q_{l-1}, one for each row
    births: np.ndarray  # d_l: the birth of each column of Q_l, nondecreasing; the first r are < l
    kept: float  # smallest singular value among the kept triangles (estimated); inf if there are none
    dropped_pivot: float  # largest pivot that was dropped
    dropped_norm: float  # Frobenius norm of all that was dropped in this layer

    @property
    def rank(self) -> int:
        return len(self.pivots)


@dataclass(frozen=True)
class Staircase:
    """All steps. ``barcode`` has the rank list of the nearby matrices that `nearest` builds."""

    steps: tuple[Step, ...]
    first_width: int

    @cached_property
    def births(self) -> tuple[np.ndarray, ...]:
        """For each layer ``0 .. L`` the birth of each column of ``Q_j``."""
        return (np.zeros(self.first_width, dtype=np.intp), *(step.births for step in self.steps))

    @cached_property
    def barcode(self) -> Barcode:
        """From the number of columns born at ``i`` that are still there at ``k``, minus those there at ``k + 1``."""
        length = len(self.steps)
        alive = np.zeros((length + 2, length + 2), dtype=int)
        for k, births in enumerate(self.births):
            alive[: length + 1, k] = np.bincount(births, minlength=length + 1)
        return Barcode.from_bars(
            length,
            {(i, k): int(alive[i, k] - alive[i, k + 1]) for i in range(length + 1) for k in range(i, length + 1)},
        )

    def basis(self, layer: int) -> np.ndarray:
        """``Q_layer``: its columns born at ``i`` or before are an orthonormal basis of ``col W_{layer~i}``."""
        return self.steps[layer - 1].basis if layer else np.eye(self.first_width)

    def nearest(self, layer: int) -> np.ndarray:
        """``W'_layer = Q_l [upper; 0] Q_{l-1}^T``: the factor without what was dropped (d_l x d_{l-1})."""
        step = self.steps[layer - 1]
        out = step.basis[:, : step.rank] @ step.upper
        return out @ self.steps[layer - 2].basis.T if layer > 1 else out


def staircase(factors: Sequence[np.ndarray], cut: float) -> Staircase:
    """Reduce ``[W_1, ..., W_L]`` (float64): a pivot counts when it exceeds `cut`, the same for all layers.

    Time O(sum of d^3), memory O(sum of d^2).

    >>> staircase([np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])], 1e-12).barcode.bars
    ((0, 1, 1), (1, 2, 1))
    """
    births = np.zeros(factors[0].shape[1], dtype=np.intp)
    steps: list[Step] = []
    for layer, factor in enumerate(factors, start=1):
        # the transposed product of transposes comes out column by column, as LAPACK wants it
        matrix = (steps[-1].basis.T @ factor.T).T if steps else np.array(factor, order="F")
        step = _step(matrix, births, layer, cut)
        steps.append(step)
        births = step.births
    return Staircase(tuple(steps), factors[0].shape[1])


def _step(matrix: np.ndarray, births: np.ndarray, layer: int, cut: float) -> Step:
    """Reduce ``matrix = W_l Q_{l-1}``, whose columns are grouped by `births`."""
    rows, columns = matrix.shape
    size = min(rows, columns)
    packed = np.empty((rows, rows), order="F")  # the reflectors; entries above them are never read
    upper = np.zeros((size, columns), order="F")
    taus, pivots, born = np.zeros(size), np.zeros(size, dtype=np.intp), np.full(rows, layer, dtype=np.intp)
    rank, kept, dropped_pivot, dropped_norms = 0, np.inf, 0.0, [0.0]
    first = 0
    for last in [*(np.flatnonzero(births[1:] != births[:-1]) + 1).tolist(), columns]:
        block = reduce(matrix[rank:, first:last], cut)
        k, stop = block.rank, rank + block.rank
        packed[rank:, rank:stop] = block.packed
        taus[rank:stop] = block.taus
        upper[rank:stop, first:last] = block.kept_rows
        pivots[rank:stop] = first + block.pivots
        born[rank:stop] = births[first]
        if k and last < columns:
            rest = reflectors.apply_transposed(block.packed, block.taus, matrix[rank:, last:])
            upper[rank:stop, last:] = rest[:k]
            matrix[stop:, last:] = rest[k:]
        kept = min(kept, block.smallest_kept)
        dropped_pivot = max(dropped_pivot, block.largest_dropped)
        dropped_norms.append(block.dropped_norm)
        rank, first = stop, last
    basis = reflectors.orthogonal(packed, taus[:rank])
    norm = float(np.linalg.norm(dropped_norms))
    return Step(basis, upper[:rank], pivots[:rank], born, float(kept), float(dropped_pivot), norm)
