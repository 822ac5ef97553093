"""Ends and signs of hidden units by linear programs: on the whole domain, then on both sides of units that bend.

A program's dual gives multipliers; the checker's own bound with these multipliers is what counts, so a claim made
here is one that ``fiberscope_verify`` will find again. Where the bound falls short the leaf is cut at the unit whose
bend costs most (branch and bound over phases), until every leaf holds, an input refutes the claim, or time is up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.program import Answer, Program
from fiberscope.equivalence.compression.witness import Sides

ROOT = {name: np.zeros(0, dtype=np.float64 if name == "at" else np.int64) for name in ("axis", "at", "left", "right")}
"""The tree of one leaf."""

FEW_BENDS = 8
"""Units that bend and matter: as few as that are branched on rather than inputs."""


@dataclass(frozen=True, eq=False)
class DualClaim:
    """``signs * z >= ends`` for units of one hidden layer (0-based): a tree over inputs and sides of earlier units, and
    per leaf and unit the multipliers of the earlier units [N, m, H] and of the rows [N, m, R]."""

    layer: int
    units: np.ndarray
    signs: np.ndarray
    ends: np.ndarray
    tree: dict[str, np.ndarray]
    multipliers: np.ndarray
    mu: np.ndarray

    @property
    def leaves(self) -> int:
        return len(self.tree["axis"]) + 1


@dataclass(frozen=True, eq=False)
class Leaf:
    """Part of the domain: a box, and the sides [H] of earlier hidden units (0 where both are possible)."""

    sides: np.ndarray
    lo: np.ndarray
    hi: np.ndarray

    def cut(self, answer: Answer, few: bool) -> tuple[int, float] | None:
        """Where to go on: the middle of the input that costs most, when inputs are few and bends many, else the side
        of the unit that costs most.

        None when the program is exact here (the unit touches its threshold), or floats leave no room for a cut.
        """
        if few and (answer.cost > 0).sum() > FEW_BENDS:
            k = int(answer.spread.argmax()) if answer.spread.max() > 0 else int((self.hi - self.lo).argmax())
            middle = float(0.5 * self.lo[k] + 0.5 * self.hi[k])
            return (k, middle) if self.lo[k] < middle < self.hi[k] else None
        worst = int(answer.cost.argmax()) if len(answer.cost) else 0
        if not len(answer.cost) or answer.cost[worst] <= 0 or self.sides[worst]:
            return None
        return len(self.lo) + worst, 0.0

    def part(self, axis: int, at: float, upper: int) -> Leaf:
        """One of the two parts of a cut."""
        sides, lo, hi = self.sides.copy(), self.lo.copy(), self.hi.copy()
        if axis >= len(lo):
            sides[axis - len(lo)] = 1 if upper else -1
        else:
            (lo if upper else hi)[axis] = at
        return Leaf(sides, lo, hi)


class Duals:
    """Programs below one hidden layer of the checker's chain, on a region, given status and ends of earlier layers.

    ``few``: branch over inputs, else over the sides of units.
    """

    def __init__(self, chain: Any, layer: int, status: list, ends: list, region: Any, *, few: bool = False) -> None:
        from fiberscope_verify.bound import floats
        from fiberscope_verify.stable import slope

        self.chain, self.layer, self.status, self.ends, self.region = chain, layer, status, ends, region
        self.few, self.weights = few, floats(chain)
        self.slopes = [slope(chain, l) for l in range(layer)]
        self.hidden = sum(len(b) for _, b in self.weights[:layer])
        self.no_sides = np.zeros(self.hidden, dtype=np.int64)
        self.root = self.program(Leaf(self.no_sides, region.lo, region.hi))

    def program(self, leaf: Leaf) -> Program:
        """The program of a leaf."""
        from fiberscope_verify.dual import narrowed
        from fiberscope_verify.stable import middle, relax

        at = np.cumsum([0, *(len(b) for _, b in self.weights[: self.layer])])
        ends = [narrowed(e, leaf.sides[None, s:t]) for e, (s, t) in zip(self.ends, pairwise(at), strict=True)]
        with np.errstate(all="ignore"):
            relaxed, _, _ = relax(self.chain, self.layer, self.status, *middle(leaf.lo[None], leaf.hi[None]), ends)
        below = self.weights[: self.layer]
        return Program(below, self.slopes, relaxed, leaf.sides, leaf.lo, leaf.hi, self.region.G, self.region.h)

    def minimise(self, program: Program, unit: int, sign: int, seconds: float) -> Answer | None:
        """The program's answer about ``sign * z`` of a unit."""
        w, b = self.weights[self.layer]
        return program.minimise(sign * w[unit], float(sign * b[unit]), seconds)

    def bound(self, units: np.ndarray, signs: np.ndarray, leaf: Leaf, answers: list[Answer]) -> np.ndarray:
        """The checker's bounds [m] of ``signs * z`` on a leaf, with the multipliers of m answers."""
        from fiberscope_verify.dual import Leaves, least

        found = Leaves(leaf.lo[None], leaf.hi[None], leaf.sides[None])
        multipliers, mu = (np.array([getattr(a, k) for a in answers])[None] for k in ("multipliers", "mu"))
        known = self.status, self.ends
        return least(self.chain, self.layer, units, signs, *known, found, self.region.rows, multipliers, mu)[0]

    def at_once(self, units: np.ndarray, signs: np.ndarray, stop: float, sides: Sides) -> DualClaim | None:
        """Ends of these units on the whole domain, one program each; None when time did not suffice for any."""
        answers, kept = [], []
        for i, (unit, sign) in enumerate(zip(units.tolist(), signs.tolist(), strict=True)):
            left = stop - time.perf_counter()
            if left <= 0:
                break
            answer = self.minimise(self.root, unit, sign, left)
            if answer is None:
                continue
            answers.append(answer)
            kept.append(i)
        if not answers:
            return None
        sides.look(self.layer, np.array([a.x for a in answers]))
        units, signs = units[kept], signs[kept]
        ends = self.bound(units, signs, Leaf(self.no_sides, self.region.lo, self.region.hi), answers)
        fine = np.flatnonzero(np.isfinite(ends))
        multipliers, mu = (np.array([getattr(answers[i], k) for i in fine])[None] for k in ("multipliers", "mu"))
        return DualClaim(self.layer, units[fine], signs[fine], ends[fine], ROOT, multipliers, mu)

    def branch(self, unit: int, sign: int, stop: float, most: int, sides: Sides) -> DualClaim | None:
        """A tree of at most ``most`` programs that shows the sign of a unit on the domain, or None."""
        axis: list[int] = []
        at: list[float] = []
        children: list[list[int]] = []
        found: list[Answer] = []
        todo = [(Leaf(self.no_sides, self.region.lo, self.region.hi), -1, 0)]
        for solved in range(most):
            leaf, parent, side = todo.pop()
            program = self.root if solved == 0 else self.program(leaf)
            answer = self.minimise(program, unit, sign, stop - time.perf_counter())
            if answer is None:
                return None
            place = -len(found) - 1
            if self.bound(np.array([unit]), np.array([sign]), leaf, [answer])[0] >= 0:
                found.append(answer)
            else:
                if sides.look(self.layer, answer.x[None])[unit]:
                    return None
                cut = leaf.cut(answer, self.few)
                if cut is None:
                    return None
                place = len(axis)
                axis.append(cut[0])
                at.append(cut[1])
                children.append([0, 0])
                todo += [(leaf.part(*cut, k), place, k) for k in (0, 1)]
            if parent >= 0:
                children[parent][side] = place
            if not todo:
                return self.claim(unit, sign, axis, at, children, found)
        return None

    def claim(
        self, unit: int, sign: int, axis: list[int], at: list[float], children: list[list[int]], found: list[Answer]
    ) -> DualClaim:
        """Leaves in the order in which the checker meets them: by node, left before right."""
        order = [-child - 1 for pair in children for child in pair if child < 0] or [0]
        tree = {
            "axis": np.array(axis, dtype=np.int64),
            "at": np.array(at, dtype=np.float64),
            "left": np.array([pair[0] for pair in children], dtype=np.int64),
            "right": np.array([pair[1] for pair in children], dtype=np.int64),
        }
        multipliers = np.array([found[i].multipliers for i in order])[:, None]
        mu = np.array([found[i].mu for i in order])[:, None]
        one = np.array([unit], dtype=np.int64), np.array([sign], dtype=np.int64)
        return DualClaim(self.layer, *one, np.zeros(1), tree, multipliers, mu)
