"""The normal space of a stratum: one direction for each constrained pair of bars.

For a pair (A, B) with ``ext(A, B)`` or ``touch(A, B)``, flow vectors ``a_j`` and dual rows ``b_j^*``,

    N^{BA} has the blocks  N_j = (b_j^*)^T a_{j-1}^T   at all j where A (at j - 1) and B (at j) meet,

the gradient of the condition ``sum_j b_j^* dW_j a_{j-1} = 0`` that keeps A from being led into B to first order. These
are a basis of ``N S``, not orthonormal; those with touch are a basis of the image of the transposed differential
``Y -> (W_{L~j}^T Y W_{j-1~0}^T)_j``, the normal space of the fiber.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fiberscope.linear.flow import Flow
from fiberscope.linear.pairs import constrained, meeting_layers, touch
from fiberscope.linear.projection import PairSpace
from fiberscope.linear.rank_one import Direction, RankOne


def normal_basis(flow: Flow) -> Iterator[Direction]:
    """The ``N^{BA}`` of the constrained pairs, lazily: a basis of the normal space of the stratum.

    >>> from fiberscope.linear.decomposition import decompose
    >>> flow = decompose([[[1.0], [0.0]], [[1.0, 0.0]]]).flow
    >>> sum(1 for normal in normal_basis(flow))
    1
    """
    for a, first in enumerate(flow.bars):
        for b, second in enumerate(flow.bars):
            if constrained(first, second, flow.length):
                yield _normal(flow, a, b)


def fiber_normal_basis(flow: Flow) -> Iterator[Direction]:
    """The ``N^{BA}`` of the pairs with touch: a basis of the orthogonal complement of the differential's kernel."""
    for a, first in enumerate(flow.bars):
        for b, second in enumerate(flow.bars):
            if touch(first, second, flow.length):
                yield _normal(flow, a, b)


def _normal(flow: Flow, a: int, b: int) -> Direction:
    layers = meeting_layers(flow.bars[a], flow.bars[b])
    return Direction(a, b, tuple(RankOne(j, flow.dual(b, j), flow.vector(a, j - 1)) for j in layers))


def project_normal(flow: Flow, weights: tuple[np.ndarray, ...] | list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The orthogonal projection (Frobenius) of ``(G_1, ..., G_L)`` to the normal space of the stratum.

    Exact for rational flows. See `PairSpace` for the cost; `InputError` for shapes that are not those of the factors.
    """
    return PairSpace.of(flow, constrained).project(weights)


def project_tangent(flow: Flow, weights: tuple[np.ndarray, ...] | list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The orthogonal projection of ``(G_1, ..., G_L)`` to the tangent space of the stratum: what is left of it.

    >>> from fiberscope.linear.decomposition import decompose
    >>> flow = decompose([[[1.0]], [[1.0]]]).flow
    >>> [w.round(12).tolist() for w in project_tangent(flow, [np.array([[1.0]]), np.array([[0.0]])])]
    [[[0.5]], [[-0.5]]]
    """
    return PairSpace.of(flow, constrained).reject(weights)


def project_kernel(flow: Flow, weights: tuple[np.ndarray, ...] | list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The orthogonal projection of ``(G_1, ..., G_L)`` to the kernel of the differential of the product."""
    return PairSpace.of(flow, touch).reject(weights)
