"""The least stratum seen from any point: only what carries the product is kept.

Let ``W = mu(theta) = U S V^T`` have rank r, and

    X_0 = V,  X_j = W_j X_{j-1}  (d_j x r);      Y_L = S^{-1} U^T,  Y_{j-1} = Y_j W_j  (r x d_{j-1});      Y_j X_j =
    I_r.

``M_j = X_j Y_{j-1}`` is a point of the least stratum of the fiber of W. The rest ``N_j = W_j - M_j`` meets it nowhere,
``N_j X_{j-1} = 0`` and ``Y_j N_j = 0``, so that along the straight segment

    prod_j (M_j + t N_j) = W + t^L prod_j N_j,      prod_j N_j = 0:

the product stays. No flow basis is needed; the singular values of W below its rank are all that is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MinimalPoint:
    """``columns[j] = X_j`` (d_j x r) and ``rows[j] = Y_j`` (r x d_j) with ``Y_j X_j = I``, for j = 0 .. L."""

    columns: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        """``M_j = X_j Y_{j-1}``."""
        return tuple(x @ y for x, y in zip(self.columns[1:], self.rows, strict=False))

    def kernel(self, layer: int) -> np.ndarray:
        """An orthonormal basis K of the null space of ``Y_layer`` (d x (d - r)); ``[X, K]`` is a basis of R^d."""
        rows = self.rows[layer]
        rank, width = rows.shape
        size = np.linalg.norm(rows, axis=1, keepdims=True)
        q, _ = np.linalg.qr((rows / np.where(size > 0, size, 1.0)).T, mode="complete")
        return q[:, rank:width]


def minimal_point(
    factors: Sequence[np.ndarray], left: np.ndarray, sizes: np.ndarray, right: np.ndarray
) -> MinimalPoint:
    """The minimal point below ``factors``, whose product has the thin singular value decomposition ``left sizes
    right``.

    ``left`` (d_L x r), ``sizes`` (r, positive), ``right`` (r x d_0). Two points of one fiber must be given the same
    decomposition: then their ``X_0``, ``Y_0``, ``X_L``, ``Y_L`` agree.

    >>> w = [np.array([[1.0, 0.0], [0.0, 5.0]]), np.array([[2.0, 0.0]])]
    >>> [m.tolist() for m in minimal_point(w, np.eye(1), np.array([2.0]), np.array([[1.0, 0.0]])).factors]
    [[[1.0, 0.0], [0.0, 0.0]], [[2.0, 0.0]]]
    """
    columns, rows = [right.T], [left.T / sizes[:, None]]
    for factor in factors:
        columns.append(factor @ columns[-1])
    for factor in reversed(factors):
        rows.append(rows[-1] @ factor)
    return MinimalPoint(tuple(columns), tuple(reversed(rows)))
