"""Units that add nothing: dead, constant, or a copy of another unit of the same space.

A unit's value depends only on what its space *writes* (rows, biases, gains) and matters only through what
*reads* it. Hence a unit is dead when every reader's column is zero and nothing else consumes the space;
constant when every row it writes is zero; a duplicate when all it writes equals another unit's, up to the
scaling group. All comparisons are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Workspace, per_copy, positions
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules import RULES, normalisation
from fiberscope.symmetry.solve import Group

if TYPE_CHECKING:
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]
Units = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Redundancy:
    """Lists of (space id, unit): provably without effect, provably constant, provably a copy."""

    dead: Units
    constant: Units
    duplicate: Units

    def to_json(self) -> dict[str, list[list[object]]]:
        """Return the lists as the command prints them."""
        return {k: [list(u) for u in getattr(self, k)] for k in ("dead", "constant", "duplicate")}


def redundancy(symmetries: Symmetries, weights: Mapping[str, Array]) -> Redundancy:
    """Find the redundant units of every permutation space (float64 ``weights`` by name)."""
    space = Workspace(symmetries, weights)
    dead: list[tuple[str, int]] = []
    constant: list[tuple[str, int]] = []
    duplicate: list[tuple[str, int]] = []
    for entry in symmetries.spaces:
        group = symmetries.groups[entry.atom]
        if entry.permuted_with or entry.mixing is not Mixing.permutation or group.context:
            continue
        sides = _sides(space, group)
        if not (sides.rows or sides.plain):
            continue
        gone = _unread(group, sides) | _zero(group, sides)
        still = _constant(group, sides) & ~gone
        dead += [(entry.id, int(i)) for i in np.flatnonzero(gone)]
        constant += [(entry.id, int(i)) for i in np.flatnonzero(still)]
        duplicate += [(entry.id, i) for i in _duplicates(group, [*sides.rows, *sides.plain], ~(gone | still))]
    return Redundancy(tuple(dead), tuple(constant), tuple(duplicate))


@dataclass
class _Sides:
    """(units, entries) arrays of one space: the ``rows`` and ``plain`` biases or gains that write it, what reads it."""

    rows: list[Array] = field(default_factory=list)
    plain: list[Array] = field(default_factory=list)
    read: list[Array] = field(default_factory=list)


def _sides(space: Workspace, group: Group) -> _Sides:
    sides = _Sides()
    for block in space.blocks(group.atom.id):
        for place in positions(block, group.atom.id):
            leaf = block.axes[place]
            assert isinstance(leaf, Leaf)
            column = group.charge_columns[leaf.charge]
            entries = per_copy(block, place, group).reshape(group.atom.size, -1)
            if column in group.readers:
                sides.read.append(entries)
            if column not in group.readers or column in group.tied:
                row = block.weight in group.multiplied or entries.shape[1] > 1
                (sides.rows if row else sides.plain).append(entries)
    return sides


def _unread(group: Group, sides: _Sides) -> Array:
    """Units whose every reader is zero."""
    if group.pooled or not sides.read:
        return np.zeros(group.atom.size, dtype=bool)
    return np.all([(r == 0).all(axis=1) for r in sides.read], axis=0)


def _constant(group: Group, sides: _Sides) -> Array:
    """Units whose every row is zero, where nothing else can carry the input in."""
    if not sides.rows or not CALM.issuperset(group.ops):
        return np.zeros(group.atom.size, dtype=bool)
    return np.all([(r == 0).all(axis=1) for r in sides.rows], axis=0)


def _zero(group: Group, sides: _Sides) -> Array:
    """Units of a plain layer (one matrix, at most one bias, then the activation) whose value rho(b) is zero."""
    none = np.zeros(group.atom.size, dtype=bool)
    *before, last = group.ops or ("",)
    if len(sides.rows) != 1 or len(sides.plain) > 1 or group.pooled or len(group.atom.activations) != 1:
        return none
    if last in LAYERS or not LAYERS.issuperset(before):
        return none
    activation = group.atom.activations[0]
    value = sides.plain[0][:, 0] if sides.plain else np.zeros(group.atom.size)
    if activation == "relu":
        silent = value <= 0
    elif activation in _ZERO_AT_ZERO:
        silent = value == 0
    else:
        return none
    return (sides.rows[0] == 0).all(axis=1) & silent


LAYERS = frozenset(("mm", "addmm", "mv", "addmv", "bmm", "baddbmm", "linear", "convolution", "bias"))
"""Ops that write a space from stored weights."""

_MIXERS = frozenset(normalisation.RULES) - {"_native_batch_norm_legit_no_training"}
CALM = (frozenset(RULES) - _MIXERS) | {"bias", "offset"}
"""Ops through which a constant unit stays constant, whatever the other units do."""

_SMOOTH_AT_ZERO = (
    "tanh",
    "erf",
    "softsign",
    "arctan",
    "sin",
    "tanhshrink",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
)
_BROKEN_AT_ZERO = ("leaky_relu", "prelu", "abs", "sign", "hardtanh", "hardshrink", "softshrink", "relu6", "hardswish")
_ZERO_AT_ZERO = frozenset((*_SMOOTH_AT_ZERO, *_BROKEN_AT_ZERO, "identity", "square", "cube", "gelu_tanh"))
"""Activations with rho(0) = 0."""


def _duplicates(group: Group, written: list[Array], alive: Array) -> list[int]:
    """Return later units that write the same as an earlier one, up to a common factor that the group allows."""
    rows = np.concatenate(written, axis=1)
    found: list[int] = []
    buckets: dict[bytes, list[int]] = {}
    scaled = len(group.log_modes) == 1 and all(group.log_modes[0][c] == 1 for c in _written(group))
    signed = len(group.sign_modes) == 1 and all(group.sign_modes[0][c] for c in _written(group))
    for i in np.flatnonzero(alive):
        row = rows[i]
        pivot = int(np.argmax(np.abs(row)))
        key = row
        if scaled:
            key = np.round(row / abs(row[pivot]), 9) if row[pivot] else row
        if signed and row[pivot]:
            key = key * np.sign(row[pivot])
        bucket = buckets.setdefault((key + 0.0).tobytes(), [])
        if any(_multiple(row, rows[j], scaled, signed) for j in bucket):
            found.append(int(i))
        else:
            bucket.append(int(i))
    return found


def _written(group: Group) -> list[int]:
    return [c for c in group.charge_columns.values() if c not in group.readers or c in group.tied]


def _multiple(row: Array, other: Array, scaled: bool, signed: bool) -> bool:
    """Decide exactly whether row = s * other with an allowed s."""
    pivot = int(np.argmax(np.abs(other)))
    if not other[pivot] or not row[pivot]:
        return bool((row == other).all())
    s = Fraction(float(row[pivot])) / Fraction(float(other[pivot]))
    if (s < 0 and not signed) or (abs(s) != 1 and not scaled):
        return False
    return all(Fraction(float(x)) == s * Fraction(float(y)) for x, y in zip(row, other, strict=True))
