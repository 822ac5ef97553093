"""Units that an elementwise function treats linearly everywhere on the domain."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.carrying_maps import maps_of_units
from fiberscope.equivalence.compression.ledger import Linear, open_sizes
from fiberscope.numerics.exact import fraction

if TYPE_CHECKING:
    from fiberscope.equivalence.compression.splits import Narrowing
    from fiberscope.network import Network


def linear_units(
    net: Network,
    model: Any,
    box: tuple[np.ndarray, np.ndarray] | None,
    narrowing: Narrowing | None = None,
    known: dict | None = None,
) -> list[Linear]:
    """What ranges show on a box, or of all inputs; ``model``: the checker's reading of the network, ``known``: the
    ranges, where they were derived before."""
    from fiberscope_verify.channel_combinations import pieces
    from fiberscope_verify.channel_ranges import ranges, steady
    from fiberscope_verify.lower import lower
    from fiberscope_verify.report import Reject

    try:
        graph = lower(model, None if box is None else open_sizes(net))
        if known is None and narrowing is not None and box is not None:
            known = narrowing.intervals(graph, *box)
        known = ranges(graph, *(box or (None, None))) if known is None else known
    except Reject:
        return []
    out = []
    for found in maps_of_units(net, model, graph):
        if not found.plain:
            continue
        node = graph.nodes[found.value]
        ends = [np.moveaxis(e, found.along, 0).reshape(e.shape[found.along], -1) for e in known[node.args[0]]]
        constant = steady(known[found.value], found.along)
        factors = {i: fraction(f) for i, f in pieces(node.attrs[0], node.attrs[1:], *ends).items() if i not in constant}
        slopes = {"relu": Fraction(0), "leaky_relu": Fraction(float.fromhex((*node.attrs, "0")[1]))}
        if factors:
            slope = slopes.get(node.attrs[0])
            out.append(Linear(found.map, found.along, found.weight, found.axis, factors, slope))
    return out
