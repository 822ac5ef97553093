"""Rigorous values of a network at one point: (mid, rad) with the real-arithmetic output inside mid +- rad.

Weights are taken as the exact dyadic rationals that the file stores. Chains with piecewise-linear rational activations
are evaluated in rationals (rad = rounding of the last conversion), all other graphs in mid-radius arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq, fmpq_mat

from . import ball as B
from . import choice
from .ball import Ball
from .chain import Chain, chain_of, reachable
from .core import MOVES, Graph, Node, apply_move
from .exact import exact, rational, rational_to_float
from .lower import lower
from .model import Model
from .read import read_model
from .report import Reject, need
from .trees import tree_value

EXACT_LIMIT = 400_000


def evaluate(source: object, x) -> tuple[np.ndarray, np.ndarray]:
    """Enclosure of all outputs (flat, in order) of one sample x (flat, inputs in order).

    `source` is a path, a neutral dict, or a Model from read_model (which keeps prepared forms between calls).
    """
    model = source if isinstance(source, Model) else read_model(source)
    x = np.asarray(x, dtype=np.float64).reshape(-1)
    need(np.all(np.isfinite(x)), "the input is not finite")
    if "graph" not in model.prepared:
        model.prepared["graph"] = lower(model)
    graph = model.prepared["graph"]
    if "chain" not in model.prepared:
        model.prepared["chain"] = exact_chain(graph, model)
    chain = model.prepared["chain"]
    if chain is not None and chain.n_in == len(x):
        try:
            return evaluate_chain(chain, x)
        except Reject:
            pass
    return evaluate_graph(graph, x)


def exact_chain(graph: Graph, model: Model) -> Chain | None:
    """The chain if it is one and small enough for rationals."""
    if sum(a.size for a in model.arrays.values()) > EXACT_LIMIT:
        return None
    try:
        return chain_of(graph, model)
    except Reject:
        return None


def evaluate_chain(chain: Chain, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rational evaluation, rounded at the end; Reject if an activation leaves the rationals."""
    mid = np.array([rational_to_float(v) for v in exact_outputs(chain, [rational(v) for v in x])])
    return mid, np.abs(mid) * 2.0**-52 + 1e-300


def exact_outputs(chain: Chain, h: list[fmpq]) -> list[fmpq]:
    """The outputs of a chain at a rational input; Reject if an activation leaves the rationals."""
    if "exact" not in chain.cache:
        chain.cache["exact"] = [
            (fmpq_mat(w.shape[0], w.shape[1], exact(w).reshape(-1).tolist()), exact(bias).tolist())
            for w, bias in ((layer.weight, layer.bias) for layer in chain.layers)
        ]
    for layer, (weight, bias) in zip(chain.layers, chain.cache["exact"], strict=True):
        z = (weight * fmpq_mat(len(h), 1, h)).entries()
        h = [p + q for p, q in zip(z, bias, strict=True)]
        if layer.activation is not None:
            values = [tree_value(layer.activation, t) for t in h]
            need(all(v is not None for v in values), "the activation is not rational")
            h = [v for v in values if v is not None]
    return h


