"""Linear and mixed integer programs for sign equations: floats propose, integers decide."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def outside_zonotope(columns: list[list[int]], target: list[int]) -> bool:
    """Whether some y proves that t is no sum of [-1, 1] a_j: <y, t> > sum_j |<y, a_j>|, in exact arithmetic.

    False only means that no such y was found.

    >>> outside_zonotope([[2, 0, 1], [0, 2, 1]], [3, -3])
    True
    """
    from scipy.optimize import linprog

    a, t, size = _scaled(columns, target)
    r, m = a.shape
    # maximise <y, t> - sum z_j with |<y, a_j>| <= z_j and |y| <= 1
    cost = np.concatenate([-t, np.ones(m)])
    upper = np.block([[a.T, -np.eye(m)], [-a.T, -np.eye(m)]])
    bounds = [(-1, 1)] * r + [(0, None)] * m
    done = linprog(cost, A_ub=upper, b_ub=np.zeros(2 * m), bounds=bounds, method="highs")
    if done.status != 0 or done.fun > -1e-9:
        return False
    y = [Fraction(float(v)) / s for v, s in zip(done.x[:r], size, strict=True)]
    reach = sum(abs(sum(c * row[j] for c, row in zip(y, columns, strict=True))) for j in range(m))
    return sum(c * goal for c, goal in zip(y, target, strict=True)) > reach


def milp_signs(columns: list[list[int]], target: list[int], seconds: float) -> np.ndarray | None:
    """A proposal of signs from HiGHS, to be checked; None says nothing."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if seconds <= 0:
        return None
    a, t, _ = _scaled(columns, target)
    m = a.shape[1]
    goal = (t + a.sum(axis=1)) / 2
    done = milp(
        np.zeros(m),
        constraints=LinearConstraint(a, goal, goal),
        bounds=Bounds(0, 1),
        integrality=np.ones(m),
        options={"time_limit": float(seconds)},
    )
    return None if done.x is None else np.where(done.x > 0.5, 1, -1)


def _scaled(columns: list[list[int]], target: list[int]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Every row as floats with largest entry of size about 1, and the integers divided by.

    Small integers are kept as they are, which HiGHS solves best.
    """
    size = [1 if max(map(abs, row)) <= 1_000_000 else max(map(abs, row)) for row in columns]
    a = np.array([[float(Fraction(v, s)) for v in row] for row, s in zip(columns, size, strict=True)])
    t = np.array([float(Fraction(v, s)) for v, s in zip(target, size, strict=True)])
    return a, t, size
