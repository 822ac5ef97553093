"""Stored numbers and constant units of a walk that keeps deviations: a float64 nearby, and how far it may be off."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .ball import Ball, U, function
from .channel_combinations import Pieces, with_stored
from .channel_constants import Constants, rows
from .channel_near_sums import near_mapped
from .channel_ranges import constant
from .channel_slack import Slip, Use, above
from .channels import CONSTANT, ONE, OPEN, ZERO, Operand, Relation, along, map_rule, same
from .core import Graph, Node
from .exact import rational, rational_to_float
from .laws import exact_value
from .report import Reject, need

Near = tuple[np.ndarray, np.ndarray]
Entry = tuple[int, fmpq, fmpq, float, float]
"""Unit, scale, shift, and by how much this deviates: see `Slip`."""
CANCELLED = fmpq(1, 1 << 18)
"""A sum of two numbers that is no more than this part of them is dropped: what rounding leaves."""
UNKNOWN: Entry = (OPEN, ONE, ZERO, 0.0, 0.0)


class NearConstants:
    """Constant values of one graph as (float64, radius); the radius is 0 where the float64 is the value."""

    def __init__(self, graph: Graph, exact: Constants):
        self.graph, self.exact = graph, exact
        self.balls: dict[int, Ball] = {}

    def value(self, v: int) -> Near:
        try:
            array = self.exact.value(v)
        except Reject:
            array = np.empty(0, dtype=object)
        if array.dtype != object:
            return array, np.zeros(array.shape)
        found = self.ball(v)
        need(bool(np.all(np.isfinite(found.mid)) and np.all(np.isfinite(found.rad))), "a constant is not bounded")
        return found.mid, found.rad

    def ball(self, v: int) -> Ball:
        if v not in self.balls:
            for u in self.graph.nodes[v].args:
                self.ball(u)
            self.balls[v] = constant(self.graph, v, self.balls)
        return self.balls[v]


def image(name: str, parameters: tuple[str, ...], c: fmpq) -> tuple[fmpq, float] | None:
    """A function's value at a rational: a number nearby, and how far it may be off."""
    value = exact_value(name, parameters, c)
    if value is not None:
        return value, 0.0
    near = rational_to_float(c)
    at = Ball(np.array([near]), np.array([above(c - rational(near))]))
    try:
        ball = function(name, [float.fromhex(p) for p in parameters], at)
    except Reject:
        return None
    mid, rad = float(ball.mid[0]), float(ball.rad[0])
    return (rational(mid), rad) if np.isfinite(mid) and np.isfinite(rad) else None


def near_map(node: Node, entering: Relation | None, value: int, use: Use, linear: Pieces) -> Relation | None:
    """An elementwise function; the image of a constant may be a number nearby (``value``: the argument in b).

    ``linear``: units of a that it treats linearly, so that sums of several units pass."""
    name, parameters = node.attrs[0], node.attrs[1:]
    relation = map_rule(entering, name, parameters)
    if relation is None or entering is None:
        return relation
    unit, shift, plus = relation.unit.copy(), relation.shift.copy(), np.zeros(len(relation.unit))
    for i in np.flatnonzero((entering.unit == CONSTANT) & (relation.unit == OPEN)):
        found = image(name, parameters, entering.shift[i])
        if found is not None:
            unit[i], shift[i], plus[i] = CONSTANT, *found
    use.slip(None, Slip(value, relation.axis, unit, plus * 0, plus))
    sums, use.carried = near_mapped(entering, name, parameters, linear)
    return Relation(relation.axis, unit, relation.scale, shift, sums)


def tidied(relation: Relation, value: int, use: Use) -> Relation:
    """Scales and shifts as float64, a scale next to 1 or -1 as that; what is lost is kept.

    Multiples of fractions would grow at every operation; and scales that undo each other up to rounding are 1.
    """
    scale, shift = relation.scale.copy(), relation.shift.copy()
    by, plus = np.zeros(len(scale)), np.zeros(len(scale))
    for i, u in enumerate(relation.unit.tolist()):
        if u == OPEN:
            continue
        if u >= 0:
            near = rational_to_float(scale[i])
            near = float(np.round(near)) if abs(abs(near) - 1) < 2.0**-40 else near
            need(near != 0, "a scale is too small")
            by[i] = above(scale[i] - rational(near))
            scale[i] = rational(near)
        near = rational_to_float(shift[i])
        plus[i] = above(shift[i] - rational(near))
        shift[i] = rational(near)
    use.slip(None, Slip(value, relation.axis, relation.unit, by, plus))
    return Relation(relation.axis, relation.unit, scale, shift, relation.sums)


