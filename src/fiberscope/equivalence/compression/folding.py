"""Channels that an activation treats linearly on the domain, carried by others of their space.

With ``h_k = f_k z_k`` for the linear units of a space and ``z_i = sum_k a_k z_k + d`` (rows of stored numbers, exactly)
``h_i = sum_k (f_i a_k / f_k) h_k + f_i d``, so that unit i goes: its readers are added to those of the units k, the
constant enters their biases. Of two units on one boundary, ``z_j = -c z_i`` with c > 0, where z_j is such a
combination, ``rho(z_j) = c rho(z_i) + (1 + s) z_j`` for a (leaky) ReLU of slope s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.compression.boundaries import multiples
from fiberscope.equivalence.compression.dependence import combination, combinations
from fiberscope.equivalence.compression.slicing import Fold, numbers
from fiberscope.symmetry import redundancy as redundant
from fiberscope.symmetry.blocks import Workspace
from fiberscope.symmetry.symmetries import Symmetries

if TYPE_CHECKING:
    from fiberscope.symmetry.space import Space

Places = dict[tuple[str, int], tuple[dict[int, Fraction], Fraction | None]]
"""Per axis that writes: the places of linear units with their factors, and the slope of the rectifier behind it."""
SINGLE = 16


@dataclass(frozen=True, eq=False)
class Rows:
    """The kernels [units, n] and biases [units] of a space, the factors of its linear units, the slope of its
    rectifier (None: it has another activation)."""

    kernel: np.ndarray
    bias: np.ndarray
    factor: dict[int, Fraction]
    slope: Fraction | None


def rows_of(space: Workspace, sym: Symmetries, entry: Space, linear: Places) -> Rows | None:
    """What a space is written by: one weight, at most one bias, in front of a map with linear units; else None."""
    group = sym.groups[entry.atom]
    sides = redundant._sides(space, group)
    if group.tied or len(sides.rows) != 1 or len(sides.plain) > 1:
        return None
    factor, slope = dict[int, Fraction](), None
    for name, axis, leaf in group.occurrences:
        label = numbers(sym.layouts[name][axis], leaf)
        if (name, axis) in linear:
            places, slope = linear[name, axis]
            factor |= {int(label[place]): f for place, f in places.items() if label[place] >= 0}
    bias = sides.plain[0][:, 0] if sides.plain else np.zeros(group.atom.size)
    return Rows(sides.rows[0], bias, factor, slope) if factor else None


def tries(rows: Rows) -> Iterator[tuple[str, list[Fold]]]:
    """What to fold: all at once, then unit by unit; with constants for the biases of readers, then without."""
    wide = np.column_stack([rows.kernel, rows.bias])
    for table in (rows.kernel, wide):
        found = dependent(rows, table)
        if found:
            yield "folded", found
        if len(found) > 1:
            yield from (("folded", [fold]) for fold in found[:SINGLE])
    for table in (rows.kernel, wide):
        for fold in opposite(rows, table):
            yield "opposite", [fold]


def dependent(rows: Rows, table: np.ndarray) -> list[Fold]:
    """Linear units whose rows are combinations of others'."""
    units = sorted(rows.factor)
    out = []
    for i, terms in combinations(table[units], simple=True).items():
        line = {units[k]: c for k, c in terms.items()}
        values = {k: rows.factor[units[i]] * c / rows.factor[k] for k, c in line.items()}
        out.append(Fold(units[i], values, line))
    return out


def opposite(rows: Rows, table: np.ndarray) -> Iterator[Fold]:
    """Units that bend on the boundary of another, from the other side, where linear ones carry that boundary."""
    units = sorted(rows.factor)
    for turned, other, c in facing(rows):
        terms = combination(table[[*units, turned]], len(units))
        if terms is not None:
            yield turned_fold(rows, turned, other, c, {units[k]: a for k, a in terms.items()})


def facing(rows: Rows) -> Iterator[tuple[int, int, Fraction]]:
    """Pairs of units that bend on one boundary from two sides, each of them once as the first: it is c < 0 times the
    second."""
    if rows.slope is None:
        return
    free = [i for i in range(len(rows.kernel)) if i not in rows.factor and np.any(rows.kernel[i])]
    head, ratio = multiples(np.column_stack([rows.kernel, rows.bias])[free])
    for n, (lead, factor) in enumerate(zip(head.tolist(), ratio, strict=True)):
        if factor < 0:
            yield free[n], free[lead], factor
            yield free[lead], free[n], 1 / factor


def turned_fold(rows: Rows, turned: int, other: int, c: Fraction, line: dict[int, Fraction]) -> Fold:
    """The fold of such a unit, its row being a combination ``line`` of those of linear units."""
    assert rows.slope is not None
    values = {k: (1 + rows.slope) * a / rows.factor[k] for k, a in line.items()}
    values[other] = values.get(other, Fraction(0)) - c
    return Fold(turned, values, line, {other: c})
