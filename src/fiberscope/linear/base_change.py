"""Paths of invertible matrices from the identity, and the paths of minimal points that they give.

``g = O P`` (polar decomposition, det g > 0): ``O`` rotates some planes by angles ``phi`` (real Schur form;
eigenvalues -1 come in pairs), ``P = B diag(w) B^T`` is positive definite, and ``g(s) = O^s P^s``, s in [0, 1], joins
I and g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fiberscope.linear.minimal_point import MinimalPoint


@dataclass(frozen=True)
class GroupPath:
    """``g(s) = Z R(s phi) Z^T B diag(w^s) B^T``: ``schur`` = Z, ``planes`` = (row, row, phi), ``axes`` = B, ``sizes``
    = w."""

    schur: np.ndarray
    planes: tuple[tuple[int, int, float], ...]
    axes: np.ndarray
    sizes: np.ndarray

    def apply(self, s: float, vectors: np.ndarray) -> np.ndarray:
        """``g(s) vectors`` (d x n)."""
        stretched = self.axes @ ((self.sizes**s)[:, None] * (self.axes.T @ vectors))
        return self._rotate(s, stretched)

    def apply_inverse(self, s: float, rows: np.ndarray) -> np.ndarray:
        """``rows g(s)^{-1}`` (n x d)."""
        shrunk = ((rows @ self.axes) * self.sizes**-s) @ self.axes.T  # rows P^-s, then O^-s = (O^s)^T from the right
        return self._rotate(s, shrunk.T).T

    def _rotate(self, s: float, vectors: np.ndarray) -> np.ndarray:
        inside = self.schur.T @ vectors
        for p, q, angle in self.planes:
            c, d = math.cos(s * angle), math.sin(s * angle)
            inside[p], inside[q] = c * inside[p] - d * inside[q], d * inside[p] + c * inside[q]
        return self.schur @ inside


def group_path(g: np.ndarray) -> GroupPath:
    """The path from I to ``g`` (d x d, det > 0).

    >>> g = np.array([[0.0, -2.0], [2.0, 0.0]])
    >>> bool(np.allclose(group_path(g).apply(0.5, np.eye(2)) @ group_path(g).apply(0.5, np.eye(2)), g))
    True
    """
    from scipy.linalg import schur

    left, sizes, right = np.linalg.svd(g)
    triangular, vectors = schur(left @ right, output="real")[:2]
    planes, flipped, j = [], [], 0
    while j < len(g):
        if j + 1 < len(g) and abs(triangular[j + 1, j]) > abs(triangular[j, j + 1]) / 2 > 0:
            sine = (triangular[j + 1, j] - triangular[j, j + 1]) / 2
            cosine = (triangular[j, j] + triangular[j + 1, j + 1]) / 2
            planes.append((j, j + 1, math.atan2(sine, cosine)))
            j += 2
        else:
            if triangular[j, j] < 0:
                flipped.append(j)
            j += 1
    planes += [(p, q, math.pi) for p, q in zip(flipped[::2], flipped[1::2], strict=True)]
    return GroupPath(vectors, tuple(planes), right.T, sizes)


def connecting_matrix(start: MinimalPoint, end: MinimalPoint, layer: int) -> np.ndarray | None:
    """``g`` (d x d, det > 0) with ``g X = X'`` and ``Y g^{-1} = Y'`` at a hidden layer; None if there is none.

    ``g = X' Y + K' K^T (I - X Y)`` for orthonormal bases ``K``, ``K'`` of the null spaces of ``Y``, ``Y'``; ``K'`` is
    turned as near to ``K`` as it can be (Procrustes), and if ``det g < 0`` one of its directions is reversed. Without
    any (d = r) the sign of ``det X' / det X`` decides.
    """
    x, y, k, other_k = start.columns[layer], start.rows[layer], start.kernel(layer), end.kernel(layer)
    carried = end.columns[layer] @ y
    free = k.T - (k.T @ x) @ y
    left, _, right = np.linalg.svd(other_k.T @ k)
    g = carried + other_k @ (left @ right) @ free
    if np.linalg.slogdet(g)[0] > 0:
        return g
    if not k.shape[1]:
        return None
    left[:, -1] *= -1  # the direction in which the two null spaces agree least
    return carried + other_k @ (left @ right) @ free
