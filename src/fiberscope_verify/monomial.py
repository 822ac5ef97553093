"""Monomial transformations of tensors, pushed forward through the core operations.

b's tensor is a's with its entries moved and scaled: y_b[i] = f[i] * y_a[p[i]]. A transformation is a set of disjoint
blocks of axes; a block holds p (flat positions inside the block) and f (non-zero rationals) as arrays over its axes.
Axes outside all blocks are untouched. Every rule returns the transformation of the result or raises Reject.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from .core import Node
from .laws import law
from .report import Reject, need

MAX_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Block:
    """p and f over the axes of one block (ascending axis numbers)."""

    p: np.ndarray
    f: np.ndarray


@dataclass(frozen=True, eq=False)
class Monomial:
    """The transformation of one tensor; no blocks and factor 1 is the identity."""

    blocks: dict[tuple[int, ...], Block] = field(default_factory=dict)

    def __post_init__(self):
        axes = [a for key in self.blocks for a in key]
        need(len(axes) == len(set(axes)) and () not in self.blocks, "blocks of axes that overlap or have no axis")

    @property
    def identity(self) -> bool:
        return not self.blocks

    def touching(self, axes) -> list[tuple[int, ...]]:
        return [k for k in self.blocks if set(k) & set(axes)]


def ones(shape) -> np.ndarray:
    out = np.empty(shape, dtype=object)
    out[...] = fmpq(1)
    return out


def places(shape) -> np.ndarray:
    return np.arange(math.prod(shape)).reshape(shape)


def trivial(block: Block) -> bool:
    return bool(np.array_equal(block.p, places(block.p.shape)) and np.all(block.f == 1))


def clean(blocks: dict[tuple[int, ...], Block]) -> Monomial:
    """Drop identity blocks; what stays must be a permutation with non-zero factors."""
    out = {}
    for axes, block in blocks.items():
        if not trivial(block):
            count = np.bincount(block.p.reshape(-1), minlength=block.p.size)
            need(
                len(count) == block.p.size and np.all(count == 1) and np.all(block.f != 0),
                "not an invertible change of axes",
            )
            out[axes] = block
    return Monomial(out)


def merged(m: Monomial, axes: tuple[int, ...], shape: tuple[int, ...]) -> Block:
    """The transformation on a set of axes that no block leaves."""
    size = tuple(shape[a] for a in axes)
    need(math.prod(size) <= MAX_BLOCK, "a transformation on too many entries")
    coordinate = dict(zip(axes, np.indices(size, sparse=True), strict=True)) if axes else {}
    target = {a: np.broadcast_to(coordinate[a], size) for a in axes}
    f = ones(size)
    for key in m.touching(axes):
        need(set(key) <= set(axes), "two axes are transformed together")
        block = m.blocks[key]
        index = tuple(coordinate[a] for a in key)
        moved = np.unravel_index(block.p[index], block.p.shape)
        for a, where in zip(key, moved, strict=True):
            target[a] = np.broadcast_to(where, size)
        f = f * np.broadcast_to(block.f[index], size)
    p = flat_place((target[a] for a in axes), size) if axes else np.zeros((), dtype=np.int64)
    return Block(p, f)


def flat_place(coordinates, size: tuple[int, ...]) -> np.ndarray:
    """Flat positions from coordinates."""
    return np.asarray(np.ravel_multi_index(tuple(coordinates), size))


def equal(x: Block, y: Block) -> bool:
    return np.array_equal(x.p, y.p) and bool(np.all(x.f == y.f))


def closure(ms: list[Monomial], axes) -> list[tuple[int, ...]]:
    """The finest partition of the touched axes into sets that no block of any operand leaves."""
    groups: list[set[int]] = []
    for m in ms:
        for key in m.blocks:
            if set(key) & set(axes):
                joined = set(key)
                rest = []
                for group in groups:
                    if group & joined:
                        joined |= group
                    else:
                        rest.append(group)
                groups = [*rest, joined]
    return [tuple(sorted(g)) for g in groups]


def lifted(m: Monomial, shape: tuple[int, ...], rank: int) -> Monomial:
    """Axis numbers after broadcasting to `rank` axes."""
    shift = rank - len(shape)
    return Monomial({tuple(a + shift for a in k): b for k, b in m.blocks.items()})


def same_entries(labels: np.ndarray, axes: tuple[int, ...], one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether two sets of places on some axes always hold equal entries, whatever the places on the other axes."""
    turned = labels.transpose((*axes, *(i for i in range(labels.ndim) if i not in axes)))
    rows = turned.reshape(*turned.shape[: len(axes)], -1)
    need(one[0].size * rows.shape[-1] <= MAX_BLOCK, "a transformation on too many entries")
    return np.array_equal(rows[tuple(one)], rows[tuple(other)])


