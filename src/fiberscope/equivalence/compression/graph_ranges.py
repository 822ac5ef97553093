"""Which units of a graph are dead, constant or linear on a box, by ranges that the checker finds again.

Samples refute what they can. What is left is bounded by intervals and linear forms on the whole box, then by going back
from each unit, then, when inputs are few, by the same on the parts of a bisection of the box, then by a linear program
per place, which knows the rows of a polytope too. What no bound decides and no sample refutes is open.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.bisection import Claim, prove
from fiberscope.equivalence.compression.carrying_maps import MapOfUnits, maps_of_units
from fiberscope.equivalence.compression.graph_program import GraphProgram, fits
from fiberscope.equivalence.compression.graph_witness import UnitSides
from fiberscope.equivalence.compression.ledger import open_sizes
from fiberscope.equivalence.compression.proof import reading
from fiberscope.equivalence.compression.splits import Dual, Narrowing, Split, narrowing_of
from fiberscope.equivalence.domain import Domain

if TYPE_CHECKING:
    from fiberscope.network import Network

ROUNDS = (1, 32, 256, 2_000, 16_000)
"""Largest number of leaves of the trees of each round."""
FEW_INPUTS = 8
"""With more inputs than this a box is not cut."""
WORK = 1 << 31
"""Rows times values below: more is not bounded by going back."""
SPLITTING = 0.7
"""The part of a map's time after which programs begin."""
LOOK = 0.1
"""The part of the budget for samples."""


@dataclass(eq=False)
class Settled:
    """``narrowing``: the steps that decide, ``known``: intervals of all values after these; ``open[i]``: units of
    ``maps[i]`` that are neither proved nor refuted; ``methods``: how many units of ReLUs each way decided first."""

    maps: Sequence[MapOfUnits] = ()
    narrowing: Narrowing | None = None
    known: dict | None = None
    open: list[np.ndarray] = field(default_factory=list)
    methods: dict[str, int] = field(default_factory=dict)


def settle(net: Network, domain: Domain, *, seconds: float, seed: int, say: Callable[[str], None]) -> Settled | None:
    """Decide what can be decided within ``seconds``; None where the checker cannot read the graph."""
    from fiberscope_verify.channel_splits import Narrowed
    from fiberscope_verify.lower import lower
    from fiberscope_verify.report import Reject

    assert domain.box is not None
    try:
        model = reading(net)
        graph = lower(model, open_sizes(net))
        maps = maps_of_units(net, model, graph)
        if not maps:
            return Settled()
        narrowing = narrowing_of(domain.polytope, len(domain.integer))
        found = Narrowed(graph, *domain.box, narrowing.rows, narrowing.mu)
        return Settling(found, narrowing, maps, domain, seconds=seconds, seed=seed, say=say).run()
    except Reject as reason:
        say(f"no ranges for this graph: {reason}")
        return None


