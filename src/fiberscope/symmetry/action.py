"""How a group element acts on one weight tensor: split sums, unfold products, then one leaf at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum
from fiberscope.symmetry.layout import Layout

if TYPE_CHECKING:
    from fiberscope.symmetry.element import Part
    from fiberscope.symmetry.solve import Group

Array = NDArray[Any]


def index_of(group: Group, groups: Mapping[int, Group], parts: Mapping[int, Part]) -> tuple[Array, ...]:
    """Return index arrays that send every new position (copies..., unit) to its old position.

    The copies of a space move with the permutations of the spaces that index them.
    """
    sizes = (*(a.size for a in group.context), group.atom.size)
    grid = np.ogrid[tuple(slice(n) for n in sizes)]
    place = {a.id: g for a, g in zip((*group.context, group.atom), grid, strict=True)}
    out = []
    for atom in (*group.context, group.atom):
        part = parts.get(atom.id)
        if part is None or part.source is None:
            out.append(place[atom.id])
            continue
        outer = tuple(place[c.id] for c in groups[atom.id].context)
        out.append(part.source[(*outer, place[atom.id])])
    return tuple(np.broadcast_arrays(*out))


def act_on(tensor: Array, layout: Layout, groups: Mapping[int, Group], parts: Mapping[int, Part]) -> Array:
    """Transform one weight; ``layout`` gives its axis types."""
    return walk(tensor, list(layout), groups, lambda t, leaves: act_leaves(t, leaves, groups, parts))


Visit = Any


def walk(tensor: Array, axes: list[Axis], groups: Mapping[int, Group], visit: Visit) -> Array:
    """Take direct sums apart and unfold products until every axis is one leaf, apply ``visit``, put it back."""
    for i, axis in enumerate(axes):
        if isinstance(axis, Sum):
            pieces, start = [], 0
            for term in axis.terms:
                part = tensor[(slice(None),) * i + (slice(start, start + term.size),)]
                pieces.append(walk(part, [*axes[:i], term, *axes[i + 1 :]], groups, visit))
                start += term.size
            return np.concatenate(pieces, axis=i)
        if isinstance(axis, Product):
            shape = tensor.shape
            unfolded = tensor.reshape(*shape[:i], *(f.size for f in axis.factors), *shape[i + 1 :])
            made = walk(unfolded, [*axes[:i], *axis.factors, *axes[i + 1 :]], groups, visit)
            return made.reshape(shape)
    return visit(tensor, axes)


def order_of(axes: list[Axis], groups: Mapping[int, Group]) -> list[int]:
    """Return the positions of the nontrivial leaves, outer spaces before the copies that they index."""
    places = [i for i, a in enumerate(axes) if isinstance(a, Leaf) and not _group(a, groups).trivial]
    return sorted(places, key=lambda i: len(_group(axes[i], groups).context))


def _group(axis: Axis, groups: Mapping[int, Group]) -> Group:
    assert isinstance(axis, Leaf)
    return groups[axis.atom.id]


def aligned(array: Array, group: Group, axes: list[Axis], position: int, rank: int) -> Array:
    """Reshape per-copy data (copies..., n) so that it broadcasts against the tensor."""
    home = {a.atom.id: k for k, a in enumerate(axes) if isinstance(a, Leaf)}
    places = [*(home[c.id] for c in group.context), position]
    shape = [1] * rank
    for place, n in zip(places, array.shape, strict=True):
        shape[place] = n
    return np.transpose(array, np.argsort(places)).reshape(shape)


def act_leaves(tensor: Array, axes: list[Axis], groups: Mapping[int, Group], parts: Mapping[int, Part]) -> Array:
    rank = tensor.ndim
    for i in order_of(axes, groups):
        leaf = axes[i]
        assert isinstance(leaf, Leaf)
        group = groups[leaf.atom.id]
        part = parts.get(group.atom.id)
        if part is None:
            continue
        if part.matrix is not None:
            tensor = _mix(tensor, leaf, group, part.matrix, axes, i)
            continue
        if part.source is not None:
            if group.context:
                index = np.broadcast_to(
                    aligned(part.source, group, axes, i, rank), tensor.shape if rank else part.source.shape
                )
                tensor = np.take_along_axis(tensor, index, axis=i)
            else:
                tensor = np.take(tensor, part.source, axis=i)
        exponents, parities = mode_exponents(leaf, group)
        for field, q in zip(part.log if part.log is not None else (), exponents, strict=False):
            if q:
                scale = aligned(field ** abs(q), group, axes, i, rank)
                tensor = tensor * scale if q > 0 else tensor / scale
        for field, odd in zip(part.sign if part.sign is not None else (), parities, strict=False):
            if odd:
                tensor = tensor * aligned(field, group, axes, i, rank)
    return tensor


def mode_exponents(leaf: Leaf, group: Group) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the exponent and the parity of this leaf under each mode of its group."""
    column = group.charge_columns[leaf.charge]
    return tuple(m[column] for m in group.log_modes), tuple(m[column] for m in group.sign_modes)


def primal(leaf: Leaf, group: Group) -> bool:
    """Tell whether the leaf transforms with the matrix itself (True) or with its inverse transpose."""
    if group.mixing.name != "general_linear":
        return True
    column = group.charge_columns[leaf.charge]
    return group.log_modes[0][column] > 0


def _mix(tensor: Array, leaf: Leaf, group: Group, matrix: Array, axes: list[Axis], i: int) -> Array:
    """Multiply axis i by the matrix of its copy."""
    if not primal(leaf, group):
        matrix = np.swapaxes(np.linalg.inv(matrix), -1, -2)
    return multiply_axis(tensor, matrix, group, axes, i)


def multiply_axis(tensor: Array, matrix: Array, group: Group, axes: list[Axis], i: int) -> Array:
    """Apply per-copy matrices (copies..., n, n) along axis i; copies are indexed by other axes of the tensor."""
    home = {a.atom.id: k for k, a in enumerate(axes) if isinstance(a, Leaf)}
    copies = [home[c.id] for c in group.context]
    rest = [k for k in range(tensor.ndim) if k != i and k not in copies]
    order = [*copies, i, *rest]
    moved = np.transpose(tensor, order)
    flat = moved.reshape(*(moved.shape[: len(copies) + 1]), -1)
    made = (matrix @ flat).reshape(moved.shape)
    return np.transpose(made, np.argsort(order))
