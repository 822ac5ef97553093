"""A model as read: operations over named arrays, in one of two vocabularies (ONNX or ATen)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Ref:
    """A reference to a named tensor among the arguments of an operation."""

    name: str


@dataclass(frozen=True)
class Operation:
    """One operation: `outputs` may hold empty names (unused results); `args` hold Refs and plain values."""

    op: str
    args: tuple
    kwargs: dict
    outputs: tuple[str, ...]


@dataclass
class Model:
    """Operations in order, inputs (name, shape; 0 marks a free axis), outputs, arrays by name.

    `wires` maps a tensor name of the graph to the array it carries; `aliases` maps further public names to arrays;
    `dtypes` names the stored dtype where numpy has none (bfloat16).
    """

    vocabulary: str
    format: str
    sha256: str
    operations: list[Operation]
    inputs: list[tuple[str, tuple[int, ...]]]
    outputs: list[str]
    arrays: dict[str, np.ndarray]
    wires: dict[str, str]
    aliases: dict[str, str] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    integers: set[str] = field(default_factory=set)  # inputs of an integer type (or boolean)
    booleans: set[str] = field(default_factory=set)  # inputs of boolean type
    batched: bool | None = None  # known to be batched, known not to be, or unknown
    listed: bool = True  # several results of an operation are one list, taken apart by getitem
    prepared: dict = field(default_factory=dict)  # forms derived from the above, kept between calls

    def array_name(self, name: str) -> str | None:
        """The array a public weight name stands for."""
        return name if name in self.arrays else self.aliases.get(name)


def widen_bfloat16(raw: np.ndarray) -> np.ndarray:
    """bfloat16 bit patterns (uint16) as float32, exactly."""
    return (raw.astype(np.uint32) << 16).view(np.float32)
