"""The tangent space of a stratum in the fiber: moves of one matrix and of two matrices.

With flow vectors ``b_j`` of a bar B and dual rows ``a_j^*`` of a bar A let ``E_j^{BA}`` be the change
``dW_j = b_j a_{j-1}^*`` alone, for the ``j`` at which A (at j - 1) and B (at j) meet. A pair is constrained if
``ext(A, B)`` or ``touch(A, B)``, else free. At a point of the stratum S

    T S = span { E_j^{BA} : (A, B) free }                                          one-matrix moves
        + span { E_j^{BA} - E_{j+1}^{BA} : (A, B) constrained, j and j+1 meet }    two-matrix moves
        = { (X_j W_j - W_j X_{j-1})_j : X_L W = W X_0 },

the tangent space of the group ``{(g_0, ..., g_L): g_L W = W g_0}``, which acts transitively on S. The kernel of the
differential of ``mu(W_1, ..., W_L) = W_L ... W_1`` is spanned by T S and the ``E_j^{BA}`` with ext but not touch.
(Moves: Bhattacharya and Shewchuk, "Factoring Matrices into Linear Neural Networks".)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from fiberscope.linear.barcode import Bar
from fiberscope.linear.flow import Flow
from fiberscope.linear.pairs import constrained, meeting_layers, touch
from fiberscope.linear.rank_one import Direction, RankOne


def one_matrix_moves(flow: Flow) -> Iterator[Direction]:
    """The ``E_j^{BA}`` of the free pairs, lazily; each spans a straight line of the stratum.

    >>> from fiberscope.linear.decomposition import decompose
    >>> flow = decompose([[[1.0], [0.0]], [[1.0, 0.0]]]).flow
    >>> [move.terms[0].layer for move in one_matrix_moves(flow)]
    [1, 2]
    """
    for a, b, layers in _meeting_pairs(flow, lambda first, second: not constrained(first, second, flow.length)):
        for j in layers:
            yield Direction(a, b, (_term(flow, a, b, j),))


def two_matrix_moves(flow: Flow) -> Iterator[Direction]:
    """The ``E_j^{BA} - E_{j+1}^{BA}`` of the constrained pairs, lazily: changes of basis of one hidden layer."""
    for a, b, layers in _meeting_pairs(flow, lambda first, second: constrained(first, second, flow.length)):
        for j, after in pairwise(layers):
            yield _difference(flow, a, b, j, after)


def tangent_basis(flow: Flow) -> Iterator[Direction]:
    """A basis of ``T S``: all one-matrix moves, then all two-matrix moves."""
    yield from one_matrix_moves(flow)
    yield from two_matrix_moves(flow)


def kernel_basis(flow: Flow) -> Iterator[Direction]:
    """A basis of the kernel of the differential of ``W_L ... W_1``, the tangent space of the fiber.

    All ``E_j^{BA}`` of the pairs without touch, and the differences ``E_j^{BA} - E_{j+1}^{BA}`` of those with touch.
    """
    for a, b, layers in _meeting_pairs(flow, lambda first, second: not touch(first, second, flow.length)):
        for j in layers:
            yield Direction(a, b, (_term(flow, a, b, j),))
    for a, b, layers in _meeting_pairs(flow, lambda first, second: touch(first, second, flow.length)):
        for j, after in pairwise(layers):
            yield _difference(flow, a, b, j, after)


def _difference(flow: Flow, first: int, second: int, j: int, after: int) -> Direction:
    taken = _term(flow, first, second, after)
    return Direction(first, second, (_term(flow, first, second, j), RankOne(after, -taken.column, taken.row)))


def _term(flow: Flow, first: int, second: int, layer: int) -> RankOne:
    """``E_layer^{BA}`` with B the second bar, A the first."""
    return RankOne(layer, flow.vector(second, layer), flow.dual(first, layer - 1))


def _meeting_pairs(flow: Flow, chosen: Callable[[Bar, Bar], bool]) -> Iterator[tuple[int, int, range]]:
    """The ordered pairs of single bars that meet somewhere and are `chosen` by their types."""
    for a, first in enumerate(flow.bars):
        for b, second in enumerate(flow.bars):
            layers = meeting_layers(first, second)
            if layers and chosen(first, second):
                yield a, b, layers
