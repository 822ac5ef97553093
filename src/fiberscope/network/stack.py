"""Fully connected networks made from arrays, written in the format of the network they replace."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from fiberscope.errors import InputError
from fiberscope.network.activations import activation
from fiberscope.network.onnx_activations import POINTS, regions
from fiberscope.network.origin import write_bytes

if TYPE_CHECKING:
    from fiberscope.network.network import Network

Arrays = Sequence[tuple[np.ndarray, np.ndarray]]


class Stack(nn.Module):
    """``x -> reshape(W_L s(... s(W_1 flat(x) + b_1) ...) + b_L)`` with inputs and outputs of given sample shapes."""

    def __init__(
        self,
        layers: Arrays,
        activations: Sequence[str],
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        batched: bool,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for weight, bias in layers:
            linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.from_numpy(weight).dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight))
                linear.bias.copy_(torch.from_numpy(bias))
            self.layers.append(linear)
        self.activations = tuple(activations)
        self.sample, self.result, self.batched = inputs, outputs, batched

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, *inputs] (or [*inputs] without a batch) -> [N, *outputs]."""
        x = x.flatten(1) if self.batched else x.reshape(1, -1)
        for linear, name in zip(self.layers, [*self.activations, None], strict=True):
            x = linear(x)
            if name is not None:
                x = activation(name)(x)
        return x.reshape(-1, *self.result) if self.batched else x.reshape(self.result)


def stacked(net: Network, layers: Arrays, activations: Sequence[str]) -> Network:
    """A network with the inputs and outputs of ``net`` and other layers, in memory, in the arrays' dtype."""
    from fiberscope.network.loading import load_like

    spec, dtype = net.inputs[0], torch.from_numpy(layers[0][0]).dtype
    module = Stack(layers, activations, spec.sample_shape, tuple(net.outputs[0]), spec.batched)
    return load_like(net, module.eval(), dtype)


def write_stack(net: Network, layers: Arrays, activations: Sequence[str], path: Path) -> None:
    """Writes the layers in the format of ``net``: .onnx, .npz (one activation), or .pt2 (also for a module).

    `InputError` when the path cannot be written or the format cannot hold the layers.
    """
    try:
        if net.format == "onnx":
            write_bytes(path, onnx_bytes(net, layers, activations))
        elif net.format == "npz":
            write_bytes(path, npz_bytes(layers, activations))
        else:
            stacked(net, layers, activations).save(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def npz_bytes(layers: Arrays, activations: Sequence[str]) -> bytes:
    if len(set(activations)) > 1:
        raise InputError(f"an .npz holds one activation, this network has {', '.join(sorted(set(activations)))}")
    arrays: dict[str, Any] = {}
    for l, (weight, bias) in enumerate(layers, 1):
        arrays[f"W{l}"], arrays[f"b{l}"] = weight, bias
    stream = io.BytesIO()
    np.savez(stream, activation=np.array(activations[0] if activations else "identity"), **arrays)
    return stream.getvalue()


_ONNX = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign"}


def onnx_bytes(net: Network, layers: Arrays, activations: Sequence[str]) -> bytes:
    """A small graph with the input and output names, shapes and types of the original.

    Activations without an operator that every opset has are copied from the original, node by node.
    """
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    original = ModelProto.FromString(net.origin.data)  # type: ignore[attr-defined]
    own = [] if all(map(common, activations)) else regions(original.graph)
    opsets = list(original.opset_import) if own else [helper.make_opsetid("", 17)]
    nodes, stored = [], []
    element = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}
    given, made = onnx_ends(net, element[str(layers[0][0].dtype)])
    stored.append(numpy_helper.from_array(np.array([-1, net.n_in], dtype=np.int64), "flat"))
    nodes.append(helper.make_node("Reshape", [given.name, "flat"], ["h0"]))
    for l, (weight, bias) in enumerate(layers, 1):
        stored += [numpy_helper.from_array(weight, f"W{l}"), numpy_helper.from_array(bias, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [f"h{l - 1}", f"W{l}", f"b{l}"], [f"z{l}"], transB=1))
        if l == len(layers):
            break
        kind = activations[l - 1]
        if kind.startswith("leaky_relu("):
            slope = float(kind[len("leaky_relu(") : -1])
            nodes.append(helper.make_node("LeakyRelu", [f"z{l}"], [f"h{l}"], alpha=slope))
        elif kind in _ONNX:
            nodes.append(helper.make_node(_ONNX[kind], [f"z{l}"], [f"h{l}"]))
        elif len(own) == len(activations) and own[l - 1].computes(at_points(kind), element[str(weight.dtype)], opsets):
            more = own[l - 1].copied(f"z{l}", f"h{l}", f"h{l}/")
            nodes, stored = nodes + more[0], stored + more[1]
        else:
            raise InputError(
                f"{net.name}: a layer of {kind} cannot be written as ONNX; load the module and save as .pt2"
            )
    shape = [-1, *net.outputs[0]] if net.inputs[0].batched else list(net.outputs[0])
    stored.append(numpy_helper.from_array(np.array(shape, dtype=np.int64), "shape"))
    nodes.append(helper.make_node("Reshape", [f"z{len(layers)}", "shape"], [made.name]))
    graph = helper.make_graph(nodes, net.name, [given], [made], stored)
    model = helper.make_model(graph, opset_imports=opsets, producer_name="fiberscope")
    model.ir_version = max(8, original.ir_version if own else 0)
    return model.SerializeToString()


def can_write(net: Network, layers: Arrays, activations: Sequence[str]) -> bool:
    """Whether the format of ``net`` can hold its own layers as a stack."""
    if net.format != "onnx" or all(map(common, activations)):
        return True
    try:
        onnx_bytes(net, layers, activations)
    except InputError:
        return False
    return True


def common(kind: str) -> bool:
    """Whether one ONNX operator of any opset is this activation."""
    return kind in _ONNX or kind.startswith("leaky_relu(")


def at_points(kind: str) -> np.ndarray:
    """The activation at the points where a copied one is compared with it."""
    return activation(kind)(torch.from_numpy(POINTS)).numpy()


def onnx_ends(net: Network, element: int) -> tuple[Any, Any]:
    """The input and the output as the original file declares them, with the element type of the new weights."""
    import onnx

    graph = onnx.ModelProto.FromString(net.origin.data).graph  # type: ignore[attr-defined]
    constants = {tensor.name for tensor in graph.initializer}
    given = next(value for value in graph.input if value.name not in constants)
    made = graph.output[0]
    for value in (given, made):
        value.type.tensor_type.elem_type = element
    return given, made
