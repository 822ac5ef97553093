"""The activations of an ONNX file as it writes them, to be written again: a GELU may be one node or five.

A region is a largest set of connected elementwise nodes with single numbers as constants, at least one of them not
linear, with one input and one output. Copied whole, it computes the very same expression, so that a proof need not know
what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LINEAR = frozenset(("Add", "Sub", "Mul", "Div", "Neg", "Identity"))
CURVED = frozenset((
    "Abs", "Atan", "Celu", "Clip", "Cos", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
    "Max", "Min", "Mish", "Pow", "Reciprocal", "Relu", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Softplus",
    "Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
))  # fmt: skip
POINTS = np.linspace(-4.0, 4.0, 41)
CLOSE = 1e-5


@dataclass(frozen=True)
class Region:
    """Nodes from ``source`` to ``result``; ``numbers``: the constants that they read, by name."""

    nodes: tuple[Any, ...]
    source: str
    result: str
    numbers: dict[str, Any]

    def copied(self, source: str, result: str, prefix: str) -> tuple[list[Any], list[Any]]:
        """The nodes between two other names, and their constants as initializers; inner names get a prefix."""
        from onnx import NodeProto, TensorProto

        names = {self.source: source, self.result: result, "": ""}
        nodes, stored = [], []
        for node in self.nodes:
            new = NodeProto()
            new.CopyFrom(node)
            del new.input[:], new.output[:]
            new.input.extend(names.get(name, f"{prefix}{name}") for name in node.input)
            new.output.extend(names.get(name, f"{prefix}{name}") for name in node.output)
            new.name = f"{prefix}{node.name}" if node.name else ""
            nodes.append(new)
        for name, tensor in self.numbers.items():
            new_tensor = TensorProto()
            new_tensor.CopyFrom(tensor)
            new_tensor.name = f"{prefix}{name}"
            stored.append(new_tensor)
        return nodes, stored

    def computes(self, values: np.ndarray, element: int, opsets: Iterable[Any]) -> bool:
        """Whether it takes these values at `POINTS`, up to rounding: nothing else hides in it."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        ends = [helper.make_tensor_value_info(name, element, [len(POINTS)]) for name in ("in", "out")]
        nodes, stored = self.copied("in", "out", "r")
        graph = helper.make_graph(nodes, "region", ends[:1], ends[1:], stored)
        model = helper.make_model(graph, opset_imports=list(opsets))
        x = POINTS.astype(helper.tensor_dtype_to_np_dtype(element))
        try:
            (found,) = ReferenceEvaluator(model).run(None, {"in": x})
        except (ValueError, TypeError, RuntimeError, NotImplementedError):
            return False
        return bool(np.abs(np.asarray(found, dtype=np.float64) - values).max() <= CLOSE * np.abs(values).max())


def regions(graph: Any) -> list[Region]:
    """The regions of an `onnx.GraphProto`, in its order."""
    numbers = single_numbers(graph)
    producer: dict[str, int] = {}  # the group that makes a tensor
    groups: dict[int, list[Any]] = {}
    for at, node in enumerate(graph.node):
        if node.op_type not in LINEAR | CURVED or len(node.output) != 1:
            continue
        data = [name for name in node.input if name and name not in numbers]
        if any(name in {t.name for t in graph.initializer} for name in data):
            continue
        joined = sorted({producer[name] for name in data if name in producer})
        groups[at] = [n for group in joined for n in groups.pop(group)] + [node]
        for member in groups[at]:
            producer[member.output[0]] = at
    found = (region(graph, nodes, numbers) for _, nodes in sorted(groups.items()))
    return [r for r in found if r is not None]


def single_numbers(graph: Any) -> dict[str, Any]:
    """Every stored tensor of one entry, from initializers and Constant nodes."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            stored |= dict.fromkeys(node.output, next((a.t for a in node.attribute if a.name == "value"), None))
    return {
        name: tensor for name, tensor in stored.items() if tensor is not None and np.prod(tensor.dims, dtype=int) == 1
    }


def region(graph: Any, nodes: Sequence[Any], numbers: dict[str, Any]) -> Region | None:
    """These nodes as a region, if they have one input, one output and a bend."""
    made = {node.output[0] for node in nodes}
    read = [name for node in nodes for name in node.input if name]
    sources = {name for name in read if name not in made and name not in numbers}
    outside = [name for node in graph.node if not any(node is n for n in nodes) for name in node.input]
    results = made & {*outside, *(value.name for value in graph.output)}
    factors = [sum(name not in numbers for name in node.input) for node in nodes if node.op_type in ("Mul", "Div")]
    bends = any(node.op_type in CURVED for node in nodes) or 2 in factors
    if len(sources) != 1 or len(results) != 1 or not bends:
        return None
    used = {name: numbers[name] for name in read if name in numbers}
    return Region(tuple(nodes), sources.pop(), results.pop(), used)
