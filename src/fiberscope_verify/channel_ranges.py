"""Intervals of all values of a graph, on a box or for every input: [lo, hi] with infinities, rounded outward.

On a box with few inputs linear forms narrow them (see `channel_forms`).

A sum of products rounds by at most gamma times the sum of the sizes of its terms, so what has only zero terms is exact:
weights that are never positive on values that are never negative give an upper end of exactly 0.
"""

from __future__ import annotations

import math

import numpy as np

from .ball import U, bounds
from .chain import reachable
from .channel_forms import LARGEST, entering, form_of, from_interval
from .channel_match import moving
from .core import MOVES, Graph, Node, apply_move
from .evaluate import Ball, correlate, step, windows
from .report import Reject, need

Interval = tuple[np.ndarray, np.ndarray]
MAX_NUMBERS = 1 << 24
INF = math.inf


def ranges(
    graph: Graph,
    lo: np.ndarray | None = None,
    hi: np.ndarray | None = None,
    told: dict[int, Interval] | None = None,
) -> dict[int, Interval]:
    """Intervals of every value that depends on an input; ``lo``, ``hi``: the flat inputs of one sample, or None;
    ``told``: what is known of some values besides."""
    data = moving(graph)
    out = inputs(graph, lo, hi)
    constants: dict[int, Ball] = {}
    forms = entering(out)
    symbols = sum(low.size for low, _ in out.values())
    with np.errstate(all="ignore"):
        for v in reachable(graph):
            node = graph.nodes[v]
            if v in out:
                continue
            if v not in data:
                constants[v] = constant(graph, v, constants)
                continue
            shape = graph.shape(v)
            need(math.prod(shape) <= MAX_NUMBERS, "too many numbers for bounds")
            args = [out[u] if u in data else bounds(constants[u]) for u in node.args]
            fixed = [u not in data and not np.any(constants[u].rad) for u in node.args]
            found = rule(node, args, fixed) or (np.full(shape, -INF), np.full(shape, INF))
            low, high = (np.broadcast_to(end, shape) for end in found)
            low, high = np.where(np.isnan(low), -INF, low), np.where(np.isnan(high), INF, high)
            form = None
            if forms and all(u in forms or known for u, known in zip(node.args, fixed, strict=True)):
                parts = [constants[u].mid if known else forms[u] for u, known in zip(node.args, fixed, strict=True)]
                form = form_of(node, parts, fixed, correlate)
            if form is not None:
                ends = form.ends()
                low, high = np.fmax(low, ends[0]), np.fmin(high, ends[1])
            elif forms:
                form = from_interval(low, high, symbols)
            if told is not None and v in told:
                low, high = np.fmax(low, told[v][0]), np.fmin(high, told[v][1])
            if form is not None and np.all(np.isfinite(form.c)) and form.g.size <= LARGEST:
                forms[v] = form
            out[v] = low, high
    return out


def inputs(graph: Graph, lo: np.ndarray | None, hi: np.ndarray | None) -> dict[int, Interval]:
    """The box, the same for every traced sample."""
    shapes = [graph.shape(v) for v in graph.inputs]
    if lo is None or hi is None:
        return {v: (np.full(s, -INF), np.full(s, INF)) for v, s in zip(graph.inputs, shapes, strict=True)}
    total, copies, out, at = sum(math.prod(s) for s in shapes), 1, {}, 0
    if total != len(lo):
        lead = {s[0] if s else 0 for s in shapes}
        copies = lead.pop() if len(lead) == 1 else 0
        need(copies > 0 and len(lo) * copies == total, f"the box has {len(lo)} numbers, the model takes {total}")
    for v, shape in zip(graph.inputs, shapes, strict=True):
        count = math.prod(shape) // copies
        out[v] = tuple(np.tile(end[at : at + count], copies).reshape(shape) for end in (lo, hi))
        at += count
    return out


def constant(graph: Graph, v: int, known: dict[int, Ball]) -> Ball:
    """A value of stored numbers only; undefined where it cannot be bounded."""
    try:
        return step(graph, v, graph.nodes[v], [known[u] for u in graph.nodes[v].args])
    except Reject:
        return Ball(np.full(graph.shape(v), np.nan), np.zeros(graph.shape(v)))


