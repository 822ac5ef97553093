"""One input: the difference of two networks is piecewise linear on [0, 1], and one sweep integrates it.

Between neighbouring breakpoints a < b the difference is g(y) = alpha y + beta, and

    E[g (y, 1) 1{a < y < b}] = alpha (b^3 - a^3, b^2 - a^2) / (3, 2) + beta (b^2 - a^2, b - a) / (2, 1),
    E[|g|^2 1{a < y < b}] = |alpha|^2 (b^3 - a^3) / 3 + alpha . beta (b^2 - a^2) + |beta|^2 (b - a).

A unit that rises is active right of its breakpoint, one that falls left of it: suffix and prefix sums. N hinges cost
N log N steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fiberscope.shallow.hinges import Hinges


def sweep(form: Hinges, lift: Callable[[np.ndarray], np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    """``(K, [V_0, V_1, ..., V_N])`` with V_t = E[(f - f0) (y, 1) 1{l_t > 0}], each k x 2.

    Breakpoints and slopes are found in the numbers of ``form``; ``lift`` (to balls, say) is applied before integrals.
    """
    crossings, level = [], form.affine
    sides = []
    for t, (w, b) in enumerate(form.rows.tolist()):
        ends = (b, w + b)  # the values at y = 0 and at y = 1
        side = -1 if max(ends) <= 0 else int(min(ends) >= 0)
        sides.append(side)
        if side > 0 or (side == 0 and w < 0):
            level = level + np.outer(form.weights[t], form.rows[t])
        if side == 0:
            crossings.append((-b / w, t))
    crossings.sort()
    zero = form.affine.ravel()[0] * 0
    points = [zero, *(y for y, _ in crossings), zero + 1]
    powers = lift(np.array([[y, y * y, y * y * y] for y in points], dtype=form.affine.dtype))
    prefix = [lift(np.full(form.affine.shape, zero, dtype=form.affine.dtype))]
    k = prefix[0].ravel()[0]
    for place in range(len(points) - 1):
        if place:
            t = crossings[place - 1][1]
            turn = 1 if form.rows[t, 0] > 0 else -1
            level = level + np.outer(form.weights[t], form.rows[t]) * turn
        lifted = lift(level)
        alpha, beta = lifted[:, 0], lifted[:, 1]
        one, two, three = powers[place + 1] - powers[place]
        first = alpha * (three / 3) + beta * (two / 2)
        second = alpha * (two / 2) + beta * one
        prefix.append(prefix[-1] + np.stack([first, second], axis=1))
        k = k + (alpha @ alpha) * (three / 3) + (alpha @ beta) * two + (beta @ beta) * one
    total = prefix[-1]
    moved = [total, *(total if side > 0 else prefix[0] for side in sides)]
    for place, (_, t) in enumerate(crossings):
        moved[t + 1] = total - prefix[place + 1] if form.rows[t, 0] > 0 else prefix[place + 1]
    return k / 2, moved
