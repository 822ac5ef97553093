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
from fiberscope.linear import reflectors
from fiberscope.linear.bars_from_pivots import bars_from_pivots
from fiberscope.linear.flow import Flow
from fiberscope.linear.staircase import Staircase
from fiberscope.linear.triangular import solve

_SHRUNK = 4.0  # vectors that lose more than this of their length are corrected once


def flow_of(stairs: Staircase) -> Flow:
    """The flow basis of the matrices ``stairs.nearest``; bars in order of birth, longer ones first."""
    coordinates = _coordinates(stairs)
    bases = [coordinates[0]]
    for step, inner in zip(stairs.steps, coordinates[1:], strict=True):
        bases.append(reflectors.apply(step.packed, step.taus, inner, side="L", transpose=False))
    bars, numbers = bars_from_pivots(stairs.first_width, [(s.pivots, len(s.births)) for s in stairs.steps])
    scales = _scales(bases, numbers, len(bars))
    columns, sorted_bases = [], []
    for basis, number in zip(bases, numbers, strict=True):
        order = np.argsort(number)
        sorted_bases.append(np.asfortranarray(basis[:, order] * scales[number[order]]))
        columns.append(tuple(number[order].tolist()))
    return Flow(bars, tuple(columns), tuple(sorted_bases))


def _coordinates(stairs: Staircase) -> list[np.ndarray]:
    """``G_0, ..., G_L``; column c < r of ``G_l`` continues column ``pivots[c]`` of ``G_{l-1}``."""
    inner = np.eye(len(stairs.births[-1]), order="F")
    out = [inner]
    for step, births in zip(reversed(stairs.steps), reversed(stairs.births[:-1]), strict=True):
        inner = _pulled_back(step.upper, step.pivots, births, inner[: step.rank, : step.rank])
        out.append(inner)
    return out[::-1]


def _pulled_back(upper: np.ndarray, pivots: np.ndarray, births: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """``G_{l-1}`` from the staircase of ``W_l`` and the first r rows and columns of ``G_l``."""
    rank, size = upper.shape
    ending = np.ones(size, dtype=bool)
    ending[pivots] = False
    ends = np.flatnonzero(ending)
    triangle = np.asfortranarray(upper[:, pivots])
    solved = solve(triangle, inner)
    if not len(ends):
        order = np.argsort(pivots)
        return solved if (order == pivots).all() and (np.diff(order) == 1).all() else solved[np.ix_(order, order)]
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