def elementwise(
    op: str,
    args: list[Monomial],
    shapes: list[tuple[int, ...]],
    out: tuple[int, ...],
    labels: list[np.ndarray | None] | None = None,
) -> Monomial:
    """add, max, min: equal transformations; mul: equal moves, factors multiply; max and min: positive factors.

    `labels` mark equal entries of an operand (see Facts.labels): a move among equal entries is no move. Operands
    without labels say how an axis moves, those with labels follow where their entries allow it.
    """
    rank = len(out)
    marks: list[np.ndarray | None] = labels if labels is not None else [None for _ in args]
    full = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    args = [lifted(m, s, rank) for m, s in zip(args, shapes, strict=True)]
    blocks = {}
    for axes in closure(args, range(rank)):
        size = tuple(out[a] for a in axes)
        need(math.prod(size) <= MAX_BLOCK, "a transformation on too many entries")
        grid = np.indices(size)
        target = list(grid)
        parts = []
        for m, shape in zip(args, full, strict=True):
            block = merged(m, axes, shape)
            index = tuple(
                g if shape[a] == size[i] else np.zeros_like(g) for i, (g, a) in enumerate(zip(grid, axes, strict=True))
            )
            moved = np.unravel_index(block.p[index], block.p.shape) if axes else ()
            parts.append((moved, block.f[index], [shape[a] == size[i] for i, a in enumerate(axes)]))
        for i in range(len(axes)):
            leaders = [k for k, label in enumerate(marks) if label is None and parts[k][2][i] and size[i] > 1]
            for k in leaders or range(len(parts)):
                moved, _, own = parts[k]
                if own[i] and size[i] > 1 and not np.array_equal(moved[i], grid[i]):
                    target[i] = moved[i]
        for (moved, _, own), label, shape in zip(parts, marks, full, strict=True):
            if all(np.array_equal(w, t) for w, t, o in zip(moved, target, own, strict=True) if o):
                continue
            spots = [[w if o else np.zeros_like(w) for w, o in zip(s, own, strict=True)] for s in (moved, target)]
            fits = label is not None and same_entries(label.reshape(shape), axes, *spots)
            need(fits, "the operands are permuted differently")
        factors = [f for _, f, _ in parts]
        if op == "mul":
            f = factors[0] * factors[1]
        else:
            need(all(np.all(g == factors[0]) for g in factors[1:]), "the operands are scaled differently")
            f = factors[0]
            need(op == "add" or np.all(f > 0), "a maximum of negative multiples")
        blocks[axes] = Block(flat_place(target, size), f)
    return clean(blocks)


def apply_law(m: Monomial, function: str, parameters: tuple[str, ...], shape: tuple[int, ...]) -> Monomial:
    """An activation: factors of different blocks meet in one entry, so such blocks are joined first."""
    if len(m.blocks) > 1 and any(np.any(b.f != 1) for b in m.blocks.values()):
        axes = tuple(sorted(a for k, b in m.blocks.items() if np.any(b.f != 1) for a in k))
        rest = {k: b for k, b in m.blocks.items() if not set(k) & set(axes)}
        m = Monomial({**rest, axes: merged(m, axes, shape)})
    table: dict = {}
    blocks = {}
    for axes, block in m.blocks.items():
        f = np.empty(block.f.shape, dtype=object)
        for i, s in enumerate(block.f.reshape(-1)):
            key = (int(s.p), int(s.q))
            if key not in table:
                table[key] = law(function, parameters, s)
                need(table[key] is not None, f"{function} does not let the factor {s} pass")
            f.reshape(-1)[i] = table[key]
        blocks[axes] = Block(block.p, f)
    return clean(blocks)


