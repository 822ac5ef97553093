"""A flow basis out of a staircase, by one triangular solve for each layer, from the output back to the input.

Write ``F_l = Q_l G_l`` with ``G_l`` block upper triangular in the groups by birth, so that a bar's vectors stay in the
images they must lie in. ``G_L = I``. The staircase ``U = Q_l^T W_l Q_{l-1}`` has r rows, and its pivot columns are an
invertible triangle ``T``; the first r columns of ``G_l`` are the vectors that come from layer l - 1:

    vectors that end:      1 at a column c that is no pivot, -T^-1 U[:, c] on the pivots: a basis of null W_l,
                           made orthonormal in order of birth (Gram-Schmidt keeps the images);
    vectors that live on:  T^-1 (first r columns of G_l) on the pivots, minus their components along the vectors that
                           end and were born no later: what is added dies at once, W_l does not see it.

So every preimage is the shortest one that the images allow, which keeps the bases well conditioned. Then each bar is
rescaled as a whole: the geometric mean of the least and the largest norm along it becomes 1.
"""

from __future__ import annotations

import numpy as np

from fiberscope.errors import WeightError
from fiberscope.linear.bars_from_pivots import bars_from_pivots
from fiberscope.linear.flow import Flow
from fiberscope.linear.staircase import Staircase, Step
from fiberscope.linear.triangular import solve, solve_staircase, times_staircase

_SHRUNK = 4.0  # vectors that lose more than this of their length are corrected once


def flow_of(stairs: Staircase) -> Flow:
    """The flow basis of the matrices ``stairs.nearest``; bars in order of birth, longer ones first."""
    bars, numbers = bars_from_pivots(stairs.first_width, [(s.pivots, len(s.births)) for s in stairs.steps])
    with np.errstate(over="ignore", invalid="ignore"):  # `_scales` refuses what does not fit
        bases = _bases(stairs)
        scales = _scales(bases, numbers, len(bars))
    columns = []
    for j, number in enumerate(numbers):
        bases[j] *= scales[number]
        if (number[1:] < number[:-1]).any():
            order = np.argsort(number)
            bases[j], number = bases[j].T[order].T, number[order]
        columns.append(tuple(number.tolist()))
    return Flow(bars, tuple(columns), tuple(bases))


def _bases(stairs: Staircase) -> list[np.ndarray]:
    """``Q_j G_j`` for all layers; column c < r of ``G_l`` continues column ``pivots[c]`` of ``G_{l-1}``."""
    width = len(stairs.births[-1])
    inner, heights = np.eye(width, order="F"), np.arange(1, width + 1)
    out = [stairs.steps[-1].basis.copy(order="F")]
    for number in range(len(stairs.steps) - 1, -1, -1):
        step, births, rank = stairs.steps[number], stairs.births[number], stairs.steps[number].rank
        inner = _pulled_back(step, births, inner[:rank, :rank], heights[:rank])
        if rank == len(inner):  # no vector ends: column pivots[c] has the rows pivots[:height]
            lowest = np.maximum.accumulate(step.pivots)[heights[:rank] - 1]
            heights = np.empty(rank, dtype=np.intp)
            heights[step.pivots] = lowest + 1
            heights = np.maximum.accumulate(heights)
        else:
            heights = np.searchsorted(births, births, side="right")
        out.append(times_staircase(stairs.steps[number - 1].basis, inner, heights) if number else inner)
    return out[::-1]


def _pulled_back(step: Step, births: np.ndarray, inner: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """``G_{l-1}`` from the staircase of ``W_l`` and the first r rows and columns of ``G_l``, zero below `heights`."""
    upper, pivots = step.upper, step.pivots
    rank, size = upper.shape
    ending = np.ones(size, dtype=bool)
    ending[pivots] = False
    ends = np.flatnonzero(ending)
    triangle = np.asfortranarray(upper[:, pivots]) if len(ends) or (pivots[1:] < pivots[:-1]).any() else upper
    solved = solve_staircase(triangle, inner, heights)
    if not len(ends):
        order = np.argsort(pivots)
        return solved if triangle is upper else np.asfortranarray(solved[np.ix_(order, order)])
    going = np.zeros((size, rank))
    going[pivots] = solved
    null = np.zeros((size, len(ends)))
    null[pivots] = -solve(triangle, upper[:, ends])
    null[ends, np.arange(len(ends))] = 1.0
    null = np.linalg.qr(null)[0]
    null[births[:, None] > births[ends]] = 0.0
    null[pivots] -= solve(triangle, upper @ null)  # Gram-Schmidt enlarges the error of a solution that was long
    along = null.T @ going
    along[births[ends][:, None] > births[pivots]] = 0.0
    before = np.einsum("ij,ij->j", going, going)
    going -= null @ along
    shrunk = np.flatnonzero(before > _SHRUNK**2 * np.einsum("ij,ij->j", going, going))
    going[np.ix_(pivots, shrunk)] -= solve(triangle, upper @ going[:, shrunk] - inner[:, shrunk])
    out = np.empty((size, size), order="F")
    out[:, ends], out[:, pivots] = null, going
    return out


def _scales(bases: list[np.ndarray], numbers: list[np.ndarray], bars: int) -> np.ndarray:
    """One factor for each bar: ``1 / sqrt(least norm * largest norm)`` over its vectors."""
    least, largest = np.full(bars, np.inf), np.zeros(bars)
    for basis, number in zip(bases, numbers, strict=True):
        norms = np.sqrt(np.einsum("ij,ij->j", basis, basis))
        least[number] = np.minimum(least[number], norms)
        largest[number] = np.maximum(largest[number], norms)
    if not (np.isfinite(largest).all() and (least > 0).all()):
        raise does_not_fit()
    return 1.0 / (np.sqrt(least) * np.sqrt(largest))


def does_not_fit() -> WeightError:
    """The error for factors of extreme scale, whose barcode is known all the same."""
    return WeightError(
        "a flow basis of these factors does not fit float64 (vectors grow or shrink past 1e+-154): "
        "multiply each factor by a number that brings its norm near 1"
    )
