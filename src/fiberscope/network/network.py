"""A trained network: a fixed graph of ATen operators and the weights it runs with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from fiberscope.errors import InputError, WeightError
from fiberscope.network.batching import run_batch
from fiberscope.network.finite import non_finite
from fiberscope.network.interpreter import Plan, cast, placeholder_values
from fiberscope.network.normalisers import input_normalisers
from fiberscope.network.origin import Origin
from fiberscope.network.program import Program
from fiberscope.network.specification import InputSpec


class Network:
    """A network as Fiberscope sees it: graph, weights, and a way back to the format it came from.

    Made by :func:`fiberscope.load`; immutable. Other weights give another network: :meth:`replace`.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Linear(3, 2).eval(), (torch.zeros(2, 3),), name="line")
    >>> net.n_in, net.n_out, net.parameters, sorted(net.weights)
    (3, 2, 8, ['bias', 'weight'])
    >>> net.run(torch.zeros(7, 3)).shape
    torch.Size([7, 2])
    """

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, Tensor],
        origin: Origin,
        *,
        name: str,
        path: Path | None = None,
        file_sha256: str | None = None,
    ) -> None:
        self.program = program
        self.origin = origin
        self.name = name
        self.path = path
        self.weights: Mapping[str, Tensor] = MappingProxyType(dict(weights))
        self._file_sha256 = file_sha256

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def format(self) -> str:
        """``onnx``, ``pt2``, ``npz`` or ``module``."""
        return self.origin.format

    @property
    def graph(self) -> fx.Graph:
        """The ATen graph; every node carries ``meta["val"]``."""
        return self.program.graph

    @property
    def weight_of(self) -> dict[str, str]:
        """Placeholder node name -> canonical weight name; tied weights map to one name."""
        return self.program.weight_of

    @property
    def constants(self) -> dict[str, Tensor]:
        """Placeholder node name -> tensor that is not a weight."""
        return self.program.constants

    @property
    def aliases(self) -> dict[str, str]:
        """Other stored name -> canonical name, for weights that share storage."""
        return self.program.aliases

    @property
    def unused(self) -> tuple[str, ...]:
        """Weights without any user in the graph."""
        return self.program.unused

    @property
    def input_names(self) -> tuple[str, ...]:
        """Placeholder node names of the inputs, in order."""
        return self.program.input_names

    @property
    def output_nodes(self) -> tuple[fx.Node, ...]:
        """The nodes returned, in order."""
        return self.program.output_nodes

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """One :class:`InputSpec` per input."""
        return self.program.inputs

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs for one sample."""
        return self.program.outputs

    @property
    def batched(self) -> bool:
        """True when axis 0 of every input and output is a batch."""
        return self.program.batched

    @property
    def n_in(self) -> int:
        """Elements of one sample, all inputs together."""
        return sum(spec.size for spec in self.inputs)

    @property
    def n_out(self) -> int:
        """Elements of the outputs for one sample."""
        return sum(int(np.prod(shape)) for shape in self.outputs)

    @cached_property
    def parameters(self) -> int:
        """The number of weight scalars that the graph uses; tied weights count once.

        In an ONNX file, tensors that only normalise an input entrywise (its mean, its range) are not counted.
        """
        skipped = set(self.unused)
        if self.format == "onnx":
            skipped |= input_normalisers(self.graph, self.weight_of, self.input_names)
        return sum(tensor.numel() for name, tensor in self.weights.items() if name not in skipped)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file bytes for a network as read from a file, of the neutral form for any other."""
        if self._file_sha256 is not None:
            return self._file_sha256
        from fiberscope.network.neutral import neutral_sha256

        return neutral_sha256(self)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{spec.name}{list(spec.sample_shape)}" for spec in self.inputs)
        outputs = ", ".join(str(list(shape)) for shape in self.outputs)
        return (
            f"Network {self.name!r} ({self.format}, {self.parameters:,} parameters in {len(self.weights)} tensors)\n"
            f"  {inputs} -> {outputs}{' per sample, any batch size' if self.batched else ''}\n"
            f"  {len(self.graph.nodes)} graph nodes"
        )

    # -- running ----------------------------------------------------------------------------------------------------

    def interpret(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Tensor], *, dtype: torch.dtype | None = None
    ) -> list[Tensor]:
        """Outputs at the traced shapes, differentiable in inputs and weights; ``dtype`` replaces every float dtype."""
        plans = self.program.memory.setdefault("plans", {})
        if dtype not in plans:
            plans[dtype] = Plan(self.graph, dtype)
        values = placeholder_values(
            self.graph, self.weight_of, self.constants, dict(zip(self.input_names, inputs, strict=True)), weights, dtype
        )
        return plans[dtype](values, self.output_nodes)

    def run(self, *inputs: Any, dtype: torch.dtype | None = None) -> Tensor | tuple[Tensor, ...]:
        """Outputs for torch or numpy inputs of any batch size: a tensor, or a tuple when there are several.

        A network without a batch axis takes one sample, or several along an extra leading axis.
        Errors: :class:`InputError` for a wrong number of inputs or a wrong shape.
        """
        outputs = self._run(self.prepare(inputs, dtype), self.weights, dtype)
        if not self.batched and all(tuple(np.shape(x)) == s.shape for x, s in zip(inputs, self.inputs, strict=True)):
            outputs = [x.squeeze(0) for x in outputs]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def prepare(self, inputs: Sequence[Any], dtype: torch.dtype | None = None) -> list[Tensor]:
        """Inputs as tensors of the right dtype with the samples on axis 0.

        Errors: :class:`InputError` for a wrong number of inputs or a wrong shape.
        """
        if len(inputs) != len(self.inputs):
            raise InputError(f"{self.name}: {len(inputs)} inputs given, {len(self.inputs)} expected")
        tensors = [self._input(value, spec, dtype) for value, spec in zip(inputs, self.inputs, strict=True)]
        if not self.batched and all(t.shape == s.shape for t, s in zip(tensors, self.inputs, strict=True)):
            tensors = [t.unsqueeze(0) for t in tensors]
        for tensor, spec in zip(tensors, self.inputs, strict=True):
            if tuple(tensor.shape[1:]) != spec.sample_shape or tensor.shape[0] != tensors[0].shape[0]:
                raise InputError(
                    f"{self.name}: input {spec.name!r} has shape {list(tensor.shape)}, expected "
                    f"[N, {', '.join(map(str, spec.sample_shape))}] with one N for all inputs"
                )
        return tensors

    def run_flat(
        self, x: np.ndarray, *, weights: Mapping[str, Tensor] | None = None, dtype: torch.dtype = torch.float64
    ) -> np.ndarray:
        """``x``: float64[N, n_in], the inputs flattened and joined in order; returns float64[N, n_out] likewise.

        ``weights`` overrides some or all weights by name. Integer inputs are rounded to their dtype.
        """
        flat = np.asarray(x, dtype=np.float64)
        if flat.ndim != 2 or flat.shape[1] != self.n_in:
            raise InputError(f"{self.name}: flat input has shape {list(flat.shape)}, expected [N, {self.n_in}]")
        tensors, start = [], 0
        for spec in self.inputs:
            part = torch.from_numpy(np.ascontiguousarray(flat[:, start : start + spec.size]))
            part = part.reshape(flat.shape[0], *spec.sample_shape)
            tensors.append(part.to(dtype) if spec.dtype.is_floating_point else part.round().to(spec.dtype))
            start += spec.size
        current = self.weights if weights is None else {**self.weights, **weights}
        outputs = self._run(tensors, current, dtype)
        return torch.cat([y.reshape(flat.shape[0], -1).to(torch.float64) for y in outputs], dim=1).numpy()

    def _run(self, inputs: list[Tensor], weights: Mapping[str, Tensor], dtype: torch.dtype | None) -> list[Tensor]:
        with torch.no_grad():
            ready = {name: cast(tensor, dtype) for name, tensor in weights.items()}
            return run_batch(self.program, lambda xs: self.interpret(xs, ready, dtype=dtype), inputs)

    def _input(self, value: Any, spec: InputSpec, dtype: torch.dtype | None) -> Tensor:
        try:
            tensor = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{self.name}: input {spec.name!r} is not an array: {error}") from error
        floating = spec.dtype.is_floating_point
        return tensor.to(dtype if floating and dtype is not None else spec.dtype)

    # -- other weights, and back ------------------------------------------------------------------------------------

    def replace(self, new: Mapping[str, Tensor]) -> Network:
        """The same network with some weights replaced, rounded to their stored dtype.

        Names may be canonical or aliases. Errors: :class:`WeightError` for an unknown name, a wrong shape, or a
        value that is not finite in the stored dtype.

        >>> import torch, fiberscope.network as fn
        >>> net = fn.load(torch.nn.Linear(2, 1).eval(), (torch.zeros(2, 2),))
        >>> net.replace({"weight": torch.ones(1, 2), "bias": torch.zeros(1)}).run(torch.ones(1, 2)).item()
        2.0
        """
        weights = dict(self.weights)
        for given, value in new.items():
            name = self.aliases.get(given, given)
            if name not in weights:
                raise WeightError(f"{self.name}: no weight {given!r}; the names are {', '.join(list(weights)[:20])}")
            old = weights[name]
            tensor = torch.as_tensor(value).detach()
            if tensor.shape != old.shape:
                shapes = f"needs shape {list(old.shape)}, got {list(tensor.shape)}"
                raise WeightError(f"{self.name}: weight {given!r} {shapes}")
            stored = tensor.to(device=old.device, dtype=old.dtype, copy=True).contiguous()
            if not bool(stored.isfinite().all()):
                raise WeightError(f"{self.name}: {non_finite(given, stored)} as {old.dtype}")
            weights[name] = stored
        return Network(self.program, weights, self.origin, name=self.name, path=self.path)

    def state_dict(self) -> dict[str, Tensor]:
        """All stored tensors under their own names (aliases and untouched buffers too) with the current weights."""
        return self.origin.state_dict(self)

    def module(self) -> nn.Module:
        """An ``nn.Module`` with the current weights that takes any batch size."""
        return self.origin.module(self)

    def save(self, path: str | Path) -> None:
        """Write in the format it came from: ``.onnx``, ``.pt2`` (also for a module) or ``.npz``.

        Unchanged networks are written byte for byte as they were read. Errors: :class:`InputError` when the path cannot
        be written or its ending names another format.
        """
        own = f".{self.format}" if self.format in ("onnx", "npz") else ".pt2"
        ending = Path(path).suffix.lower()
        if ending in (".onnx", ".npz", ".pt2") and ending != own:
            raise InputError(f"{path}: {self.name} is written as a {own} file; give a name that ends in {own}")
        try:
            self.origin.save(self, Path(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        """Itself: a network never changes."""
        return self

    def neutral(self) -> dict[str, Any]:
        """The network as plain names, numbers and numpy arrays, for checkers that do not use torch."""
        from fiberscope.network.neutral import neutral_form

        return neutral_form(self)


def file_hash(*parts: bytes) -> str:
    """SHA-256 of some byte strings, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