def inverse_of(index: np.ndarray, size: int) -> np.ndarray:
    """Position of each source place in a move (-1 where it is not kept)."""
    out = np.full(size, -1, dtype=np.int64)
    out[index.reshape(-1)] = np.arange(index.size)
    return out


def take(block: Block, axis: int, positions: tuple[int, ...]) -> Block:
    """Keep some positions of one axis of a block; they must be permuted among themselves."""
    index = np.take(places(block.p.shape), positions, axis=axis)
    need(len(set(positions)) == len(positions), "a transformed axis is repeated")
    back = inverse_of(index, block.p.size)[block.p.reshape(-1)[index]]
    need(np.all(back >= 0), "a part of a permuted axis is cut out")
    return Block(back, block.f.reshape(-1)[index])


def move(node: Node, m: Monomial, shape: tuple[int, ...]) -> Monomial:
    """reshape, permute, expand, take."""
    if node.op == "permute":
        place = {a: i for i, a in enumerate(node.attrs[0])}
        blocks = {}
        for axes, block in m.blocks.items():
            order = sorted(range(len(axes)), key=lambda i, k=axes: place[k[i]])
            moved = np.stack(np.unravel_index(block.p, block.p.shape)) if axes else None
            assert moved is not None
            size = tuple(block.p.shape[i] for i in order)
            p = flat_place((moved[i].transpose(order) for i in order), size)
            blocks[tuple(place[axes[i]] for i in order)] = Block(p, block.f.transpose(order))
        return Monomial(blocks)
    if node.op == "expand":
        for axes in m.blocks:
            need(all(shape[a] == node.attrs[0][a] for a in axes) or m.identity, "a transformed axis is repeated")
        return m
    if node.op == "take":
        axis, positions = node.attrs
        return clean({k: take(b, k.index(axis), positions) if axis in k else b for k, b in m.blocks.items()})
    return reshape(m, shape, node.attrs[0])


def reshape(m: Monomial, before: tuple[int, ...], after: tuple[int, ...]) -> Monomial:
    """Split and fuse axes: a group of old axes with the same product as a group of new ones carries its block along."""
    need(math.prod(before) > 0, "an empty tensor")
    groups, i, j = [], 0, 0
    while i < len(before) or j < len(after):
        a, b, p, q = [], [], 1, 1
        while True:
            if p <= q and i < len(before) and not (p == q and a):
                a.append(i)
                p *= before[i]
                i += 1
            elif q < p and j < len(after):
                b.append(j)
                q *= after[j]
                j += 1
            elif p == q:
                break
            else:
                raise Reject("a reshape that does not fit")
            if p == q and (a or b):
                break
        if not a and j < len(after):
            b.append(j)
            j += 1
        groups.append((a, b))
    place = {}
    for a, b in groups:
        for axis in a:
            place[axis] = (tuple(a), tuple(b))
    blocks, done = {}, set()
    common = fmpq(1)  # factors of axes of size one that are gone
    for key in m.blocks:
        if key in done:
            continue
        old = set(key)
        while True:
            wide = {x for axis in old for x in place[axis][0]}
            for other in m.touching(wide):
                wide |= set(other)
            if wide == old:
                break
            old = wide
        axes = tuple(sorted(old))
        done |= set(m.touching(axes))
        block = merged(m, axes, before)
        new = tuple(sorted({x for axis in axes for x in place[axis][1]}))
        size = tuple(after[x] for x in new)
        need(math.prod(size) == block.p.size, "a reshape that does not fit")
        if not new:
            common *= block.f.reshape(-1)[0]
            continue
        blocks[new] = Block(block.p.reshape(size), block.f.reshape(size))
    return clean(split(scaled(blocks, common, after)))


