"""Networks with weights of other shapes: an ONNX graph with its tensors rewritten, a module traced again."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import fx, nn

from fiberscope.equivalence.rigorous import checker_model
from fiberscope.errors import FiberscopeError
from fiberscope.network.loading import load, load_like

if TYPE_CHECKING:
    from fiberscope.network import Network

Sizes = Mapping[int, int]
"""Lengths of axes that were cut, before and after."""


def resized(net: Network, weights: Mapping[str, np.ndarray], sizes: Sizes) -> Network | None:
    """The network with some weights of other shapes, or None where its graph does not run with them."""
    try:
        if net.format == "onnx":
            return reloaded(onnx_bytes(net, weights, {}), net) or reloaded(onnx_bytes(net, weights, sizes), net)
        if net.format == "pt2" or isinstance(net.module(), fx.GraphModule):  # a .pt2 file that was cut before
            return _retraced(net, weights, {}) or _retraced(net, weights, sizes)
        if net.format == "module":
            return alike(load_like(net, _module(net, weights)), net)
    except (FiberscopeError, RuntimeError, ValueError, TypeError):
        return None
    return None


def _retraced(net: Network, weights: Mapping[str, np.ndarray], sizes: Sizes) -> Network | None:
    """The graph of a file, traced again with weights of other shapes."""
    from fiberscope.equivalence.compression.resize_graph import graph_module

    try:
        return alike(load_like(net, graph_module(net, weights, sizes)), net)
    except (FiberscopeError, RuntimeError, ValueError, TypeError):
        return None


def alike(made: Network, net: Network) -> Network | None:
    """A network that takes samples in the way of another, or None."""
    return made if made.batched == net.batched else None


def reloaded(data: bytes, net: Network) -> Network | None:
    shapes = {s.name: list(s.shape) for s in net.inputs}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(data)
        for given in (None, shapes):
            try:
                made = load(path, name=net.name, input_shapes=given)
                checker_model(made)  # read now: the file is gone afterwards
                if made.n_in == net.n_in:  # a file may leave the size of its inputs open
                    return made
            except FiberscopeError:
                continue
    return None


def onnx_bytes(net: Network, weights: Mapping[str, np.ndarray], sizes: Sizes) -> bytes:
    """The graph with new tensors, the ``group`` of depthwise convolutions, and shapes of Reshape nodes renamed."""
    import onnx
    from onnx import numpy_helper

    model = onnx.ModelProto.FromString(net.origin.data)  # type: ignore[attr-defined]
    graph = model.graph
    stored = net.origin.stored  # type: ignore[attr-defined]
    changed = {n: t.detach().cpu().numpy() for n, t in net.weights.items() if t is not stored.get(n)}
    weights = {**changed, **weights}
    for tensor in graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights[tensor.name]), tensor.name))
        elif tensor.data_location == 1:
            tensor.CopyFrom(numpy_helper.from_array(stored[tensor.name].numpy(), tensor.name))
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in weights:
            del node.attribute[:]
            value = numpy_helper.from_array(np.ascontiguousarray(weights[node.output[0]]))
            node.attribute.append(onnx.helper.make_attribute("value", value))
        if node.op_type == "Conv" and len(node.input) > 1 and node.input[1] in weights:
            for attribute in node.attribute:
                if attribute.name == "group" and attribute.i == net.weights[node.input[1]].shape[0] > 1:
                    attribute.i = len(weights[node.input[1]])
    if sizes:
        _rename_shapes(graph, sizes)
    del graph.value_info[:]
    return model.SerializeToString()


def _rename_shapes(graph: Any, sizes: Sizes) -> None:
    from onnx import numpy_helper

    named = {node.input[1] for node in graph.node if node.op_type == "Reshape" and len(node.input) > 1}
    tensors = [t for t in graph.initializer if t.name in named]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in named:
            tensors += [a.t for a in node.attribute if a.name == "value"]
    for tensor in tensors:
        old = numpy_helper.to_array(tensor)
        new = np.array([sizes.get(int(v), int(v)) for v in old.reshape(-1)], dtype=old.dtype).reshape(old.shape)
        tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))


def _module(net: Network, weights: Mapping[str, np.ndarray]) -> nn.Module:
    """A copy of the module with parameters and buffers of other shapes, its sizes as attributes set to match."""
    module = copy.deepcopy(net.module())
    made: dict[str, nn.Parameter] = {}
    holders = dict(module.named_modules(remove_duplicate=False))
    for kind in ("_parameters", "_buffers"):
        for place, holder in holders.items():
            for last, tensor in list(getattr(holder, kind).items()):
                name = f"{place}.{last}" if place else last
                name = net.aliases.get(name, name)
                if tensor is None or name not in weights:
                    continue
                value = torch.from_numpy(np.ascontiguousarray(weights[name])).to(tensor.dtype)
                if kind == "_parameters":
                    made.setdefault(name, nn.Parameter(value, requires_grad=tensor.requires_grad))
                    holder._parameters[last] = made[name]
                else:
                    holder._buffers[last] = value
    for holder in holders.values():
        weight = getattr(holder, "weight", None)
        if isinstance(holder, nn.Linear):
            holder.out_features, holder.in_features = holder.weight.shape
        elif isinstance(holder, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            if holder.groups == holder.out_channels == holder.in_channels > 1:
                holder.groups = len(holder.weight)
            holder.out_channels, holder.in_channels = len(holder.weight), holder.weight.shape[1] * holder.groups
        elif hasattr(holder, "num_features") and isinstance(weight, torch.Tensor):
            cast(Any, holder).num_features = len(weight)
    return module.eval()
