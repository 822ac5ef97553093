"""Units of a space taken out of the weights that carry it: every axis of theirs is cut, duplicates are merged first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.numerics.exact import add, multiply, nearest_floats, rational, simplify
from fiberscope.symmetry.action import mode_exponents
from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum, leaves

if TYPE_CHECKING:
    from fiberscope.symmetry.solve import Group
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


@dataclass(frozen=True)
class Merge:
    """Unit ``unit`` writes ``scale`` times what unit ``into`` writes."""

    unit: int
    into: int
    scale: Fraction


@dataclass(frozen=True)
class Fold:
    """Unit ``unit`` is, after the activation, sum_k values[k] times unit k, up to a constant.

    Before it, it is sum_k line[k] times unit k, up to a constant; ``head`` holds a unit that it is a negative multiple
    of, where that is needed too (at most one).
    """

    unit: int
    values: dict[int, Fraction]
    line: dict[int, Fraction]
    head: dict[int, Fraction] = field(default_factory=dict)


def numbers(axis: Axis, leaf: int) -> Array:
    """Which unit of a leaf (by its number inside the axis) each position of the axis belongs to; -1 for none.

    >>> from fiberscope.symmetry.axes import Atom
    >>> numbers(Product((Leaf(Atom(2)), Leaf(Atom(3)))), 0).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    match axis:
        case Leaf():
            return np.arange(axis.size) if leaf == 0 else np.full(axis.size, -1)
        case Product(factors):
            grid, shape, before = np.full(1, -1), [f.size for f in factors], 0
            for k, factor in enumerate(factors):
                count = len(list(leaves(factor)))
                if before <= leaf < before + count:
                    inner = numbers(factor, leaf - before).reshape([-1 if i == k else 1 for i in range(len(shape))])
                    grid = np.broadcast_to(inner, shape).reshape(-1)
                before += count
            return grid if len(grid) == axis.size else np.full(axis.size, -1)
        case Sum(terms):
            out, before = [], 0
            for term in terms:
                out.append(numbers(term, leaf - before))
                before += len(list(leaves(term)))
            return np.concatenate(out)
        case _:
            return np.full(axis.size, -1)


def without(
    symmetries: Symmetries,
    weights: dict[str, Array],
    atom: int,
    units: list[int],
    merges: list[Merge],
    folds: Sequence[Fold] = (),
    *,
    rounded: bool = False,
) -> dict[str, Array] | None:
    """The weights that carry a space, cut to the units that stay; None where a sum must be rounded, unless ``rounded``.

    Weights keep their dtype. A merged unit's readers are added to the other's, times what its scale passes on; those of
    a folded one to the readers of all that carry it.
    """
    group = symmetries.groups[atom]
    out = {name: weights[name] for name in dict.fromkeys(n for n, _, _ in group.occurrences)}
    cuts: dict[tuple[str, int], Array] = {}
    for name, axis, leaf in group.occurrences:
        layout = symmetries.layouts[name]
        label = numbers(layout[axis], leaf)
        if len(label) != weights[name].shape[axis]:
            return None
        charge = list(leaves(layout[axis]))[leaf]
        if group.charge_columns[charge.charge] in group.readers:
            shares = [(merge.unit, merge.into, _passed(charge, group, merge.scale)) for merge in merges]
            shares += [(fold.unit, k, c) for fold in folds for k, c in fold.values.items()]
            for unit, into, factor in shares:
                added = _merged(out[name], axis, label, unit, into, factor, rounded=rounded)
                if added is None:
                    return None
                out[name] = added
        gone = np.isin(label, units)
        cuts[name, axis] = cuts.get((name, axis), np.zeros(len(label), dtype=bool)) | gone
    for (name, axis), gone in cuts.items():
        out[name] = np.compress(~gone, out[name], axis=axis)
    return out


def _passed(leaf: Leaf, group: Group, scale: Fraction) -> Fraction:
    """What multiplies a reader of a unit that is ``scale`` times another, when it reads the other instead."""
    log, sign = mode_exponents(leaf, group)
    factor = abs(scale) ** -log[0] if log and abs(scale) != 1 else Fraction(1)
    return -factor if scale < 0 and sign and sign[0] else factor


def _merged(
    values: Array, axis: int, label: Array, unit: int, into: int, factor: Fraction, *, rounded: bool
) -> Array | None:
    """``values`` with the columns of a unit, times a factor, added to another's; None if a sum is no stored number."""
    moved = np.moveaxis(values, axis, 0).copy()
    source, target = np.flatnonzero(label == unit), np.flatnonzero(label == into)
    if len(source) != len(target):
        return None
    share = simplify(np.array([rational(factor)], dtype=object))
    total = add(moved[target].astype(np.float64), multiply(moved[source].astype(np.float64), share))
    if total.dtype == object:
        if not rounded:
            return None
        total = nearest_floats(total)[0]
    with np.errstate(over="ignore"):
        moved[target] = total
    if rounded and np.all(np.isfinite(moved[target])):
        return np.moveaxis(moved, 0, axis)
    return np.moveaxis(moved, 0, axis) if np.array_equal(moved[target], total) else None
