"""How a graph uses its weights: as factors of products, entry by entry, once or more often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fiberscope.symmetry.ops import op_name

if TYPE_CHECKING:
    from torch.fx import Node

    from fiberscope.network import Network

STORED_MOVES = frozenset(
    ("permute", "transpose", "t", "unsqueeze", "squeeze", "clone", "alias", "contiguous", "detach", "view", "slice")
) | {"expand", "select"}

FACTORS = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "convolution", "linear"), slice(0, 2)),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), slice(1, 3)),
    "embedding": slice(0, 1),
    "_trilinear": slice(0, 3),
}
"""Which arguments of an op are multiplied and summed; the others act entry by entry."""


def stored_weights(net: Network) -> dict[str, str]:
    """Return node -> weight for the nodes whose entries are entries of one weight, only moved about."""
    found: dict[str, str] = {}
    for node in net.graph.nodes:
        if node.name in net.weight_of:
            found[node.name] = net.weight_of[node.name]
        elif node.op == "call_function" and op_name(node) in STORED_MOVES and node.args[0].name in found:
            found[node.name] = found[node.args[0].name]
    return found


@dataclass
class Uses:
    """What one pass over the graph saw: uses of each weight, and the operands of each op."""

    count: Counter[str] = field(default_factory=Counter)
    multiplied: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    factors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, node: Node, name: str, stored: dict[str, str]) -> None:
        """Record one op: its label, its factors and its other operands."""
        arguments = [a.name for a in _nodes(node.args)] + [a.name for a in _nodes(node.kwargs)]
        self.labels[node.name] = _label(node, name, stored)
        if node.name in stored or self.labels[node.name] == "move":
            return
        factors = tuple(a.name for a in _nodes(node.args[FACTORS[name]])) if name in FACTORS else ()
        self.factors[node.name] = factors
        self.others[node.name] = tuple(a for a in arguments if a not in factors)
        self.count.update(stored[a] for a in arguments if a in stored)
        self.multiplied |= {stored[a] for a in factors if a in stored}


def _label(node: Node, name: str, stored: dict[str, str]) -> str:
    if node.name in stored or name in ("permute", "transpose", "t", "unsqueeze", "squeeze", "clone", "alias", "view"):
        return "move"
    if name in ("contiguous", "detach", "expand", "getitem"):
        return "move"
    if node.kwargs and name in ("add", "addmm", "baddbmm", "addmv"):
        return f"scaled {name}"
    return "bias" if name == "add" and any(getattr(a, "name", None) in stored for a in node.args) else name


def _nodes(value: Any) -> list[Node]:
    if isinstance(value, (list, tuple)):
        return [n for v in value for n in _nodes(v)]
    if isinstance(value, dict):
        return [n for v in value.values() for n in _nodes(v)]
    return [value] if hasattr(value, "all_input_nodes") else []
