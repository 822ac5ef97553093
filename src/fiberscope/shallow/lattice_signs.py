"""Sign equations as a closest vector problem: all integer points of an affine lattice inside the cube {0, 1}^m.

The integer solutions of sum_j x_j a_j = g are x_0 + K z, z in Z^f, with K a basis of the kernel lattice, reduced by
LLL. If y in the span of K_1..K_i is orthogonal to K_1..K_{i-1} and <y, K_i> = 1, then

    z_i = <y, x - x_0 - sum_{l > i} z_l K_l>

lies in the interval that x in [0, 1]^m allows. Long basis vectors (generic weights with many digits) leave few integers
in it, so that a depth first search settles the question, exactly. Short ones make the search too wide, and it stops.
Lenstra, Lenstra, Lovasz, "Factoring polynomials with rational coefficients" (1982).
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

NODES = 200_000
"""Nodes of the search tree before it counts as too wide."""

MOST = 160
"""Most unknowns: beyond, reducing the basis takes minutes."""


def lattice_signs(columns: list[list[int]], target: list[int], deadline: float = np.inf) -> np.ndarray | str | None:
    """Signs s with sum_j s_j a_j = target, None (proved: there are none), or a sentence when it was too much.

    >>> lattice_signs([[10**9 + 7, 998244353, 123456789, 2 * 10**9]], [10**9 - 7 + 2]) is None
    True
    """
    m = len(columns[0])
    totals = [goal + sum(row) for goal, row in zip(target, columns, strict=True)]
    if any(total % 2 for total in totals):
        return None
    if m > MOST:
        return "too many unknowns for lattices"
    if 2.0 * (m / 100) ** 6 > deadline - time.monotonic():  # seconds of LLL for weights of 53 bits, measured
        return "no time for lattices"
    found = _solutions(columns, [total // 2 for total in totals])
    if found is None:
        return None
    start, kernel = found
    if kernel and _too_wide(kernel):
        return "lattice vectors too short"
    duals = _duals(kernel, deadline)
    if duals is None:
        return "no time for lattices"
    return _search(start, kernel, duals, deadline)


def _solutions(columns: list[list[int]], goals: list[int]) -> tuple[list[int], list[list[int]]] | None:
    """One integer solution and a reduced basis of the kernel lattice, or None: no integer solution at all."""
    from flint import fmpz_mat

    r, m = len(columns), len(columns[0])
    heavy = 1 << (m + 8 + max(abs(v) for row in columns for v in row).bit_length())
    table = [[heavy * row[j] for row in columns] + [int(i == j) for i in range(m)] for j in range(m)]
    basis = [[int(v) for v in row] for row in fmpz_mat(table).lll().tolist()]
    kernel = [row[r:] for row in basis if not any(row[:r])]
    images = [row for row in basis if any(row[:r])]
    if len(kernel) != m - r:  # the weight was too small to separate: cannot happen for rank r by the size of it
        return _solutions_by_hermite(columns, goals)
    left = fmpz_mat([[v // heavy for v in row[:r]] for row in images]).transpose()
    parts = left.solve(fmpz_mat(r, 1, goals))
    factors = [parts[i, 0] for i in range(r)]
    if any(f.q != 1 for f in factors):
        return None
    start = [sum(int(f.p) * row[r + j] for f, row in zip(factors, images, strict=True)) for j in range(m)]
    return start, kernel


def _solutions_by_hermite(columns: list[list[int]], goals: list[int]) -> tuple[list[int], list[list[int]]] | None:
    from flint import fmpz_mat

    r, m = len(columns), len(columns[0])
    table = fmpz_mat([[row[j] for row in columns] + [int(i == j) for i in range(m)] for j in range(m)]).hnf()
    rows = [[int(v) for v in row] for row in table.tolist()]
    images = [row for row in rows if any(row[:r])]
    kernel = fmpz_mat([row[r:] for row in rows if not any(row[:r])]).lll()
    parts = fmpz_mat([row[:r] for row in images]).transpose().solve(fmpz_mat(r, 1, goals))
    if any(parts[i, 0].q != 1 for i in range(r)):
        return None
    start = [sum(int(parts[i, 0].p) * row[r + j] for i, row in enumerate(images)) for j in range(m)]
    return start, [[int(v) for v in row] for row in kernel.tolist()]


def _too_wide(kernel: list[list[int]]) -> bool:
    """Whether the expected number of lattice points in the cube's ball is far beyond the limit (a float estimate)."""
    lengths = np.abs(np.diag(np.linalg.qr(np.array(kernel, dtype=np.float64).T, mode="r")))
    radius = math.sqrt(len(kernel[0])) / 2
    widest = total = 0.0
    for depth, length in enumerate(lengths[::-1].tolist(), start=1):
        total += math.log(max(radius / max(length, 1e-300), 1e-300))
        ball = 0.5 * depth * math.log(math.pi) - math.lgamma(depth / 2 + 1)
        widest = max(widest, total + ball)
    return widest > math.log(50 * NODES)


def _duals(kernel: list[list[int]], deadline: float) -> list[list[Any]] | None:
    """Per i the rational y in span(K_1..K_i), orthogonal to K_1..K_{i-1}, with <y, K_i> = 1."""
    from flint import fmpq_mat, fmpz_mat

    out = []
    if not kernel:
        return out
    K = fmpz_mat(kernel)
    gram = (K * K.transpose()).tolist()
    for i in range(1, len(kernel) + 1):
        if time.monotonic() > deadline:
            return None
        part = fmpz_mat([row[:i] for row in gram[:i]])
        weights: Any = part.solve(fmpz_mat(i, 1, [0] * (i - 1) + [1]))
        y = fmpq_mat(weights.transpose()) * fmpq_mat(fmpz_mat(kernel[:i]))
        out.append([y[0, j] for j in range(len(kernel[0]))])
    return out


def _search(
    start: list[int], kernel: list[list[int]], duals: list[list[Any]], deadline: float
) -> np.ndarray | str | None:
    """Depth first over z_f, z_{f-1}, ..., each in the interval that its dual vector allows."""
    lows: list[Any] = [sum((min(v, 0) for v in y), start=y[0] * 0) for y in duals]
    highs: list[Any] = [sum((max(v, 0) for v in y), start=y[0] * 0) for y in duals]
    nodes = 0
    stack = [(len(kernel) - 1, start)]
    while stack:
        i, x = stack.pop()
        nodes += 1
        if nodes > NODES or (nodes % 256 == 0 and time.monotonic() > deadline):
            return "too many lattice points"
        if i < 0:
            if all(v in (0, 1) for v in x):
                return np.array([2 * v - 1 for v in x])
            continue
        at: Any = sum((c * v for c, v in zip(duals[i], x, strict=True) if v), start=lows[i] * 0)
        first, last = int((lows[i] - at).ceil()), int((highs[i] - at).floor())
        for z in range(first, last + 1):
            stack.append((i - 1, [v + z * w for v, w in zip(x, kernel[i], strict=True)]))
    return None
