"""Bounds of inputs that have none of their own, from linear constraints on several, proved in rationals.

HiGHS finds which constraints g_r x <= h_r bound an input; for these the multipliers y >= 0 with sum y_r g_r = e_i are
computed exactly, so x_i <= sum y_r h_r is a fact whatever the solver's rounding was.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

Row = tuple[dict[int, Fraction], Fraction]
SUPPORT = 1e-9
"""Smaller multipliers of a program are its rounding."""


def bounded(rows: list[Row], low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``low`` and ``high`` with their infinite ends replaced by what ``slopes x <= limit`` says, rounded outward.

    Ends that the rows leave open stay infinite.

    >>> one = Fraction(1)
    >>> rows = [({0: one, 1: one}, one), ({0: -one}, Fraction(0)), ({1: -one}, Fraction(0))]
    >>> bounded(rows, np.full(2, -np.inf), np.full(2, np.inf))
    (array([0., 0.]), array([1., 1.]))
    """
    n, low, high = len(low), low.copy(), high.copy()
    rows = [*rows]
    for i in range(n):
        if math.isfinite(high[i]):
            rows.append(({i: Fraction(1)}, Fraction(float(high[i]))))
        if math.isfinite(low[i]):
            rows.append(({i: Fraction(-1)}, -Fraction(float(low[i]))))
    for ends, sign, toward in ((high, 1, math.inf), (low, -1, -math.inf)):
        for i in np.flatnonzero(~np.isfinite(ends)).tolist():
            limit = largest(rows, n, i, sign)
            if limit is not None:
                value = float(sign * limit)
                ends[i] = value if sign * (Fraction(value) - sign * limit) >= 0 else math.nextafter(value, toward)
    return low, high


def largest(rows: list[Row], n: int, i: int, sign: int) -> Fraction | None:
    """A proved upper bound of ``sign * x_i``; None where none is found."""
    from scipy.optimize import linprog

    if not any(sign * slopes.get(i, Fraction(0)) > 0 for slopes, _ in rows):
        return None
    G, h = np.zeros((len(rows), n)), np.array([float(limit) for _, limit in rows])
    for r, (slopes, _) in enumerate(rows):
        G[r, list(slopes)] = [float(v) for v in slopes.values()]
    cost = np.zeros(n)
    cost[i] = -sign
    found = linprog(cost, A_ub=G, b_ub=h, bounds=(None, None), method="highs")
    if found.status != 0:
        return None
    chosen = np.flatnonzero(-np.asarray(found.ineqlin.marginals) > SUPPORT)
    parts = multipliers([rows[r][0] for r in chosen], n, i, sign)
    if parts is None or any(y < 0 for y in parts):
        return None
    return sum((y * rows[r][1] for y, r in zip(parts, chosen, strict=True)), Fraction(0))


def multipliers(slopes: list[dict[int, Fraction]], n: int, i: int, sign: int) -> list[Fraction] | None:
    """``y`` with ``sum y_r slopes_r = sign e_i``, exactly, or None."""
    from flint import fmpq, fmpq_mat

    if not slopes:
        return None
    columns = [*slopes, {i: Fraction(sign)}]
    entries = [fmpq(v.numerator, v.denominator) for k in range(n) for v in (c.get(k, Fraction(0)) for c in columns)]
    reduced, rank = fmpq_mat(n, len(columns), entries).rref()
    out = [Fraction(0)] * len(slopes)
    for row in reduced.tolist()[:rank]:
        lead = next(j for j, v in enumerate(row) if v != 0)
        if lead == len(slopes):
            return None  # they do not reach it
        out[lead] = Fraction(int(row[-1].p), int(row[-1].q))
    return out
