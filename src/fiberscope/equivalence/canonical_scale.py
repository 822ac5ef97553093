"""Canonical scales: divide every unit by the largest entry that it writes.

The magnitude of a unit is max |w| over its anchors, the blocks in which no other scale is still open.
It does not depend on the order of units or on signs, and under a power-of-two scaling it changes by
exactly that power, so that the normalised weights are equal bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import aligned, mode_exponents
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, Workspace, mixes, per_copy, positions
from fiberscope.symmetry.groups import Mixing

Array = NDArray[Any]
Key = tuple[int, int]
_NOTHING: set[int] = set()


def normalise_scales(space: Workspace) -> set[Key]:
    """Fix every scaling mode in dependency order; return the modes that no anchor reaches."""
    groups = space.symmetries.groups
    waiting = [(k, m) for k, g in groups.items() if not mixes(g) for m in range(len(g.log_modes))]
    settled: set[Key] = set()
    pending: dict[Key, Array] = {}
    progress = True
    while waiting and progress:
        progress = False
        for key in list(waiting):
            made = _magnitudes(space, key, settled, pending)
            if made is None and not progress and key == waiting[-1]:
                key, made = _unlock(space, waiting, settled, pending)
            if made is None:
                continue
            magnitude, open_units, read = made
            space.rescale(*key, magnitude, read=read)
            settled.add(key)
            pending[key] = open_units
            waiting.remove(key)
            progress = True
    _finish_pending(space, settled, pending)
    return set(waiting)


Measure = tuple[Array, Array, bool]


def _unlock(
    space: Workspace, waiting: list[Key], settled: set[Key], pending: dict[Key, Array]
) -> tuple[Key, Measure | None]:
    """Where two scales wait for each other, measure one at the first unit of the other, if that has a fixed order."""
    groups = space.symmetries.groups
    for key in waiting:
        others = {k for k in waiting if k[0] != key[0] and groups[k[0]].mixing is Mixing.none}
        made = _magnitudes(space, key, settled | others, pending, first={k[0] for k in others})
        if made is not None:
            return key, made
    return waiting[-1], None


def _magnitudes(
    space: Workspace, key: Key, settled: set[Key], pending: dict[Key, Array], *, first: set[int] = _NOTHING
) -> Measure | None:
    """Return the magnitude of every unit, which units have no nonzero anchor entry, and whether readers measured."""
    group = space.symmetries.groups[key[0]]
    best: Array | None = None
    exponent = 0
    for block in space.blocks(key[0]):
        places = positions(block, key[0])
        if len(places) != 1 or not _ready(space, block, key, settled):
            continue
        leaf = block.axes[places[0]]
        assert isinstance(leaf, Leaf)
        q = mode_exponents(leaf, group)[0][key[1]]
        if not q or (exponent and q != exponent):
            continue
        values = _first_units(_mask(space, block, key, pending), first)
        magnitude = np.abs(per_copy(values, places[0], group)).max(axis=-1, initial=0.0)
        best = magnitude if best is None else np.maximum(best, magnitude)
        exponent = q
    if best is None or not exponent:
        return None
    open_units = best == 0
    if abs(exponent) != 1:
        best = best ** (1.0 / abs(exponent))
    return np.where(open_units, 1.0, best), open_units, exponent < 0


def _first_units(block: Block, atoms: set[int]) -> Block:
    """Keep only the first unit along the axes of some spaces."""
    values = block.values
    for i in range(values.ndim):
        if block.atom(i) in atoms:
            values = np.where(
                np.arange(values.shape[i]).reshape([-1 if k == i else 1 for k in range(values.ndim)]), 0.0, values
            )
    return Block(block.weight, values, block.axes)


def _ready(space: Workspace, block: Block, key: Key, settled: set[Key]) -> bool:
    """True when every other scale on this block is settled; blocks that a matrix may mix never are."""
    groups = space.symmetries.groups
    for leaf in block.axes:
        if not isinstance(leaf, Leaf):
            continue
        group = groups[leaf.atom.id]
        if group.trivial:
            continue
        if mixes(group):
            return False
        exponents = mode_exponents(leaf, group)[0]
        for m, q in enumerate(exponents):
            if q and (leaf.atom.id, m) != key and (leaf.atom.id, m) not in settled:
                return False
    return True


def _mask(space: Workspace, block: Block, key: Key, pending: dict[Key, Array]) -> Block:
    """Hide the entries of units whose own scale is still open."""
    values = block.values
    groups = space.symmetries.groups
    for i, leaf in enumerate(block.axes):
        if not isinstance(leaf, Leaf) or leaf.atom.id == key[0]:
            continue
        group = groups[leaf.atom.id]
        for m in range(len(group.log_modes)):
            hidden = pending.get((leaf.atom.id, m))
            if hidden is not None and hidden.any() and mode_exponents(leaf, group)[0][m]:
                values = np.where(aligned(hidden, group, list(block.axes), i, values.ndim), 0.0, values)
    return Block(block.weight, values, block.axes)


def _finish_pending(space: Workspace, settled: set[Key], pending: dict[Key, Array]) -> None:
    """Scale units without incoming weights by what reads them."""
    for key, hidden in list(pending.items()):
        if not hidden.any():
            continue
        group = space.symmetries.groups[key[0]]
        for block in space.blocks(key[0]):
            places = positions(block, key[0])
            if len(places) != 1 or not _ready(space, block, key, settled):
                continue
            leaf = block.axes[places[0]]
            assert isinstance(leaf, Leaf)
            q = mode_exponents(leaf, group)[0][key[1]]
            if abs(q) != 1:
                continue
            others = {k: v for k, v in pending.items() if k != key}
            seen = np.abs(per_copy(_mask(space, block, key, others), places[0], group)).max(axis=-1, initial=0.0)
            use = hidden & (seen != 0)
            if use.any():
                space.rescale(*key, np.where(use, seen, 1.0), read=q < 0)
                hidden = hidden & ~use
                pending[key] = hidden
