"""From a network on a graph back to a model: a fresh .npz, .onnx or .pt2 file in the stored precision.

An .npz holds a plain MLP (each layer reads the one before it, one activation). An ONNX file or an exported module holds
any graph: layer by layer, each block reads the nodes it needs, gathered from inputs and earlier blocks. The new model
takes one flat input and gives one flat output, which is how Fiberscope matches inputs and outputs of two models.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.affine.dag import DagNetwork, matrix
from fiberscope.errors import InputError, WeightError

if TYPE_CHECKING:
    from fiberscope.network import Network

ONNX = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "erf": "Erf", "arctan": "Atan", "softsign": "Softsign", "relu": "Relu",
    "abs": "Abs", "sin": "Sin", "cos": "Cos", "exp": "Exp", "gelu": "Gelu", "softplus": "Softplus", "mish": "Mish",
    "hardswish": "HardSwish", "selu": "Selu",
}  # fmt: skip
"""Activations that are one ONNX operator with its default attributes (opset 20)."""

Block = tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def layers_of(net: DagNetwork) -> tuple[list[tuple[np.ndarray, np.ndarray]], str] | None:
    """``([(W1, b1), ...], activation)`` of a plain MLP in float64, or None for any other graph.

    >>> net = DagNetwork.from_layers([(np.eye(2), None), (np.ones((1, 2)), [1.0])], "erf")
    >>> found = layers_of(net)
    >>> [w.shape for w, _ in found[0]], found[1]
    ([(2, 2), (1, 2)], 'erf')
    """
    if len(net.activations) > 1:
        return None
    n_in = net.n_inputs
    stage: list[list[int]] = [list(range(n_in))]
    for unit, depth in enumerate(net.depth):
        stage += [[]] * (depth + 1 - len(stage))
        stage[depth] = [*stage[depth], n_in + unit]
    layers = []
    for depth in range(1, len(stage) + 1):
        last = depth == len(stage)
        rows = list(net.outputs) if last else [net.units[p - n_in].row for p in stage[depth]]
        weight, bias, parents = matrix(rows)
        column = {p: j for j, p in enumerate(stage[depth - 1])}
        if any(int(p) not in column for p in parents):
            return None
        full = np.zeros((len(rows), len(column)))
        full[:, [column[int(p)] for p in parents]] = weight
        layers.append((full, bias))
    return layers, (net.activations or ("tanh",))[0]


def save(net: DagNetwork, path: str | Path) -> Path:
    """Write a network by the ending of the path: .npz (plain MLPs only), .onnx or .pt2.

    Errors: InputError for another ending, or a graph or activation that the format cannot hold; WeightError for a
    weight beyond the range of the stored precision.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        data = _npz(net, path)
    elif suffix == ".onnx":
        data = _onnx(net, path)
    elif suffix == ".pt2":
        to_network(net, name=path.stem).save(path)
        return path
    else:
        raise InputError(f"{path}: unknown ending {suffix!r}; name a .npz, .onnx or .pt2 file")
    from fiberscope.network.origin import write_bytes

    try:
        write_bytes(path, data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def to_network(net: DagNetwork, *, name: str = "network") -> Network:
    """The network as a `fiberscope.network.Network` made of a module, with weights in the stored precision.

    >>> net = DagNetwork.from_layers([(np.eye(2), None), (np.ones((1, 2)), [1.0])])
    >>> to_network(net).run_flat(np.zeros((1, 2))).tolist()
    [[1.0]]
    """
    import torch

    from fiberscope.affine.module import DagModule
    from fiberscope.network import load

    module = DagModule(blocks(net), net.n_inputs, getattr(torch, net.precision))
    return load(module.eval(), (torch.zeros(2, net.n_inputs, dtype=getattr(torch, net.precision)),), name=name)


def blocks(net: DagNetwork) -> list[Block]:
    """``(activation, units, parents, W, b)`` in the order of computation; the outputs come last, without activation."""
    groups: dict[tuple[int, int, str], list[int]] = {}
    for i, unit in enumerate(net.units):
        if unit.activation in net.laws:
            raise InputError(f"activation {unit.activation}: only activations known by name can be written to a file")
        groups.setdefault((net.depth[i], net.layers[i], unit.activation), []).append(i)
    out: list[Block] = []
    for (_, _, name), units in sorted(groups.items()):
        weight, bias, parents = matrix([net.units[i].row for i in units])
        out.append((name, np.array(units) + net.n_inputs, parents, weight, bias))
    weight, bias, parents = matrix(net.outputs)
    return [*out, ("", np.zeros(0, dtype=np.int64), parents, weight, bias)]


def stored(array: np.ndarray, precision: str, name: str) -> np.ndarray:
    """An array rounded to the precision of the file; `WeightError` beyond its range."""
    with np.errstate(over="ignore"):
        out = array.astype(precision if precision in ("float16", "float32") else np.float64)
    if not np.isfinite(out).all():
        raise WeightError(f"{name}: a weight is beyond the range of {precision}")
    return out


def _npz(net: DagNetwork, path: Path) -> bytes:
    found = layers_of(net)
    if found is None:
        raise InputError(f"{path}: an .npz holds a plain MLP with one activation; write an .onnx or .pt2 file instead")
    arrays: dict[str, Any] = {"activation": np.array(found[1])}
    for l, (weight, bias) in enumerate(found[0], start=1):
        arrays[f"W{l}"] = stored(weight, net.precision, f"W{l}")
        arrays[f"b{l}"] = stored(bias, net.precision, f"b{l}")
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _onnx(net: DagNetwork, path: Path) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    unknown = [name for name in net.activations if name not in ONNX]
    if unknown:
        raise InputError(f"{path}: {unknown[0]} is not one operator of ONNX; write a .pt2 file instead")
    kind = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}.get(net.precision, TensorProto.DOUBLE)
    nodes, tensors = [], []
    parts = {"input": np.arange(net.n_inputs)}

    def constant(name: str, array: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(array, name))
        return name

    for number, (name, units, parents, weight, bias) in enumerate(blocks(net), start=1):
        needed = [part for part, held in parts.items() if np.isin(parents, held).any()] or ["input"]
        columns = np.concatenate([parts[part] for part in needed])
        full = np.zeros((len(bias), len(columns)))
        place = {int(p): j for j, p in enumerate(columns)}
        full[:, [place[int(p)] for p in parents]] = weight
        source = needed[0]
        if len(needed) > 1:
            source = f"joined{number}"
            nodes.append(helper.make_node("Concat", needed, [source], axis=1))
        w = constant(f"layer{number}.weight", stored(full, net.precision, f"layer{number}.weight"))
        b = constant(f"layer{number}.bias", stored(bias, net.precision, f"layer{number}.bias"))
        made = "output" if not name else f"sum{number}"
        nodes.append(helper.make_node("Gemm", [source, w, b], [made], transB=1))
        if name:
            nodes.append(helper.make_node(ONNX[name], [made], [f"units{number}"]))
            parts[f"units{number}"] = units
    ends = [
        helper.make_tensor_value_info(name, kind, ["N", size])
        for name, size in (("input", net.n_inputs), ("output", net.n_outputs))
    ]
    graph = helper.make_graph(nodes, path.stem or "network", ends[:1], ends[1:], tensors)
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="fiberscope").SerializeToString()
