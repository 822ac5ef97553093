"""On which sides of its threshold a hidden unit has been seen: samples refute a claim before work is spent on it."""

from __future__ import annotations

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.pair import pull
from fiberscope.equivalence.witness import ascend


class Sides:
    """``positive[l]``, ``negative[l]``: whether some input of the box was seen to drive each unit there."""

    def __init__(self, chain: Chain, domain: Domain, *, seed: int, count: int = 8192) -> None:
        self.chain, self.domain = chain, domain
        self.positive = [np.zeros(w, dtype=bool) for w in chain.widths[1:-1]]
        self.negative = [np.zeros(w, dtype=bool) for w in chain.widths[1:-1]]
        self.rng = np.random.default_rng(seed)
        self.points = domain.sample(self.rng, count)
        self.see(self.points)

    def see(self, points: np.ndarray) -> list[np.ndarray]:
        """Runs the chain and remembers the signs; returns the pre-activations."""
        pre = self.chain.preactivations(points)
        for l, z in enumerate(pre[:-1]):
            self.positive[l] |= (z > 0).any(axis=0)
            self.negative[l] |= (z < 0).any(axis=0)
        return pre

    def look(self, layer: int, points: np.ndarray) -> np.ndarray:
        """The same at more points of the box, or near ones of the domain; units of a layer now seen on both sides."""
        self.see(points if self.domain.polytope is None else self.domain.clip(points))
        return self.positive[layer] & self.negative[layer]

    def candidates(self, layer: int) -> np.ndarray:
        """1 for units never seen negative, -1 for those never seen positive, 0 for units seen on both sides.

        Units near the threshold are first pushed towards it by gradient ascent from the nearest samples.
        """
        if layer not in getattr(self, "pushed", set()):
            self.pushed = {*getattr(self, "pushed", set()), layer}
            self._push(layer)
        both = self.positive[layer] & self.negative[layer]
        return np.where(both, 0, np.where(self.positive[layer], 1, -1))

    def _push(self, layer: int) -> None:
        pre = self.chain.preactivations(self.points)
        for unit in np.flatnonzero(~(self.positive[layer] & self.negative[layer])).tolist():
            sign = -1.0 if self.positive[layer][unit] else 1.0
            seed = np.zeros((1, self.chain.widths[layer + 1]))
            seed[0, unit] = sign
            start = self.points[np.argsort(-sign * pre[layer][:, unit])[:8]]

            def height(x: np.ndarray, unit: int = unit, sign: float = sign) -> np.ndarray:
                return sign * self.chain.preactivations(x)[layer][:, unit]

            def uphill(x: np.ndarray, seed: np.ndarray = seed) -> np.ndarray:
                return pull(self.chain, self.chain.preactivations(x), np.repeat(seed, len(x), axis=0), layer)

            reached, _ = ascend(start, height, uphill, self.domain, 25, 0.0)
            self.see(reached)
