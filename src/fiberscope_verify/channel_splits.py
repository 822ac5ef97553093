"""Steps that narrow what is known of a graph's values on a bounded domain, by going back through the graph.

{"step": "box", "mu"}, only for a polytope, at most once and first: multipliers of its rows that give a smaller box
around it (see `dual.tightened`), which is the box of all that follows.
{"step": "split", "map", "along", "units", "axis", "at", "left", "right"}: the argument of map number ``map`` is bounded
at ``units`` along its axis ``along`` on every leaf of the tree; on the box it lies between the least and the largest
of these bounds.
{"step": "dual", "map", "along", "units", "signs", "multipliers", "mu"}: ``signs`` times the argument is bounded below
on the domain, with these slopes of the lines below the ReLUs and multipliers of the rows (see `channel_dual`).
Later steps, and at the end the intervals of the whole graph, rest on what earlier ones found.
"""

from __future__ import annotations

import numpy as np

from .bound import leaves
from .certificate import Certificate, fields, whole
from .channel_backward import CHUNK, MOST, Ends, Plan, forward, mapped, per_input, upper
from .channel_dual import hidden, least
from .channel_ranges import Interval, maps, ranges
from .core import Graph
from .dual import Rows, tightened
from .report import Reject, need

KINDS = ("box", "split", "dual")


def learned(certificate: Certificate, graph: Graph) -> dict[int, Interval]:
    """Intervals of all values of a graph on the certificate's domain."""
    lo, hi = certificate.lo, certificate.hi
    steps = [s for s in certificate.steps if isinstance(s, dict) and s.get("step") in KINDS]
    if not steps:
        return ranges(graph, lo, hi)
    if lo is None or hi is None:
        raise Reject("only a bounded domain can be looked at in parts")
    rows = Rows(*certificate.polytope(len(lo))[2:])
    mu = None
    if steps[0].get("step") == "box":
        (name,) = fields(steps.pop(0), "box", "mu")
        need(len(rows.b) > 0, "multipliers of rows that are not there")
        mu = certificate.array(name, "f")
        need(len(mu) == 2 * len(lo) * len(rows.b), "the multipliers of the box have the wrong size")
        mu = mu.reshape(2 * len(lo), len(rows.b))
    found, order = Narrowed(graph, lo, hi, rows, mu), maps(graph)
    for step in steps:
        kind = step["step"]
        others = ("axis", "at", "left", "right") if kind == "split" else ("signs", "multipliers", "mu")
        at, along, units, *rest = fields(step, kind, "map", "along", "units", *others)
        v = order[whole(at, 0, len(order), "the number of a map")]
        along = whole(along, 0, len(graph.shape(v)), "an axis")
        units = certificate.array(units, "i")
        fit = len(np.unique(units)) == len(units) and np.all((units >= 0) & (units < graph.shape(v)[along]))
        need(len(units) > 0 and bool(fit), f"the step {kind!r} names units that are not there")
        parts = [certificate.array(n, k) for n, k in zip(rest, "ifii" if kind == "split" else "iff", strict=True)]
        if kind == "split":
            found.split(v, along, units, *parts)
        else:
            found.dual(v, along, units, *parts)
    return found.intervals()


class Narrowed:
    """Intervals ``known`` of all values of a graph on a box with rows, as steps narrow them one after the other."""

    def __init__(self, graph: Graph, lo: np.ndarray, hi: np.ndarray, rows: Rows, mu: np.ndarray | None = None):
        if mu is not None:
            lo, hi = tightened(lo, hi, rows, mu)
        self.plan, self.lo, self.hi, self.rows = Plan(graph), lo, hi, rows
        self.known: Ends = ranges(graph, lo, hi)
        self.told: dict[int, Interval] = {}

    def intervals(self) -> dict[int, Interval]:
        """Of the whole graph, with all that was told."""
        return ranges(self.plan.graph, self.lo, self.hi, self.told)

    def split(self, v: int, along: int, units: np.ndarray, *tree: np.ndarray) -> None:
        """Bounds on every leaf of a tree."""
        u = self.plan.graph.nodes[v].args[0]
        rows = places(self.plan, u, along, units).reshape(-1)
        low, high, _ = ends(self.plan, self.known, u, rows, *leaves(self.lo, self.hi, *tree))
        self.tell(v, rows, low.min(axis=0), high.max(axis=0))

    def dual(
        self, v: int, along: int, units: np.ndarray, signs: np.ndarray, multipliers: np.ndarray, mu: np.ndarray
    ) -> None:
        """Bounds from multipliers, row by row."""
        u = self.plan.graph.nodes[v].args[0]
        at = places(self.plan, u, along, units)
        count, width = at.size, sum(self.plan.size(w) for w in hidden(self.plan, u))
        need(len(signs) == len(units) and bool(np.all(np.abs(signs) == 1)), "a sign is 1 or -1, one for every unit")
        fit = len(multipliers) == count * width and len(mu) == count * len(self.rows.b)
        need(fit, "the multipliers have the wrong size")
        sides, rows = np.repeat(signs, at.shape[1]), at.reshape(-1)
        multipliers, mu = multipliers.reshape(count, width), mu.reshape(count, len(self.rows.b))
        low = least(self.plan, self.known, u, rows, sides, self.lo, self.hi, self.rows, multipliers, mu)
        self.tell(v, rows, np.where(sides > 0, low, -np.inf), np.where(sides < 0, -low, np.inf))

    def tell(self, v: int, rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Bounds of entries of the argument of a map."""
        node = self.plan.graph.nodes[v]
        u = node.args[0]
        shape = self.plan.graph.shape(u)
        near, far = (np.array(np.broadcast_to(e, shape)).reshape(-1) for e in self.known[u])
        near[rows], far[rows] = np.maximum(near[rows], low), np.minimum(far[rows], high)
        self.known[u] = self.told[u] = near.reshape(shape), far.reshape(shape)
        image = mapped(node, *self.known[u])
        self.known[v] = np.maximum(self.known[v][0], image[0]), np.minimum(self.known[v][1], image[1])


def places(plan: Plan, u: int, along: int, units: np.ndarray) -> np.ndarray:
    """The entries [units, places] of a value that belong to units along an axis."""
    shape = plan.graph.shape(u)
    return np.moveaxis(np.arange(plan.size(u)).reshape(shape), along, 0)[units].reshape(len(units), -1)


def ends(
    plan: Plan, known: Ends, u: int, rows: np.ndarray, lows: np.ndarray, highs: np.ndarray, *, spread: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper bounds [N, R] of entries of a value on N boxes; with ``spread`` also the coefficients of the
    inputs in both forms [N, 2 R, n], else nothing there."""
    low, high, directions = [], [], []
    widest = max(plan.size(w) for w in plan.below(u))
    many = max(1, min(CHUNK, MOST // (8 * widest)))
    for start in range(0, len(lows), many):
        part = slice(start, start + many)
        here = forward(plan, lows[part], highs[part], known, u)
        near, far = (e.reshape(here.count, -1)[:, rows] for e in here.ends[u])
        found: list = []
        low.append(np.maximum(near, -upper(here, u, rows, -1.0, found if spread else None)))
        high.append(np.minimum(far, upper(here, u, rows, 1.0, found if spread else None)))
        if spread:
            shape = here.count, len(rows), lows.shape[1]  # also where no coefficient reaches an input
            directions.append(np.concatenate([np.broadcast_to(per_input(plan, g, shape[2]), shape) for g in found], 1))
    return np.concatenate(low), np.concatenate(high), np.concatenate(directions) if spread else np.zeros(0)
