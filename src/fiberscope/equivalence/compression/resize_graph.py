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
    batch = net.inputs[0].shape[0] if net.batched else None
    graph, made = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in net.graph.nodes:
        if node.op == "placeholder" and node.name in net.weight_of:
            made[node] = graph.get_attr(net.weight_of[node.name])
        elif node.op == "placeholder" and node.name in net.constants:
            root.register_buffer(f"constant_{node.name}", net.constants[node.name], persistent=True)
            made[node] = graph.get_attr(f"constant_{node.name}")
        elif node.op != "placeholder" or node.name in net.input_names:
            made[node] = graph.node_copy(node, lambda n: made[n])
            if node.op == "call_function":
                made[node].args = tuple(arguments(net, node, made[node], weights, sizes, batch))
    return fx.GraphModule(root, graph).eval()


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
    batch: int | None,
) -> list[Any]:
    """The arguments of an operator, lengths renamed."""
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
            new = [sizes.get(v, v) for v in old]
            if kind != "split_with_sizes" and batch and new and old[0] == batch and -1 not in new:
                new[0] = -1
            args[i] = new
        elif kind == "slice" and i in (2, 3) and isinstance(value, int) and node.args[1] != 0:
            args[i] = sizes.get(value, value)
    return args
