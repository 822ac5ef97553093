"""Bounds of values of a graph on N boxes at once: intervals forwards, then affine bounds found going back.

What is asked about is a sum of coefficients times values. Going back, an affine value is replaced by what it is made
of, the image of a (leaky) ReLU by its lines (Zhang et al. 2018, arXiv 1811.00866), an input by its end of the box, and
any other value by its interval. With floats the identities hold up to gamma times the sizes of all terms, which is
added: for a value v = A u + k read with coefficients g, |g| . (|A| max|u| + |k|).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .ball import Ball, bounds, function, hull
from .bound import TINY, U, outward, relu_lines
from .chain import reachable
from .channel_linear import Affine, affine
from .channel_match import moving
from .channel_ranges import constant, image, inputs, rule
from .core import Graph, Node
from .evaluate import step
from .report import Reject

MOST = 1 << 24
"""Coefficients held at once."""
WORK = 1 << 26
"""Arguments of ReLUs are bounded by going back while their number times that of all values below is no more."""
NUMBERS = 1 << 16
"""So many values of a function are enclosed one by one."""
CHUNK = 256
INF = math.inf
Ends = dict[int, tuple[np.ndarray, np.ndarray]]


class Plan:
    """A graph taken apart once: which values are affine in others, which are (leaky) ReLUs."""

    def __init__(self, graph: Graph):
        self.graph, data = graph, moving(graph)
        self.order = [v for v in reachable(graph) if v in data]
        self.affine: dict[int, Affine] = {}
        self.slope: dict[int, float] = {}
        balls: dict[int, Ball] = {}
        with np.errstate(all="ignore"):
            for v in reachable(graph):
                if v not in data:
                    balls[v] = constant(graph, v, balls)
        self.balls = balls
        for v in self.order:
            node = graph.nodes[v]
            slope = bend(node)
            if slope is not None:
                self.slope[v] = slope
            elif node.op != "input" and all(u in data or np.all(np.isfinite(balls[u].mid)) for u in node.args):
                args = [u if u in data else balls[u] for u in node.args]
                found = affine(node, args, [graph.shape(u) for u in node.args])
                if found is not None:
                    self.affine[v] = found
        self.data = data

    def size(self, v: int) -> int:
        return math.prod(self.graph.shape(v))

    def below(self, *values: int) -> list[int]:
        """Values and all data that they depend on, in order."""
        wanted = set(values)
        for u in reversed(self.order):
            if u in wanted:
                wanted.update(w for w in self.graph.nodes[u].args if w in self.data)
        return [u for u in self.order if u in wanted]


def bend(node: Node) -> float | None:
    """The slope below 0 of a (leaky) ReLU."""
    if node.op != "map" or node.attrs[0] not in ("relu", "leaky_relu"):
        return None
    slope = 0.0 if node.attrs[0] == "relu" else float.fromhex(node.attrs[1])
    return slope if 0 <= slope <= 1 else None


@dataclass
class Boxes:
    """N boxes and what is known of all values there: ``low[v]``, ``high[v]`` [N, *shape], lines of the ReLUs."""

    plan: Plan
    mid: dict[int, np.ndarray]
    rad: dict[int, np.ndarray]
    ends: Ends = field(default_factory=dict)
    lines: dict[int, tuple] = field(default_factory=dict)
    sizes: dict[int, np.ndarray] = field(default_factory=dict)
    doubts: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(next(iter(self.mid.values())))

    def reach(self, v: int) -> np.ndarray:
        """Upper bounds of |v|."""
        low, high = self.ends[v]
        return np.maximum(np.abs(low), np.abs(high))


def entering(plan: Plan, lo: np.ndarray, hi: np.ndarray) -> Boxes:
    """N boxes [N, n] of the flat inputs of one sample."""
    parts = [inputs(plan.graph, low, high) for low, high in zip(lo, hi, strict=True)]
    mid, rad, ends = {}, {}, {}
    for v in plan.graph.inputs:
        low, high = (np.stack([p[v][side] for p in parts]) for side in (0, 1))
        mid[v] = low * 0.5 + high * 0.5
        rad[v] = np.where(low == high, 0.0, np.maximum(high - mid[v], mid[v] - low) * (1 + 4 * U) + TINY)
        ends[v] = low, high
    return Boxes(plan, mid, rad, ends)


def forward(plan: Plan, lo: np.ndarray, hi: np.ndarray, known: Ends | None, *stop: int, refine: bool = True) -> Boxes:
    """Intervals of some values and all below them on N boxes, narrowed by ``known`` (which holds on all boxes).

    ``refine``: arguments of ReLUs that bend are bounded by going back as well, where that is not too much work.
    """
    out = entering(plan, lo, hi)
    values = 0
    with np.errstate(all="ignore"):
        for v in plan.below(*stop):
            values += plan.size(v)
            node = plan.graph.nodes[v]
            if node.op == "input":
                continue
            if v in plan.slope:
                u = node.args[0]
                if refine and out.lines and values * plan.size(u) <= WORK:
                    narrow(out, u)
                out.lines[v] = relu_lines(*out.ends[u], plan.slope[v])
            low, high = interval(out, v)
            if known is not None and v in known:
                low, high = np.maximum(low, known[v][0]), np.minimum(high, known[v][1])
            out.ends[v] = low, high
    return out


def interval(out: Boxes, v: int) -> tuple[np.ndarray, np.ndarray]:
    """The interval of one value from those of its arguments; notes the sizes of its terms."""
    plan, node = out.plan, out.plan.graph.nodes[v]
    shape = (out.count, *plan.graph.shape(v))
    if v in plan.affine:
        made = plan.affine[v]
        middle, radius = np.broadcast_to(np.asarray(made.constant, dtype=np.float64), shape), np.zeros(shape)
        size = np.broadcast_to(np.abs(middle), shape)
        for u, part in made.parts:
            low, high = out.ends[u]
            half = low * 0.5 + high * 0.5
            reach = np.where(low == high, 0.0, np.maximum(high - half, half - low) * (1 + 4 * U) + TINY)
            middle, radius = middle + part.act(half), radius + part.size(reach)
            size = size + part.size(out.reach(u))
        terms = outward(max(part.terms for _, part in made.parts) + len(made.parts))
        out.sizes[v] = size * (1 + terms)
        if made.doubt or np.any(made.radius):
            off = sum((act(out.reach(u)) for u, act in made.doubt), start=np.zeros(shape)) + made.radius
            out.doubts[v] = off * (1 + 2 * terms) + TINY
            radius = radius + out.doubts[v]
        slack = radius * terms + terms * size + 1e-290
        low, high = middle - radius - slack, middle + radius + slack
    elif node.op == "map":
        low, high = mapped(node, *out.ends[node.args[0]])
    else:
        low, high = (np.empty(shape) for _ in "ab")
        for i in range(out.count):
            low[i], high[i] = other(plan, v, {u: tuple(e[i] for e in out.ends[u]) for u in node.args if u in plan.data})
    return np.where(np.isnan(low), -INF, low), np.where(np.isnan(high), INF, high)


def mapped(node: Node, lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image under a function: by what is known of it, and number by number where these are few."""
    name, parameters = node.attrs[0], [float.fromhex(p) for p in node.attrs[1:]]
    low, high = image(name, parameters, lo, hi) or (np.full(lo.shape, -INF), np.full(lo.shape, INF))
    if name in ("relu", "leaky_relu", "clip", "neg", "float", "abs") or lo.size > NUMBERS:
        return low, high
    try:
        near, far = bounds(function(name, parameters, hull(lo, hi)))
    except Reject:
        return low, high
    return np.fmax(low, near), np.fmin(high, far)


