"""Model -> core graph: walk the operations in order, look each up in its table, keep the rest as opaque."""

from __future__ import annotations

import re

import numpy as np

from .core import Graph
from .lower_aten import Tensor
from .model import Model, Operation, Ref
from .report import Reject, need
from .table_aten import OPS as ATEN

IGNORED = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "sym_constrain_range")


def lower(model: Model, shapes: list[tuple[int, ...]] | None = None) -> Graph:
    """The core graph of a model; a free axis counts as one sample, or has the length that ``shapes`` says."""
    from .lower_onnx import OPS as ONNX

    g = Graph(dict(model.arrays))
    env: dict[str, object] = {}
    for i, (name, shape) in enumerate(model.inputs):
        g.inputs.append(g.emit("input", (), (i,), sized(shape, shapes[i] if shapes else None)))
        env[name] = Tensor(g.inputs[-1])
        if name in model.integers:
            g.integral.add(g.inputs[-1])
        if name in model.booleans:
            g.boolean.add(g.inputs[-1])
    for wire, name in model.wires.items():
        need(wire not in env, f"the tensor {wire!r} is defined twice")
        env[wire] = Tensor(g.array(name))

    def bind(item: object) -> object:
        if isinstance(item, Ref):
            need(item.name in env, f"the tensor {item.name!r} is used before it is computed")
            return env[item.name]
        return tuple(bind(i) for i in item) if isinstance(item, tuple) else item

    for operation in model.operations:
        args = bind(operation.args)
        kwargs = {k: bind(v) for k, v in operation.kwargs.items()}
        assert isinstance(args, tuple)
        results = run(g, ONNX if model.vocabulary == "onnx" else ATEN, operation, args, kwargs, model)
        for name, value in zip(operation.outputs, results, strict=False):
            if name:
                need(name not in env, f"the tensor {name!r} is defined twice")
                env[name] = value
    for name in model.outputs:
        value = env.get(name)
        if not isinstance(value, Tensor):
            raise Reject(f"the output {name!r} is not computed")
        g.outputs.append(int(value))
    need(g.outputs and g.inputs, "a model needs an input and an output")
    return g


def sized(shape: tuple[int, ...], given: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of an input, free axes with the lengths given."""
    given = given or tuple(s or 1 for s in shape)
    fits = len(given) == len(shape) and all(g > 0 and s in (0, g) for s, g in zip(shape, given, strict=True))
    need(fits, f"an input of the shape {shape} cannot have the shape {given}")
    return given


def run(g: Graph, table: dict, operation: Operation, args: tuple, kwargs: dict, model: Model) -> list[object]:
    """Lower one operation; its results (tensors, lists of tensors, sizes; None where a result has no meaning)."""
    name, aten = operation.op, model.vocabulary == "aten"
    if name.split(".")[-1] == "getitem":
        source, i = args
        assert isinstance(i, int)
        if isinstance(source, Tensor) and g.nodes[source].op == "opaque":
            return [Tensor(g.opaque("getitem", (int(source),), (i,)))]
        if not isinstance(source, tuple) or not -len(source) <= i < len(source):
            raise Reject("getitem of something that is no list")
        return [source[i]]
    need(
        not re.search(r"rand|dropout|bernoulli|multinomial|normal_|\.normal|exponential|poisson|empty", name, re.I)
        or name in ("aten.dropout.default", "Dropout"),
        f"the operation {name} draws random numbers or reads memory that nobody has written",
    )
    key = name.removeprefix("aten.").split(".")[0] if aten else name
    if key in IGNORED:
        return [None] * len(operation.outputs)
    need(name.startswith("aten.") if aten else "." not in name, f"the operation {name} is not known to be a function")
    need(not (aten and key.endswith("_")), f"the operation {name} changes its argument")
    if key == "sym_size":
        return [g.shape(args[0])[args[1]]]
    try:
        if key not in table:
            raise Reject("not in the table")
        out = table[key](g, *args, **kwargs) if aten else table[key](g, args, kwargs, operation, model)
        items = [Tensor(i) if i is not None else None for i in (out if isinstance(out, tuple) else (out,))]
        listed = isinstance(out, tuple) and aten and model.listed
        return [tuple(items)] if listed else [*items]
    except (Reject, TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as error:
        return unknown(g, operation, args, kwargs, f"{name} -> {operation.outputs[0]}: {error}")


def unknown(g: Graph, operation: Operation, args: tuple, kwargs: dict, note: str) -> list[object]:
    """An operation without meaning here: the same function of its tensors wherever its name and arguments agree."""
    tensors: list[int] = []

    def mark(item: object) -> object:
        if isinstance(item, Tensor):
            tensors.append(int(item))
            return "tensor"
        if isinstance(item, np.ndarray):
            return [item.dtype.str, item.shape, item.tobytes().hex()]
        return [mark(i) for i in item] if isinstance(item, tuple) else repr(item)

    attrs = (mark(args), sorted((k, mark(v)) for k, v in kwargs.items()))
    results = [g.opaque(operation.op, tuple(tensors), (*attrs, i)) for i in range(len(operation.outputs))]
    g.notes.update(dict.fromkeys(results, note))
    return [Tensor(r) for r in results]