def evaluate_graph(graph: Graph, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mid-radius evaluation of the core graph; a traced batch is filled with copies of the sample."""
    shapes = [graph.shape(v) for v in graph.inputs]
    sizes = [math.prod(s) for s in shapes]
    copies = 1
    if sum(sizes) != len(x):
        lead = {s[0] if s else 0 for s in shapes}
        copies = lead.pop() if len(lead) == 1 else 0
        need(
            copies > 0 and len(x) * copies == sum(sizes),
            f"the input has {len(x)} numbers, the model takes {sum(sizes)}",
        )
    values: dict[int, Ball] = {}
    at = 0
    for v, shape, size in zip(graph.inputs, shapes, sizes, strict=True):
        sample = x[at : at + size // copies]
        at += size // copies
        array = np.tile(sample, copies).reshape(shape)
        values[v] = Ball(array, np.zeros(shape))
    live = reachable(graph)
    last = {u: v for v in live for u in graph.nodes[v].args}
    with np.errstate(all="ignore"):
        for v in live:
            if v not in values:
                values[v] = step(graph, v, graph.nodes[v], [values[u] for u in graph.nodes[v].args])
            for u in graph.nodes[v].args:
                if last[u] == v and u not in graph.outputs and u in values:
                    del values[u]
    mids, rads = [], []
    for v in graph.outputs:
        mid, rad = values[v].mid, values[v].rad
        if copies > 1:
            need(mid.shape[:1] == (copies,), "an output has no batch axis")
            mid, rad = mid[0], rad[0]
        mids.append(mid.reshape(-1))
        rads.append(rad.reshape(-1))
    mid, rad = np.concatenate(mids), np.concatenate(rads)
    need(np.all(np.isfinite(mid)) and np.all(np.isfinite(rad)), "the output is not finite")
    return mid, rad


def step(graph: Graph, v: int, node: Node, args: list[Ball]) -> Ball:
    """One core operation on balls."""
    if node.op == "array":
        array = graph.arrays[node.attrs[0]]
        need(array.dtype.kind in "fiub", "an array of this kind cannot be evaluated")
        big = array.dtype.kind in "iu" and array.size and int(np.max(np.abs(array.astype(object)))) >= 2**53
        need(not big, "an integer constant beyond 2^53")
        return Ball(array.astype(np.float64), np.zeros(array.shape))
    if node.op == "lit":
        return Ball(np.array(float.fromhex(node.attrs[0])), np.zeros(()))
    if node.op in MOVES:
        return Ball(apply_move(node, args[0].mid), apply_move(node, args[0].rad))
    if node.op == "map":
        return B.function(node.attrs[0], [float.fromhex(p) for p in node.attrs[1:]], args[0])
    if node.op in ("add", "mul", "max", "min"):
        x, y = args
        if node.op in ("max", "min"):
            return B.extreme(x, y, np.maximum if node.op == "max" else np.minimum)
        return (B.add if node.op == "add" else B.mul)(x, y)
    if node.op == "matmul":
        x, y = args
        return B.matmul(x, y)
    if node.op == "reduce":
        kind, axes = node.attrs
        if kind in ("max", "min"):
            return B.maximum_over(args[0], axes, kind == "min")
        return B.total(args[0], axes, kind == "mean")
    if node.op == "cat":
        return Ball(
            np.concatenate([a.mid for a in args], node.attrs[0]), np.concatenate([a.rad for a in args], node.attrs[0])
        )
    if node.op == "pad":
        value = float.fromhex(node.attrs[1])
        mid = np.pad(args[0].mid, node.attrs[0], constant_values=value)
        return Ball(mid, np.pad(args[0].rad, node.attrs[0]))
    if node.op == "conv":
        x, w = args
        return convolve(node, x, w)
    if node.op == "window":
        return pool(node, args[0])
    if node.op == "embed":
        index = args[1]
        need(np.all(index.rad == 0) and np.all(index.mid == np.floor(index.mid)), "an index that is no whole number")
        rows = index.mid.astype(np.int64)
        need(np.all((rows >= -len(args[0].mid)) & (rows < len(args[0].mid))), "an index out of range")
        return Ball(args[0].mid[rows], args[0].rad[rows])
    if node.op == "compare":
        x, y = args
        return choice.compare(node.attrs[0], x, y)
    if node.op == "where":
        condition, x, y = args
        return choice.where(condition, x, y)
    if node.op == "pow":
        x, y = (Ball(mid.copy(), rad.copy()) for mid, rad in spread(args))
        return B.power(x, y)
    if node.op == "cumsum":
        return B.cumulative(args[0], node.attrs[0])
    if node.op == "index":
        return choice.index(node.attrs[0], args[0], args[1:])
    if node.op == "gather":
        x, at = args
        return choice.gather(node.attrs[0], x, at)
    if node.op == "argmax":
        kind, axis = node.attrs
        return choice.place(kind, axis, args[0])
    if node.op == "topk":
        count, axis, largest, ordered, part = node.attrs
        return choice.topk(count, axis, largest, ordered, part, args[0])
    raise Reject(f"cannot be evaluated: {graph.notes.get(v, node.op)}")


def spread(args: list[Ball]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Balls broadcast to one shape."""
    shape = np.broadcast_shapes(*(a.mid.shape for a in args))
    return [(np.broadcast_to(a.mid, shape), np.broadcast_to(a.rad, shape)) for a in args]


def convolve(node: Node, x: Ball, w: Ball) -> Ball:
    """Cross-correlation of balls."""
    return B.matmul(x, w, lambda a, b: correlate(node, a, b), math.prod(w.mid.shape[1:]))


def correlate(node: Node, a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Cross-correlation by windows: out[n, g, o, ...] = sum over channels and kernel of a * w."""
    columns, kernel, out = patches(node, a, w)
    return (columns @ kernel.transpose(0, 2, 1)).transpose(0, 1, 3, 2).reshape(len(a), len(w), *out)


def patches(node: Node, a: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Windows [sample, group, place, entry], kernels [group, channel, entry], and the shape of all places."""
    stride, dilation, groups = node.attrs
    view = windows(a, w.shape[2:], stride, dilation)  # [n, c, out..., kernel...]
    n, c = view.shape[:2]
    out = view.shape[2 : 2 + len(stride)]
    columns = view.reshape(n, groups, c // groups, math.prod(out), math.prod(w.shape[2:]))
    columns = columns.transpose(0, 1, 3, 2, 4).reshape(n, groups, math.prod(out), -1)
    return columns, w.reshape(groups, w.shape[0] // groups, -1), out


def windows(a: np.ndarray, kernel: tuple[int, ...], stride, dilation) -> np.ndarray:
    """Strided, dilated windows over the trailing axes: shape [..., out..., kernel...]."""
    k = len(kernel)
    span = tuple(d * (n - 1) + 1 for n, d in zip(kernel, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(a, span, axis=tuple(range(a.ndim - k, a.ndim)))
    lead = (slice(None),) * (a.ndim - k)
    return view[lead + tuple(slice(None, None, s) for s in stride) + tuple(slice(None, None, d) for d in dilation)]


def pool(node: Node, x: Ball) -> Ball:
    """Max or mean over windows."""
    kind, kernel, stride, pads, dilation, count_pad = node.attrs
    k = len(kernel)
    lead = [(0, 0)] * (x.mid.ndim - k)
    widths = lead + [(p[0], p[1]) for p in pads]
    axes = tuple(range(x.mid.ndim, x.mid.ndim + k))

    def over(a: np.ndarray, fill: float) -> np.ndarray:
        return windows(np.pad(a, widths, constant_values=fill), kernel, stride, dilation)

    need(np.all(np.isfinite(x.mid)), "an infinite number enters a pool")
    if kind == "max":
        return B.ball(over(x.mid, -np.inf).max(axes), over(x.rad, 0.0).max(axes))
    size = x.mid.shape[-k:]
    inner = np.ones(size)
    if count_pad:  # padding asked for counts, overhang of ceil mode does not
        inner = np.pad(inner, [(p[0], p[1] - p[2]) for p in pads], constant_values=1.0)
        inner = np.pad(inner, [(0, p[2]) for p in pads])
    else:
        inner = np.pad(inner, [(p[0], p[1]) for p in pads])
    count = windows(inner, kernel, stride, dilation).sum(tuple(range(k, 2 * k)))
    n = math.prod(kernel) + 2
    mid = over(x.mid, 0.0).sum(axes)
    rad = over(x.rad, 0.0).sum(axes) + n * 1.01 * B.U * over(np.abs(x.mid), 0.0).sum(axes)
    return B.ball(mid / count, rad / count + np.abs(mid / count) * 4 * B.U + 1e-300, n)