def other(plan: Plan, v: int, data: dict[int, tuple[np.ndarray, np.ndarray]]) -> tuple:
    """Any other operation, on one box: by intervals, or in the arithmetic of balls."""
    node = plan.graph.nodes[v]
    args = [data[u] if u in data else bounds(plan.balls[u]) for u in node.args]
    found = rule(node, args, [u not in data and not np.any(plan.balls[u].rad) for u in node.args])
    if found is None:
        try:
            found = bounds(
                step(plan.graph, v, node, [hull(*data[u]) if u in data else plan.balls[u] for u in node.args])
            )
        except Reject:
            found = -INF, INF
    return found


def narrow(out: Boxes, u: int) -> None:
    """Ends of the argument of a ReLU that may bend, by going back."""
    low, high = out.ends[u]
    flat_low, flat_high = (e.reshape(out.count, -1).copy() for e in (low, high))
    rows = np.flatnonzero(((flat_low < 0) & (flat_high > 0)).any(axis=0))
    if not len(rows):
        return
    flat_low[:, rows] = np.maximum(flat_low[:, rows], -upper(out, u, rows, -1.0))
    flat_high[:, rows] = np.minimum(flat_high[:, rows], upper(out, u, rows, 1.0))
    out.ends[u] = flat_low.reshape(low.shape), flat_high.reshape(high.shape)


