"""A flow basis out of a staircase, by one triangular solve for each layer, from the output back to the input.

Write ``F_l = Q_l G_l`` with ``G_l`` block upper triangular in the groups by birth, so that a bar's vectors stay in the
images they must lie in. ``G_L = I``. The staircase ``U = Q_l^T W_l Q_{l-1}`` has r rows, and its pivot columns are an
invertible triangle ``T``; the first r columns of ``G_l`` are the vectors that come from layer l - 1:

    vectors that live on:  supported on the pivots, T^-1 (first r columns of G_l)
    vectors that end:      1 at one other column c, and -T^-1 U[:, c] on the pivots        (a basis of null W_l).

Then each bar is rescaled, as a whole: the geometric mean of the least and largest norm along it becomes 1.
"""

from __future__ import annotations

import numpy as np

from fiberscope.errors import WeightError
from fiberscope.linear import reflectors
from fiberscope.linear.bars_from_pivots import bars_from_pivots
from fiberscope.linear.flow import Flow
from fiberscope.linear.staircase import Staircase


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
    from scipy.linalg import blas

    inner = np.eye(len(stairs.births[-1]), order="F")
    out = [inner]
    for step in reversed(stairs.steps):
        size, rank = step.upper.shape[1], step.rank
        ends = np.ones(size, dtype=bool)
        ends[step.pivots] = False
        ends = np.flatnonzero(ends)
        right = np.empty((rank, size), order="F")
        right[:, :rank] = inner[:rank, :rank]
        right[:, rank:] = -step.upper[:, ends]
        if rank:
            triangle = np.asfortranarray(step.upper[:, step.pivots])
            right = blas.dtrsm(1.0, triangle, right, overwrite_b=True)
        inner = np.zeros((size, size), order="F")
        inner[np.ix_(step.pivots, step.pivots)] = right[:, :rank]
        inner[np.ix_(step.pivots, ends)] = right[:, rank:]
        inner[ends, ends] = 1.0
        out.append(inner)
    return out[::-1]


def _scales(bases: list[np.ndarray], numbers: list[np.ndarray], bars: int) -> np.ndarray:
    """One factor for each bar: ``1 / sqrt(least norm * largest norm)`` over its vectors."""
    least, largest = np.full(bars, np.inf), np.zeros(bars)
    for basis, number in zip(bases, numbers, strict=True):
        norms = np.sqrt(np.einsum("ij,ij->j", basis, basis))
        least[number] = np.minimum(least[number], norms)
        largest[number] = np.maximum(largest[number], norms)
    if not (np.isfinite(largest).all() and (least > 0).all()):
        raise WeightError(
            "a flow basis of these factors does not fit float64 (vectors grow or shrink past 1e+-154): "
            "multiply each factor by a number that brings its norm near 1"
        )
    return 1.0 / (np.sqrt(least) * np.sqrt(largest))