def near_pointwise(
    op: str, data: Operand, x: Near, y: Near, rank: int, use: Use, value: int, of: int | None = None
) -> Relation | None:
    """add, mul, max, min of a value (``value`` in b) and numbers x of a and y of b; ``of``: see `Use.slip`."""
    alike = x[0].shape == y[0].shape and bool(np.all(x[0] == y[0])) and not np.any(x[1]) and not np.any(y[1])
    if alike and data.equal:
        return None
    axis = data.relation.axis + rank - len(data.shape) if data.relation is not None else cut_axis(x[0], y[0], rank)
    left = along(data, axis, rank)
    if left is None:
        need(x[0].shape == y[0].shape, "numbers of different shapes")
        left = same(axis, x[0].shape[axis - rank])
    tables = [rows(a, axis, rank) for a in (*x, *y)]
    entries = []
    for i, (u, s, c) in enumerate(zip(left.unit.tolist(), left.scale, left.shift, strict=True)):
        xs, rx = tables[0].of(i), float(tables[1].of(i).max())
        ys, ry = (tables[2].of(u), float(tables[3].of(u).max())) if u >= 0 else (xs[:1], 0.0)
        entries.append(near_entry(op, u, s, c, xs, rx, ys, ry))
    scale, shift = np.empty(len(entries), dtype=object), np.empty(len(entries), dtype=object)
    scale[:], shift[:] = [e[1] for e in entries], [e[2] for e in entries]
    unit = np.array([e[0] for e in entries], dtype=np.int64)
    by, plus = (np.array([e[k] for e in entries]) for k in (3, 4))
    use.slip(of, Slip(value, axis, unit, by, plus))
    stored = not np.any(x[1]) and not np.any(y[1])
    sums = with_stored(op, left.sums, tables[0].of, tables[2].of) if stored else {}
    return Relation(axis, unit, scale, shift, sums)


def cut_axis(x: np.ndarray, y: np.ndarray, rank: int) -> int:
    """An axis along which stored numbers differ."""
    shape = [max(p, q) for p, q in zip(*((1,) * (rank - a.ndim) + a.shape for a in (x, y)), strict=True)]
    return int(np.argmax(shape)) if max(shape, default=1) > 1 else rank - 1


def near_entry(op: str, u: int, s: fmpq, c: fmpq, x: np.ndarray, rx: float, y: np.ndarray, ry: float) -> Entry:
    """a = s b + c, with numbers x (up to rx) in a and y (up to ry) in b; rows of floats."""
    if op == "mul" and rx == 0 and not np.any(x):
        return CONSTANT, ONE, ZERO, 0.0, 0.0
    if u == OPEN:
        return UNKNOWN
    size_s, size_c, first = above(s), above(c), rational(x[0])
    if u == CONSTANT:
        spread = widest(np.abs(x - x[0]) * (1 + 4 * U)) + rx
        if op == "mul":
            return CONSTANT, ONE, c * first, 0.0, up(size_c * spread)
        value = {"add": c + first, "max": max(c, first), "min": min(c, first)}[op]
        return CONSTANT, ONE, value, 0.0, up(spread)
    one, other = rational(x[0]), rational(y[0])
    if op == "mul":
        k = int(np.argmax(np.abs(y)))
        if y[k] == 0:
            return UNKNOWN
        t = rational(x[k % len(x)]) / rational(y[k])
        if t == 0:
            return UNKNOWN
        spread = residue(x, y, t, ZERO) + rx + above(t) * ry
        middle = up(size_c * (widest(np.abs(x - x[0]) * (1 + 4 * U)) + rx))
        return u, s * t, c * first, up(size_s * spread), middle
    d = one - s * other
    spread = up(residue(x, y, s, d) + rx + size_s * ry)
    if op == "add":
        total = c + d
        if abs(total) <= CANCELLED * max(abs(c), abs(d)):
            return u, s, ZERO, 0.0, up(spread + above(total))
        return u, s, total, 0.0, spread
    return (u, s, c, 0.0, up(spread + above(d - c))) if s > 0 else UNKNOWN


def residue(x: np.ndarray, y: np.ndarray, t: fmpq, d: fmpq) -> float:
    """The largest |x - t y - d|, rounded up; exact for one number."""
    if len(x) == 1 == len(y):
        return above(rational(x[0]) - t * rational(y[0]) - d)
    near, plus = rational_to_float(t), rational_to_float(d)
    off = above(t - rational(near)) * np.abs(y) + above(d - rational(plus))
    size = np.abs(x) + np.abs(near * y) + abs(plus)
    gap = np.abs(x - near * y - plus) + 8 * U * size + off + 1e-300
    exact = (d == 0) & (t == 1) & (x == y)
    return widest(np.where(exact, 0.0, gap * (1 + 8 * U)))


def widest(x: np.ndarray) -> float:
    return float(x.max(initial=0.0))


def up(x: float) -> float:
    """A nonnegative result of a few roundings, rounded up; 0 stays 0."""
    return x * (1 + 32 * U) + 1e-300 if x > 0 else 0.0
