"""Which units of a graph are dead, constant or linear on a box, by ranges that the checker finds again.

Samples refute what they can. What is left is bounded by intervals and linear forms on the whole box, then by going back
from each unit, then, when inputs are few, by the same on the parts of a bisection of the box. What no bound decides and
no sample refutes is open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.compression.bisection import Claim, prove
from fiberscope.equivalence.compression.carrying_maps import MapOfUnits, maps_of_units
from fiberscope.equivalence.compression.graph_witness import UnitSides
from fiberscope.equivalence.compression.proof import reading
from fiberscope.equivalence.compression.splits import Split
from fiberscope.equivalence.domain import Domain

if TYPE_CHECKING:
    from fiberscope.network import Network

ROUNDS = (1, 32, 256, 2_000, 16_000)
"""Largest number of leaves of the trees of each round."""
FEW_INPUTS = 8
"""With more inputs than this a box is not cut."""
WORK = 1 << 31
"""Rows times values below: more is not bounded by going back."""
LOOK = 0.1
"""The part of the budget for samples."""


@dataclass(eq=False)
class Settled:
    """``splits`` in the order in which they rest on each other; ``open[i]``: units of ``maps[i]`` that are neither
    proved nor refuted; ``methods``: how many units of ReLUs each way decided first."""

    maps: Sequence[MapOfUnits] = ()
    splits: list[Split] = field(default_factory=list)
    open: list[np.ndarray] = field(default_factory=list)
    methods: dict[str, int] = field(default_factory=dict)


def settle(net: Network, domain: Domain, *, seconds: float, seed: int, say: Callable[[str], None]) -> Settled | None:
    """Decide what can be decided within ``seconds``; None where the checker cannot read the graph."""
    from fiberscope_verify.channel_backward import Plan
    from fiberscope_verify.channel_ranges import ranges
    from fiberscope_verify.lower import lower
    from fiberscope_verify.report import Reject

    assert domain.box is not None
    try:
        model = reading(net)
        graph = lower(model)
        maps = maps_of_units(net, model, graph)
        if not maps:
            return Settled()
        known = ranges(graph, *domain.box)
        return Settling(Plan(graph), maps, known, domain, seconds=seconds, seed=seed, say=say).run()
    except Reject as reason:
        say(f"no ranges for this graph: {reason}")
        return None


class Settling:
    """The work on one graph; ``known`` are intervals of its values and get narrower."""

    def __init__(
        self,
        plan: Any,
        maps: Sequence[MapOfUnits],
        known: Any,
        domain: Domain,
        *,
        seconds: float,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        assert domain.box is not None
        self.plan, self.maps, self.known, self.domain, self.say = plan, maps, known, domain, say
        self.lo, self.hi = domain.box
        self.seconds, self.stop = seconds, time.perf_counter() + seconds
        self.sides = UnitSides(plan, maps, domain, seed=seed)
        self.found = Settled(maps)

    def run(self) -> Settled:
        """Map after map, in the order of the graph."""
        from fiberscope_verify.channel_ranges import ranges

        self.sides.sample(time.perf_counter() + LOOK * self.seconds)
        for i in range(len(self.maps)):
            left = self.stop - time.perf_counter()
            if self.sides.bends(i):
                self.one(i, time.perf_counter() + max(left, 0.0) / (len(self.maps) - i))
        if self.found.splits:
            told = {self.argument(i): self.known[self.argument(i)] for i in range(len(self.maps))}
            self.known = ranges(self.plan.graph, self.lo, self.hi, told)
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
        if self.sides.bends(i):
            low, high = self.ends(i)
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
        few = len(self.lo) <= FEW_INPUTS
        for most in ROUNDS if few else ROUNDS[:1]:
            units = self.undecided(i)
            if not len(units) or time.perf_counter() > stop:
                break
            self.split(i, units, most, stop)
            self.say(f"{self.maps[i].weight}: {len(self.undecided(i))} of {len(self.decided(i))} units open")

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
        from fiberscope_verify.bound import leaves
        from fiberscope_verify.channel_splits import tell

        before = self.decided(i)
        m = self.maps[i]
        tell(self.plan, self.known, m.value, m.along, claim.units, *leaves(self.lo, self.hi, **claim.tree))
        word = "linear bounds" if claim.leaves == 1 else "splitting"
        count = int((self.decided(i) & ~before).sum())
        self.found.methods[word] = self.found.methods.get(word, 0) + count
        self.found.splits.append(Split(m.map, m.along, claim.units, claim.tree))
