"""ONNX files: graph, attributes, initialisers and Constant nodes, from the bytes. Source: onnx.proto (opsets to 21)."""

from __future__ import annotations

import math

import numpy as np

from .model import Model, Operation, Ref, widen_bfloat16
from .protobuf import fields, floats, integers, message, signed, text
from .report import Reject, need

DTYPES = {
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
    16: "<u2",
}


def read_tensor(data: memoryview) -> tuple[str, np.ndarray, str]:
    """TensorProto -> (name, array, dtype name)."""
    dims: list[int] = []
    kind, name, raw = 0, "", None
    numbers: list = []
    for number, wire, value in fields(data):
        if number == 1:
            dims += integers(wire, value)
        elif number == 2:
            kind = signed(value)
        elif number in (4, 10):
            numbers += floats(wire, value, "f" if number == 4 else "d")
        elif number in (5, 7, 11):
            numbers += integers(wire, value)
        elif number == 8:
            name = text(value)
        elif number == 9:
            raw = message(value)
        elif number == 13 or (number == 14 and value != 0):
            raise Reject(f"tensor {name!r} lies in an external file: refused")
    need(kind in DTYPES, f"tensor {name!r} has the unsupported ONNX type {kind}")
    need(all(0 <= d < 2**40 for d in dims) and len(dims) <= 16, f"tensor {name!r} has impossible dimensions")
    dtype, count = np.dtype(DTYPES[kind]), math.prod(dims)
    if raw is not None:
        need(len(raw) == count * dtype.itemsize, f"tensor {name!r}: data size does not match its shape")
        array = np.frombuffer(raw, dtype=dtype).astype(dtype.newbyteorder("="))
    else:
        need(len(numbers) == count, f"tensor {name!r}: data size does not match its shape")
        try:
            array = np.array(numbers, dtype=np.uint16 if kind == 10 else dtype)
        except (OverflowError, ValueError):
            raise Reject(f"tensor {name!r}: numbers out of range") from None
        array = array.view(np.float16) if kind == 10 else array
    array = widen_bfloat16(array) if kind == 16 else array
    return name, array.reshape(dims), "bfloat16" if kind == 16 else array.dtype.name


def read_attribute(data: memoryview) -> tuple[str, object]:
    """AttributeProto -> (name, value); tensors become arrays, sub-graphs are kept as an opaque mark."""
    name, kind = "", 0
    one: object = None
    many: list = []
    for number, wire, value in fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:
            one = floats(wire, value)[0] if wire == 5 else None
        elif number == 3:
            one = signed(value)
        elif number == 4:
            one = bytes(message(value)).decode("latin1")
        elif number == 5:
            one = read_tensor(message(value))
        elif number in (6, 11):
            raise Reject(f"attribute {name!r}: sub-graphs are not supported")
        elif number == 7:
            many += floats(wire, value)
        elif number == 8:
            many += integers(wire, value)
        elif number == 9:
            many.append(bytes(message(value)).decode("latin1"))
        elif number == 20:
            kind = signed(value)
    return name, tuple(many) if many or kind in (6, 7, 8) else one


def read_value_info(data: memoryview) -> tuple[str, tuple[int, ...], int]:
    """ValueInfoProto -> (name, shape, ONNX type), 0 for a free axis."""
    name, dims, element = "", [], 0
    for number, _, value in fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:
            for kind, _, tensor in fields(message(value)):
                need(kind != 4 and kind != 5, f"input {name!r} is not a tensor")
                if kind == 1:
                    for part, _, shape in fields(message(tensor)):
                        if part == 1:
                            element = signed(shape)
                        if part == 2:
                            for _, _, dim in fields(message(shape)):
                                found = [signed(v) for n, _, v in fields(message(dim)) if n == 1]
                                dims.append(max(found[0], 0) if found else 0)
    return name, tuple(dims), element


def read_node(data: memoryview) -> tuple[str, list[str], list[str], dict]:
    """NodeProto -> (op type, inputs, outputs, attributes)."""
    op, domain, inputs, outputs, attributes = "", "", [], [], {}
    for number, _, value in fields(data):
        if number == 1:
            inputs.append(text(value))
        elif number == 2:
            outputs.append(text(value))
        elif number == 4:
            op = text(value)
        elif number == 5:
            key, item = read_attribute(message(value))
            need(key not in attributes, f"node {op!r} has the attribute {key!r} twice")
            attributes[key] = item
        elif number == 7:
            domain = text(value)
    return (op if domain in ("", "ai.onnx") else f"{domain}.{op}"), inputs, outputs, attributes


def read_onnx(data: bytes, sha256: str) -> Model:
    """The model of an .onnx file."""
    graph, opset = None, 1
    for number, _, value in fields(memoryview(data)):
        if number == 7:
            need(graph is None, "two graphs in one ONNX file")
            graph = message(value)
        elif number == 8:
            entry = {n: v for n, _, v in fields(message(value))}
            if text(entry.get(1, memoryview(b""))) in ("", "ai.onnx"):
                opset = signed(entry.get(2, 1))
        elif number == 25:
            raise Reject("ONNX functions are not supported")
    if graph is None:
        raise Reject("not an ONNX file: it holds no graph")
    model = Model("onnx", "onnx", sha256, [], [], [], {}, {})
    inputs, seen = [], set()

    def define(name: str) -> None:
        need(name not in seen, f"the tensor {name!r} is defined twice")
        seen.add(name)

    def constant(name: str, array: np.ndarray, dtype: str) -> None:
        define(name)
        model.arrays[name], model.wires[name], model.dtypes[name] = array, name, dtype

    for number, _, value in fields(graph):
        if number == 5:
            constant(*read_tensor(message(value)))
        elif number == 11:
            inputs.append(read_value_info(message(value)))
        elif number == 12:
            model.outputs.append(read_value_info(message(value))[0])
        elif number == 15:
            raise Reject("sparse initialisers are not supported")
    model.inputs = [(n, s) for n, s, _ in inputs if n not in model.arrays]
    model.integers = {n for n, _, element in inputs if element not in (1, 10, 11, 16)}
    model.booleans = {n for n, _, element in inputs if element == 9}
    for name, _ in model.inputs:
        define(name)
    for number, _, value in fields(graph):
        if number != 1:
            continue
        op, args, outputs, attributes = read_node(message(value))
        if op == "Constant":
            need(len(outputs) == 1 and len(attributes) == 1, "malformed Constant node")
            kind, item = next(iter(attributes.items()))
            if kind == "value" and isinstance(item, tuple) and len(item) == 3 and isinstance(item[1], np.ndarray):
                constant(outputs[0], item[1], item[2])
            else:
                need(
                    kind in ("value_float", "value_floats", "value_int", "value_ints"), f"Constant {kind!r} unsupported"
                )
                array = np.array(item, dtype=np.float32 if "float" in kind else np.int64)
                constant(outputs[0], array, array.dtype.name)
            continue
        for name in outputs:
            if name:
                define(name)
        attributes = {
            k: v[1] if isinstance(v, tuple) and len(v) == 3 and isinstance(v[1], np.ndarray) else v
            for k, v in attributes.items()
        }
        wires = tuple(Ref(n) if n else None for n in args)
        model.operations.append(Operation(op, wires, attributes, tuple(outputs)))
    need(opset >= 7, f"ONNX opset {opset} is older than 7")
    model.dtypes["opset"] = str(opset)
    model.batched = True if model.inputs and all(len(s) > 1 and s[0] == 0 for _, s in model.inputs) else None
    return model
