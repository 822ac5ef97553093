"""Down from a saddle without negative curvature: a chain of bars that leads the input to where the gradient sees it.
 At a spurious critical point of the square loss (rank r of W below all widths, ``G = mu - T != 0``) let A be a bar
born at layer 0 and B one alive at layer L, neither full, with ``b_L^T G (a_0^*)^T != 0``. At a critical point they do
not touch, but every hidden layer has a bar that is not full, so that A is joined to B by jumps ``C_s -> C_{s+1}``,
each a rank-one change ``c_{j}^{(s+1)} (c_{j-1}^{(s)})^*`` of one matrix. With jumps of sizes ``t_1, .., t_m`` the
product moves by ``t_1 .. t_m b_L a_0^*`` and perhaps by shorter chains, which the gradient does not see; the loss
changes by

    - t_1 .. t_m |b_L^T G a_0^*|  +  (squares of all chains) / 2.
 If the second bar of the chain is born at layer 0 and the last but one is alive at layer L, the inner jumps alone
 move the
product, at a cost of ``(t_2 .. t_{m-1})^2 / 2``; then they must be smaller than the two outer ones, and where m = 3
no straight line goes down at once, yet the point reached lies lower. That such a point is never a local minimum:
Trager, Kohn and Bruna 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fiberscope.linear.flow import Flow
from fiberscope.linear.square_loss import SquareLoss

Jump = tuple[int, np.ndarray]  # the matrix W_j, and a change of it of rank one and norm one

_SIZES = 4.0 ** np.arange(1, -12, -1)
"""Sizes of jumps that are tried, as multiples of the size of the weights."""


def seen_pair(flow: Flow, slope: np.ndarray) -> tuple[int, int, float]:
    """``(A, B, b_L^T G (a_0^*)^T)``: of the pairs with at least half of the largest ``|b_L^T G a_0^*|`` (vectors of
    norm 1), the one with the shortest way from A's end to B's birth."""
    top = flow.length
    sources = [s for s in flow.columns[0] if flow.bars[s][1] < top]
    sinks = [s for s in flow.columns[top] if flow.bars[s][0] > 0]
    seen = {}
    for a in sources:
        row = flow.dual(a, 0)
        for b in sinks:
            column = flow.vector(b, top)
            seen[a, b] = float(column @ slope @ row) / float(np.linalg.norm(column) * np.linalg.norm(row))
    largest = max(abs(v) for v in seen.values())
    good = [pair for pair, v in seen.items() if abs(v) >= largest / 2]
    a, b = min(good, key=lambda pair: flow.bars[pair[1]][0] - flow.bars[pair[0]][1])
    return a, b, seen[a, b]


def chain(flow: Flow, first: int, last: int) -> list[Jump]:
    """Jumps from bar ``first`` to bar ``last`` over bars that are not full, few by taking the longest at every jump."""
    full = (0, flow.length)
    birth = flow.bars[last][0]
    jumps: list[Jump] = []
    here = first
    while here != last:
        j = flow.bars[here][1] + 1
        if j >= birth:
            j, there = birth, last
        else:
            alive = [s for s in flow.columns[j] if flow.bars[s] != full]
            there = max(alive, key=lambda s: (min(flow.bars[s][1], birth - 1), flow.bars[s][0]))
        change = np.outer(flow.vector(there, j), flow.dual(here, j - 1))
        jumps.append((j, change / np.linalg.norm(change)))
        here = there
    return jumps


def higher_order_escape(flow: Flow, loss: SquareLoss) -> list[np.ndarray] | None:
    """A change of the weights that lowers the loss, at a spurious critical point without negative curvature.

    The sizes of the jumps are searched over powers of four, outer and inner ones apart; of all changes that lower the
    loss the one that lowers it most. None if rounding hides every decrease.
    """
    a, b, seen = seen_pair(flow, loss.slope)
    jumps = chain(flow, a, b)
    inner = jumps[1:-1]
    norms = [float(np.linalg.norm(w)) for w in loss.factors]
    unit = max(*norms, float(np.linalg.norm(loss.slope)) ** (1 / len(norms)))
    candidates = []
    for outer_size in unit * _SIZES:
        for inner_size in unit * _SIZES if inner else [1.0]:
            sizes = [outer_size] + [inner_size] * len(inner) + [outer_size] * (len(jumps) > 1)
            candidates.append(_assemble(loss.factors, jumps, [-math.copysign(sizes[0], seen), *sizes[1:]]))
    return _lowest(loss, candidates)


def step_down(loss: SquareLoss, direction: Sequence[np.ndarray], unit: float) -> list[np.ndarray] | None:
    """``t V`` with the power of four ``t`` (times ``unit``) and the sign that lower the loss most; None if none
    does."""
    return _lowest(loss, [[sign * t * v for v in direction] for t in unit * _SIZES for sign in (1.0, -1.0)])


def _lowest(loss: SquareLoss, candidates: Sequence[list[np.ndarray]]) -> list[np.ndarray] | None:
    """The change that lowers the loss most; one whose every smaller multiple tried lowers it too goes before the
    others."""
    best, choice = (False, 0.0), None
    for change in candidates:
        gain = float(loss.decrease(change))
        if gain <= 0 or (best[0] and gain <= best[1]):
            continue
        straight = all(float(loss.decrease([s * v for v in change])) > 0 for s in (0.5, 0.1, 0.01))
        if (straight, gain) > best:
            best, choice = (straight, gain), change
    return choice


def _assemble(factors: Sequence[np.ndarray], jumps: Sequence[Jump], sizes: Sequence[float]) -> list[np.ndarray]:
    out = [np.zeros_like(w) for w in factors]
    for (layer, change), size in zip(jumps, sizes, strict=True):
        out[layer - 1] = out[layer - 1] + size * change
    return out
