"""Folds an ATen graph into boxes that a person would draw: one per contraction or meeting of paths.

Rules, in graph order. Weights and constants are not boxes; the operation that reads them names them. An operation
whose inputs all come from one box joins that box (activations, norms, views, whole softmax guards), unless it is a
contraction; anything else starts a box. No cycle can arise: what joins a box depends on that box alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fiberscope.scene.operations import CONTRACTIONS, PLUMBING, operation

if TYPE_CHECKING:
    import torch

    from fiberscope.network import Network


@dataclass
class Box:
    """Operations drawn as one: their names in order, the weights they read, and the boxes they read from."""

    id: str
    kind: str
    operations: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    last: str = ""  # the last node of the graph that is drawn here
    born: str | None = None  # the weight whose other side begins a space here
    axis: int = 0  # the axis of that weight that is this box's output
    shape: tuple[int, ...] = ()  # of the last operation that is not mere plumbing

    def signature(self, index: int) -> tuple[object, ...]:
        """Equal for boxes that look alike and sit alike: used to fold repeated blocks."""
        offsets = tuple(index - source for source in self.sources)
        return (self.kind, tuple(self.operations), len(self.weights), self.shape, offsets)


def boxes(net: Network) -> list[Box]:
    """The boxes of a network, sources before readers; outputs last."""
    found: list[Box] = []
    at: dict[torch.fx.Node, int] = {}  # the box of each node that depends on an input
    reads: dict[torch.fx.Node, list[str]] = {}  # the weights behind each node that does not
    inputs = set(net.input_names)
    for node in net.graph.nodes:
        if node.op == "output":
            continue
        if node.op == "placeholder" and node.name in inputs:
            at[node] = len(found)
            found.append(Box(node.name, "input", shape=_shape(node)))
            continue
        sources = list(dict.fromkeys(at[parent] for parent in node.all_input_nodes if parent in at))
        weights = [name for parent in node.all_input_nodes for name in reads.get(parent, [])]
        if not sources:
            own = net.weight_of.get(node.name)
            reads[node] = [own] if own else weights
            continue
        name = operation(node.target)
        if len(sources) == 1 and name not in CONTRACTIONS:
            at[node] = sources[0]
        else:
            at[node] = len(found)
            found.append(Box(node.name, "op", sources=sources))
            if name in CONTRACTIONS:
                found[-1].born, found[-1].axis = _writer(node, name, net)
        box = found[at[node]]
        box.last = node.name
        if name not in PLUMBING:
            box.operations.append(name)
        if name not in PLUMBING or not box.shape:
            box.shape = _shape(node) or box.shape
        box.weights += [weight for weight in dict.fromkeys(weights) if weight not in box.weights]
    for number, node in enumerate(net.output_nodes):
        if node in at:
            found.append(Box(f"output {number}", "output", sources=[at[node]], shape=_shape(node)))
    return found


def _shape(node: torch.fx.Node) -> tuple[int, ...]:
    value = node.meta.get("val")
    return tuple(int(n) for n in getattr(value, "shape", ()))


def _writer(node: torch.fx.Node, name: str, net: Network) -> tuple[str | None, int]:
    """The weight a contraction reads its map from, and the axis of it that becomes the output."""
    if name == "convolution":
        weight = _weight_behind(node.args[1], net)[0]
        return weight, int(bool(node.args[6]))  # a transposed convolution keeps (in, out, ...)
    for place, axis in CONTRACTIONS[name]:
        weight, turned = _weight_behind(node.args[place], net)
        if weight is not None and net.weights[weight].ndim >= 2:
            return weight, net.weights[weight].ndim + (-3 - axis if turned else axis)
    return None, 0


def _weight_behind(argument: object, net: Network) -> tuple[str | None, bool]:
    """The weight that reaches an argument through plumbing alone, and whether its last two axes were exchanged."""
    import torch.fx

    turned = False
    while isinstance(argument, torch.fx.Node) and argument.op == "call_function":
        step = operation(argument.target)
        if step not in PLUMBING or len(argument.all_input_nodes) != 1:
            return None, False
        turned ^= step in {"permute", "t", "transpose"}
        argument = argument.all_input_nodes[0]
    return net.weight_of.get(getattr(argument, "name", "")), turned
