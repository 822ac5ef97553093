"""From an ``nn.Module`` to a graph of ATen operators, by ``torch.export`` and its default decompositions.

The graph is the one graph language of Fiberscope. Export runs in eval semantics; a module whose forward pass draws
random numbers or changes its own buffers is refused, since it has no single function to speak about.
Source: the torch.export documentation, "IR: ATen and Core ATen".
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind

from fiberscope.errors import FiberscopeError, LoadError

ASSERTIONS = frozenset(
    {"aten._assert_tensor_metadata.default", "aten._assert_scalar.default", "aten._assert_async.msg"}
)


@functools.cache
def decompositions() -> Any:
    """The default decomposition table of ``torch.export``, built once (0.06-0.13 s each time otherwise).

    Products with a vector stay one operator: taken apart into mul and sum they would no longer say what is read.
    """
    table = torch.export.default_decompositions()
    for op in (torch.ops.aten.mv.default, torch.ops.aten.dot.default, torch.ops.aten.addmv.default):
        table.pop(op, None)
    return table


@contextmanager
def quiet_eager_attention() -> Iterator[None]:
    """Silence torch's deprecation warnings, and keep attention off its opaque fused paths.

    Without the second, ``nn.TransformerEncoderLayer`` is one operator, and scaled dot product attention is traced with
    the memory layout of a fused kernel, which its decomposition does not have (GPT-2 then fails to export).
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)


def any_batch(module: nn.Module, args: tuple[Any, ...]) -> ExportedProgram | None:
    """``module`` exported for any number of samples on axis 0 of every input, or None where it is bound to one."""
    batch = torch.export.Dim("batch")
    try:
        return trace(module, args, shapes=tuple({0: batch} for _ in args))
    except LoadError:
        return None


def trace(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None, *, shapes: Any = None
) -> ExportedProgram:
    """Export ``module`` at these example inputs and decompose it to core ATen operators.

    ``shapes``: the dynamic axes of the inputs, as ``torch.export.export`` takes them.

    Errors: :class:`LoadError` when the module does not export, draws random numbers, or changes its buffers.
    """
    refuse_training_layers(module)
    with quiet_eager_attention():
        try:
            program = torch.export.export(module, args, dict(kwargs or {}), dynamic_shapes=shapes).run_decompositions(
                decompositions()
            )
        except FiberscopeError:
            raise
        except RecursionError as error:
            raise LoadError(f"{type(module).__name__}: too deeply nested for torch.export") from error
        except Exception as error:
            raise LoadError(
                f"{type(module).__name__}: torch.export failed with {type(error).__name__}: {first_line(error)} "
                "(the forward pass must not branch on the values of its inputs)"
            ) from error
        refuse_effects(module, program)
        drop_dead_nodes(program.graph)
        program.graph_module.recompile()
    return program


def refuse_training_layers(module: nn.Module) -> None:
    """Raise for dropout or batch normalisation in training mode: those compute no fixed function."""
    for name, layer in module.named_modules():
        if not layer.training:
            continue
        dropout = isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0
        norm = isinstance(layer, nn.modules.batchnorm._NormBase) and layer.track_running_stats
        if dropout or norm:
            where = name or type(module).__name__
            raise LoadError(f"{where} ({type(layer).__name__}) is in training mode: call module.eval() before loading")


def refuse_effects(module: nn.Module, program: ExportedProgram) -> None:
    """Raise for random operators and for writes to buffers or inputs."""
    title = type(module).__name__
    for node in program.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags:
            raise LoadError(
                f"{title}: {node.target} (node {node.name}) draws random numbers in the forward pass; "
                "call module.eval() if it is dropout, otherwise this network computes no fixed function"
            )
    for spec in program.graph_signature.output_specs:
        if spec.kind not in (OutputKind.USER_OUTPUT, OutputKind.TOKEN):
            raise LoadError(
                f"{title}: the forward pass writes to {spec.target!r} ({spec.kind.name.lower()}); "
                "call module.eval(), or load a module whose forward pass changes nothing"
            )


def drop_dead_nodes(graph: fx.Graph) -> None:
    """Erase assertions and every node without a user, keeping all placeholders."""
    for node in reversed(graph.nodes):
        unused = node.op in ("call_function", "get_attr") and not node.users
        if unused or (node.op == "call_function" and str(node.target) in ASSERTIONS):
            graph.erase_node(node)


def first_line(error: BaseException) -> str:
    """The first line of an error's text; torch's go on for pages."""
    return (str(error).strip().splitlines() or [""])[0][:300]
