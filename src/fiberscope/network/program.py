"""The traced part of a network: its graph, and what each placeholder of the graph stands for.

A parameter appears in the graph once per *name*; names that share storage (tied weights) are merged into one
canonical weight, the first of them in ``state_dict`` order. Persistent floating buffers that the graph uses (batch
norm statistics) are weights too; integer buffers, non-persistent buffers, lifted literals and non-finite masks are
constants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument

from fiberscope.errors import LoadError
from fiberscope.network.finite import finite_weights
from fiberscope.network.ranges import integer_range
from fiberscope.network.specification import InputSpec


@dataclass(frozen=True)
class Program:
    """Everything about a network that does not change when its weights do."""

    graph: fx.Graph
    weight_of: dict[str, str]
    constants: dict[str, Tensor]
    aliases: dict[str, str]
    unused: tuple[str, ...]
    input_names: tuple[str, ...]
    output_nodes: tuple[fx.Node, ...]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[tuple[int, ...], ...]
    batched: bool
    memory: dict[str, Any] = field(default_factory=dict)  # plans and the batching mode, found at first use


def storage_key(tensor: Tensor) -> tuple[Any, ...]:
    """Equal for two tensors that are the same view of the same storage."""
    return (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape), tensor.stride())


def merge_aliases(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Map every name to the first name with the same storage and view (itself when nothing is shared).

    Errors: :class:`LoadError` when two tensors overlap in memory without being the same view.
    """
    first: dict[tuple[Any, ...], str] = {}
    canonical: dict[str, str] = {}
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            canonical[name] = name
            continue
        key = storage_key(tensor)
        canonical[name] = first.setdefault(key, name)
        if canonical[name] == name:
            start = int(tensor.storage_offset())
            reach = sum((size - 1) * abs(step) for size, step in zip(tensor.shape, tensor.stride(), strict=True))
            spans.setdefault(key[0], []).append((start, start + int(reach) + 1, name))
    for ranges in spans.values():
        ranges.sort()
        for (_, stop, left), (start, _, right) in pairwise(ranges):
            if start < stop:
                raise LoadError(f"weights {left!r} and {right!r} share memory as different views; clone one of them")
    return canonical


def build_program(
    exported: ExportedProgram, *, batched: bool, names: Mapping[str, str] | None = None, strict: Iterable[str] = ()
) -> tuple[Program, dict[str, Tensor]]:
    """Split an exported program into the fixed :class:`Program` and its weights.

    ``names`` renames weights (module name -> public name); ``strict`` names weights that must be finite wherever
    they are used (the parameters of a module).
    """
    graph, signature = exported.graph, exported.graph_signature
    names = dict(names or {})
    persistent = {n: t.detach() for n, t in exported.state_dict.items() if t.is_floating_point() or t.is_complex()}
    canonical = merge_aliases(persistent)
    placeholders = {node.name: node for node in graph.nodes if node.op == "placeholder"}
    weight_of: dict[str, str] = {}
    constants: dict[str, Tensor] = {}
    input_names: list[str] = []
    buffers: set[str] = set()
    for spec in signature.input_specs:
        placeholder = spec.arg.name
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            target = str(spec.target)
            if target in canonical and spec.persistent is not False and spec.kind != InputKind.CONSTANT_TENSOR:
                weight_of[placeholder] = canonical[target]
                if spec.kind == InputKind.BUFFER:
                    buffers.add(canonical[target])
            else:
                source = exported.state_dict.get(target, exported.constants.get(target))
                if not isinstance(source, Tensor):
                    raise LoadError(f"constant {target!r} of the traced graph is not a tensor")
                constants[placeholder] = source.detach()
        elif spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument):
            input_names.append(placeholder)
        elif spec.kind != InputKind.USER_INPUT or placeholders[placeholder].users:
            raise LoadError(f"input {placeholder!r} is not a tensor ({type(spec.arg).__name__})")
    used = {weight_of[n] for n in weight_of if placeholders[n].users}
    for name in buffers - used:  # a floating buffer outside the graph is not a weight
        weight_of = {node: weight for node, weight in weight_of.items() if weight != name}
    weights = {name: persistent[name] for name in persistent if name in set(weight_of.values())}
    masks = finite_weights(graph, weight_of, weights, strict=strict, names=names)
    for placeholder in [n for n, weight in weight_of.items() if weight in masks]:
        constants[placeholder] = weights[weight_of.pop(placeholder)]
    for name in masks:
        del weights[name]
    rename: dict[str, str] = {name: names.get(name, name) for name in persistent}
    outputs = output_nodes(exported)
    program = Program(
        graph=graph,
        weight_of={node: rename[name] for node, name in weight_of.items()},
        constants=constants,
        aliases={rename[n]: rename[c] for n, c in canonical.items() if n != c and c in weights},
        unused=tuple(rename[n] for n in weights if n not in used),
        input_names=tuple(input_names),
        output_nodes=outputs,
        inputs=tuple(input_spec(placeholders[name], constants, batched) for name in input_names),
        outputs=tuple(tuple(node.meta["val"].shape[1 if batched else 0 :]) for node in outputs),
        batched=batched,
    )
    return program, {rename[name]: tensor for name, tensor in weights.items()}


def output_nodes(exported: ExportedProgram) -> tuple[fx.Node, ...]:
    """The tensor nodes that the network returns, in order."""
    by_name = {node.name: node for node in exported.graph.nodes}
    specs = [s for s in exported.graph_signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
    nodes = tuple(by_name[s.arg.name] for s in specs if isinstance(s.arg, TensorArgument))
    if not nodes:
        raise LoadError("the network returns no tensor")
    return nodes


def input_spec(node: fx.Node, constants: Mapping[str, Tensor], batched: bool) -> InputSpec:
    """Describe one user input from its placeholder."""
    value = node.meta["val"]
    low, high = (None, None) if value.dtype.is_floating_point else integer_range(node, constants)
    if value.dtype == torch.bool:
        low, high = 0, 2
    return InputSpec(node.name, tuple(int(size) for size in value.shape), value.dtype, batched, low, high)
