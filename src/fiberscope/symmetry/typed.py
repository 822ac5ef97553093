"""The type of a tensor in the graph: one axis type per axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiberscope.symmetry.axes import Axis, Leaf, Uniform, fixed_axis, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.unify import Facts
from fiberscope.symmetry.uses import Uses


@dataclass(frozen=True)
class Typed:
    """Axis types of one tensor; ``constant``: no weight reaches it; ``zero``: known to be all zeros."""

    axes: tuple[Axis, ...]
    constant: bool = False
    zero: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(a.size for a in self.axes)


@dataclass(frozen=True)
class Stacked:
    """A tensor known slice by slice along ``dim`` (fused query-key-value before it is taken apart)."""

    dim: int
    items: tuple[Typed, ...]


Value = Typed | Stacked | tuple[Any, ...]


def fixed(shape: tuple[int, ...], reason: str | None = None, *, constant: bool = False) -> Typed:
    """Return the type of a tensor that no symmetry may touch."""
    return Typed(tuple(fixed_axis(n, reason) for n in shape), constant)


@dataclass
class Inference:
    """State of one pass over a graph: facts, the type of every node so far, and what was frozen."""

    facts: Facts = field(default_factory=Facts)
    env: dict[str, Value] = field(default_factory=dict)
    stack_dims: dict[str, int] = field(default_factory=dict)
    frozen_ops: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    uses: Uses = field(default_factory=Uses)
    reads: list[Axis] = field(default_factory=list)
    pooled: list[Axis] = field(default_factory=list)

    def typed(self, arg: Any) -> Typed:
        """Return the type of a node argument (numbers become constant scalars)."""
        if isinstance(arg, (int, float, bool, complex)) or arg is None:
            return Typed((), True, zero=arg == 0)
        value = self.env[arg.name]
        if isinstance(value, Stacked):
            value = self.collapse(value)
        if isinstance(value, tuple):
            raise KeyError(f"node {arg.name} has several outputs")
        return Typed(tuple(resolve(a) for a in value.axes), value.constant, value.zero)

    def collapse(self, value: Stacked) -> Typed:
        """Forget the slices: tie them all to one type."""
        first, *rest = value.items
        axes = list(first.axes)
        for item in rest:
            axes = [self.facts.equal(x, y) for x, y in zip(axes, item.axes, strict=True)]
        axes.insert(value.dim, fixed_axis(len(value.items), self.facts.where))
        return Typed(tuple(axes), first.constant)

    def freeze(self, typed: Typed) -> None:
        """Allow nothing on any axis of this tensor."""
        for axis in typed.axes:
            self.facts.freeze(axis)

    def read(self, weight: Any, axis: Axis, value: Axis) -> None:
        """Note a contraction: a stored weight reads the space along ``axis``, or something else consumes it."""
        if getattr(weight, "name", None) in self.stored:
            self.reads.append(axis)
        else:
            self.pooled += [axis, value]

    def broadcast(self, a: Typed, b: Typed) -> list[tuple[Axis, Axis]]:
        """Pair the axes of two tensors as numpy broadcasting does."""
        rank = max(len(a.axes), len(b.axes))
        pad_a = (Uniform(1),) * (rank - len(a.axes)) + a.axes
        pad_b = (Uniform(1),) * (rank - len(b.axes)) + b.axes
        return [self.stretch(x, y) for x, y in zip(pad_a, pad_b, strict=True)]

    def stretch(self, x: Axis, y: Axis) -> tuple[Axis, Axis]:
        """Broadcast an axis of size one against its partner."""
        if x.size == y.size:
            return x, y
        if x.size == 1:
            self.facts.vanish(x)
            return Uniform(y.size), y
        self.facts.vanish(y)
        return x, Uniform(x.size)

    def note_activation(self, typed: Typed, name: str) -> None:
        """Remember which activation acts on the spaces of this tensor."""
        for axis in typed.axes:
            if isinstance(axis, Leaf):
                root = axis.atom.find()
                if root.mixing is not Mixing.none and name not in root.activations:
                    root.activations.append(name)

    def rename_activation(self, typed: Typed, part: str, whole: str) -> None:
        """Call an activation by the name of the formula that it is a part of (x * sigmoid(x) is SiLU)."""
        for axis in typed.axes:
            if isinstance(axis, Leaf):
                root = axis.atom.find()
                root.activations = [whole if n == part else n for n in root.activations]
