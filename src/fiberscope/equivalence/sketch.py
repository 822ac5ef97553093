r"""The continuous part of a fingerprint: numbers that no permutation, sign, scale or change of basis alters.

Where nothing mixes: power means of the entries of each weight, after the scales are divided out. Where a space
mixes: power means of the singular values of (what reads) x (what writes). In a chain of such spaces the writers of
one reach the next through the weights in between, so that only whole products from one fixed side to the other
count: W_3 W_2 W_1 for a linear network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.equivalence.canonical import remove_shifts
from fiberscope.equivalence.canonical_scale import Key, normalise_scales
from fiberscope.symmetry.action import mode_exponents, primal
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, Workspace, mixes, per_copy, positions
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


def sketch(net: Network, sym: Symmetries) -> tuple[float, ...]:
    """Return the sketch of a network; two networks of one architecture have sketches of one length."""
    space = Workspace(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
    remove_shifts(space)
    unscaled = normalise_scales(space)
    mixed = {n for k, g in sym.groups.items() if mixes(g) for n in space.homes[k]}
    out: list[float] = []
    for name in sym.layouts:
        if name not in mixed:
            out += _means(space.weights[name], (1, 2, 3))
    return (*out, *_mixed(space, unscaled))


def _means(values: Array, powers: tuple[int, ...]) -> list[float]:
    size = np.abs(values)
    return [float(np.mean(size**p) ** (1 / p)) if size.size else 0.0 for p in powers]


def _mixed(space: Workspace, unscaled: set[Key]) -> list[float]:
    """Return the numbers of every space that mixes."""
    groups = space.symmetries.groups
    sides: dict[int, tuple[list[Array], list[Array]]] = {k: ([], []) for k, g in groups.items() if mixes(g)}
    between: list[tuple[int, int, Array]] = []
    for key, (written, read) in sides.items():
        group = groups[key]
        for block in space.blocks(key):
            places = positions(block, key)
            if len(places) != 1 or not _steady(space, block, key, unscaled):
                continue
            others = [i for i in range(len(block.axes)) if block.atom(i) in sides and i != places[0]]
            leaf = block.axes[places[0]]
            assert isinstance(leaf, Leaf)
            writes = primal(leaf, group)
            if not others:
                (written if writes else read).append(per_copy(block, places[0], group))
            elif not writes and len(others) == 1 and block.values.ndim == 2 and not group.context:
                target = block.axes[others[0]]
                assert isinstance(target, Leaf)
                if primal(target, groups[target.atom.id]) and not groups[target.atom.id].context:
                    between.append((key, target.atom.id, np.moveaxis(block.values, places[0], 1)))
    _carry(sides, between)
    out: list[float] = []
    for key, (written, read) in sides.items():
        if groups[key].mixing is not Mixing.general_linear:
            out += _values(written, [])
        elif written and read:
            out += _values(written, read)
    return out


def _steady(space: Workspace, block: Block, key: int, unscaled: set[Key]) -> bool:
    """True when no scale is left open on the other axes of a block."""
    for leaf in block.axes:
        if isinstance(leaf, Leaf) and leaf.atom.id != key and not space.symmetries.groups[leaf.atom.id].trivial:
            group = space.symmetries.groups[leaf.atom.id]
            exponents = mode_exponents(leaf, group)[0]
            if not mixes(group) and any(q and (leaf.atom.id, m) in unscaled for m, q in enumerate(exponents)):
                return False
    return True


def _carry(sides: dict[int, tuple[list[Array], list[Array]]], between: list[tuple[int, int, Array]]) -> None:
    """Carry what writes one space over to the spaces that it writes, each path once."""
    front = {key: list(written) for key, (written, _) in sides.items()}
    for _ in range(len(sides)):
        following: dict[int, list[Array]] = {}
        for source, target, matrix in between:
            made = [matrix @ w for w in front.get(source, [])]
            following.setdefault(target, []).extend(made)
        for key, made in following.items():
            sides[key][0].extend(made)
        front = following


def _values(written: list[Array], read: list[Array]) -> list[float]:
    """Power means of the singular values of read^T written (of the writers alone, where the basis is orthogonal)."""
    if not written:
        return []
    rows = np.concatenate(written, axis=-1)
    if not read:
        return _means(np.linalg.svd(rows, compute_uv=False), (1, 2))
    left, right = (np.linalg.qr(np.swapaxes(m, -1, -2), mode="r") for m in (rows, np.concatenate(read, axis=-1)))
    return _means(np.linalg.svd(left @ np.swapaxes(right, -1, -2), compute_uv=False), (1, 2))
