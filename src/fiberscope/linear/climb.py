"""Up to any stratum above by an arbitrarily small path: a chain of covers, each a rank-one step in one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.order import BarMove, chain_up
from fiberscope.linear.products import as_float, distance, frobenius, relative_change
from fiberscope.linear.step import check_taken, checked_size, lead

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition


@dataclass(frozen=True, repr=False)
class Climb:
    """The point reached (``factors``, in the stratum ``barcode``), the ``moves`` taken, each a step of norm ``step``;
    how far the end is from the start (``size``, at most epsilon), and the ``product_change`` (see `Step`)."""

    factors: tuple[np.ndarray, ...]
    barcode: Barcode
    moves: tuple[BarMove, ...]
    step: float
    size: float
    product_change: float

    def __repr__(self) -> str:
        return f"Climb({len(self.moves)} moves of {self.step:.3g}, {self.size:.3g} away, to {self.barcode!r})"

    def to_json(self) -> dict[str, Any]:
        return {
            "barcode": self.barcode.to_json(),
            "moves": [move.to_json() for move in self.moves],
            "step": self.step,
            "size": self.size,
            "product_change": self.product_change,
        }


def climb(decomposition: Decomposition, target: Barcode, epsilon: Any) -> Climb:
    """A point of the stratum ``target`` above, along a broken line of length ``epsilon`` that starts here.

    A chain of n covers (`chain_up`) is walked in steps of Frobenius norm ``epsilon / n``; after every step the flow
    basis and its dual are updated by their formulas, not computed anew, so that small steps lose no digits. The
    product stays. Exact for rational factors. No step where ``target`` is the stratum itself. `InputError` if the
    point is not in the closure of ``target``, or for a step that is not positive and finite or that drowns in rounding.
    """
    size = checked_size(epsilon)
    moves = chain_up(decomposition.barcode, target)
    factors, flow = list(decomposition.factors), decomposition.flow
    for move in moves:
        layer, change, flow = lead(flow, move, size / len(moves))
        moved = factors[layer - 1] + change
        check_taken(frobenius(moved - factors[layer - 1]), size / len(moves))
        factors[layer - 1] = moved
    after = tuple(factors)
    step = as_float(size) / len(moves) if moves else 0.0
    return Climb(
        after,
        target,
        tuple(moves),
        step,
        distance(after, decomposition.factors),
        relative_change(decomposition.factors, after),
    )
