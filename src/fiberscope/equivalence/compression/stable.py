"""Which hidden units of a ReLU chain are linear on a domain: nowhere negative (active) or nowhere positive (inactive).

Layer by layer. A sample of inputs refutes most candidates (a unit seen on both sides is free for good). What is left
is bounded on the whole box, then on the parts of a bisection of it, with all units of a layer sharing one tree; then
by a linear program each, which knows the rows of a polytope too; then by branch and bound over the phases of earlier
units. The bounds are the checker's own, rounded outward: a claim here is one that ``fiberscope_verify`` finds again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.bisection import prove
from fiberscope.equivalence.compression.dual import Duals
from fiberscope.equivalence.compression.known import FREE, Region, Stable
from fiberscope.equivalence.compression.witness import Sides

ROUNDS = (1, 24, 160, 1_000, 6_000, 36_000, 200_000)
"""Largest number of leaves of the trees of each round: easy units get small trees, hard ones another chance."""

FEW_INPUTS = 10
"""With more inputs than this, halving a box hardly tightens anything: only the small trees are tried."""

BRANCHES = (30, 1_000)
"""Most programs of a branch and bound for one unit, in two rounds."""

UNIT_SHARE = 0.25
"""At least this part of the time that is left goes to the next unit: better some decided than none."""

Report = Callable[[str], None]


def stable_units(chain: Any, region: Region, sides: Sides, *, seconds: float, say: Report) -> Stable:
    """Prove what can be proved within ``seconds``. ``chain`` is the checker's; ``sides`` refutes by samples."""
    depth = len(chain.layers) - 1
    found = Stable()
    deadline = time.perf_counter() + seconds
    for l in range(depth):
        work = Layer(chain, l, region, sides, found, say)
        share = (deadline - time.perf_counter()) / (depth - l)
        work.run(time.perf_counter() + max(share, 0.0), last=l + 1 == depth)
    return found


class Layer:
    """The proofs of one hidden layer."""

    def __init__(self, chain: Any, layer: int, region: Region, sides: Sides, found: Stable, say: Report) -> None:
        self.chain, self.layer, self.region, self.sides, self.found, self.say = chain, layer, region, sides, found, say
        self.earlier = found.status[:], found.ends[:]
        self.sign = sides.candidates(layer)
        found.begin(len(self.sign))

    def open(self) -> np.ndarray:
        """Units that are neither proved nor refuted."""
        return np.flatnonzero((self.found.status[-1] == FREE) & (self.sides.candidates(self.layer) != FREE))

    def run(self, stop: float, *, last: bool) -> None:
        """Every way in its turn until nothing is open or time is up."""
        few = len(self.region.lo) <= FEW_INPUTS
        cut = len(self.region.h) > 0
        for most in ROUNDS if few and not cut else ROUNDS[:2]:
            self.split(most, stop)
            if not len(self.open()) or time.perf_counter() > stop:
                break
        if time.perf_counter() < stop and (len(self.open()) or (cut and not last)):
            duals = Duals(self.chain, self.layer, *self.earlier, self.region, few=few)
            self.programs(duals, stop, every=cut and not last)
            self.branches(duals, stop)
        self.found.open.append(self.open())

    def programs(self, duals: Duals, stop: float, *, every: bool) -> None:
        """One program per open unit; with ``every``, both ends of all units that bend, for the sake of later layers."""
        units = self.open()
        claim = duals.at_once(units, self.sign[units], stop, self.sides) if len(units) else None
        if claim is not None:
            self.found.learn(claim)
        free = np.flatnonzero(self.found.status[-1] == FREE)
        for sign in (1, -1) if every and len(free) else ():
            known = self.found.ends[-1][0 if sign > 0 else 1][0, free]
            asked = free[~np.isfinite(known)]
            claim = duals.at_once(asked, np.full(len(asked), sign), stop, self.sides) if len(asked) else None
            if claim is not None:
                self.found.learn(claim)
        self.tell()

    def branches(self, duals: Duals, stop: float) -> None:
        """Branch and bound over phases for one open unit after the other, the easier ones first."""
        for most in BRANCHES:
            for unit in self.open().tolist():
                left = stop - time.perf_counter()
                if left <= 0:
                    return
                end = time.perf_counter() + max(left / max(len(self.open()), 1), UNIT_SHARE * left)
                claim = duals.branch(unit, int(self.sign[unit]), end, most, self.sides)
                if claim is not None:
                    self.found.learn(claim)
            self.tell()

    def tell(self) -> None:
        done, width = int((self.found.status[-1] != FREE).sum()), len(self.sign)
        self.say(f"layer {self.layer + 1}: {done} of {width} units proved, {len(self.open())} open")

    def split(self, most: int, stop: float) -> None:
        """One tree of at most ``most`` boxes for all open units."""
        from fiberscope_verify.stable import ends_of_units

        units = self.open()
        if len(units):
            lo, hi = self.region.lo, self.region.hi
            status, ends = self.earlier

            def bound(
                asked: np.ndarray, low: np.ndarray, high: np.ndarray
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
                return ends_of_units(self.chain, self.layer, asked, status, low, high, ends)

            def look(points: np.ndarray) -> np.ndarray:
                return self.sides.look(self.layer, points)

            for claim in prove(bound, self.layer, units, self.sign[units], lo, hi, most, stop, look):
                self.found.learn(claim)
            self.tell()
