"""A finite move up: one rank-one step in one matrix leads the end of one bar into another, the product unchanged.

Let ``a_j`` be the flow vectors of a bar ``A = (i, k)``, ``b_j`` those of ``B = (i', k')`` with ``i < i' <= k+1 <=
k'``, not both ``i = 0`` and ``k' = L``. Then for every ``c != 0``

    W_{k+1} + c b_{k+1} a_k^*

lies in the stratum where A and B became ``(i, k')`` and, unless ``i' = k+1``, ``(i', k)``: now ``a_k`` goes to ``c
b_{k+1}``, and ``c b_j - a_j`` for ``i' <= j <= k`` is born at ``i'`` and dies at ``k``. The product does not move,
since ``a_k^* W_{k~0} = 0`` (if ``i > 0``) or ``W_{L~k+1} b_{k+1} = 0`` (if ``k' < L``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.linear.exact import is_exact
from fiberscope.linear.flow import Flow
from fiberscope.linear.order import BarMove
from fiberscope.linear.products import as_float, distance, relative_change, sqrt_as_float

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition


@dataclass(frozen=True, repr=False)
class Step:
    """A new point of the fiber: its ``factors``, the ``barcode`` there, how far it is from the old point (``size``,
    Frobenius norm), and what happened to the product relative to the product of the layers' norms (rounding)."""

    factors: tuple[np.ndarray, ...]
    barcode: Barcode
    size: float
    product_change: float

    def __repr__(self) -> str:
        return f"Step(size {self.size:.3g}, product change {self.product_change:.1g}, to {self.barcode!r})"

    def to_json(self) -> dict[str, Any]:
        return {"size": self.size, "product_change": self.product_change, "barcode": self.barcode.to_json()}


def apply_move(decomposition: Decomposition, move: BarMove, epsilon: Any) -> Step:
    """The point reached by an up-move with a step of Frobenius norm ``epsilon`` in one matrix.

    ``W_{k+1} += c b_{k+1} a_k^*`` with ``|c| |b_{k+1}| |a_k^*| = epsilon`` (to 16 digits for rationals, where the new
    factors are exact and the product does not change at all). However small the step, the ranks after it are those of
    ``move.apply(barcode)``. `InputError` for a step that is not positive and finite or that drowns in the rounding of
    the weights, or a move that is not possible
    here.
    """
    size = checked_size(epsilon)
    move.check(decomposition.barcode)
    layer, change, _ = lead(decomposition.flow, move, size)
    step = stepped(decomposition.factors, {layer: change}, move.apply(decomposition.barcode))
    check_taken(step.size, size)
    return step


def stepped(before: tuple[np.ndarray, ...], changes: dict[int, np.ndarray], barcode: Barcode) -> Step:
    """The step that adds ``changes[j]`` to ``W_j``."""
    after = tuple(w + changes[j] if j in changes else w for j, w in enumerate(before, start=1))
    return Step(after, barcode, distance(after, before), relative_change(before, after))


def checked_size(epsilon: Any) -> Any:
    """The step as given, `InputError` unless it is a positive finite number."""
    try:
        good = epsilon > 0 and math.isfinite(float(_ratio(epsilon)))
    except (TypeError, ValueError):
        good = False
    except OverflowError:  # a rational beyond float64 is finite still
        good = True
    if not good or isinstance(epsilon, bool):
        raise InputError(f"epsilon: {epsilon} is no step; expected a positive finite number, the step's Frobenius norm")
    return epsilon


def check_taken(taken: float, asked: Any) -> None:
    """`InputError` if the floats took another step than was asked for: it is of the size of their rounding."""
    if not math.isclose(taken, as_float(asked), rel_tol=0.01):
        raise InputError(
            f"epsilon: a step of {as_float(asked):.3g} is lost in the rounding of the weights; take a longer one"
        )


def _ratio(value: Any) -> Any:
    """A number that ``float`` takes: flint's rationals become fractions."""
    from fiberscope.numerics.exact import fraction

    return fraction(value) if hasattr(value, "p") else value


def lead(flow: Flow, move: BarMove, size: Any) -> tuple[int, np.ndarray, Flow]:
    """``(k+1, c b_{k+1} a_k^*, the flow after)`` for the first pair of bars of the move's types."""
    a, b = flow.first(*move.first), flow.first(*move.second)
    k = move.first[1]
    column, row = flow.vector(b, k + 1), flow.dual(a, k)
    c = coefficient(column, row, size)
    return k + 1, np.outer(column * c, row), led(flow, a, b, c)


def coefficient(column: np.ndarray, row: np.ndarray, size: Any) -> Any:
    """``c`` with ``|c column row|_F = size``; for rationals the quotient of ``size`` by a rational near the norm."""
    if not is_exact(column):
        return float(_ratio(size)) / (float(np.linalg.norm(column)) * float(np.linalg.norm(row)))
    from fiberscope.numerics.exact import rational

    norm = sqrt_as_float(sum((v * v for v in column.tolist()), start=0) * sum((v * v for v in row.tolist()), start=0))
    return rational(_ratio(size)) / rational(norm)


def led(flow: Flow, a: int, b: int, c: Any) -> Flow:
    """The flow after ``W_{k+1} += c b_{k+1} a_k^*``, with dual rows kept up beside it (no inversion).

    Bar ``a`` becomes ``(i, k')`` with vectors ``a_i, .., a_k, c b_{k+1}, .., c b_{k'}``. In an exchange bar ``b``
    becomes ``(i', k)`` with ``c b_j - a_j`` (duals: ``a_j^* + b_j^*/c`` and ``b_j^*/c``); when connecting it is gone.
    """
    (i, k), (other_i, other_k) = flow.bars[a], flow.bars[b]
    columns, bases = [list(numbers) for numbers in flow.columns], [basis.copy() for basis in flow.bases]
    duals = [dual.copy() for dual in flow.duals]
    for j in range(other_i, other_k + 1):
        at_b = flow.place[j][b]
        duals[j][at_b] = flow.duals[j][at_b] / c
        if j > k:
            bases[j][:, at_b] = c * flow.bases[j][:, at_b]
            columns[j][at_b] = a
        else:
            at_a = flow.place[j][a]
            bases[j][:, at_b] = c * flow.bases[j][:, at_b] - flow.bases[j][:, at_a]
            duals[j][at_a] = flow.duals[j][at_a] + duals[j][at_b]
    bars: list[Bar] = list(flow.bars)
    bars[a] = (i, other_k)
    if other_i <= k:
        bars[b] = (other_i, k)
    else:
        del bars[b]
        columns = [[s - (s > b) for s in numbers] for numbers in columns]
    return with_duals(bars, columns, bases, duals)


def with_duals(
    bars: Sequence[Bar], columns: Sequence[Sequence[int]], bases: Sequence[np.ndarray], duals: Sequence[np.ndarray]
) -> Flow:
    """A flow whose dual rows are known already, so that nothing has to be inverted."""
    flow = Flow(tuple(bars), tuple(map(tuple, columns)), tuple(bases))
    flow.__dict__["duals"] = tuple(duals)  # the place where the cached property keeps its value
    return flow
