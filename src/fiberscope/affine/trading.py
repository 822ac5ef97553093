"""May units of different layers trade places? Then a count inside layers misses networks.

A relabelling carries the graph of nonzero weights of one network to that of another on the same layers, so it keeps
every unit's *depth* (units on the longest path from an input to it) and *height* (to an output). Let D be the depth
that a layer has when no weight is 0; no unit of it is deeper. If every unit here has the full depth D of its layer,
depths add up to the largest sum that the layers allow, so in every other network too each unit has the D of its
layer: units stay among layers of equal D. The same holds for heights. Layers of one activation that differ in neither,
such as two branches side by side, may exchange units.
"""

from __future__ import annotations

from itertools import pairwise

from fiberscope.affine.dag import DagNetwork


def trading_layers(net: DagNetwork, small: DagNetwork) -> list[str]:
    """A caveat when units of two layers might trade places; ``net`` has every array, ``small`` is irreducible.

    >>> import numpy as np
    >>> from fiberscope.affine.dag import DagNetwork, Row, Unit
    >>> side_by_side = DagNetwork(1, tuple(Unit("tanh", Row.of({0: w})) for w in (1, 2)), (Row.of({1: 1, 2: 1}),))
    >>> trading_layers(side_by_side, side_by_side)
    ['units of layers 0 and 1 may also trade places, which is not counted']
    """
    reads, label, n_in = layer_graph(net), small.layers, small.n_inputs
    parents = {
        i: [p - n_in for p, w in unit.row.weight_of.items() if p >= n_in and w != 0]
        for i, unit in enumerate(small.units)
    }
    keys: dict[int, tuple[object, ...]] = {}
    for k in dict.fromkeys(label):
        keys[k] = (net.law(net.units[net.blocks[k][0]].activation).core_name,)
    for longest in (depths, heights):
        full, own = longest(reads), longest(parents)
        if all(own[u] == full[k] for u, k in enumerate(label)):
            keys = {k: (*key, full[k]) for k, key in keys.items()}
    ordered = sorted(keys, key=lambda k: (str(keys[k]), k))
    for k, other in pairwise(ordered):
        if keys[k] == keys[other]:
            return [f"units of layers {k} and {other} may also trade places, which is not counted"]
    return []


def layer_graph(net: DagNetwork) -> dict[int, list[int]]:
    """For every layer, parents first, the layers that it reads; weights of 0 are included."""
    out: dict[int, set[int]] = {k: set() for k in dict.fromkeys(net.layers)}
    for k, unit in zip(net.layers, net.units, strict=True):
        out[k] |= {net.layers[p - net.n_inputs] for p in unit.row.parents if p >= net.n_inputs}
    return {k: sorted(found) for k, found in out.items()}


def depths(parents: dict[int, list[int]]) -> dict[int, int]:
    """Length of the longest path that ends in each node; nodes come after their parents."""
    out: dict[int, int] = {}
    for node, above in parents.items():
        out[node] = 1 + max((out[p] for p in above), default=0)
    return out


def heights(parents: dict[int, list[int]]) -> dict[int, int]:
    """Length of the longest path that starts in each node."""
    out = dict.fromkeys(parents, 1)
    for node in reversed(parents):
        for p in parents[node]:
            out[p] = max(out[p], out[node] + 1)
    return out
