"""One connected part of a sign equation, over the integers: sum_j s_j a_j = t with a_j, t in Z^r.

With s = 2 x - 1 it is a 0/1 problem, sum_j x_j a_j = (t + sum_j a_j) / 2. Tried in this order:
bounds and parities, dynamic programming in one dimension, meeting in the middle, a separating hyperplane (t outside the
zonotope sum [-1, 1] a_j), lattices (all integer solutions in the cube, through a reduced basis), meeting in the middle
with random signs for all but 40 unknowns, and mixed integer programming. The last two only ever find: what they propose
is checked, and that they find nothing is not believed.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.exact import fraction
from fiberscope.shallow.lattice_signs import lattice_signs
from fiberscope.shallow.meeting import meet_in_the_middle, restricted_meeting
from fiberscope.shallow.sign_programs import milp_signs, outside_zonotope

MEET_EARLY = 44
"""Up to this many unknowns meeting in the middle takes half a second and goes before lattices and programs."""

MEET_MOST = 48
"""Beyond this many unknowns the two halves (2**24 numbers of 64 bits) no longer fit in memory with room to sort."""

QUICK = 5.0
"""Seconds for each of the methods that may only find signs, before the one that always answers."""

SUBSET_SUM_MOST = 1 << 24
"""Largest total of one-dimensional integers for dynamic programming (one bit each, per unknown)."""


@dataclass(frozen=True, eq=False)
class Part:
    """An outcome: ``found`` True with ``signs``, False as a proof, None for not settled."""

    found: bool | None
    signs: np.ndarray | None
    method: str


def integer_signs(columns: np.ndarray, target: np.ndarray, deadline: float) -> Part:
    """Signs with ``columns @ s = target`` (rationals, r x m and r, rank r)."""
    a, t = _integers(columns, target)
    m = len(a[0])

    def checked(signs: np.ndarray | None, method: str) -> Part | None:
        if signs is None:
            return None
        values = [int(s) for s in signs]
        good = all(sum(c * s for c, s in zip(row, values, strict=True)) == goal for row, goal in zip(a, t, strict=True))
        return Part(True, np.array(values), method) if good and set(values) <= {1, -1} else None

    if any(abs(goal) > sum(map(abs, row)) for row, goal in zip(a, t, strict=True)):
        return Part(False, None, "bound")
    if any((goal + sum(row)) % 2 for row, goal in zip(a, t, strict=True)):
        return Part(False, None, "parity")
    if len(a) == 1 and sum(map(abs, a[0])) <= SUBSET_SUM_MOST // max(1, m // 32):
        signs = subset_sum(a[0], t[0])
        return checked(signs, "subset sum") or Part(False, None, "subset sum")
    if m <= MEET_EARLY:
        signs = meet_in_the_middle(a, t, deadline)
        if not isinstance(signs, str):
            return checked(signs, "meet in the middle") or Part(False, None, "meet in the middle")
    if outside_zonotope(a, t):
        return Part(False, None, "separating hyperplane")
    signs = lattice_signs(a, t, min(deadline, time.monotonic() + 0.5 * _left(deadline)))
    if not isinstance(signs, str):
        return checked(signs, "lattice") or Part(False, None, "lattice")
    part = checked(restricted_meeting(a, t, min(deadline, time.monotonic() + QUICK)), "restricted meeting")
    part = part or checked(milp_signs(a, t, min(QUICK, 0.5 * _left(deadline))), "integer programming")
    if part is None and m <= MEET_MOST:
        signs = meet_in_the_middle(a, t, deadline)
        if not isinstance(signs, str):
            return checked(signs, "meet in the middle") or Part(False, None, "meet in the middle")
    part = part or checked(milp_signs(a, t, 0.8 * _left(deadline)), "integer programming")
    return part or Part(None, None, "not settled in time")


def subset_sum(values: list[int], target: int) -> np.ndarray | None:
    """Signs with sum s_j values_j = target in one dimension, by reachable totals as bits of one long integer.

    >>> subset_sum([3, 1, 2], 0).tolist()
    [1, -1, -1]
    """
    sizes = [abs(v) for v in values]
    goal = target + sum(sizes)
    if goal % 2 or goal < 0:
        return None
    goal //= 2
    reach = [1]
    for size in sizes:
        reach.append(reach[-1] | reach[-1] << size)
    if not reach[-1] >> goal & 1:
        return None
    signs = np.ones(len(values), dtype=np.int64)
    for j in range(len(values) - 1, -1, -1):
        if reach[j] >> goal & 1:
            signs[j] = -1
        else:
            goal -= sizes[j]
        if values[j] < 0:
            signs[j] = -signs[j]
    return signs


def _integers(columns: np.ndarray, target: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Every equation times the least factor that makes it a primitive integer one."""
    a, t = [], []
    for row, goal in zip(columns.tolist(), target.tolist(), strict=True):
        pairs = [fraction(v).as_integer_ratio() for v in (*row, goal)]
        common = math.lcm(*(q for _, q in pairs))
        numbers = [p * (common // q) for p, q in pairs]
        divisor = math.gcd(*numbers)
        a.append([v // divisor for v in numbers[:-1]])
        t.append(numbers[-1] // divisor)
    return a, t


def _left(deadline: float) -> float:
    return min(max(0.0, deadline - time.monotonic()), 3600.0)
