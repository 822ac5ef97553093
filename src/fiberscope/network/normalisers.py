"""Stored tensors that prepare an input: its mean, its scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import fx

_ENTRYWISE = {"add", "sub", "mul", "div"}
_MOVES = {"view", "permute", "unsqueeze", "squeeze", "clone", "alias", "expand"}


def input_normalisers(graph: fx.Graph, weight_of: Mapping[str, str], inputs: Iterable[str]) -> set[str]:
    """Return the weights whose every use is an entrywise sum or product with nothing but an input.

    (x - mean) / range at the entrance of a graph; a chain of such steps counts.
    """
    plain = set(inputs)
    uses: dict[str, list[bool]] = {}
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        packet = getattr(node.target, "overloadpacket", None)
        name = getattr(packet, "__name__", "")
        stored = [a for a in node.all_input_nodes if a.name in weight_of]
        others = [a for a in node.all_input_nodes if a.name not in weight_of]
        prepared = bool(others) and all(a.name in plain for a in others)
        entrywise = name in _ENTRYWISE and prepared and len(stored) == 1
        if entrywise or (name in _MOVES and prepared and not stored):
            plain.add(node.name)
        for a in stored:
            uses.setdefault(weight_of[a.name], []).append(entrywise)
    return {weight for weight, found in uses.items() if all(found)}
