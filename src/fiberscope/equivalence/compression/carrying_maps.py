"""Which weight writes the units that an elementwise function of a graph acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fiberscope.equivalence.compression.ledger import output_axes

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class MapOfUnits:
    """Map number ``map`` of the checker's graph (its value is ``value``) follows the sums that ``weight`` writes along
    ``axis``; these units lie along ``along`` of the map's argument and have the same numbers there. ``plain``: stored
    numbers are added in between, at most."""

    map: int
    value: int
    along: int
    weight: str
    axis: int
    plain: bool = True


def maps_of_units(net: Network, model: Any, graph: Any) -> list[MapOfUnits]:
    """In the order of the graph. ``model``: the checker's reading of the network, ``graph``: that lowered."""
    from fiberscope_verify.chain import reachable
    from fiberscope_verify.channel_match import moving
    from fiberscope_verify.channel_ranges import maps
    from fiberscope_verify.core import MOVES

    data, axes, out = moving(graph), output_axes(net), []
    names = {model.array_name(name) or name: name for name in net.weights}
    readers: dict[int, int] = {}
    for v in reachable(graph):
        for u in graph.nodes[v].args:
            readers[u] = readers.get(u, 0) + 1
    for number, v in enumerate(maps(graph)):
        at, plain = graph.nodes[v].args[0], True
        while graph.nodes[at].op in ("add", "mul") and readers[at] == 1:
            below = [u for u in graph.nodes[at].args if u in data]
            if len(below) != 1:
                break
            plain = plain and graph.nodes[at].op == "add"
            at = below[0]
        node = graph.nodes[at]
        if node.op not in ("conv", "matmul") or readers[at] != 1:
            continue
        place = 1 if node.op == "conv" or node.args[1] not in data else 0
        along = 1 if node.op == "conv" else len(graph.shape(at)) - (1 if place else 2)
        weight = node.args[place]
        while graph.nodes[weight].op in MOVES:
            weight = graph.nodes[weight].args[0]
        name = names.get(graph.nodes[weight].attrs[0]) if graph.nodes[weight].op == "array" else None
        if name is None or name not in axes or len(graph.shape(v)) != len(graph.shape(at)):
            continue
        out.append(MapOfUnits(number, v, along, name, axes[name], plain))
    return out
