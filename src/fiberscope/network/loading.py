"""``load``: a network from a file or from an ``nn.Module``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fiberscope.errors import FiberscopeError, InputError, LoadError
from fiberscope.network.network import Network
from fiberscope.network.origin import ModuleOrigin
from fiberscope.network.program import build_program, merge_aliases
from fiberscope.network.traced import from_export
from fiberscope.network.tracing import quiet_eager_attention, trace

GIB = 1 << 30
MAX_MESSAGE = 800


def load(
    source: str | Path | nn.Module,
    example_inputs: Tensor | Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    max_bytes: int = 4 * GIB,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """Load a network from a ``.onnx``, ``.pt2`` or ``.npz`` file, or from a module with example inputs.

    ``example_inputs``: a tensor, a sequence of positional inputs, or a mapping of keyword inputs; give a batch of at
    least 2. ``max_bytes`` bounds what a file may declare. ``input_shapes`` fixes the symbolic sizes of an ONNX file's
    inputs, by input name, batch axis included.
    No pickle is executed, and sizes are checked before memory is taken.

    Errors: :class:`LoadError` alone for whatever is wrong with a file. For a module: :class:`LoadError` when it cannot
    be traced to one fixed function, :class:`~fiberscope.errors.WeightError` for NaN or infinity in a weight,
    :class:`~fiberscope.errors.InputError` for missing example inputs.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval(), torch.zeros(2, 4))
    >>> net.inputs[0].sample_shape, net.outputs
    ((4,), ((3,),))
    """
    if isinstance(source, nn.Module):
        return load_module(source, example_inputs, name=name)
    if not isinstance(source, (str, Path)):
        raise InputError(f"load takes a path or an nn.Module, not {type(source).__name__}")
    return load_file(Path(source), name=name, max_bytes=max_bytes, input_shapes=input_shapes)


def load_file(
    path: Path, *, name: str | None, max_bytes: int, input_shapes: Mapping[str, Sequence[int]] | None
) -> Network:
    """Dispatch on the file's extension and let nothing but :class:`LoadError` out."""
    reader = reader_for(path)
    try:
        if not path.exists():
            raise LoadError(f"{path}: no such file")
        if not path.is_file():
            raise LoadError(f"{path}: not a file; give the path of a .onnx, .pt2 or .npz file")
        size = path.stat().st_size
        if size == 0:
            raise LoadError(f"{path}: the file is empty")
        if size > max_bytes:
            raise LoadError(f"{path}: {size} bytes, more than max_bytes = {max_bytes}")
        options: dict[str, Any] = {"input_shapes": input_shapes} if path.suffix.lower() == ".onnx" else {}
        return reader(path, name=name or path.stem, max_bytes=max_bytes, **options)
    except FiberscopeError as error:
        kind = type(error) if isinstance(error, LoadError) else LoadError
        raise kind(message(path, str(error))) from error
    except (Exception, RecursionError) as error:
        text = f"cannot be read as a model ({type(error).__name__}: {error})"
        raise LoadError(message(path, text)) from error


def message(path: Path, text: str) -> str:
    """One line of bounded length that names the file, whatever names or bytes the file put into ``text``."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.removeprefix(f"{path}: ").split())
    return f"{path}: {line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 3] + '...'}"


def reader_for(path: Path) -> Callable[..., Network]:
    """The reader of a file format, imported only when needed."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        from fiberscope.network.mlp import load_npz

        return load_npz
    if suffix == ".onnx":
        from fiberscope.network.onnx_file import load_onnx

        return load_onnx
    if suffix == ".pt2":
        from fiberscope.network.pt2 import load_pt2

        return load_pt2
    raise LoadError(f"{path}: unknown extension {suffix!r}; expected .onnx, .pt2 or .npz")


def load_module(module: nn.Module, example_inputs: Any, *, name: str | None) -> Network:
    """Trace a private copy of ``module``; what the caller does to the original later has no effect."""
    if example_inputs is None:
        raise InputError(f"{type(module).__name__}: give example inputs, such as load(module, (torch.randn(2, 8),))")
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if isinstance(example_inputs, Tensor):
        args = (example_inputs,)
    elif isinstance(example_inputs, Mapping):
        kwargs = dict(example_inputs)
    else:
        args = tuple(example_inputs)
    template = private_copy(module)
    exported = trace(template, args, kwargs)
    strict = [n for n, _ in template.named_parameters(remove_duplicate=False)]
    program, weights = build_program(
        from_export(exported), batched=takes_any_batch(template, args, kwargs), strict=strict
    )
    if template is module:
        weights = {key: tensor.clone() for key, tensor in weights.items()}
    return Network(program, weights, ModuleOrigin(template, exported), name=name or type(module).__name__)


def load_like(net: Network, module: nn.Module, dtype: torch.dtype | None = None) -> Network:
    """A module in the place of a network: traced at the same sizes, saved for any batch where the file of ``net`` is.

    ``dtype``: that of the inputs, where it is another than in ``net``. Errors: see `load`.
    """
    args = tuple(torch.zeros(s.shape, dtype=dtype or s.dtype) for s in net.inputs)
    made = load_module(module, args, name=net.name)
    assert isinstance(made.origin, ModuleOrigin)
    made.origin.free_batch = getattr(net.origin, "free_batch", False)
    return made


def private_copy(module: nn.Module) -> nn.Module:
    """A deep copy with the ties of the original; a module that cannot be copied is used itself.

    torch copies each parameter on its own, so two that share storage without being one object are tied again here.
    """
    canonical = merge_aliases(tensors_of(module))
    try:
        template = copy.deepcopy(module)
    except Exception:  # whatever a module's own copying raises
        return module
    tensors = tensors_of(template)
    for name, first in canonical.items():
        if name != first and tensors[name] is not tensors[first]:
            tensors[name].data = tensors[first].data
    return template


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers under all their names."""
    tensors: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    tensors.update(module.named_buffers(remove_duplicate=False))
    return tensors


def takes_any_batch(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """True when all inputs share a leading size and the module treats doubled inputs sample by sample."""
    from torch.utils._pytree import tree_flatten, tree_map

    tensors = [x for x in tree_flatten((args, dict(kwargs)))[0] if isinstance(x, Tensor)]
    if not tensors or any(x.ndim == 0 for x in tensors) or len({x.shape[0] for x in tensors}) != 1:
        return False
    batch = tensors[0].shape[0]

    def doubled(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return torch.cat([x, x * 0.5 + 0.25 if x.is_floating_point() else x.flip(0).flip(-1)])

    def outputs(given: Any) -> list[Tensor]:
        positional, named = given
        flat = tree_flatten(module(*positional, **named))[0]
        return [x for x in flat if isinstance(x, Tensor)]

    with torch.no_grad(), quiet_eager_attention():
        try:
            once = outputs((args, dict(kwargs)))
            twice = outputs(tree_map(doubled, (args, dict(kwargs))))
        except Exception:  # whatever the module raises, it does not take that batch
            return False
    from fiberscope.network.batching import near

    return all(
        one.ndim > 0 and one.shape[0] == batch and two.shape == (2 * batch, *one.shape[1:]) and near(two[:batch], one)
        for one, two in zip(once, twice, strict=True)
    )
