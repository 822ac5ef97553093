"""Steps that narrow what is known of a graph's values on a box, by going back on the parts of a bisection of it.

{"step": "split", "map", "along", "units", "axis", "at", "left", "right"}: the argument of map number ``map`` is bounded
at ``units`` along its axis ``along`` on every leaf of the tree; on the box it lies between the least and the largest of
these bounds. Later steps, and at the end the intervals of the whole graph, rest on what earlier ones found.
"""

from __future__ import annotations

import numpy as np

from .bound import leaves
from .certificate import Certificate, fields, whole
from .channel_backward import CHUNK, MOST, Ends, Plan, forward, mapped, per_input, upper
from .channel_ranges import Interval, maps, ranges
from .core import Graph
from .report import Reject, need


def learned(certificate: Certificate, graph: Graph) -> dict[int, Interval]:
    """Intervals of all values of a graph on the certificate's domain."""
    lo, hi = certificate.lo, certificate.hi
    known = ranges(graph, lo, hi)
    steps = [s for s in certificate.steps if isinstance(s, dict) and s.get("step") == "split"]
    if not steps:
        return known
    if lo is None or hi is None:
        raise Reject("only a box can be split")
    order, found = maps(graph), []
    for step in steps:
        at, along, units, *tree = fields(step, "split", "map", "along", "units", "axis", "at", "left", "right")
        v = order[whole(at, 0, len(order), "the number of a map")]
        along = whole(along, 0, len(graph.shape(v)), "an axis")
        units = certificate.array(units, "i")
        fit = len(np.unique(units)) == len(units) and np.all((units >= 0) & (units < graph.shape(v)[along]))
        need(len(units) > 0 and bool(fit), "the step 'split' names units that are not there")
        parts = [certificate.array(name, kind) for name, kind in zip(tree, "ifii", strict=True)]
        found.append((v, along, units, parts))
    return narrowed(graph, lo, hi, known, found)


def narrowed(graph: Graph, lo: np.ndarray, hi: np.ndarray, known: Ends, splits: list[tuple]) -> Ends:
    """``known`` after splits in turn, each (map, along, units, tree)."""
    plan, told = Plan(graph), dict[int, Interval]()
    for v, along, units, tree in splits:
        told[graph.nodes[v].args[0]] = tell(plan, known, v, along, units, *leaves(lo, hi, *tree))
    return ranges(graph, lo, hi, told)


def tell(
    plan: Plan, known: Ends, v: int, along: int, units: np.ndarray, lows: np.ndarray, highs: np.ndarray
) -> Interval:
    """The interval of the argument of map v on all leaves together; ``known`` is narrowed by it."""
    node = plan.graph.nodes[v]
    u = node.args[0]
    rows = places(plan, u, along, units).reshape(-1)
    low, high, _ = ends(plan, known, u, rows, lows, highs)
    shape = plan.graph.shape(u)
    near, far = (np.array(np.broadcast_to(e, shape)).reshape(-1) for e in known[u])
    near[rows], far[rows] = np.maximum(near[rows], low.min(axis=0)), np.minimum(far[rows], high.max(axis=0))
    known[u] = near.reshape(shape), far.reshape(shape)
    image = mapped(node, *known[u])
    known[v] = np.maximum(known[v][0], image[0]), np.minimum(known[v][1], image[1])
    return known[u]


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
            directions.append(np.concatenate([per_input(plan, g, lows.shape[1]) for g in found], axis=1))
    return np.concatenate(low), np.concatenate(high), np.concatenate(directions) if spread else np.zeros(0)
