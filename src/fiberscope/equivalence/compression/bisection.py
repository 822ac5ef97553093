"""Signs of hidden units on a box, by the checker's own linear bounds on the parts of a bisection of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.compression.tree import BisectionTree


@dataclass(frozen=True, eq=False)
class Claim:
    """Units of one hidden layer (0-based), their signs (1 active, -1 inactive), and the tree whose leaves show it."""

    layer: int
    units: np.ndarray
    signs: np.ndarray
    tree: dict[str, np.ndarray]

    @property
    def leaves(self) -> int:
        return len(self.tree["axis"]) + 1


Ends = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(units [m], lo [N, n], hi [N, n]) -> the checker's lower and upper bounds [N, m] of these units' pre-activations on
N boxes, and how much each input adds to their distance [N, m, n]."""


def prove(
    bound: Ends,
    layer: int,
    units: np.ndarray,
    signs: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    most: int,
    stop: float,
    look: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Claim]:
    """Claims that units of a layer have their signs on the box, as far as one tree of ``most`` leaves shows it.

    ``stop``: the time to give up (perf_counter). ``look``: refutes units by the centres [N, n] of the parts; booleans
    over all units of the layer.
    """
    tree = BisectionTree.root(lo, hi)
    proved = [np.zeros(len(units), dtype=bool)]  # per node
    needed = [np.ones(len(units), dtype=bool)]
    in_play = np.ones(len(units), dtype=bool)
    frontier, leaves = [0], 1
    while frontier and in_play.any():
        batch, frontier = frontier[:512], frontier[512:]
        asked = np.flatnonzero(in_play)
        parts = np.array([tree.lo[i] for i in batch]), np.array([tree.hi[i] for i in batch])
        low, high, spread = bound(units[asked], *parts)
        right_side = np.where(signs[asked] > 0, low >= 0, high <= 0)
        if look is not None:
            refuted = look(0.5 * parts[0] + 0.5 * parts[1])
            in_play &= ~refuted[units]
        for row, node in enumerate(batch):
            proved[node][asked] = right_side[row]
            missing = needed[node] & ~proved[node] & in_play
            if not missing.any():
                continue
            weight = (spread[row] * missing[asked][:, None]).sum(axis=0)
            if weight.max() <= 0:
                weight = tree.hi[node] - tree.lo[node]
            children = tree.halve(node, int(weight.argmax()))
            if children is None:
                in_play &= ~missing
                continue
            leaves += 1
            for child in children:
                proved.append(np.zeros(len(units), dtype=bool))
                needed.append(missing.copy())
                frontier.append(child)
        late = time.perf_counter() > stop
        while frontier and (late or leaves > most) and in_play.any():
            waiting = np.sum([needed[i] for i in frontier], axis=0) * in_play
            if waiting.max() == 0:
                break
            in_play &= waiting < (waiting.max() if not late else 1)
            frontier = [i for i in frontier if (needed[i] & in_play).any()]
            leaves = most // 2 if frontier else leaves
        frontier = [i for i in frontier if (needed[i] & in_play).any()]
    return _confirmed(bound, layer, units, signs, lo, hi, tree, proved, in_play)


def _confirmed(
    bound: Ends,
    layer: int,
    units: np.ndarray,
    signs: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    tree: BisectionTree,
    proved: list[np.ndarray],
    in_play: np.ndarray,
) -> list[Claim]:
    """Claims with small trees, checked as the checker will: leaf by leaf.

    A bound at a leaf need not be better than the one above it (the relaxation changes), so units that were proved
    higher up may fail at the leaves of a common tree; those get a tree of their own.
    """
    from fiberscope_verify.bound import leaves

    claims = []
    groups = [np.flatnonzero(in_play)]
    while groups:
        chosen = groups.pop()
        if not len(chosen):
            continue
        cut = tree.pruned([p[chosen] for p in proved])
        low, high, _ = bound(units[chosen], *leaves(lo, hi, **cut))
        holds = np.where(signs[chosen] > 0, low >= 0, high <= 0).all(axis=0)
        if holds.any():
            good = chosen[holds]
            claims.append(Claim(layer, units[good].astype(np.int64), signs[good].astype(np.int64), cut))
            groups.append(chosen[~holds])
        elif len(chosen) > 1:
            groups += [chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]]
    return claims
