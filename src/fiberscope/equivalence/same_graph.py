"""Whether two networks run the same graph, and which weights correspond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import torch.fx

    from fiberscope.network import Network


def weight_pairs(a: Network, b: Network) -> dict[str, str] | None:
    """Return weight of a -> weight of b when both graphs have the same ops, settings, wiring and constants."""
    nodes_a, nodes_b = _live(a), _live(b)
    if len(nodes_a) != len(nodes_b) or len(a.output_nodes) != len(b.output_nodes):
        return None
    image: dict[str, torch.fx.Node] = {}
    pairs: dict[str, str] = {}
    for u, v in zip(nodes_a, nodes_b, strict=True):
        if u.op != v.op or _shape(u) != _shape(v):
            return None
        if u.op == "call_function":
            if u.target != v.target or not _same((u.args, u.kwargs), (v.args, v.kwargs), image):
                return None
        elif not _same_leaf(a, u, b, v, pairs):
            return None
        image[u.name] = v
    outputs = zip(a.output_nodes, b.output_nodes, strict=True)
    if any(image.get(u.name) is not v for u, v in outputs):
        return None
    return pairs if len(set(pairs.values())) == len(pairs) else None


def _live(net: Network) -> list[torch.fx.Node]:
    """Nodes that the outputs depend on; inputs first, in their own order, then the rest as the graph has them."""
    needed: set[str] = set()
    todo = list(net.output_nodes)
    while todo:
        node = todo.pop()
        if node.name not in needed:
            needed.add(node.name)
            todo.extend(node.all_input_nodes)
    inputs = set(net.input_names)
    calls = [n for n in net.graph.nodes if n.name in needed and n.op == "call_function"]
    leaves: dict[str, torch.fx.Node] = {n.name: n for n in net.graph.nodes if n.name in inputs}
    for call in calls:
        for arg in call.all_input_nodes:
            if arg.op != "call_function":
                leaves.setdefault(arg.name, arg)
    return [*leaves.values(), *calls]


def _same_leaf(a: Network, u: torch.fx.Node, b: Network, v: torch.fx.Node, pairs: dict[str, str]) -> bool:
    if u.name in a.weight_of and v.name in b.weight_of:
        first, second = a.weight_of[u.name], b.weight_of[v.name]
        x, y = a.weights[first], b.weights[second]
        return x.shape == y.shape and pairs.setdefault(first, second) == second
    if u.name in a.input_names and v.name in b.input_names:
        return a.input_names.index(u.name) == b.input_names.index(v.name)
    if u.name in a.constants and v.name in b.constants:
        return torch.equal(a.constants[u.name], b.constants[v.name])
    return False


def _shape(node: torch.fx.Node) -> Any:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _same(x: Any, y: Any, image: dict[str, torch.fx.Node]) -> bool:
    if isinstance(x, torch.fx.Node):
        return isinstance(y, torch.fx.Node) and image.get(x.name) is y
    if isinstance(x, (list, tuple)):
        return (
            isinstance(y, (list, tuple))
            and len(x) == len(y)
            and all(_same(p, q, image) for p, q in zip(x, y, strict=True))
        )
    if isinstance(x, dict):
        return isinstance(y, dict) and x.keys() == y.keys() and all(_same(x[k], y[k], image) for k in x)
    return type(x) is type(y) and x == y
