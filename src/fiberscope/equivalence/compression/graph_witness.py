"""On which sides of its threshold a unit of a graph has been seen, at inputs of the domain, rounding counted.

The checker's intervals at a point hold the true value: a unit counts as positive only where its whole interval is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.carrying_maps import MapOfUnits
from fiberscope.equivalence.domain import Domain

NUMBERS = 1 << 22
"""So many values are held at once."""
FIRST, ENOUGH, MOST = 2, 512, 8192
STARTS, STEPS = 4, 20


class UnitSides:
    """What was seen of the units of every map: ``positive[i]``, ``negative[i]`` before a ReLU; after any other map the
    least upper end and the largest lower end of a value."""

    def __init__(self, plan: Any, maps: Sequence[MapOfUnits], domain: Domain, *, seed: int) -> None:
        self.plan, self.maps, self.domain = plan, maps, domain
        self.rng = np.random.default_rng(seed)
        widths = [plan.graph.shape(m.value)[m.along] for m in maps]
        self.positive, self.negative = ([np.zeros(w, dtype=bool) for w in widths] for _ in "ab")
        self.least_high, self.most_low = [np.full(w, np.inf) for w in widths], [np.full(w, -np.inf) for w in widths]
        self.values = [m.value for m in maps]
        widest = max((plan.size(v) for v in plan.below(*self.values)), default=1)
        self.chunk = max(1, min(1024, NUMBERS // widest))
        self.pool = np.zeros((0, len(domain.integer)))
        self.cost = 0.0  # seconds for one value at one point

    def bends(self, i: int) -> bool:
        """Whether map i is a (leaky) ReLU."""
        return self.maps[i].value in self.plan.slope

    def refuted(self, i: int) -> np.ndarray:
        """Units that are neither constant nor, after a ReLU, linear."""
        if self.bends(i):
            return self.positive[i] & self.negative[i]
        return self.most_low[i] > self.least_high[i]

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Those of the points that lie in the domain beyond doubt."""
        cut = self.domain.polytope
        points = self.domain.clip(points)
        if cut is None:
            return points
        points = cut.centre + (points - cut.centre) * (1.0 - 2.0**-40)
        points = np.clip(points, cut.lo, cut.hi)
        size = np.abs(points) @ np.abs(cut.G).T + np.abs(cut.h)
        return points[np.all(points @ cut.G.T + 2.0**-44 * size <= cut.h, axis=1)]

    def sample(self, stop: float) -> None:
        """Points of the domain, more and more while they still refute something and there is time."""
        count, before = FIRST, -1
        while count <= MOST and time.perf_counter() < stop:
            self.see(self.domain.sample(self.rng, count), stop)
            seen = sum(int(self.refuted(i).sum() + self.positive[i].sum()) for i in range(len(self.maps)))
            if seen == before and count >= ENOUGH:
                break
            count, before = 4 * count, seen

    def see(self, points: np.ndarray, stop: float = np.inf) -> None:
        """Values at the points that lie in the domain."""
        points = self.inside(points)
        for start in range(0, len(points), self.chunk):
            part = points[start : start + self.chunk]
            self.note(self.at(part, self.values))
            if len(self.pool) < 256:
                self.pool = np.concatenate([self.pool, part])
            if time.perf_counter() > stop:
                break

    def at(self, points: np.ndarray, values: list[int]) -> Any:
        """The checker's intervals at points."""
        from fiberscope_verify.channel_backward import forward

        start = time.perf_counter()
        found = forward(self.plan, points, points, None, *values, refine=False)
        self.cost = (time.perf_counter() - start) / (len(points) * self.work(values))
        return found

    def work(self, values: list[int]) -> int:
        """How many numbers these values rest on."""
        return sum(self.plan.size(v) for v in self.plan.below(*values))

    def affordable(self, values: list[int], stop: float) -> int:
        """How many points there is time for."""
        return int(max(stop - time.perf_counter(), 0.0) / max(self.cost * self.work(values), 1e-9))

    def note(self, found: Any) -> None:
        for i, m in enumerate(self.maps):
            after = m.value not in self.plan.slope
            ends = found.ends[m.value if after else self.plan.graph.nodes[m.value].args[0]]
            low, high = (np.moveaxis(e, m.along + 1, 0).reshape(e.shape[m.along + 1], -1) for e in ends)
            if after:
                self.most_low[i] = np.maximum(self.most_low[i], low.max(axis=1))
                self.least_high[i] = np.minimum(self.least_high[i], high.min(axis=1))
            else:
                self.positive[i] |= (low > 0).any(axis=1)
                self.negative[i] |= (high < 0).any(axis=1)

    def push(self, i: int, units: np.ndarray, stop: float) -> None:
        """Gradient ascent from the nearest points, to see these units of a ReLU on the other side."""
        m = self.maps[i]
        u = self.plan.graph.nodes[m.value].args[0]
        points = min(256, self.chunk, self.affordable([u], stop) // 4)
        if not len(self.pool) or self.domain.integer.any() or points < STARTS:
            return
        rows = self.rows(i, units)
        pool = self.pool[:points]
        low, high = (e.reshape(len(pool), -1) for e in self.at(pool, [u]).ends[u])
        sign = np.where(self.positive[i][units], -1.0, 1.0)
        level = sign[:, None, None] * np.moveaxis((0.5 * low + 0.5 * high)[:, rows], 0, 1)  # [units, points, places]
        best = np.argsort(-level.reshape(len(units), -1), axis=1)[:, :STARTS]
        points, at = np.unravel_index(best, level.shape[1:])
        starts, row = pool[points.reshape(-1)], np.take_along_axis(rows, at, axis=1).reshape(-1)
        signs = np.repeat(sign, points.shape[1])
        start = 0
        while start < len(starts) and time.perf_counter() < stop:
            many = max(1, min(self.chunk, self.affordable([u], stop) // STEPS))
            part = slice(start, start + many)
            self.climb(u, starts[part], row[part], signs[part], stop)
            start += many

    def climb(self, u: int, x: np.ndarray, rows: np.ndarray, signs: np.ndarray, stop: float) -> None:
        """Projected ascent of ``signs`` times one entry of value u from every start, with steps that adapt."""
        each = np.arange(len(x))
        lo, hi = self.domain.box  # type: ignore[misc]
        reach = np.broadcast_to(0.25 * (hi - lo), x.shape).copy()

        def height(points: np.ndarray) -> tuple[np.ndarray, Any]:
            found = self.at(points, [u])
            low, high = (e.reshape(len(points), -1)[each, rows] for e in found.ends[u])
            return np.nan_to_num(signs * (0.5 * low + 0.5 * high), nan=-np.inf, posinf=-np.inf, neginf=-np.inf), found

        best, found = height(x)
        direction = self.gradient(found, u, rows, signs)
        for _ in range(STEPS):
            if time.perf_counter() > stop:
                break
            largest = np.abs(direction).max(axis=1, keepdims=True)
            trial = self.domain.clip(x + reach * direction / np.where(largest > 0, largest, 1.0))
            at, found = height(trial)
            better = at > best
            x, best = np.where(better[:, None], trial, x), np.where(better, at, best)
            reach = np.where(better[:, None], reach * 1.3, reach * 0.4)
            if better.any():
                direction = np.where(better[:, None], self.gradient(found, u, rows, signs), direction)
        self.see(x)

    def gradient(self, found: Any, u: int, rows: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Gradients of single entries of a value at points."""
        from fiberscope_verify.channel_backward import back, per_input

        seed = np.zeros((found.count, 1, self.plan.size(u)))
        seed[np.arange(found.count), 0, rows] = signs
        out: list = []
        back(found, u, seed.reshape(found.count, 1, *self.plan.graph.shape(u)), out)
        return np.nan_to_num(per_input(self.plan, out[0], len(self.domain.integer))[:, 0])

    def rows(self, i: int, units: np.ndarray) -> np.ndarray:
        """The entries [units, places] of the argument of map i."""
        from fiberscope_verify.channel_splits import places

        m = self.maps[i]
        return places(self.plan, self.plan.graph.nodes[m.value].args[0], m.along, units)
