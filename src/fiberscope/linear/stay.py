"""Finite moves that stay on the stratum: straight lines in one matrix, and changes of basis of one hidden layer.

With flow vectors ``a_j`` of a bar A and ``b_j`` of a bar B, A alive at ``j - 1`` and B at ``j``:

    one matrix     W_j + t b_j a_{j-1}^*            for every t (but t = -1 when A and B are one bar), if the pair
                                                    (A, B) is free: neither ext(A, B) nor touch(A, B)
    two matrices   g W_j, W_{j+1} g^{-1}            g = I + t b_j a_j^*, A and B alive at the hidden layer j

The first are whole straight lines in the stratum: if ``i >= i'`` the vectors ``a_m - t b_m`` for m < j replace
``a_m``, if ``k >= k'`` the vectors ``a_m + t b_m`` for m >= j do; the product is not touched. (Bhattacharya and
Shewchuk call the two kinds one-matrix and two-matrix moves.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.exact import inverse, is_exact
from fiberscope.linear.pairs import constrained, meeting_layers
from fiberscope.linear.products import identity
from fiberscope.linear.step import Step, stepped

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition


def one_matrix_move(decomposition: Decomposition, first: int, second: int, layer: int, t: Any) -> Step:
    """``W_layer + t b_layer a_{layer-1}^*`` for the single bars number ``first`` (a) and ``second`` (b) of the flow.

    Exact for rational factors and rational ``t``. `InputError` if the bars do not meet in that matrix, if the pair is
    constrained (the line would leave the stratum or change the product), or for ``first == second``, ``t = -1`` (the
    bar would be cut).
    """
    flow = decomposition.flow
    a, b = _bar(decomposition, first), _bar(decomposition, second)
    if layer not in meeting_layers(a, b):
        raise InputError(
            f"one-matrix move: the bars {a} and {b} do not meet in W{layer}; use {list(meeting_layers(a, b))}"
        )
    if constrained(a, b, flow.length):
        raise InputError(f"one-matrix move: leading {a} into {b} leaves the stratum or changes the product")
    if first == second and t == -1:
        raise InputError(f"one-matrix move: t = -1 cuts the bar {a} before layer {layer}")
    t = _scalar(t, flow.bases[0])
    change = np.outer(flow.vector(second, layer) * t, flow.dual(first, layer - 1))
    return stepped(decomposition.factors, {layer: change}, decomposition.barcode)


def two_matrix_move(decomposition: Decomposition, first: int, second: int, layer: int, t: Any) -> Step:
    """``W_layer -> g W_layer``, ``W_{layer+1} -> W_{layer+1} g^{-1}`` with ``g = I + t b a^*`` in the hidden layer.

    ``a`` and ``b`` are the vectors at ``layer`` of the single bars number ``first`` and ``second`` of the flow. The
    inverse is ``I - t b a^*``, or ``I - t/(1+t) a a^*`` if both are one bar. `InputError` if one of them is not alive
    there, the layer is not hidden, or ``g`` is singular.
    """
    flow = decomposition.flow
    a, b = _bar(decomposition, first), _bar(decomposition, second)
    if not 0 < layer < flow.length or not (a[0] <= layer <= a[1] and b[0] <= layer <= b[1]):
        raise InputError(f"two-matrix move: expected a hidden layer at which {a} and {b} are both alive, not {layer}")
    if first == second and t == -1:
        raise InputError("two-matrix move: t = -1 makes I + t a a^* singular")
    t = _scalar(t, flow.bases[0])
    head, tail = flow.vector(second, layer), flow.dual(first, layer)
    back = t / (1 + t) if first == second else t
    below, above = decomposition.factors[layer - 1], decomposition.factors[layer]
    changes = {layer: np.outer(head * t, tail @ below), layer + 1: -np.outer((above @ head) * back, tail)}
    return stepped(decomposition.factors, changes, decomposition.barcode)


def change_basis(decomposition: Decomposition, layer: int, g: np.ndarray) -> Step:
    """``W_layer -> g W_layer``, ``W_{layer+1} -> W_{layer+1} g^{-1}`` for any invertible ``g`` (d x d) of a hidden
    layer.

    `InputError` for a layer that is not hidden, another shape, or a singular ``g``.
    """
    width = decomposition.widths[layer] if 0 < layer < len(decomposition.factors) else 0
    if not width or np.shape(g) != (width, width):
        raise InputError(
            "change of basis: expected a hidden layer and a square matrix of its width, "
            f"got layer {layer} and a matrix of shape {np.shape(g)}"
        )
    below, above = decomposition.factors[layer - 1], decomposition.factors[layer]
    if is_exact(below):
        from fiberscope.numerics.exact import rationals

        g = rationals(g)
    try:
        back = inverse(g)
    except (np.linalg.LinAlgError, ZeroDivisionError) as error:
        raise InputError(f"change of basis of layer {layer}: the matrix is singular") from error
    one = identity(width, below)
    changes = {layer: (g - one) @ below, layer + 1: above @ (back - one)}
    return stepped(decomposition.factors, changes, decomposition.barcode)


def _bar(decomposition: Decomposition, number: int) -> tuple[int, int]:
    bars = decomposition.flow.bars
    if not 0 <= number < len(bars):
        raise InputError(f"bar number {number}: the flow has the single bars 0 .. {len(bars) - 1}")
    return bars[number]


def _scalar(t: Any, like: np.ndarray) -> Any:
    if not is_exact(like):
        return float(t)
    from fiberscope.numerics.exact import rational

    return t if hasattr(t, "p") else rational(t)