def scaled(blocks: dict[tuple[int, ...], Block], factor: fmpq, shape: tuple[int, ...]) -> dict[tuple[int, ...], Block]:
    """All entries times one factor, which is put on the first axis that is not of size one."""
    if factor == 1:
        return blocks
    need(len(shape) > 0, "a scaled number")
    axis = next((a for a, n in enumerate(shape) if n > 1), 0)
    key = next((k for k in blocks if axis in k), (axis,))
    n = shape[axis]
    held = blocks.get(key, Block(places((n,)), ones((n,))))
    return blocks | {key: Block(held.p, held.f * factor)}


def split(blocks: dict[tuple[int, ...], Block]) -> dict[tuple[int, ...], Block]:
    """Set single axes of a block free where the transformation does not mix them with the rest.

    A factor common to the whole block goes to the first axis that moves, or to the first axis that is not of size one
    (a channel comes before its pixels).
    """
    out = {}
    todo = list(blocks.items())
    while todo:
        axes, block = todo.pop()
        if trivial(block):
            continue
        if len(axes) > 1 and trivial(Block(block.p, block.f / block.f.reshape(-1)[0])):
            i = next((k for k, n in enumerate(block.p.shape) if n > 1), 0)
            n = block.p.shape[i]
            out[axes[i],] = Block(places((n,)), ones((n,)) * block.f.reshape(-1)[0])
            continue
        for i in range(len(axes)) if len(axes) > 1 else ():
            moved = np.unravel_index(block.p, block.p.shape)
            other = [k for k in range(len(axes)) if k != i]
            own = np.moveaxis(moved[i], i, 0).reshape(block.p.shape[i], -1)
            rest = [np.moveaxis(moved[k], i, 0) for k in other]
            f = np.moveaxis(block.f, i, 0)
            free = np.all(own == own[:, :1]) and all(np.all(r == r[:1]) for r in rest)
            first = f.reshape(f.shape[0], -1)[:, 0]
            if not free or not np.all(f.reshape(f.shape[0], -1) * first[0] == np.outer(first, f[0].reshape(-1))):
                continue
            size = tuple(block.p.shape[k] for k in other)
            freed = Block(own[:, 0], first / first[0])
            there = flat_place((r[0] for r in rest), size)
            if trivial(freed):
                todo.append((tuple(axes[k] for k in other), Block(there, f[0])))
            else:
                todo += [
                    ((axes[i],), Block(own[:, 0], first)),
                    (tuple(axes[k] for k in other), Block(there, f[0] / first[0])),
                ]
            break
        else:
            out[axes] = block
    return out


def reduce(kind: str, axes: tuple[int, ...], m: Monomial, shape: tuple[int, ...]) -> Monomial:
    """A sum, mean or extreme over axes: each fibre must go to one fibre with one factor (all positive for max, min)."""
    linear = kind in ("sum", "mean")
    need(linear or all(np.all(b.f > 0) for b in m.blocks.values()), "an extreme of negative multiples")
    blocks = {}
    for key in closure([m], axes):
        block = merged(m, key, shape)
        over = tuple(i for i, a in enumerate(key) if a in axes)
        keep = tuple(i for i in range(len(key)) if i not in over)
        moved = np.unravel_index(block.p, block.p.shape)
        head = tuple(0 if i in over else slice(None) for i in range(len(key)))

        def constant(x: np.ndarray, head=head, over=over) -> np.ndarray:
            need(
                np.all(x == np.expand_dims(x[head], over)), "a reduction over entries that are transformed differently"
            )
            return x[head]

        f = constant(block.f)
        where = [constant(moved[i]) for i in keep]
        size = tuple(block.p.shape[i] if i in keep else 1 for i in range(len(key)))
        small = tuple(block.p.shape[i] for i in keep)
        p = np.ravel_multi_index(tuple(where), small) if keep else np.zeros((), dtype=np.int64)
        g = np.empty(size, dtype=object)
        g[...] = np.asarray(f, dtype=object).reshape(size)
        blocks[key] = Block(np.asarray(p).reshape(size), g)
    rest = {k: b for k, b in m.blocks.items() if not set(k) & set(axes)}
    return clean({**rest, **blocks})
