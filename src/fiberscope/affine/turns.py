"""One hidden layer whose turns move the biases of its readers (sigmoid, ReLU6): the exact distance.

Turning unit j round changes the readers' biases by s_j = -q_j mu/lam, so the cost is not a sum over units:

    min over sets T of turned units and orders p of   sum_j C_T[p(j), j] + |d - sum_{j in T} s_j|^2.

For each T the rest is a linear assignment. The sets are tried in order of a lower bound, the last term plus every
unit's cheapest place, until the bound passes the best value found.
"""

from __future__ import annotations

import numpy as np

from fiberscope.affine.assignment import Block
from fiberscope.affine.dense import Dense

MOST_UNITS = 16
"""Above this many units, a lower and an upper bound are given instead (2^units sets)."""


def applies(block: Block) -> bool:
    """Whether this is a layer of few single units that may all be turned round."""
    return block.switches == ((0,),) and len(block.members) == 1 and block.count <= MOST_UNITS and not block.inner


def best_turns(a: Dense, b: Dense, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """``(order, turned)`` of the units of b that is closest to a, over the whole group of the block."""
    places = block.members[0]
    outside = np.setdiff1d(np.arange(len(b.bias)), places)
    upright, round_ = (block.switched(a, b, b.weight, b.bias, option, False) for option in ((), (0,)))
    shift = -b.weight[np.ix_(outside, b.n_inputs + places)] * (b.mu[places] / b.lam[places])
    sets = (np.arange(1 << block.count)[:, None] >> np.arange(block.count)) & 1 == 1
    gap = (a.bias - b.bias)[outside]
    last = ((gap - sets @ shift.T) ** 2).sum(axis=1)
    bound = last + np.where(sets, round_.min(axis=0), upright.min(axis=0)).sum(axis=1)
    order, turned = np.arange(b.n_units), np.zeros(b.n_units, dtype=bool)
    best = np.inf
    for t in np.argsort(bound, kind="stable"):
        if bound[t] >= best:
            break
        cost = np.where(sets[t], round_, upright)
        chosen = block.solve(cost)
        value = last[t] + cost[np.arange(block.count), chosen].sum()
        if value < best:
            best = value
            order[places] = places[chosen]
            turned[places] = sets[t]
    return order, turned