def upper(out: Boxes, v: int, rows: np.ndarray, sign: float, directions: list | None = None) -> np.ndarray:
    """Upper bounds [N, R] of ``sign`` times the entries ``rows`` of value v; ``directions`` collects the coefficients
    of the inputs, a dict for every part of the rows."""
    plan = out.plan
    widest = max(plan.size(u) for u in plan.below(v))
    many = max(1, MOST // (out.count * widest))
    found = []
    with np.errstate(all="ignore"):
        for start in range(0, len(rows), many):
            part = rows[start : start + many]
            first = np.zeros((out.count, len(part), plan.size(v)))
            first[:, np.arange(len(part)), part] = sign
            found.append(back(out, v, first.reshape(out.count, len(part), *plan.graph.shape(v)), directions))
    return np.concatenate(found, axis=1) if found else np.zeros((out.count, 0))


def dots(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sums [N, R] of g [N, R, ...] times x [N, ...] or [...]."""
    n, r = g.shape[:2]
    x = np.broadcast_to(x, (n, *g.shape[2:])).reshape(n, -1, 1)
    return (g.reshape(n, r, -1) @ x)[..., 0]


def back(out: Boxes, v: int, g: np.ndarray, directions: list | None = None) -> np.ndarray:
    """Upper bounds [N, R] of sums of g [N, R, *shape] times value v."""
    down = descend(out, v, g)
    c, slack = down.c, down.slack
    for u, part in down.coefficients.items():
        c = c + dots(part, out.mid[u]) + dots(np.abs(part), out.rad[u])
        slack = (
            slack + rounding(out, u) * dots(np.abs(part) + TINY, np.abs(out.mid[u]) + out.rad[u]) + 8 * U * np.abs(c)
        )
    if directions is not None:
        directions.append(down.coefficients)
    return finished(c, slack)


def finished(c: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """A sum and what it may have lost, as an upper bound."""
    total = c + slack * (1 + 1e-9) + 1e-290
    return np.where(np.isfinite(total), total, INF)


def rounding(out: Boxes, u: int) -> float:
    """The relative error of a sum over all entries of a value."""
    return outward(out.plan.size(u))


@dataclass
class Descent:
    """An upper bound: ``coefficients`` [N, R, *shape] of values times these, plus c plus slack, both [N, R]."""

    coefficients: dict[int, np.ndarray]
    c: np.ndarray
    slack: np.ndarray


def descend(
    out: Boxes, v: int, g: np.ndarray, slopes: dict[int, np.ndarray] | None = None, *, affine_only: bool = False
) -> Descent:
    """An upper bound of sums of g [N, R, *shape] times value v that is affine in the inputs.

    ``slopes``: for ReLUs that bend, lines of their own below every sum [N, R, *shape], between the slope and 1.
    ``affine_only``: stops at everything that is not affine, and is an equality up to the slack then.
    """
    plan = out.plan
    n, r = g.shape[:2]
    pending, c, slack = {v: g}, np.zeros((n, r)), np.zeros((n, r))
    found: dict[int, np.ndarray] = {}
    for u in reversed(plan.below(v)):
        if u not in pending:
            continue
        g, node = pending.pop(u), plan.graph.nodes[u]
        unit = rounding(out, u)
        if node.op == "input" or (affine_only and u not in plan.affine):
            found[u] = g
        elif u in plan.slope and u in out.lines:
            under, _, over, above = (w[:, None] for w in out.lines[u])
            if slopes is not None and u in slopes:
                under = np.where(above > 0, np.clip(slopes[u], plan.slope[u], 1.0), under)
            positive, negative = np.maximum(g, 0), np.minimum(g, 0)
            c = c + dots(positive, above[:, 0])
            w = node.args[0]
            slack = slack + unit * dots(np.abs(g) + TINY, above[:, 0] + out.reach(w) + TINY) + 8 * U * np.abs(c)
            slack = enter(out, pending, w, positive * over + negative * under, slack)
        elif u in plan.affine:
            made = plan.affine[u]
            unit = outward(max(plan.size(u), *(part.terms for _, part in made.parts)))
            size = dots(np.abs(g) + TINY, out.sizes[u] + TINY)
            if np.any(made.constant):
                c = c + dots(g, np.asarray(made.constant))
            for w, part in made.parts:
                reach = out.reach(w).reshape(n, -1).sum(axis=1)[:, None]
                size = size + TINY * reach
                behind = part.back(g.reshape(n * r, *g.shape[2:])).reshape(n, r, *plan.graph.shape(w))
                slack = enter(out, pending, w, behind, slack)
            if u in out.doubts:
                slack = slack + dots(np.abs(g) + TINY, out.doubts[u]) * (1 + unit)
            slack = slack + unit * size + 8 * U * np.abs(c)
        else:
            low, high = out.ends[u]
            c = c + dots(np.maximum(g, 0), high) + dots(np.minimum(g, 0), low)
            slack = slack + unit * dots(np.abs(g) + TINY, out.reach(u) + TINY) + 8 * U * np.abs(c)
    return Descent(found, c, slack)


def per_input(plan: Plan, coefficients: dict[int, np.ndarray], count: int) -> np.ndarray:
    """Coefficients of a traced batch [N, R, *shape] of every input as those of one sample of ``count`` numbers."""
    n, r = next(iter(coefficients.values())).shape[:2] if coefficients else (1, 1)
    copies = max(1, sum(plan.size(v) for v in plan.graph.inputs) // count)
    parts = []
    for v in plan.graph.inputs:
        g = coefficients.get(v, np.zeros((n, r, *plan.graph.shape(v))))
        parts.append(g.reshape(n, r, copies, -1).sum(axis=2))
    return np.concatenate(parts, axis=2)


def enter(out: Boxes, pending: dict[int, np.ndarray], u: int, g: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Adds coefficients of a value; the sum rounds."""
    if u not in pending:
        pending[u] = g
        return slack
    before = pending[u]
    pending[u] = before + g
    return slack + 4 * U * dots(np.abs(before) + np.abs(g), out.reach(u))
