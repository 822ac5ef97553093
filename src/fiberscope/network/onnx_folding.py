"""Which values of an ONNX graph are known at load time, and which stored tensors are weights.

Shape arithmetic (``Shape``, ``Concat``, ``Slice`` ... down to ``Reshape``) is folded; everything else is only run on
meta tensors, for its shapes, so that no memory is taken. A float tensor is a **weight** when it has several elements,
or sits in a parameter slot (Conv, Gemm, BatchNormalization ...), or is a bias or gain of a one-unit layer; numbers
like clip bounds, epsilons and exponents are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fiberscope.errors import FiberscopeError, LoadError, UnsupportedOperatorError
from fiberscope.network.neutral import array
from fiberscope.network.onnx_graph import OnnxGraph, OnnxNode
from fiberscope.network.operators import HYPERPARAMETERS, OPERATORS, WEIGHT_SLOTS, Call

SHAPE_READERS = frozenset({"Shape", "Size"})
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
MAX_FOLDED = 1 << 26  # elements of a folded value
MAX_ACTIVATION = 1 << 31  # elements of any value


@dataclass(frozen=True)
class Folding:
    """Values known at load time, the names of the weights, the nodes left to run, and the shape of every value."""

    known: dict[str, Tensor]
    arrays: dict[str, np.ndarray]
    weights: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    shapes: dict[str, torch.Size]


def needed_at_load(graph: OnnxGraph) -> set[str]:
    """Names of the values that some operator must know at load time (reshape targets, pads, bounds)."""
    needed: set[str] = set()
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs) and node.operator not in SHAPE_READERS:
            needed.update(node.inputs)
        for slot in HYPERPARAMETERS.get(node.operator, ()):
            if slot < len(node.inputs):
                needed.add(node.inputs[slot])
    return needed


def call_of(
    node: OnnxNode, opset: int, inputs: list[Tensor | None], known: Mapping[str, np.ndarray], weight: bool
) -> Call:
    """The operator call for a node."""
    values = [known.get(name) for name in node.inputs]
    outputs = sum(bool(name) for name in node.outputs)
    return Call(node.operator, node.name, inputs, values, node.attributes, opset, outputs, {"weight": weight})


def evaluate(node: OnnxNode, call: Call) -> dict[str, Tensor]:
    """Run one node; name its outputs."""
    try:
        result = OPERATORS[node.operator](call)
    except FiberscopeError:
        raise
    except KeyError as error:
        raise LoadError(f"{call.where}: attribute {error} is missing") from error
    except Exception as error:  # torch reports shapes that do not fit in many ways
        shapes = [None if t is None else list(t.shape) for t in call.inputs]
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise LoadError(f"{call.where} cannot run on inputs of shapes {shapes}: {reason}") from error
    results = result if isinstance(result, tuple) else (result,)
    if len(results) < call.outputs:
        raise UnsupportedOperatorError(f"{call.where}: its optional outputs are not supported")
    return {name: value for name, value in zip(node.outputs, results, strict=False) if name}


def fold(graph: OnnxGraph, shapes: Mapping[str, tuple[int, ...]]) -> Folding:
    """Propagate shapes and known values for inputs of the given shapes, and sort out the weights.

    Errors: :class:`LoadError` naming the node that cannot run on these shapes.
    """
    needed = needed_at_load(graph)
    certain, open_ = candidate_weights(graph, needed)
    known = {name: tensor for name, tensor in graph.tensors.items() if name not in certain}
    meta: dict[str, Tensor] = {name: tensor.to("meta") for name, tensor in graph.tensors.items()}
    for item in graph.inputs:
        meta[item.name] = torch.empty(shapes[item.name], dtype=item.dtype, device="meta")
    folded: dict[str, Tensor] = dict(known)
    arrays = {name: array(tensor) for name, tensor in known.items()}
    for node in graph.nodes:
        inputs = [meta[name] if name else None for name in node.inputs]
        static = node.operator in SHAPE_READERS or all(name in folded for name in node.inputs if name)
        with torch.device("cpu" if node.operator in SHAPE_READERS else "meta"):
            call = call_of(node, graph.opset, inputs, arrays, bool(node.inputs) and node.inputs[0] in certain)
            made = evaluate(node, call)
        for value in made.values():
            if value.numel() > (MAX_FOLDED if static else MAX_ACTIVATION):
                raise LoadError(f"{graph.path}: {call.where} makes a tensor of {value.numel()} elements; refused")
        if static:
            if node.operator not in SHAPE_READERS:
                real = [folded[name] if name else None for name in node.inputs]
                made = evaluate(node, call_of(node, graph.opset, real, arrays, False))
            folded.update(made)
            arrays.update({name: array(value) for name, value in made.items()})
        meta.update({name: value.to("meta") for name, value in made.items()})
    weights = certain | {name for name in open_ if is_gain(graph, name, meta)}
    folded, rest = settle(graph, folded, weights)
    used = [name for node in rest for name in node.inputs if name in weights]
    order = tuple(dict.fromkeys([*used, *(name for name in graph.outputs if name in weights)]))
    arrays = {name: arrays[name] for name in folded}
    return Folding(folded, arrays, order, rest, {name: value.shape for name, value in meta.items()})


def settle(
    graph: OnnxGraph, folded: dict[str, Tensor], weights: set[str]
) -> tuple[dict[str, Tensor], tuple[OnnxNode, ...]]:
    """Withdraw every folded value that depends on a weight; the nodes that remain to be run, in order."""
    tainted, rest = set(weights), []
    for node in graph.nodes:
        free = node.operator in SHAPE_READERS or not tainted.intersection(node.inputs)
        if free and all(name in folded for name in node.outputs if name):
            continue
        tainted.update(name for name in node.outputs if name)
        rest.append(node)
    known = {name: value for name, value in folded.items() if name not in tainted}
    live, kept = set(graph.outputs), []
    for node in reversed(rest):
        if live.intersection(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    return known, tuple(kept[::-1])


def candidate_weights(graph: OnnxGraph, needed: set[str]) -> tuple[set[str], set[str]]:
    """Float tensors that are certainly weights, and one-element ones that only shapes can decide."""
    slots = {n.inputs[s] for n in graph.nodes for s in WEIGHT_SLOTS.get(n.operator, ()) if s < len(n.inputs)}
    added = {name for n in graph.nodes if n.operator in ARITHMETIC for name in n.inputs}
    certain, open_ = set(), set()
    for name, tensor in graph.tensors.items():
        if not tensor.is_floating_point() or tensor.ndim == 0 or name in needed:
            continue
        if tensor.numel() > 1 or name in slots:
            certain.add(name)
        elif name in added:
            open_.add(name)
    return certain, open_


def is_gain(graph: OnnxGraph, name: str, meta: Mapping[str, Tensor]) -> bool:
    """True when a one-element tensor is the bias or gain of a layer with one unit, not a number like 0.5."""
    for node in graph.nodes:
        if node.operator in ARITHMETIC and name in node.inputs:
            others = [meta[other] for other in node.inputs if other != name and other not in graph.tensors]
            if any(x.ndim > 0 and (x.shape[-1] == 1 if x.ndim < 3 else x.shape[1] == 1) for x in others):
                return True
    return False
