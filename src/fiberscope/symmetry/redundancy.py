"""Units that add nothing: dead, constant, or a copy of another unit of the same space.

A unit's value depends only on what its space *writes* (rows, biases, gains) and matters only through what
*reads* it. Hence a unit is dead when every reader's column is zero and nothing else consumes the space;
constant when every row it writes is zero; a duplicate when all it writes equals another unit's, up to the
scaling group. All comparisons are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, Workspace, per_copy, positions
from fiberscope.symmetry.groups import Mixing
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
        written, read = _sides(space, group)
        if not written:
            continue
        gone = _unread(group, read) | _zero(group, written)
        still = _constant(written) & ~gone & (not group.pooled)
        dead += [(entry.id, int(i)) for i in np.flatnonzero(gone)]
        constant += [(entry.id, int(i)) for i in np.flatnonzero(still)]
        duplicate += [(entry.id, i) for i in _duplicates(group, written, ~(gone | still))]
    return Redundancy(tuple(dead), tuple(constant), tuple(duplicate))


def _sides(space: Workspace, group: Group) -> tuple[list[Array], list[Array]]:
    """Return what the space writes and what reads it, as (units, entries) arrays."""
    written: list[Array] = []
    read: list[Array] = []
    for block in space.blocks(group.atom.id):
        for place in positions(block, group.atom.id):
            leaf = block.axes[place]
            assert isinstance(leaf, Leaf)
            reader = group.charge_columns[leaf.charge] in group.readers
            (read if reader else written).append(_rows(block, place, group))
    return written, read


def _rows(block: Block, place: int, group: Group) -> Array:
    return per_copy(block, place, group).reshape(group.atom.size, -1)


def _unread(group: Group, read: list[Array]) -> Array:
    if group.pooled or not read:
        return np.zeros(group.atom.size, dtype=bool)
    return np.all([(r == 0).all(axis=1) for r in read], axis=0)


def _constant(written: list[Array]) -> Array:
    rows = [w for w in written if w.shape[1] > 1]
    if not rows:
        return np.zeros(written[0].shape[0], dtype=bool)
    return np.all([(w == 0).all(axis=1) for w in rows], axis=0)


def _zero(group: Group, written: list[Array]) -> Array:
    """Units of a plain layer (one matrix, at most one bias) whose constant value rho(b) is zero."""
    rows = [w for w in written if w.shape[1] > 1]
    biases = [w for w in written if w.shape[1] == 1]
    none = np.zeros(group.atom.size, dtype=bool)
    if len(rows) != 1 or len(biases) > 1 or group.pooled or len(group.atom.activations) != 1 or not _plain(group):
        return none
    activation = group.atom.activations[0]
    value = biases[0][:, 0] if biases else np.zeros(group.atom.size)
    if activation == "relu":
        silent = value <= 0
    elif activation in _ZERO_AT_ZERO:
        silent = value == 0
    else:
        return none
    return _constant(written) & silent


def _plain(group: Group) -> bool:
    """True when the space is written by one layer, passes one activation, and is read: nothing else touches it."""
    rest = [op for op in group.ops if op not in _LAYERS]
    return len(rest) == 1


_LAYERS = frozenset(("mm", "addmm", "mv", "addmv", "bmm", "linear", "convolution", "bias"))

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
    return [c for c in group.charge_columns.values() if c not in group.readers]


def _multiple(row: Array, other: Array, scaled: bool, signed: bool) -> bool:
    """Decide exactly whether row = s * other with an allowed s."""
    pivot = int(np.argmax(np.abs(other)))
    if not other[pivot] or not row[pivot]:
        return bool((row == other).all())
    s = Fraction(float(row[pivot])) / Fraction(float(other[pivot]))
    if (s < 0 and not signed) or (abs(s) != 1 and not scaled):
        return False
    return all(Fraction(float(x)) == s * Fraction(float(y)) for x, y in zip(row, other, strict=True))
