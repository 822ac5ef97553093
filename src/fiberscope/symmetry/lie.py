"""The Lie algebra of a symmetry group: tangent vectors in weight space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import aligned, mode_exponents, multiply_axis, order_of, primal, walk
from fiberscope.symmetry.axes import Axis, Leaf
from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.symmetry.solve import Group
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


@dataclass(frozen=True)
class Generator:
    """One basis direction: a unit (i, i) of one copy of one space under one mode, or a matrix entry (i, j).

    A negative ``atom`` means a shift of biases, number -1 - atom, at entry i.
    """

    atom: int
    copy: tuple[int, ...]
    mode: int | None
    entry: tuple[int, int]


@dataclass(frozen=True)
class LieAlgebra:
    """Tangent directions d/dt exp(t X) w at t = 0, one per generator of the continuous part.

    ``len()`` is the number of generators; ``tangent(generator, weights)`` gives the direction by weight name.
    """

    symmetries: Symmetries

    def generators(self) -> Iterator[Generator]:
        """Yield a basis of the Lie algebra."""
        for key, group in self.symmetries.groups.items():
            if group.trivial:
                continue
            n = group.atom.size
            for copy in np.ndindex(*(a.size for a in group.context)):
                if group.mixing > Mixing.permutation:
                    for i, j in _entries(group.mixing, n):
                        yield Generator(key, copy, None, (i, j))
                else:
                    for mode in range(len(group.log_modes)):
                        for i in range(n):
                            yield Generator(key, copy, mode, (i, i))

        for k, shift in enumerate(self.symmetries.shifts):
            for i in range(shift.dimension):
                yield Generator(-1 - k, (), None, (i, i))

    def __len__(self) -> int:
        return sum(1 for _ in self.generators())

    def tangent(self, generator: Generator, weights: Mapping[str, Array]) -> dict[str, Array]:
        """Return the direction in which the weights move, for the weights that move."""
        if generator.atom < 0:
            return self._shifted(-1 - generator.atom, generator.entry[0], weights)
        groups = self.symmetries.groups
        group = groups[generator.atom]
        out: dict[str, Array] = {}
        for name in dict.fromkeys(n for n, _, _ in group.occurrences):
            tensor = np.asarray(weights[name], dtype=np.float64)
            axes = list(self.symmetries.layouts[name])
            out[name] = walk(tensor, axes, groups, lambda t, leaves: _derive(t, leaves, groups, generator))
        return out

    def _shifted(self, number: int, entry: int, weights: Mapping[str, Array]) -> dict[str, Array]:
        """The direction of one shift: it does not depend on the bias, only on the weight that reads it."""
        shift = self.symmetries.shifts[number]
        names = {shift.bias} | ({shift.absorbed_by[0], shift.absorbed_by[2]} if shift.absorbed_by else set())
        still = {n: np.array(weights[n], dtype=np.float64) for n in names}
        moved = dict(still)
        amount = np.zeros(shift.dimension)
        amount[entry] = 1.0
        shift.apply(moved, amount)
        return {n: moved[n] - still[n] for n in names if (moved[n] != still[n]).any()}

    def matrix(self, weights: Mapping[str, Array]) -> Array:
        """Return all tangent vectors as rows of a dense (generators x weight entries) matrix, for small models."""
        names = list(self.symmetries.layouts)
        rows = []
        for generator in self.generators():
            moved = self.tangent(generator, weights)
            rows.append(np.concatenate([np.ravel(moved.get(n, np.zeros_like(weights[n]))) for n in names]))
        width = sum(np.size(weights[n]) for n in names)
        return np.array(rows) if rows else np.zeros((0, width))


def _entries(mixing: Mixing, n: int) -> Iterator[tuple[int, int]]:
    if mixing is Mixing.general_linear:
        yield from ((i, j) for i in range(n) for j in range(n))
    elif mixing is Mixing.orthogonal:
        yield from ((i, j) for i in range(n) for j in range(i))
    else:
        yield from ((i, j) for i in range(1, n) for j in range(1, i))


def _generator_matrix(mixing: Mixing, n: int, entry: tuple[int, int]) -> Array:
    x = np.zeros((n, n))
    i, j = entry
    x[i, j] = 1.0
    if mixing is not Mixing.general_linear:
        x[j, i] = -1.0
    if mixing is Mixing.orthogonal_fixing_ones:
        frame = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, : n - 1]]))[0]
        x = frame @ x @ frame.T
    return x


def _derive(tensor: Array, axes: list[Axis], groups: Mapping[int, Group], generator: Generator) -> Array:
    total = np.zeros_like(tensor)
    for i in order_of(axes, groups):
        leaf = axes[i]
        assert isinstance(leaf, Leaf)
        if leaf.atom.id != generator.atom:
            continue
        group = groups[generator.atom]
        n = group.atom.size
        copies = tuple(a.size for a in group.context)
        if generator.mode is None:
            x = _generator_matrix(group.mixing, n, generator.entry)
            field = np.zeros((*copies, n, n))
            field[generator.copy] = x if primal(leaf, group) else -x.T
            total = total + multiply_axis(tensor, field, group, axes, i)
            continue
        exponents, _ = mode_exponents(leaf, group)
        rate = np.zeros((*copies, n))
        rate[(*generator.copy, generator.entry[0])] = exponents[generator.mode]
        total = total + tensor * aligned(rate, group, axes, i, tensor.ndim)
    return total