class Settling:
    """The work on one graph; ``told`` is what the checker knows after the steps of ``narrowing``."""

    def __init__(
        self,
        told: Any,
        narrowing: Narrowing,
        maps: Sequence[MapOfUnits],
        domain: Domain,
        *,
        seconds: float,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self.told, self.maps, self.say = told, maps, say
        self.plan, self.known, self.lo, self.hi = told.plan, told.known, told.lo, told.hi
        self.seconds, self.stop = seconds, time.perf_counter() + seconds
        self.sides = UnitSides(self.plan, maps, domain, seed=seed)
        self.found, self.narrowing = Settled(maps, narrowing), narrowing

    def run(self) -> Settled:
        """Map after map, in the order of the graph."""
        self.sides.sample(time.perf_counter() + LOOK * self.seconds)
        for i in range(len(self.maps)):
            left = self.stop - time.perf_counter()
            if self.sides.bends(i):
                self.one(i, time.perf_counter() + max(left, 0.0) / (len(self.maps) - i))
        if self.narrowing.steps:
            self.known = self.told.intervals()
        self.found.known = self.known
        self.found.open = [self.undecided(i) for i in range(len(self.maps))]
        return self.found

    def argument(self, i: int) -> int:
        return self.plan.graph.nodes[self.maps[i].value].args[0]

    def undecided(self, i: int) -> np.ndarray:
        """Units of map i that are neither proved nor refuted."""
        return np.flatnonzero(~(self.decided(i) | self.sides.refuted(i)))

    def decided(self, i: int) -> np.ndarray:
        """Units that are constant after the map, or on one side of a ReLU's threshold everywhere."""
        from fiberscope_verify.channel_ranges import steady

        m = self.maps[i]
        done = np.zeros(self.plan.graph.shape(m.value)[m.along], dtype=bool)
        done[list(steady(self.known[m.value], m.along))] = True
        low, high = self.ends(i)
        done |= ((low == high) & (low == low[:, :1])).all(axis=1)  # constant before it, and so after it
        if self.sides.bends(i):
            done |= (low >= 0).all(axis=1) | (high <= 0).all(axis=1)
        return done

    def ends(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """What is known of the argument of map i, per unit and place."""
        shape, along = self.plan.graph.shape(self.argument(i)), self.maps[i].along
        low, high = (np.broadcast_to(e, shape) for e in self.known[self.argument(i)])
        return tuple(np.moveaxis(e, along, 0).reshape(shape[along], -1) for e in (low, high))  # type: ignore[return-value]

    def one(self, i: int, stop: float) -> None:
        """Every way in its turn until nothing of map i is open or time is up."""
        units = self.undecided(i)
        if len(units):
            self.sides.push(i, units, stop)
        few, cut = len(self.lo) <= FEW_INPUTS, len(self.narrowing.h) > 0
        soon = time.perf_counter() + SPLITTING * (stop - time.perf_counter())
        for most in ROUNDS[:1] if not few else ROUNDS[:2] if cut else ROUNDS:
            units = self.undecided(i)
            if not len(units) or time.perf_counter() > soon:
                break
            self.split(i, units, most, soon)
            self.tell(i)
        self.programs(i, stop)

    def tell(self, i: int) -> None:
        self.say(f"{self.maps[i].weight}: {len(self.undecided(i))} of {len(self.decided(i))} units open")

    def programs(self, i: int, stop: float) -> None:
        """One program for every place of every open unit, the unit given up at the first place that fails."""
        from fiberscope_verify.channel_splits import places
        from fiberscope_verify.report import Reject

        m, u = self.maps[i], self.argument(i)
        units = self.undecided(i)
        deep = any(w in self.plan.slope for w in self.plan.below(u))
        cut = len(self.narrowing.h) > 0
        if not len(units) or not (deep or cut) or not fits(self.plan, u, len(self.lo)) or time.perf_counter() > stop:
            return
        program = GraphProgram(self.plan, self.known, u, self.lo, self.hi, self.narrowing.G, self.narrowing.h)
        for unit in units.tolist():
            sign = 1 if self.sides.positive[i][unit] else -1
            answers = []
            for row in places(self.plan, u, m.along, np.array([unit])).reshape(-1).tolist():
                answer = program.minimise(row, sign, stop - time.perf_counter())
                if answer is None or answer.value < 0:
                    if answer is not None:
                        self.sides.see(answer.x[None])
                    break
                answers.append(answer)
            else:
                slopes, mu = (np.array([getattr(a, k) for a in answers]) for k in ("slopes", "mu"))
                one = np.array([unit], dtype=np.int64), np.array([sign], dtype=np.int64)
                step = Dual(m.map, m.along, *one, slopes, mu)
                before = self.decided(i)
                with contextlib.suppress(Reject):
                    self.told.dual(m.value, m.along, *step.arrays().values())
                    self.note(i, step, "programs", before)
            if time.perf_counter() > stop:
                break
        self.tell(i)

    def note(self, i: int, step: Split | Dual, word: str, before: np.ndarray) -> None:
        """A step that was told."""
        count = int((self.decided(i) & ~before).sum())
        if count:
            self.found.methods[word] = self.found.methods.get(word, 0) + count
        self.narrowing.steps.append(step)

    def split(self, i: int, units: np.ndarray, most: int, stop: float) -> None:
        """One tree of at most ``most`` leaves for all these units."""
        from fiberscope_verify.channel_splits import ends, places

        m, u, n = self.maps[i], self.argument(i), len(self.lo)
        per_unit = len(self.sides.rows(i, units[:1])[0])
        values = sum(self.plan.size(v) for v in self.plan.below(u))
        if len(units) * per_unit * values > WORK:
            return

        def bound(asked: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            rows = places(self.plan, u, m.along, asked)
            low, high, g = ends(self.plan, self.known, u, rows.reshape(-1), lo, hi, spread=most > 1)
            low, high = (e.reshape(len(lo), *rows.shape) for e in (low, high))
            spread = np.zeros((len(lo), len(asked), n))
            if most > 1:
                size = np.abs(g).reshape(len(lo), 2, *rows.shape, n).sum(axis=(1, 3))
                spread = size * (hi - lo)[:, None, :]
            return low.min(axis=2), high.max(axis=2), spread

        def look(points: np.ndarray) -> np.ndarray:
            self.sides.see(points)
            return self.sides.refuted(i)

        signs = np.where(self.sides.positive[i][units], 1, -1)
        for claim in prove(bound, i, units, signs, self.lo, self.hi, most, stop, look):
            self.learn(i, claim)

    def learn(self, i: int, claim: Claim) -> None:
        """What a tree shows, by the checker's own step."""
        before, m = self.decided(i), self.maps[i]
        step = Split(m.map, m.along, claim.units, claim.tree)
        self.told.split(m.value, m.along, *step.arrays().values())
        self.note(i, step, "linear bounds" if claim.leaves == 1 else "splitting", before)
