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

from fiberscope.errors import LoadError
from fiberscope.network.finite import finite_weights
from fiberscope.network.ranges import integer_range
from fiberscope.network.specification import InputSpec
from fiberscope.network.traced import BUFFER, INPUT, PARAMETER, Traced


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
    traced: Traced, *, batched: bool, names: Mapping[str, str] | None = None, strict: Iterable[str] = ()
) -> tuple[Program, dict[str, Tensor]]:
    """Split a traced graph into the fixed :class:`Program` and its weights.

    ``names`` renames weights (module name -> public name); ``strict`` names weights that must be finite wherever
    they are used (the parameters of a module).
    """
    graph, names = traced.graph, dict(names or {})
    held = [role for role in traced.roles if role.kind in (PARAMETER, BUFFER)]
    stored = {role.target for role in held}
    floating = {n: t.detach() for n, t in traced.tensors.items() if n in stored and t.is_floating_point()}
    canonical = merge_aliases(floating)
    weight_of = {role.node: canonical[role.target] for role in held if role.target in canonical}
    used = {name for node, name in weight_of.items() if node.users}
    buffers = {canonical[role.target] for role in held if role.kind == BUFFER and role.target in canonical}
    weight_of = {node: name for node, name in weight_of.items() if name in used or name not in buffers}
    kept = set(weight_of.values())
    weights = {name: tensor for name, tensor in floating.items() if name in kept}
    masks = finite_weights(weight_of, weights, strict=strict, names=names)
    weight_of = {node: name for node, name in weight_of.items() if name not in masks}
    weights = {name: tensor for name, tensor in weights.items() if name not in masks}
    constants = {
        role.node.name: traced.tensors[role.target].detach()
        for role in traced.roles
        if role.target and role.node.users and role.node not in weight_of
    }
    rename: dict[str, str] = {name: names.get(name, name) for name in floating}
    inputs = [role.node for role in traced.roles if role.kind == INPUT]
    program = Program(
        graph=graph,
        weight_of={node.name: rename[name] for node, name in weight_of.items()},
        constants=constants,
        aliases={rename[n]: rename[c] for n, c in canonical.items() if n != c and c in weights},
        unused=tuple(rename[name] for name in weights if name not in used),
        input_names=tuple(node.name for node in inputs),
        output_nodes=traced.outputs,
        inputs=tuple(input_spec(node, constants, batched) for node in inputs),
        outputs=tuple(tuple(node.meta["val"].shape[1 if batched else 0 :]) for node in traced.outputs),
        batched=batched,
    )
    return program, {rename[name]: tensor for name, tensor in weights.items()}


def input_spec(node: fx.Node, constants: Mapping[str, Tensor], batched: bool) -> InputSpec:
    """Describe one user input from its placeholder."""
    value = node.meta["val"]
    low, high = (None, None) if value.dtype.is_floating_point else integer_range(node, constants)
    if value.dtype == torch.bool:
        low, high = 0, 2
    return InputSpec(node.name, tuple(int(size) for size in value.shape), value.dtype, batched, low, high)
