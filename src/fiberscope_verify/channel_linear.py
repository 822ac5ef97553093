"""Linear operations of a graph, forwards and backwards, on arrays with one more axis of cases in front."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .ball import Ball
from .core import MOVES, Node
from .evaluate import correlate, windows

Act = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Linear:
    """y = A x: ``act`` is A [L, *in] -> [L, *out], ``size`` is |A|, ``back`` is A transposed; sums have ``terms``."""

    act: Act
    size: Act
    back: Act
    terms: int


@dataclass(frozen=True)
class Affine:
    """A value that is the sum of linear images of others (``parts``) and stored numbers; where these are known up to
    a radius only, ``doubt`` and ``radius`` say how far it may be off: sum of doubt(|u|) + radius."""

    parts: tuple[tuple[int, Linear], ...]
    constant: np.ndarray | float
    doubt: tuple[tuple[int, Act], ...] = ()
    radius: np.ndarray | float = 0.0


def lifted(a: np.ndarray, rank: int) -> np.ndarray:
    """Axes of one behind the axis of cases, as broadcasting puts them."""
    return a.reshape(a.shape[0], *(1,) * (rank + 1 - a.ndim), *a.shape[1:])


def gathered(a: np.ndarray, shape: Shape) -> np.ndarray:
    """The transpose of broadcasting ``shape``: sums over what was repeated."""
    full = (1,) * (a.ndim - 1 - len(shape)) + shape
    axes = tuple(i + 1 for i, n in enumerate(full) if n == 1 and a.shape[i + 1] != 1)
    return (a.sum(axis=axes, keepdims=True) if axes else a).reshape(len(a), *shape)


def affine(node: Node, args: list, shapes: list[Shape]) -> Affine | None:
    """A node as an affine map of its arguments; ``args[i]`` is the number of a value, or a ball of stored numbers."""
    made = of_numbers(node, [a.mid if isinstance(a, Ball) else a for a in args], shapes)
    if made is None or not any(isinstance(a, Ball) and np.any(a.rad) for a in args):
        return made
    off = of_numbers(node, [a.rad if isinstance(a, Ball) else a for a in args], shapes)
    assert off is not None
    if node.op in ("add", "cat"):
        return Affine(made.parts, made.constant, (), off.constant)
    return Affine(made.parts, made.constant, tuple((u, part.size) for u, part in off.parts))


def of_numbers(node: Node, args: list, shapes: list[Shape]) -> Affine | None:
    """The same for stored numbers that are known exactly."""
    op, shape = node.op, node.shape or ()
    data = [i for i, a in enumerate(args) if not isinstance(a, np.ndarray)]
    if op in ("add", "cat"):
        parts, constant = [], np.zeros(shape)
        for i, a in enumerate(args):
            part = spread(shapes[i], shape) if op == "add" else joined(node.attrs[0], shapes, i, shape)
            if i in data:
                parts.append((a, part))
            else:
                constant = constant + part.act(np.asarray(a)[None])[0]
        return Affine(tuple(parts), constant)
    if len(data) != 1:
        return None
    if op == "pad":
        widths, value = node.attrs[0], float.fromhex(node.attrs[1])
        inner = tuple(slice(a, a + n) for n, (a, _) in zip(shapes[0], widths, strict=True))
        around = ((0, 0), *widths)
        part = same(lambda a: np.pad(a, around), lambda a: a[(slice(None), *inner)], 1)
        constant = np.full(shape, value)
        constant[inner] = 0.0
        return Affine(((args[0], part),), constant)
    part = linear(node, args, shapes, data[0])
    return None if part is None else Affine(((args[data[0]], part),), 0.0)


def same(act: Act, back: Act, terms: int) -> Linear:
    """A map without a negative weight."""
    return Linear(act, act, back, terms)


def spread(before: Shape, after: Shape) -> Linear:
    """Broadcasting."""
    if before == after:
        return same(lambda a: a, lambda g: g, 1)
    rank, times = len(after), math.prod(after) // max(math.prod(before), 1)
    return same(
        lambda a: np.broadcast_to(lifted(a, rank), (len(a), *after)), lambda g: gathered(g, before), max(times, 1)
    )


def joined(axis: int, shapes: list[Shape], i: int, after: Shape) -> Linear:
    """One of the parts of a concatenation."""
    start = sum(s[axis] for s in shapes[:i])
    place = (slice(None),) * (axis + 1) + (slice(start, start + shapes[i][axis]),)

    def act(a: np.ndarray) -> np.ndarray:
        out = np.zeros((len(a), *after))
        out[place] = a
        return out

    return same(act, lambda g: g[place], 1)


def linear(node: Node, args: list, shapes: list[Shape], at: int) -> Linear | None:
    """An operation that is linear in its argument number ``at``."""
    op, before, after = node.op, shapes[at], node.shape or ()
    if op in MOVES:
        return moved(node, before, after)
    if op == "map" and node.attrs[0] in ("neg", "float"):
        sign = -1.0 if node.attrs[0] == "neg" else 1.0
        return Linear(lambda a: sign * a, lambda a: a, lambda g: sign * g, 1)
    if op == "mul":
        w = args[1 - at]
        if w.ndim > len(after):
            return None
        repeat, rank, big = spread(before, after), len(after), np.abs(w)
        return Linear(
            lambda a: lifted(a, rank) * w,
            lambda a: lifted(a, rank) * big,
            lambda g: repeat.back(g * w),
            repeat.terms + 1,
        )
    if op == "matmul" and args[1 - at].ndim == 2 and len(before) >= 2:
        w = args[1 - at]
        big, terms = np.abs(w), max(w.shape)
        if at == 0:
            return Linear(lambda a: a @ w, lambda a: a @ big, lambda g: g @ w.T, terms)
        return Linear(lambda a: w @ a, lambda a: big @ a, lambda g: w.T @ g, terms)
    if op == "conv" and at == 0:
        return convolution(node, args[1], before)
    if op == "reduce" and node.attrs[0] in ("sum", "mean"):
        axes = tuple(a + 1 for a in node.attrs[1])
        count = int(np.prod([before[a] for a in node.attrs[1]]))
        share = 1.0 if node.attrs[0] == "sum" else 1.0 / count
        return same(
            lambda a: a.sum(axis=axes, keepdims=True) * share,
            lambda g: np.broadcast_to(g * share, (len(g), *before)),
            count + 2,
        )
    if op == "window" and node.attrs[0] == "mean":
        return pooled(node, before)
    return None


def moved(node: Node, before: Shape, after: Shape) -> Linear:
    """reshape, permute, expand, take."""
    if node.op == "reshape":
        return same(lambda a: a.reshape(len(a), *after), lambda g: g.reshape(len(g), *before), 1)
    if node.op == "permute":
        order = (0, *(a + 1 for a in node.attrs[0]))
        inverse = tuple(np.argsort(order).tolist())
        return same(lambda a: a.transpose(order), lambda g: g.transpose(inverse), 1)
    if node.op == "expand":
        return spread(before, after)
    axis, places = node.attrs[0] + 1, np.asarray(node.attrs[1], dtype=np.int64)

    def back(g: np.ndarray) -> np.ndarray:
        out = np.zeros((len(g), *before))
        np.add.at(np.moveaxis(out, axis, 0), places, np.moveaxis(g, axis, 0))
        return out

    return same(lambda a: a.take(places, axis), back, len(places))


def convolution(node: Node, w: np.ndarray, before: Shape) -> Linear:
    """A cross-correlation and its transpose, kernel place by kernel place."""
    stride, dilation, groups = node.attrs
    kernel, channels = w.shape[2:], before[1]
    grouped = w.reshape(groups, len(w) // groups, channels // groups, *kernel)

    def slide(a: np.ndarray, by: np.ndarray) -> np.ndarray:
        out = correlate(node, a.reshape(-1, *before[1:]), by)
        return out.reshape(len(a), before[0], *out.shape[1:])

    def back(g: np.ndarray) -> np.ndarray:
        many, out = len(g) * before[0], g.shape[3:]
        rows = g.reshape(many, groups, len(w) // groups, -1)
        total = np.zeros((many, channels, *before[2:]))
        for k in np.ndindex(*kernel):
            part = grouped[(slice(None), slice(None), slice(None), *k)].transpose(0, 2, 1) @ rows
            total[(slice(None), slice(None), *steps(k, out, stride, dilation))] += part.reshape(many, channels, *out)
        return total.reshape(len(g), *before)

    terms = max(len(w) // groups, channels // groups) * math.prod(kernel)
    big = np.abs(w)
    return Linear(lambda a: slide(a, w), lambda a: slide(a, big), back, terms)


def steps(k: tuple[int, ...], out: tuple[int, ...], stride, dilation) -> tuple[slice, ...]:
    """Where one place of a kernel reads, for all places of the result."""
    sizes = zip(k, out, stride, dilation, strict=True)
    return tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, n, s, d in sizes)


def pooled(node: Node, before: Shape) -> Linear:
    """Means over windows."""
    _, kernel, stride, pads, dilation, count_pad = node.attrs
    k, size = len(kernel), before[-len(kernel) :]
    around = [(p[0], p[1]) for p in pads]
    inner = np.ones(size)
    if count_pad:  # padding asked for counts, overhang of ceil mode does not
        inner = np.pad(inner, [(p[0], p[1] - p[2]) for p in pads], constant_values=1.0)
        inner = np.pad(inner, [(0, p[2]) for p in pads])
    else:
        inner = np.pad(inner, around)
    share = 1.0 / windows(inner, kernel, stride, dilation).sum(tuple(range(k, 2 * k)))

    def act(a: np.ndarray) -> np.ndarray:
        wide = np.pad(a, [(0, 0)] * (a.ndim - k) + around)
        return windows(wide, kernel, stride, dilation).sum(tuple(range(a.ndim, a.ndim + k))) * share

    def back(g: np.ndarray) -> np.ndarray:
        g, lead = g * share, g.shape[: g.ndim - k]
        total = np.zeros((*lead, *(n + p[0] + p[1] for n, p in zip(size, pads, strict=True))))
        for place in np.ndindex(*kernel):
            total[(..., *steps(place, g.shape[-k:], stride, dilation))] += g
        return total[(..., *(slice(p[0], p[0] + n) for n, p in zip(size, pads, strict=True)))]

    return same(act, back, math.prod(kernel) + 4)
