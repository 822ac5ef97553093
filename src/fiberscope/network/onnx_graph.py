"""An ONNX graph as plain Python data: nodes, stored tensors, inputs and outputs. Nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fiberscope.errors import LoadError, UnsupportedOperatorError
from fiberscope.network.onnx_tensors import decode
from fiberscope.network.operators.call import DTYPES, OPERATORS


@dataclass(frozen=True)
class OnnxNode:
    """One node: operator, name, input and output value names ("" when left out), attributes."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class OnnxInput:
    """One user input: an ``int`` per fixed size, a name (or "") per symbolic one."""

    name: str
    dims: tuple[int | str, ...]
    dtype: torch.dtype


@dataclass
class OnnxGraph:
    """The part of a model that is read."""

    path: Path
    opset: int
    nodes: list[OnnxNode]
    inputs: list[OnnxInput]
    outputs: list[str]
    tensors: dict[str, Tensor]  # initialisers and Constant nodes
    initializers: list[str]
    external: list[bytes] = field(default_factory=list)


ATTRIBUTE = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}


def attribute(path: Path, proto: Any, max_bytes: int) -> Any:
    """The Python value of one attribute."""
    name = ATTRIBUTE.get(proto.type)
    if name is None or proto.ref_attr_name:
        what = "holds a graph or a sparse tensor: not supported"
        raise UnsupportedOperatorError(f"{path}: attribute {proto.name!r} {what}")
    value = getattr(proto, name)
    if name == "t":
        return decode(path, value, max_bytes)[0]
    if name == "s":
        return value.decode("utf-8", "replace")
    if name == "strings":
        return [text.decode("utf-8", "replace") for text in value]
    return list(value) if name in ("floats", "ints") else value


def constant_value(path: Path, node: OnnxNode) -> Tensor:
    """The tensor of a Constant node in any of its spellings."""
    attributes = node.attributes
    if "value" in attributes:
        return attributes["value"]
    for key, dtype in (("float", torch.float32), ("int", torch.int64)):
        for name in (f"value_{key}", f"value_{key}s"):
            if name in attributes:
                return torch.tensor(attributes[name], dtype=dtype)
    raise UnsupportedOperatorError(f"{path}: Constant node {node.name!r} holds {sorted(attributes)}: not supported")


def read_graph(path: Path, model: Any, max_bytes: int) -> OnnxGraph:
    """Check and unpack a parsed ``ModelProto``.

    Errors: :class:`UnsupportedOperatorError` naming an unknown operator and its node; :class:`LoadError` otherwise.
    """
    proto = model.graph
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
    if not proto.node:
        raise LoadError(f"{path}: the ONNX graph has no nodes; is this an ONNX model?")
    if proto.sparse_initializer:
        raise LoadError(f"{path}: sparse initialisers are not supported")
    tensors: dict[str, Tensor] = {}
    external: list[bytes] = []
    total = 0
    for tensor in proto.initializer:
        if tensor.name in tensors or not tensor.name:
            raise LoadError(f"{path}: two initialisers are named {tensor.name!r}, or one has no name")
        tensors[tensor.name], data = decode(path, tensor, max_bytes - total)
        total += tensors[tensor.name].nbytes
        external += [data] if data else []
    initializers = list(tensors)
    nodes = []
    for index, item in enumerate(proto.node):
        name = item.name or f"#{index}"
        if item.domain not in ("", "ai.onnx") or (item.op_type not in OPERATORS and item.op_type != "Constant"):
            operator = f"{item.domain}.{item.op_type}" if item.domain not in ("", "ai.onnx") else item.op_type
            raise UnsupportedOperatorError(f"{path}: operator {operator!r} (node {name!r}) is not supported")
        attributes = {a.name: attribute(path, a, max_bytes) for a in item.attribute}
        node = OnnxNode(item.op_type, name, tuple(item.input), tuple(item.output), attributes)
        if item.op_type == "Constant" and len(node.outputs) == 1 and node.outputs[0] not in tensors:
            tensors[node.outputs[0]] = constant_value(path, node)
        else:
            nodes.append(node)
    inputs = [read_input(path, item) for item in proto.input if item.name not in tensors]
    outputs = [item.name for item in proto.output]
    if not outputs:
        raise LoadError(f"{path}: the ONNX graph has no outputs")
    graph = OnnxGraph(path, opset, nodes, inputs, outputs, tensors, initializers, external)
    keep_reachable(graph)
    return graph


def read_input(path: Path, item: Any) -> OnnxInput:
    """One graph input that is not an initialiser."""
    kind = item.type.tensor_type
    if not item.type.HasField("tensor_type") or kind.elem_type not in DTYPES:
        raise LoadError(f"{path}: input {item.name!r} is not a tensor of a known type")
    if not kind.HasField("shape"):
        raise LoadError(f"{path}: input {item.name!r} declares no shape")
    dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else d.dim_param for d in kind.shape.dim)
    return OnnxInput(item.name, dims, DTYPES[kind.elem_type])


def keep_reachable(graph: OnnxGraph) -> None:
    """Drop nodes that no output needs; refuse values that nothing makes, and cycles."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    graph.nodes = kept[::-1]
    known = {*graph.tensors, *(item.name for item in graph.inputs), ""}
    for node in graph.nodes:
        for name in node.inputs:
            if name not in known:
                raise LoadError(f"{graph.path}: {node.operator} node {node.name!r} reads {name!r}, which nothing makes")
        known.update(node.outputs)
    for name in graph.outputs:
        if name not in known:
            raise LoadError(f"{graph.path}: output {name!r} is made by no node")
