"""Which units of a hidden space may go: by what its weights say, and by what is known of their values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.slicing import Merge, numbers
from fiberscope.symmetry import redundancy as redundant
from fiberscope.symmetry.blocks import Workspace
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import Symmetries

if TYPE_CHECKING:
    from fiberscope.symmetry.space import Space


def hidden(sym: Symmetries) -> list[Space]:
    """The spaces whose units can be told apart and stand once."""
    return [
        entry
        for entry in sym.spaces
        if not entry.permuted_with and entry.mixing is Mixing.permutation and not sym.groups[entry.atom].context
    ]


@dataclass(frozen=True)
class Candidates:
    """Units of one space: ``dead`` by a rule (nobody reads them, or they are zero), ``still``: no input reaches them or
    they are constant on the domain, duplicates with the unit each goes into."""

    dead: list[int]
    still: list[int]
    merges: list[Merge]


def found(
    space: Workspace, sym: Symmetries, entry: Space, steady: dict[tuple[str, int], np.ndarray], *, rounded: bool = False
) -> Candidates:
    """What may go of a space; ``steady``: places of weights whose outputs are known to be constant.

    ``rounded``: constants may be rounded, so that those count of which an activation has no stored image."""
    group = sym.groups[entry.atom]
    sides = redundant._sides(space, group)
    if not (sides.rows or sides.plain):
        return Candidates([], [], [])
    gone = redundant._unread(group, sides) | redundant._zero(replace(group, ops=before_joins(group.ops)), sides)
    still = np.zeros_like(gone)
    if sides.rows and (rounded or not group.atom.activations):  # else intervals say whether an image is known
        still = np.all([(r == 0).all(axis=1) for r in sides.rows], axis=0)
    for name, axis, leaf in group.occurrences:
        if (name, axis) in steady:
            label = numbers(sym.layouts[name][axis], leaf)[steady[name, axis]]
            still[label[label >= 0]] = True
    still &= ~gone
    written = [*sides.rows, *sides.plain]
    merges = []
    if not group.tied:
        rows, alive = np.concatenate(written, axis=1), ~(gone | still | redundant._constant(group, sides))
        for unit in redundant._duplicates(group, written, alive):
            into = next((j for j in np.flatnonzero(alive[:unit]) if _scale(group, rows[unit], rows[j])), None)
            scale = None if into is None else _scale(group, rows[unit], rows[into])
            if into is not None and scale is not None:
                merges.append(Merge(unit, int(into), scale))
    merges = [m for m in merges if m.into not in {other.unit for other in merges}]
    return Candidates(np.flatnonzero(gone).tolist(), np.flatnonzero(still).tolist(), merges)


def before_joins(ops: tuple[str, ...]) -> tuple[str, ...]:
    """What touches a space before its values are only joined with others ("cat", what is joined being "outside").

    >>> before_joins(("addmm", "relu", "cat", "outside")), before_joins(("addmm", "relu", "add", "outside"))
    (('addmm', 'relu'), ('addmm', 'relu', 'add', 'outside'))
    """
    last = len(ops)
    while last and ops[last - 1] in ("cat", "outside"):
        last -= 1
    return ops[:last] if ops[last : last + 1] == ("cat",) else ops


def _scale(group: Any, row: np.ndarray, other: np.ndarray) -> Fraction | None:
    """The factor of a duplicate, or None."""
    columns = redundant._written(group)
    scaled = len(group.log_modes) == 1 and all(group.log_modes[0][c] == 1 for c in columns)
    signed = len(group.sign_modes) == 1 and all(group.sign_modes[0][c] for c in columns)
    if not redundant._multiple(row, other, scaled, signed):
        return None
    pivot = int(np.argmax(np.abs(other)))
    return Fraction(float(row[pivot])) / Fraction(float(other[pivot])) if other[pivot] else Fraction(1)