def rule(node: Node, args: list[Interval], fixed: list[bool]) -> Interval | None:
    """One operation, or None where nothing is known."""
    op = node.op
    if op in MOVES:
        return apply_move(node, args[0][0]), apply_move(node, args[0][1])
    if op == "map":
        return image(node.attrs[0], [float.fromhex(p) for p in node.attrs[1:]], *args[0])
    if op == "add":
        return down(args[0][0], args[1][0]), -down(-args[0][1], -args[1][1])
    if op == "mul":
        ends = [times(x, y) for x in args[0] for y in args[1]]
        low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
        return np.where(low == 0, 0.0, np.nextafter(low, -INF)), np.where(high == 0, 0.0, np.nextafter(high, INF))
    if op in ("max", "min"):
        extreme = np.maximum if op == "max" else np.minimum
        return extreme(args[0][0], args[1][0]), extreme(args[0][1], args[1][1])
    if op == "conv" and fixed[1]:
        return summed(args[0], args[1][0], lambda a, w: correlate(node, a, w))
    if op == "matmul" and (fixed[0] or fixed[1]):
        if fixed[1]:
            return summed(args[0], args[1][0], np.matmul)
        return summed(args[1], args[0][0], lambda a, w: np.matmul(w, a))
    if op == "reduce":
        return reduced(node, *args[0])
    if op == "window":
        return pooled(node, *args[0])
    if op == "cat":
        return np.concatenate([a[0] for a in args], node.attrs[0]), np.concatenate([a[1] for a in args], node.attrs[0])
    if op == "pad":
        value = float.fromhex(node.attrs[1])
        return tuple(np.pad(end, node.attrs[0], constant_values=value) for end in args[0])  # type: ignore[return-value]
    return None


