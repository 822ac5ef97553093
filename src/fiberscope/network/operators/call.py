"""One call of an ONNX operator: its inputs, which of them are known at load time, its attributes and opset.

Known values are numpy arrays, so that reading a number out of one is safe while torch traces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fiberscope.errors import LoadError, UnsupportedOperatorError

Operator = Callable[["Call"], "Tensor | tuple[Tensor, ...]"]
OPERATORS: dict[str, Operator] = {}
HYPERPARAMETERS: dict[str, tuple[int, ...]] = {}  # input slots whose value must be known at load time
WEIGHT_SLOTS: dict[str, tuple[int, ...]] = {}  # input slots whose float constants are weights whatever their size

DTYPES: dict[int, torch.dtype] = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.uint16,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    12: torch.uint32,
    13: torch.uint64,
    14: torch.complex64,
    15: torch.complex128,
    16: torch.bfloat16,
}


def operator(
    *names: str, hyperparameters: Sequence[int] = (), weights: Sequence[int] = ()
) -> Callable[[Operator], Operator]:
    """Register a function under one or more ONNX operator names."""

    def register(function: Operator) -> Operator:
        for name in names:
            OPERATORS[name] = function
            if hyperparameters:
                HYPERPARAMETERS[name] = tuple(hyperparameters)
            if weights:
                WEIGHT_SLOTS[name] = tuple(weights)
        return function

    return register


@dataclass
class Call:
    """The arguments of one operator; ``known[i]`` is the value of input i when it does not depend on the inputs."""

    operator: str
    node: str
    inputs: list[Tensor | None]
    known: list[np.ndarray | None]
    attributes: dict[str, Any]
    opset: int
    outputs: int = 1
    extra: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, index: int) -> Tensor:
        """Input ``index``, which must be there."""
        value = self.get(index)
        if value is None:
            raise LoadError(f"{self.where}: input {index} is missing")
        return value

    def get(self, index: int) -> Tensor | None:
        """Input ``index``, or None when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def where(self) -> str:
        """``Conv node 'layer1'``, for messages."""
        return f"{self.operator} node {self.node!r}"

    def value(self, index: int) -> np.ndarray | None:
        """The load-time value of an input that must be known, or None when it is left out."""
        if self.get(index) is None:
            return None
        value = self.known[index]
        if value is None:
            raise UnsupportedOperatorError(
                f"{self.where}: input {index} depends on the network's inputs; only shapes known at load time are read"
            )
        return value

    def ints(self, index: int) -> list[int] | None:
        """A known integer vector."""
        value = self.value(index)
        return None if value is None else [int(v) for v in value.reshape(-1).tolist()]

    def floats(self, index: int) -> list[float] | None:
        """A known float vector."""
        value = self.value(index)
        return None if value is None else [float(v) for v in value.reshape(-1).tolist()]

    def ints_of(self, name: str, index: int, since: int) -> list[int] | None:
        """Integers that are attribute ``name`` before opset ``since`` and input ``index`` from then on."""
        if self.opset >= since:
            return self.ints(index)
        return self.attributes.get(name)

    def operand(self, index: int) -> Tensor | float | int | bool:
        """Input ``index``, as a Python number when it is a known scalar beside a tensor of the same or higher rank."""
        x = self[index]
        known = self.known[index]
        others = [(t, k) for i, (t, k) in enumerate(zip(self.inputs, self.known, strict=True)) if i != index]
        if known is None or known.size != 1:
            return x
        beside = any(k is None and t is not None and t.ndim >= known.ndim for t, k in others)
        return known.item() if beside else x

    def unsupported(self, what: str) -> UnsupportedOperatorError:
        """The error for a variant of an operator that is not read."""
        return UnsupportedOperatorError(f"{self.where}: {what} is not supported")
