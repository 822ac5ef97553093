"""Weights as blocks of plain units: every direct sum taken apart and every product unfolded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import act_on, aligned, mode_exponents, order_of, walk
from fiberscope.symmetry.axes import Axis, Leaf
from fiberscope.symmetry.element import Part
from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.symmetry.solve import Group
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """A piece of a weight whose every axis is one atom (or a plain axis)."""

    weight: str
    values: Array
    axes: tuple[Axis, ...]

    def atom(self, axis: int) -> int | None:
        """Return the atom id of an axis, or None for a uniform axis."""
        leaf = self.axes[axis]
        return leaf.atom.id if isinstance(leaf, Leaf) else None


class Workspace:
    """The float64 weights of one network while its group acts on them step by step.

    With ``track`` every step is composed into ``element``, so that ``element.act(original)`` is where the weights are.
    """

    def __init__(self, symmetries: Symmetries, weights: Mapping[str, Array], *, track: bool = False) -> None:
        self.symmetries = symmetries
        self.element = symmetries.identity() if track else None
        self.weights = {n: np.array(weights[n], dtype=np.float64) for n in symmetries.layouts}
        self.homes: dict[int, list[str]] = {}
        for key, group in symmetries.groups.items():
            self.homes[key] = list(dict.fromkeys(n for n, _, _ in group.occurrences))

    def blocks(self, key: int) -> list[Block]:
        """Return the blocks that a space occurs in, in the order of the graph."""
        found: list[Block] = []
        for name in self.homes[key]:
            layout = self.symmetries.layouts[name]

            def keep(values: Array, axes: list[Axis], name: str = name) -> Array:
                if any(isinstance(a, Leaf) and a.atom.id == key for a in axes):
                    found.append(Block(name, values, tuple(axes)))
                return values

            walk(self.weights[name], list(layout), self.symmetries.groups, keep)
        return found

    def apply(self, key: int, part: Part) -> None:
        """Act on every weight of one space."""
        groups = self.symmetries.groups
        for name in self.homes[key]:
            self.weights[name] = act_on(self.weights[name], self.symmetries.layouts[name], groups, {key: part})
        self._record(key, part)

    def silence(self, key: int, keep: Array) -> None:
        """Set to zero what units outside ``keep`` (copies..., units) write and what reads them.

        Only right for units whose value is zero. This is no group element and is not tracked.
        """
        groups = self.symmetries.groups

        def mute(values: Array, axes: list[Axis]) -> Array:
            for i, leaf in enumerate(axes):
                if isinstance(leaf, Leaf) and leaf.atom.id == key:
                    values = np.where(aligned(keep, groups[key], axes, i, values.ndim), values, 0.0)
            return values

        for name in self.homes[key]:
            self.weights[name] = walk(self.weights[name], list(self.symmetries.layouts[name]), groups, mute)

    def _record(self, key: int, part: Part) -> None:
        if self.element is not None:
            step = self.symmetries.identity()
            neutral = step.parts[key]
            full = Part(
                *(new if new is not None else old for new, old in zip(_fields(part), _fields(neutral), strict=True))
            )
            self.element = replace(step, parts={**step.parts, key: full}) @ self.element

    def rescale(self, key: int, mode: int, magnitude: Array, *, read: bool = False) -> None:
        """Divide what the units write by their magnitude under one scaling mode (``read``: what reads them).

        The division is one rounding, so that an entry equal to its magnitude becomes exactly 1.
        """
        groups = self.symmetries.groups
        group = groups[key]

        def divide(values: Array, axes: list[Axis]) -> Array:
            for i in order_of(axes, groups):
                leaf = axes[i]
                assert isinstance(leaf, Leaf)
                if leaf.atom.id != key:
                    continue
                q = mode_exponents(leaf, group)[0][mode]
                if q:
                    scale = aligned(magnitude ** abs(q), group, axes, i, values.ndim)
                    values = values / scale if (q > 0) != read else values * scale
            return values

        for name in self.homes[key]:
            self.weights[name] = walk(self.weights[name], list(self.symmetries.layouts[name]), groups, divide)
        log = np.ones((len(group.log_modes), *magnitude.shape))
        log[mode] = magnitude if read else 1.0 / magnitude
        self._record(key, Part(log=log))


def _fields(part: Part) -> tuple[Array | None, ...]:
    return part.source, part.log, part.sign, part.matrix


def per_copy(block: Block, axis: int, group: Group) -> Array:
    """View a block as (copies..., units, rest)."""
    home = {a.atom.id: k for k, a in enumerate(block.axes) if isinstance(a, Leaf)}
    front = [*(home[c.id] for c in group.context), axis]
    rest = [k for k in range(block.values.ndim) if k not in front]
    moved = np.transpose(block.values, [*front, *rest])
    return moved.reshape(*moved.shape[: len(front)], -1)


def positions(block: Block, key: int) -> list[int]:
    """Return the axes of a block that a space indexes."""
    return [i for i in range(len(block.axes)) if block.atom(i) == key]


def mixes(group: Group) -> bool:
    """Tell whether a space mixes beyond permutations."""
    return group.mixing > Mixing.permutation
