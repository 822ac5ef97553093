"""Canonical signs: the first of the largest entries that a unit writes becomes positive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import aligned, mode_exponents
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, per_copy, positions
from fiberscope.symmetry.element import Part

if TYPE_CHECKING:
    from fiberscope.equivalence.canonical_order import Ordering

Array = NDArray[Any]


def remaining_signs(state: Ordering) -> None:
    """Fix the signs that waited for other spaces to be settled."""
    progress = True
    while progress:
        progress = False
        for key in state.groups:
            if key in state.open or not state.unsigned[key].any():
                continue
            before = int(state.unsigned[key].sum())
            fix_signs(state, key)
            progress |= int(state.unsigned[key].sum()) < before


def fix_signs(state: Ordering, key: int) -> None:
    """Fix what signs of a space the settled blocks determine."""
    for mode in range(len(state.groups[key].sign_modes)):
        blocks = state.space.blocks(key)
        for number in range(len(blocks)):
            if not state.unsigned[key][mode].any():
                break
            block = blocks[number]
            usable = len(positions(block, key)) == 1 and state.clear(block, key)
            if usable and _fix_sign(state, key, mode, block):
                blocks = state.space.blocks(key)


def _fix_sign(state: Ordering, key: int, mode: int, block: Block) -> bool:
    """Make the first of the largest entries positive, for units whose sign is open; tell whether any was not."""
    group = state.groups[key]
    leaf = block.axes[positions(block, key)[0]]
    assert isinstance(leaf, Leaf)
    parities = mode_exponents(leaf, group)[1]
    others = any(odd and state.unsigned[key][m].any() for m, odd in enumerate(parities) if m != mode)
    todo = state.unsigned[key][mode]
    if not parities[mode] or others or not todo.any():
        return False
    rows = per_copy(block, positions(block, key)[0], group)
    size = np.abs(rows)
    top = size.max(axis=-1, keepdims=True)
    first = np.argmax(size >= top * (1 - state.tolerance), axis=-1)
    value = np.take_along_axis(rows, first[..., None], axis=-1)[..., 0]
    sign = np.ones((len(group.sign_modes), *todo.shape))
    sign[mode] = np.where(todo & (value < 0), -1.0, 1.0)
    state.unsigned[key][mode] = todo & (value == 0)
    if (sign < 0).any():
        state.space.apply(key, Part(sign=sign))
        return True
    return False


def signs_by_parts(state: Ordering) -> bool:
    """Fix signs by those entries alone whose other signs are fixed; tell whether any was fixed."""
    before = sum(int(u.sum()) for u in state.unsigned.values())
    for key, group in state.groups.items():
        for mode in range(len(group.sign_modes)):
            for number in range(len(state.space.blocks(key)) if state.unsigned[key][mode].any() else 0):
                block = state.space.blocks(key)[number]
                if len(positions(block, key)) == 1 and state.clear(block, key, signs=False):
                    _fix_sign(state, key, mode, _signed_part(state, block, key))
    return sum(int(u.sum()) for u in state.unsigned.values()) < before


def _signed_part(state: Ordering, block: Block, key: int) -> Block:
    """Hide the entries of units of other spaces whose sign is open."""
    values = block.values
    for i, leaf in enumerate(block.axes):
        if not isinstance(leaf, Leaf) or leaf.atom.id == key or leaf.atom.id not in state.groups:
            continue
        other = state.groups[leaf.atom.id]
        for m, odd in enumerate(mode_exponents(leaf, other)[1]):
            hidden = state.unsigned[leaf.atom.id][m]
            if odd and hidden.any():
                values = np.where(aligned(hidden, other, list(block.axes), i, values.ndim), 0.0, values)
    return Block(block.weight, values, block.axes)


def finish_signs(state: Ordering) -> None:
    """Choose the signs that nothing determines: one unit at a time, the others follow."""
    while True:
        if signs_by_parts(state):
            continue
        choice = next(
            ((k, m) for k in state.groups for m in range(len(state.unsigned[k])) if _seen(state, k, m).any()), None
        )
        if choice is None:
            return
        key, mode = choice
        state.unsigned[key][mode].reshape(-1)[np.argmax(_seen(state, key, mode))] = False


def _seen(state: Ordering, key: int, mode: int) -> Array:
    """Flat mask of the units whose sign is open and shows somewhere."""
    group = state.groups[key]
    shows = np.zeros(state.unsigned[key][mode].shape, dtype=bool)
    if not state.unsigned[key][mode].any():
        return shows.ravel()
    for block in state.space.blocks(key):
        for place in positions(block, key):
            leaf = block.axes[place]
            assert isinstance(leaf, Leaf)
            if mode_exponents(leaf, group)[1][mode]:
                shows |= (per_copy(block, place, group) != 0).any(axis=-1)
    return (shows & state.unsigned[key][mode]).ravel()
