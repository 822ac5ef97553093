"""Down: straight lines inside a stratum that end on a stratum of its closure.

In a flow basis a cover is undone in one matrix. To undo connect, the arrow ``c_k -> c_{k+1}`` of a bar ``(i, k')``
shrinks to 0. To undo exchange on ``c = (i, k')`` and ``d = (i', k)``, ``i < i' <= k < k'``, the arrow is handed over,

    W_{k+1}(s) = W_{k+1} + (1 - s) (c_{k+1} d_k^* - c_{k+1} c_k^*),      s from 1 to 0:

for ``s > 0`` the bars ``c`` and ``d - (1 - s)/s c`` are as before, at ``s = 0`` ``c`` ends at ``k`` and ``d`` goes on
to ``k'``. The flow basis stays the same, only its vectors are grouped into other bars. No full bar takes part, so the
product stays all along.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.linear.barcode import Bar, Barcode, least_barcode
from fiberscope.linear.flow import Flow
from fiberscope.linear.order import BarMove, chain_up
from fiberscope.linear.products import distance, relative_change
from fiberscope.linear.step import with_duals

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition


@dataclass(frozen=True, repr=False)
class Descent:
    """A broken line down: ``points[0]`` is the start, ``points[n]`` lies in the stratum ``barcodes[n]``; the open
    segment from ``points[n]`` to ``points[n+1]`` stays in the stratum ``barcodes[n]``."""

    points: tuple[tuple[np.ndarray, ...], ...]
    barcodes: tuple[Barcode, ...]
    product_change: float

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        """The lowest point."""
        return self.points[-1]

    @property
    def barcode(self) -> Barcode:
        return self.barcodes[-1]

    @property
    def length(self) -> float:
        """Length of the broken line."""
        return sum(distance(a, b) for a, b in pairwise(self.points))

    def __repr__(self) -> str:
        return f"Descent({len(self.points) - 1} segments, length {self.length:.3g}, to {self.barcode!r})"

    def to_json(self) -> dict[str, Any]:
        return {
            "barcodes": [barcode.to_json() for barcode in self.barcodes],
            "length": self.length,
            "product_change": self.product_change,
        }


def descend(decomposition: Decomposition, target: Barcode) -> Descent:
    """Down to a named stratum of the closure, one straight segment per cover of a chain; exact for rational factors.

    `InputError` if ``target`` is not in the closure of the point's stratum.
    """
    moves = chain_up(target, decomposition.barcode)
    strata = [target]
    for move in moves:
        strata.append(move.apply(strata[-1]))
    flow = decomposition.flow
    points = [decomposition.factors]
    for move in reversed(moves):
        change, flow = undo(flow, move)
        layer = move.first[1] + 1
        points.append(tuple(w + change if j == layer else w for j, w in enumerate(points[-1], start=1)))
    return Descent(tuple(points), tuple(reversed(strata)), relative_change(points[0], points[-1]))


def descend_to_least(decomposition: Decomposition) -> Descent:
    """The straight segment to the least stratum: the arrows of all bars but the full ones shrink together.

    ``W_j(s) = sum over full bars b_j b_{j-1}^* + s (the rest)``, s from 1 to 0.
    """
    flow = decomposition.flow
    top = flow.length
    end = flow.factors(lambda s, layer: int(flow.bars[s] == (0, top)))
    barcode = decomposition.barcode
    least = least_barcode(barcode.widths, barcode.full)
    if least == barcode:
        return Descent((decomposition.factors,), (barcode,), 0.0)
    return Descent((decomposition.factors, end), (barcode, least), relative_change(decomposition.factors, end))


def undo(flow: Flow, move: BarMove) -> tuple[np.ndarray, Flow]:
    """The change of ``W_{k+1}`` that undoes a move, and the flow after it (same vectors, other bars)."""
    (i, k), (other_i, other_k) = move.source
    upper = flow.first(i, other_k)
    head, tail = flow.vector(upper, k + 1), flow.dual(upper, k)
    bars: list[Bar] = list(flow.bars)
    bars[upper] = (i, k)
    if move.kind == "connect":
        change = -np.outer(head, tail)
        lower = len(bars)
        bars.append((other_i, other_k))
    else:
        lower = flow.first(other_i, k)
        change = np.outer(head, flow.dual(lower, k) - tail)
        bars[lower] = (other_i, other_k)
    columns = [[lower if s == upper and j > k else s for s in numbers] for j, numbers in enumerate(flow.columns)]
    return change, with_duals(bars, columns, list(flow.bases), list(flow.duals))
