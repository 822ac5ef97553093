"""A network's ATen graph as a module with weights of other shapes: for files that hold no module (.pt2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn

if TYPE_CHECKING:
    from fiberscope.network import Network

SHAPED = ("view", "reshape", "expand", "split_with_sizes", "_unsafe_view", "slice")
"""Operators that hold lengths of axes among their arguments."""


def graph_module(net: Network, weights: Mapping[str, np.ndarray], sizes: Mapping[int, int]) -> nn.Module:
    """The graph with parameters under their own names; lengths that were cut, groups and the traced batch follow."""
    root = nn.Module()
    for name, tensor in net.weights.items():
        value = torch.from_numpy(np.ascontiguousarray(weights[name])).to(tensor.dtype) if name in weights else tensor
        place(root, name, nn.Parameter(value.clone(), requires_grad=False))
    graph, made = fx.Graph(), dict[fx.Node, fx.Node]()
    names = input_names(net)
    moving: set[fx.Node] = set()
    samples: fx.Node | None = None
    for node in net.graph.nodes:
        if node.op == "placeholder" and node.name in net.weight_of:
            made[node] = graph.get_attr(net.weight_of[node.name])
        elif node.op == "placeholder" and node.name in net.constants:
            root.register_buffer(f"constant_{node.name}", net.constants[node.name], persistent=True)
            made[node] = graph.get_attr(f"constant_{node.name}")
        elif node.op == "placeholder" and node.name in names:
            made[node] = graph.placeholder(names[node.name])
            moving.add(node)
            if len(moving) == len(names) and net.batched:
                samples = graph.call_function(torch.ops.aten.sym_size.int, (made[node], 0))
        elif node.op == "call_function":
            made[node] = graph.node_copy(node, lambda n: made[n])
            moves = any(n in moving for n in node.all_input_nodes)
            if moves:
                moving.add(node)
            made[node].args = tuple(arguments(net, node, made[node], weights, sizes, samples if moves else None))
        elif node.op == "output":
            given = [made[n] for n in net.output_nodes]
            graph.output(given[0] if len(given) == 1 and getattr(net.origin, "one_tensor", False) else tuple(given))
    return fx.GraphModule(root, graph).eval()


def input_names(net: Network) -> dict[str, str]:
    """The graph's placeholders and what the file calls them, where that is a name of its own."""
    taken = {node.name for node in net.graph.nodes}
    pairs = zip(net.input_names, net.inputs, strict=True)
    return {p: s.name if s.name.isidentifier() and s.name not in taken else p for p, s in pairs}


def place(root: nn.Module, name: str, parameter: nn.Parameter) -> None:
    """A parameter under a dotted name."""
    *path, last = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        child = root._modules[part]
        assert child is not None
        root = child
    root.register_parameter(last, parameter)


def arguments(
    net: Network,
    node: fx.Node,
    copy: fx.Node,
    weights: Mapping[str, np.ndarray],
    sizes: Mapping[int, int],
    samples: fx.Node | None,
) -> list[Any]:
    """The arguments of an operator, lengths renamed; ``samples``: the length of axis 0 where that may be a batch."""
    args = list(copy.args)
    kind = str(node.target).removeprefix("aten.").split(".")[0]
    if kind == "convolution" and isinstance(node.args[1], fx.Node):
        name = net.weight_of.get(node.args[1].name)
        if name is not None and name in weights and args[8] == net.weights[name].shape[0] > 1:  # depthwise
            args[8] = len(weights[name])
    if kind not in SHAPED:
        return args
    for i, value in enumerate(args[1:], 1):
        if isinstance(value, (list, tuple)) and all(isinstance(v, int) for v in value):
            old: list[Any] = list(value)
            new: list[Any] = [sizes.get(v, v) for v in old]
            batch = net.inputs[0].shape[0]
            if kind != "split_with_sizes" and samples is not None and new and old[0] == batch:
                new[0] = samples
            args[i] = new
        elif kind == "slice" and i in (2, 3) and isinstance(value, int) and node.args[1] != 0:
            args[i] = sizes.get(value, value)
    return args
