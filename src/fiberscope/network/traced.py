"""A traced graph with the role of each of its placeholders: what both ways of tracing have in common.

``torch.export`` traces any module (:mod:`fiberscope.network.tracing`). The modules that Fiberscope builds itself from
files call pure functions only, so ``make_fx`` traces them to the same graph, ten times faster for small networks.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument

from fiberscope.errors import FiberscopeError, LoadError
from fiberscope.network.tracing import decompositions, drop_dead_nodes, first_line, quiet_eager_attention

PARAMETER, BUFFER, CONSTANT, INPUT = "parameter", "buffer", "constant", "input"


@dataclass(frozen=True)
class Role:
    """What a placeholder stands for; ``target`` names the tensor of a parameter, buffer or constant."""

    node: fx.Node
    kind: str
    target: str = ""


@dataclass(frozen=True)
class Traced:
    """A graph of ATen operators, the roles of its placeholders, its output nodes, and the tensors by target."""

    graph: fx.Graph
    roles: tuple[Role, ...]
    outputs: tuple[fx.Node, ...]
    tensors: dict[str, Tensor]


def from_export(exported: ExportedProgram) -> Traced:
    """The roles as the signature of an exported program gives them; non-persistent buffers are constants.

    Errors: :class:`LoadError` for an input that is not a tensor, or when no tensor is returned.
    """
    nodes = {node.name: node for node in exported.graph.nodes}
    tensors = {name: tensor for name, tensor in exported.state_dict.items() if isinstance(tensor, Tensor)}
    roles: list[Role] = []
    for spec in exported.graph_signature.input_specs:
        node, target = nodes[spec.arg.name], str(spec.target)
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            if target not in tensors:
                tensor = exported.constants.get(target)
                if not isinstance(tensor, Tensor):
                    raise LoadError(f"constant {target!r} of the traced graph is not a tensor")
                tensors[target] = tensor
            fixed = spec.kind == InputKind.CONSTANT_TENSOR or spec.persistent is False
            kind = CONSTANT if fixed else PARAMETER if spec.kind == InputKind.PARAMETER else BUFFER
            roles.append(Role(node, kind, target))
        elif spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument):
            roles.append(Role(node, INPUT))
        elif spec.kind != InputKind.USER_INPUT or node.users:
            raise LoadError(f"input {node.name!r} is not a tensor ({type(spec.arg).__name__})")
    specs = [s for s in exported.graph_signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
    outputs = tuple(nodes[s.arg.name] for s in specs if isinstance(s.arg, TensorArgument))
    if not outputs:
        raise LoadError("the network returns no tensor")
    return Traced(exported.graph, tuple(roles), outputs, tensors)


def frozen_batch_norm(
    x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> tuple[Tensor, ...]:
    """Batch normalisation as ``torch.export`` writes it: by stored statistics, or by none (instance norm)."""
    if training:
        return torch.ops.aten._native_batch_norm_legit.no_stats(x, weight, bias, True, momentum, eps)
    return torch.ops.aten._native_batch_norm_legit_no_training.default(x, weight, bias, mean, var, momentum, eps)


@functools.cache
def pure_decompositions() -> dict[Any, Any]:
    """The decompositions of ``torch.export``, for ``make_fx``: resizing stays one operator, as it does there."""
    table = {key: value for key, value in decompositions().items() if not key.name().startswith("aten::upsample_")}
    return {**table, torch.ops.aten.native_batch_norm.default: frozen_batch_norm}


def trace_pure(module: nn.Module, examples: tuple[Tensor, ...]) -> Traced:
    """Trace a module whose forward pass writes to nothing and takes and returns tensors.

    Placeholders come in the order parameters, persistent buffers, other buffers, inputs, named as by ``torch.export``.
    """
    from torch.func import functional_call
    from torch.fx.experimental.proxy_tensor import make_fx

    parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
    persistent = set(module.state_dict())
    held = {**parameters, **buffers}
    kinds = [PARAMETER] * len(parameters) + [BUFFER if name in persistent else CONSTANT for name in buffers]
    names = list(held)

    def run(*values: Tensor) -> list[Tensor]:
        result = functional_call(module, dict(zip(names, values, strict=False)), values[len(names) :])
        return list(result) if isinstance(result, (tuple, list)) else [result]

    table = pure_decompositions()
    with torch.no_grad(), quiet_eager_attention():
        try:
            traced = make_fx(run, decomposition_table=table, tracing_mode="fake")(*held.values(), *examples)
        except FiberscopeError:
            raise
        except Exception as error:
            raise LoadError(f"tracing failed with {type(error).__name__}: {first_line(error)}") from error
    graph = traced.graph
    drop_dead_nodes(graph)
    holders = [node for node in graph.nodes if node.op == "placeholder"]
    prefix = {PARAMETER: "p_", BUFFER: "b_", CONSTANT: "c_"}
    for index, node in enumerate(holders):
        label = prefix[kinds[index]] + names[index] if index < len(names) else f"input_{index - len(names)}"
        node._rename(label)
    for node, kind in zip(tuple(holders), kinds, strict=False):
        if kind == CONSTANT and not node.users:
            graph.erase_node(node)
    pairs = zip(holders, kinds, names, strict=False)
    roles = [Role(node, kind, name) for node, kind, name in pairs if kind != CONSTANT or node.users]
    roles += [Role(node, INPUT) for node in holders[len(names) :]]
    tensors = {name: tensor.detach() for name, tensor in held.items()}
    for node in graph.nodes:  # literals that torch lifted
        if node.op == "get_attr":
            tensors[node.target] = getattr(traced, node.target)
            roles.append(Role(node, CONSTANT, node.target))
    returned = graph.output_node().args[0]
    outputs = tuple(node for node in returned if isinstance(node, fx.Node)) if isinstance(returned, list) else ()
    return Traced(graph, tuple(roles), outputs, tensors)
