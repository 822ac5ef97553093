"""Monomial transformations through sums of products, and through concatenation."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .monomial import Block, Monomial, clean, closure, elementwise, equal, merged, reduce, scaled
from .report import need


def contract(
    x: Monomial,
    y: Monomial,
    sx: tuple[int, ...],
    sy: tuple[int, ...],
    xk: tuple[int, ...],
    yk: tuple[int, ...],
    xmap: dict[int, int],
    ymap: dict[int, int],
    out: tuple[int, ...],
    labels: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Monomial:
    """Sum over paired axes: xk[i] with yk[i]. xmap, ymap send the other axes to axes of the result.

    Blocks on summed axes may reach shared (batch) axes only; the two factors must cancel along the summed axes.
    `labels` mark equal entries of x and of y, or are None.
    """
    label = {**{a: ("k", i) for i, a in enumerate(xk)}, **{a: ("o", o) for a, o in xmap.items()}}
    right = {**{a: ("k", i) for i, a in enumerate(yk)}, **{a: ("o", o) for a, o in ymap.items()}}
    names = sorted({*label.values(), *right.values()})
    number = {n: i for i, n in enumerate(names)}
    size = [1] * len(names)
    for table, shape in ((label, sx), (right, sy)):
        for a, n in table.items():
            size[number[n]] = max(size[number[n]], shape[a])

    def renamed(m: Monomial, table: dict[int, tuple[str, int]], shape: tuple[int, ...]) -> tuple[Monomial, list[int]]:
        here = [1] * len(names)
        for a, n in table.items():
            here[number[n]] = shape[a]
        blocks = {}
        for axes, block in m.blocks.items():
            target = [number[table[a]] for a in axes]
            order = sorted(range(len(axes)), key=lambda i: target[i])
            moved = np.unravel_index(block.p, block.p.shape)
            dims = tuple(block.p.shape[i] for i in order)
            p = np.ravel_multi_index(tuple(moved[i].transpose(order) for i in order), dims)
            blocks[tuple(target[i] for i in order)] = Block(p, block.f.transpose(order))
        return Monomial(blocks), here

    left, lshape = renamed(x, label, sx)
    other, rshape = renamed(y, right, sy)
    summed = tuple(number["k", i] for i in range(len(xk)))
    turned: list[np.ndarray | None] = []
    for mark, table, here in ((labels[0], label, lshape), (labels[1], right, rshape)):
        order = sorted(table, key=lambda a, table=table: number[table[a]])
        turned.append(None if mark is None else mark.transpose(order).reshape(here))
    product = elementwise("mul", [left, other], [tuple(lshape), tuple(rshape)], tuple(size), turned)
    result = reduce("sum", summed, product, tuple(size))
    back = {i: n[1] for n, i in number.items() if n[0] == "o"}
    blocks: dict[tuple[int, ...], Block] = {}
    scale = fmpq(1)
    for axes, block in result.blocks.items():
        kept = tuple(i for i in axes if i in back)
        if not kept:
            scale *= block.f.reshape(-1)[0]
            continue
        target = [back[i] for i in kept]
        need(target == sorted(target), "axes out of order")
        dims = tuple(block.p.shape[axes.index(i)] for i in kept)
        blocks[tuple(target)] = Block(block.p.reshape(dims), block.f.reshape(dims))
    return clean(scaled(blocks, scale, out))


def concatenate(parts: list[Monomial], shapes: list[tuple[int, ...]], axis: int) -> Monomial:
    """Direct sums: the blocks on the joined axis are placed one after the other; all else must agree."""
    sets = {axis}
    for m in parts:
        for key in m.touching(sets):
            sets |= set(key)
    for m in parts:
        for key in m.touching(sets):
            sets |= set(key)
    key = tuple(sorted(sets))
    at = key.index(axis)
    size = tuple(sum(s[a] for s in shapes) if a == axis else shapes[0][a] for a in key)
    ps, fs, offset = [], [], 0
    for m, shape in zip(parts, shapes, strict=True):
        block = merged(m, key, shape)
        moved = list(np.unravel_index(block.p, block.p.shape))
        moved[at] = moved[at] + offset
        ps.append(np.ravel_multi_index(tuple(moved), size))
        fs.append(block.f)
        offset += shape[axis]
    blocks = {key: Block(np.concatenate(ps, at), np.concatenate(fs, at))}
    first = parts[0]
    for other in closure(parts, range(len(shapes[0]))):
        if set(other) & sets:
            continue
        block = merged(first, other, shapes[0])
        need(
            all(equal(block, merged(m, other, s)) for m, s in zip(parts, shapes, strict=True)),
            "joined tensors are permuted differently",
        )
        blocks[other] = block
    return clean(blocks)
