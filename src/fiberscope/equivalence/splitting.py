"""Prove ``max |a - b| <= tol`` on a box by splitting it until a rigorous bound holds on every part.

The search bound (``bounds``) decides where to split; a part is a leaf only when ``fiberscope_verify``'s own rigorous
bound accepts it. The result is the bisection tree of a "bound" certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.bounds import can_bound, difference
from fiberscope.equivalence.chain import Chain

ADVANCE = 16.0
"""The checker's bound (it goes back through the relaxations) is asked once the search bound is this near the goal."""

Bound = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Splitting:
    """``proved``: every leaf is within the tolerance; ``bound`` is the largest bound of a leaf or of an open part."""

    proved: bool
    bound: float
    tree: dict[str, np.ndarray]
    leaves: int
    seconds: float


def split(
    a: Chain,
    b: Chain,
    low: np.ndarray,
    high: np.ndarray,
    tol: float,
    *,
    rigorous: Bound,
    deadline: float,
    most: int = 1_000_000,
) -> Splitting:
    """Split ``[low, high]`` depth first, many boxes at a time, until proved, out of time, or out of nodes.

    ``rigorous(lo[N, n], hi[N, n]) -> float[N]`` is the bound that counts.
    """
    start = time.perf_counter()
    steer = can_bound(a) and can_bound(b)
    chunk = _chunk(a, b)
    axis: list[int] = []
    at: list[float] = []
    left: list[int] = []
    right: list[int] = []
    # open parts: box, and the place in the tree that points to it (parent, side)
    boxes_low, boxes_high = [low], [high]
    places: list[tuple[int, int]] = [(-1, 0)]
    worst, leaves, stuck = 0.0, 0, False
    while places:
        count = min(chunk, len(places))
        lows, highs = np.array(boxes_low[-count:]), np.array(boxes_high[-count:])
        ends = places[-count:]
        del boxes_low[-count:], boxes_high[-count:], places[-count:]
        value, spread = _steering(a, b, lows, highs, steer)
        promising = value <= ADVANCE * tol
        if promising.any() or not steer:
            chosen = np.flatnonzero(promising) if steer else np.arange(count)
            value = value.copy()
            value[chosen] = rigorous(lows[chosen], highs[chosen])
        done = value <= tol
        late = time.perf_counter() > deadline or len(axis) + 2 * (count + len(places)) > most
        for i in range(count):
            if done[i]:
                worst = max(worst, float(value[i]))
                leaves += 1
                _point(left, right, ends[i], -leaves)
                continue
            axis_i = int(spread[i].argmax())
            middle = 0.5 * (lows[i, axis_i] + highs[i, axis_i])
            if late or stuck or not lows[i, axis_i] < middle < highs[i, axis_i]:
                stuck = True
                worst = max(worst, float(value[i]) if np.isfinite(value[i]) else np.inf)
                continue
            node = len(axis)
            axis.append(axis_i)
            at.append(float(middle))
            left.append(0)
            right.append(0)
            _point(left, right, ends[i], node)
            for side in (0, 1):
                part_low, part_high = lows[i].copy(), highs[i].copy()
                (part_high if side == 0 else part_low)[axis_i] = middle
                boxes_low.append(part_low)
                boxes_high.append(part_high)
                places.append((node, side))
        if stuck:
            rest = np.array(boxes_low), np.array(boxes_high)
            for first in range(0, min(len(places), 20_000), chunk):
                part = slice(first, first + chunk)
                worst = max(worst, float(_steering(a, b, rest[0][part], rest[1][part], steer)[0].max()))
            if len(places) > 20_000:
                worst = np.inf
            break
    tree = {
        "axis": np.array(axis, dtype=np.int64),
        "at": np.array(at, dtype=np.float64),
        "left": np.array(left, dtype=np.int64),
        "right": np.array(right, dtype=np.int64),
    }
    return Splitting(not stuck, worst, tree, leaves, time.perf_counter() - start)


def _point(left: list[int], right: list[int], place: tuple[int, int], target: int) -> None:
    parent, side = place
    if parent >= 0:
        (left if side == 0 else right)[parent] = target


def _steering(a: Chain, b: Chain, lows: np.ndarray, highs: np.ndarray, steer: bool) -> tuple[np.ndarray, np.ndarray]:
    if steer:
        return difference(a, b, lows, highs)
    return np.full(len(lows), np.inf), highs - lows


def _chunk(a: Chain, b: Chain) -> int:
    """How many boxes fit into about 64 MB of symbolic bounds."""
    per_box = 8 * 8 * max(*a.widths, *b.widths) * (a.widths[0] + 1)
    return max(1, min(512, 64_000_000 // per_box))
