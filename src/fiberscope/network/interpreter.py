"""Run a graph of ATen operators on given inputs and weights, in any floating dtype.

Many models cast to float32 inside, even when everything else is float64; a check at 1e-10 is then impossible. With
``dtype=`` every floating dtype that the graph mentions is read as that dtype, so that a float64 run is float64
throughout. Every operator is called as it stands, so the result is differentiable in inputs and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_aggregate, map_arg

SOFTMAXES = frozenset({"aten._softmax.default", "aten._log_softmax.default", "aten._safe_softmax.default"})
COMPLEX_OF = {torch.float64: torch.complex128, torch.float32: torch.complex64}


def cast(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """The tensor in ``dtype`` if it is floating (complex: the matching complex dtype); integers stay as they are."""
    if dtype is None:
        return tensor
    if tensor.is_floating_point():
        return tensor.to(dtype)
    if tensor.is_complex():
        return tensor.to(COMPLEX_OF.get(dtype, tensor.dtype))
    return tensor


def rewritten(node: fx.Node, dtype: torch.dtype | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a node with every floating dtype in them replaced by ``dtype``."""
    if dtype is None or str(node.target) == "aten.view.dtype":
        return node.args, node.kwargs

    def swap(value: Any) -> Any:
        if isinstance(value, torch.dtype):
            if value.is_floating_point:
                return dtype
            if value.is_complex:
                return COMPLEX_OF.get(dtype, value)
        return value

    args, kwargs = map_aggregate(node.args, swap), map_aggregate(node.kwargs, swap)
    if str(node.target) in SOFTMAXES and len(node.args) > 2:
        args = (*node.args[:2], False)  # half_to_float: meaningless once there is no half
    return args, kwargs


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, var: Tensor, momentum: float, eps: float
) -> tuple[Tensor, ...]:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, differentiable in the statistics, which torch's own is not."""
    if not (mean.requires_grad or var.requires_grad):
        return torch.ops.aten._native_batch_norm_legit_no_training(x, weight, bias, mean, var, momentum, eps)
    axes = (1, -1, *[1] * (x.ndim - 2))
    y = (x - mean.view(axes)) * torch.rsqrt(var + eps).view(axes)
    y = y if weight is None else y * weight.view(axes)
    return (y if bias is None else y + bias.view(axes), x.new_empty(0), x.new_empty(0))


SUBSTITUTES: dict[str, Callable[..., Any]] = {
    "aten._native_batch_norm_legit_no_training.default": batch_norm,
    # strides differ from those of the trace (other batch, other kernels), and only the entries matter
    "aten.view.default": torch.reshape,
}


class Plan:
    """A graph made ready to run: per node its function, its arguments, and which values die after it."""

    def __init__(self, graph: fx.Graph, dtype: torch.dtype | None) -> None:
        self.steps: list[tuple[fx.Node, Callable[..., Any], Any, Any, list[fx.Node]]] = []
        nodes = list(graph.nodes)
        last_user: dict[fx.Node, fx.Node] = {}
        for node in nodes:
            for source in node.all_input_nodes:
                last_user[source] = node
        dies: dict[fx.Node, list[fx.Node]] = {}
        for source, user in last_user.items():
            dies.setdefault(user, []).append(source)
        for node in nodes:
            if node.op == "call_function" and callable(node.target):
                args, kwargs = rewritten(node, dtype)
                function: Callable[..., Any] = SUBSTITUTES.get(str(node.target), node.target)
                self.steps.append((node, function, args, kwargs, dies.get(node, [])))

    def __call__(self, values: dict[fx.Node, Any], outputs: Sequence[fx.Node]) -> list[Tensor]:
        """Evaluate; ``values`` holds every placeholder and is consumed."""
        keep = set(outputs)
        for node, function, args, kwargs, dead in self.steps:
            values[node] = function(
                *map_arg(args, values.__getitem__),
                **map_arg(kwargs, values.__getitem__),
            )
            for source in dead:
                if source not in keep:
                    del values[source]
        return [values[node] for node in outputs]


def placeholder_values(
    graph: fx.Graph,
    weight_of: Mapping[str, str],
    constants: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    dtype: torch.dtype | None,
) -> dict[fx.Node, Any]:
    """The value of every placeholder and ``get_attr`` node, cast to ``dtype``; a tied weight is cast once."""
    cache: dict[str, Tensor] = {}
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        if node.op not in ("placeholder", "get_attr"):
            continue
        if node.name in weight_of:
            name = weight_of[node.name]
            if name not in cache:
                cache[name] = cast(weights[name], dtype)
            values[node] = cache[name]
        elif node.name in constants:
            values[node] = cast(constants[node.name], dtype)
        elif node.name in inputs:
            values[node] = cast(inputs[node.name], dtype)
        else:
            values[node] = None
    return values
