"""Bring the units of two nearly equal canonical forms into the same order by assignment.

Canonical orders of two roundings of one network may differ where two units have close entries. One space after
the other is matched by linear assignment on all its entries (cost |x - y|_1), the others held fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.blocks import Workspace, per_copy, positions
from fiberscope.symmetry.element import Part
from fiberscope.symmetry.groups import Mixing

Array = NDArray[Any]

PASSES = 3


def realign(first: Workspace, second: Workspace, tolerance: float) -> bool:
    """Reorder the units of ``second`` to fit ``first``; True when all weights then agree within the tolerance."""
    for _ in range(PASSES):
        if distance(first, second) <= tolerance:
            return True
        for key, group in second.symmetries.groups.items():
            if group.trivial or group.mixing is not Mixing.permutation or group.context:
                continue
            _assign(first, second, key)
    return distance(first, second) <= tolerance


def distance(first: Workspace, second: Workspace) -> float:
    """Return the largest |x - y| relative to the largest entry, over all weights."""
    worst = 0.0
    for name, x in first.weights.items():
        y = second.weights[name]
        size = max(float(np.abs(x).max(initial=0.0)), float(np.abs(y).max(initial=0.0)))
        if size:
            worst = max(worst, float(np.abs(x - y).max()) / size)
    return worst


def _assign(first: Workspace, second: Workspace, key: int) -> None:
    from scipy.optimize import linear_sum_assignment

    group = second.symmetries.groups[key]
    n = group.atom.size
    cost = np.zeros((n, n))
    for x, y in zip(first.blocks(key), second.blocks(key), strict=True):
        for place in positions(x, key):
            left = per_copy(x, place, group).reshape(n, -1)
            right = per_copy(y, place, group).reshape(n, -1)
            scale = float(np.abs(left).max(initial=0.0)) or 1.0
            for i in range(n):
                cost[i] += np.abs(right - left[i]).sum(axis=1) / scale
    if not np.isfinite(cost).all():
        return
    _, source = linear_sum_assignment(cost)
    if (source != np.arange(n)).any():
        second.apply(key, Part(source=source.astype(np.int64)))