def down(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x + y rounded down, exact where one of them is 0."""
    total = x + y
    return np.where((x == 0) | (y == 0), total, np.nextafter(total, -INF))


def times(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Products of ends; 0 times infinity is 0."""
    return np.where((x == 0) | (y == 0), 0.0, x * y)


def image(name: str, parameters: list[float], lo: np.ndarray, hi: np.ndarray) -> Interval | None:
    """The image of an interval under a function."""
    if name == "neg":
        return -hi, -lo
    if name == "float":
        return lo, hi
    if name in ("relu", "clip"):
        low, high = (0.0, INF) if name == "relu" else parameters
        return np.minimum(np.maximum(lo, low), high), np.minimum(np.maximum(hi, low), high)
    if name in ("tanh", "erf", "sin", "gelu", "gelu_tanh"):  # 0 at 0; gelu is at least -0.1700..., at most max(t, 0)
        none = (lo == 0) & (hi == 0)
        low, high = (-0.18, np.maximum(hi, 0.0)) if name.startswith("gelu") else (-1.0, 1.0)
        return np.where(none, 0.0, low), np.where(none, 0.0, high)
    if name == "leaky_relu" and 0 <= parameters[0] <= 1:
        slope = parameters[0]
        ends = [np.where(e > 0, e, times(e, np.array(slope))) for e in (lo, hi)]
        return np.where(ends[0] < 0, np.nextafter(ends[0], -INF), ends[0]), np.where(
            ends[1] < 0, np.minimum(np.nextafter(ends[1], INF), 0.0), ends[1]
        )
    if name == "abs":
        return np.maximum(np.maximum(lo, -hi), 0.0), np.maximum(-lo, hi)
    if name in ("square", "exp", "sqrt"):
        return np.zeros_like(lo), np.full_like(hi, INF)
    if name == "cos":
        return np.full_like(lo, -1.0), np.full_like(hi, 1.0)
    if name == "sigmoid":
        return np.zeros_like(lo), np.ones_like(hi)
    if name == "softplus" and parameters[0] > 0:  # max(t, 0) and at most log(2) / beta more, whatever the threshold
        return np.maximum(lo, 0.0), np.nextafter(np.maximum(hi, 0.0) + 0.6932 / parameters[0], INF)
    if name == "elu" and min(parameters) >= 0:  # scale (max(t, 0) + alpha expm1(inner min(t, 0))), expm1 from -1 to 0
        alpha, scale, _ = parameters
        low = times(np.maximum(lo, 0.0), np.array(scale)) - scale * alpha
        high = times(np.maximum(hi, 0.0), np.array(scale))
        slack = 4 * U * (np.abs(low) + 2 * scale * alpha)
        return low - np.where(np.isfinite(slack), slack, 0.0), np.where(high > 0, np.nextafter(high, INF), 0.0)
    return None


def summed(x: Interval, w: np.ndarray, product) -> Interval:
    """Sums of products with stored weights: both ends at once, infinities apart."""
    lo, hi = x
    if np.any(np.isnan(w)):
        shape = product(lo * 0, w).shape
        return np.full(shape, -INF), np.full(shape, INF)
    positive, negative = np.maximum(w, 0.0), np.minimum(w, 0.0)
    low_known, high_known = (np.where(np.isinf(e), 0.0, e) for e in x)
    low_lost, high_lost = np.isinf(lo) * 1.0, np.isinf(hi) * 1.0
    low = product(low_known, positive) + product(high_known, negative)
    high = product(high_known, positive) + product(low_known, negative)
    count = w[0].size if w.ndim > 2 else max(w.shape)
    gamma = 4 * (2 * count + 8) * U
    sizes = [
        product(np.abs(near), positive) + product(np.abs(far), -negative)
        for near, far in ((low_known, high_known), (high_known, low_known))
    ]
    below, above = (np.where(size > 0, gamma * size + count * 1e-300, 0.0) for size in sizes)
    up, under = (positive > 0) * 1.0, (negative < 0) * 1.0
    endless_low = product(low_lost, up) + product(high_lost, under) > 0
    endless_high = product(high_lost, up) + product(low_lost, under) > 0
    return np.where(endless_low, -INF, low - below), np.where(endless_high, INF, high + above)


def reduced(node: Node, lo: np.ndarray, hi: np.ndarray) -> Interval | None:
    """Sums, means and extremes over axes."""
    kind, axes = node.attrs
    if kind in ("max", "min"):
        return tuple(getattr(np, kind)(e, axis=axes, keepdims=True) for e in (lo, hi))
    if kind not in ("sum", "mean"):
        return None
    count = math.prod(lo.shape[a] for a in axes)
    size = np.abs(lo).sum(axes, keepdims=True) + np.abs(hi).sum(axes, keepdims=True)
    slack = np.where(size > 0, 4 * (count + 8) * U * size, 0.0)
    low, high = lo.sum(axes, keepdims=True) - slack, hi.sum(axes, keepdims=True) + slack
    if kind == "sum":
        return low, high
    return np.where(low == 0, 0.0, np.nextafter(low / count, -INF)), np.where(
        high == 0, 0.0, np.nextafter(high / count, INF)
    )


def pooled(node: Node, lo: np.ndarray, hi: np.ndarray) -> Interval:
    """Windows: extremes exactly; a mean lies between the extremes of its window (and 0, where padding counts)."""
    kind, kernel, stride, pads, dilation, _ = node.attrs
    k = len(kernel)
    widths = [(0, 0)] * (lo.ndim - k) + [(p[0], p[1]) for p in pads]
    axes = tuple(range(lo.ndim, lo.ndim + k))

    def over(a: np.ndarray, fill: float) -> np.ndarray:
        return windows(np.pad(a, widths, constant_values=fill), kernel, stride, dilation)

    if kind == "max":
        return over(lo, -INF).max(axes), over(hi, -INF).max(axes)
    return over(lo, 0.0).min(axes), over(hi, 0.0).max(axes)


def steady(interval: Interval, axis: int) -> dict[int, float]:
    """Units along an axis whose interval is one number everywhere: their value is that constant."""
    low, high = (np.moveaxis(end, axis, 0).reshape(end.shape[axis], -1) for end in interval)
    same = (low == high).all(axis=1) & (low == low[:, :1]).all(axis=1) & np.isfinite(low).all(axis=1)
    return {int(i): float(low[i, 0]) for i in np.flatnonzero(same)}


def maps(graph: Graph) -> list[int]:
    """The elementwise functions of data, in order: certificates count them from 0."""
    data = moving(graph)
    return [v for v in reachable(graph) if v in data and graph.nodes[v].op == "map"]
