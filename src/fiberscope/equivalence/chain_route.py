"""Decide two chains: match them as they are, then after removing redundant units, and write the certificate steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_check import Judgement, judge
from fiberscope.equivalence.chain_match import MOST_ASSIGNED, Matching, match
from fiberscope.equivalence.chain_reduce import Reduction, reduce_chain
from fiberscope.equivalence.difference import Difference, difference


@dataclass(frozen=True, eq=False)
class ChainRelation:
    """The closest relation found between two chains, with what a certificate needs to say about it."""

    judgement: Judgement
    matching: Matching
    reductions: tuple[Reduction, Reduction]

    def steps(self) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """The steps and arrays of a "chain" certificate."""
        steps: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for side, reduction in zip("ab", self.reductions, strict=True):
            for step in reduction.steps:
                rest = {key: value for key, value in step.items() if key != "step"}
                steps.append({"step": step["step"], "side": side, **rest})
        for l, (perm, scale) in enumerate(zip(self.matching.perms, self.judgement.scales, strict=True), start=1):
            arrays[f"perm_{l}"] = np.asarray(perm, dtype=np.int64)
            arrays[f"scale_{l}"] = np.asarray(scale, dtype=np.float64)
            steps.append({"step": "match", "layer": l, "perm": f"perm_{l}", "scale": f"scale_{l}"})
        steps.append({"step": "compare-weights"})
        return steps, arrays

    def plain(self) -> bool:
        """A ReLU chain without reductions, every hidden layer wider than one: the commonest case."""
        a, b = (r.chain for r in self.reductions)
        simple = set(a.activations) <= {"relu"} and min(a.widths) > 1
        return simple and not any(r.steps for r in self.reductions) and a.exact_in_floats and b.exact_in_floats

    def difference(self) -> Difference:
        """What separates the two reduced chains, in b's coordinates."""
        a, b = (r.chain for r in self.reductions)
        return difference(a, b, self.matching, self.judgement)


def relate(a: Chain, b: Chain, ulp: float, most: int = MOST_ASSIGNED) -> ChainRelation | None:
    """The best relation found; stops at the first that is exact or within ``ulp``. None when widths never agree.

    ``most``: how many units of a layer may be assigned to each other by their distances.
    """
    if a.widths[0] != b.widths[0] or a.widths[-1] != b.widths[-1]:
        return None
    best: ChainRelation | None = None
    for merge in (None, False, True):
        if merge is None:
            pair = _untouched(a), _untouched(b)
        else:
            pair = reduce_chain(a, merge=merge), reduce_chain(b, merge=merge)
            if not pair[0].steps and not pair[1].steps:
                continue
        matching = match(pair[0].chain, pair[1].chain, most)
        if matching is None:
            continue
        judgement = judge(pair[0].chain, pair[1].chain, matching)
        if best is None or judgement.exact or judgement.ulps < best.judgement.ulps:
            best = ChainRelation(judgement, matching, pair)
        if judgement.exact or (math.isfinite(judgement.ulps) and judgement.ulps <= ulp):
            break
    return best


def _untouched(chain: Chain) -> Reduction:
    return Reduction(chain, (), tuple(np.arange(width) for width in chain.widths[1:-1]))
