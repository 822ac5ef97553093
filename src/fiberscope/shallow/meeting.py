"""Meeting in the middle: two halves of the unknowns, all their subset sums, and one sorted search.

Sums are compared through a linear hash h(a) = sum_l c_l a_l modulo the prime 2^61 - 1 (c random): equal sums have equal
hashes, so no common hash proves that there is no solution; each common hash is checked with whole integers.
Horowitz and Sahni, "Computing partitions with applications to the knapsack problem" (1974).
"""

from __future__ import annotations

import random
import time

import numpy as np

PRIME = (1 << 61) - 1
_RESTRICTED = 40
_RATE = 1e7  # subset sums made and sorted per second, measured on one core with room to spare


def meet_in_the_middle(
    columns: list[list[int]], target: list[int], deadline: float = np.inf
) -> np.ndarray | str | None:
    """Signs s with sum_j s_j a_j = target (columns given as r rows of m integers), None (proved: there are none), or
    a sentence when there is no time.

    >>> meet_in_the_middle([[3, 1, 2, 5]], [1]).tolist() in ([-1, 1, -1, 1], [1, 1, 1, -1])
    True
    """
    m = len(columns[0])
    totals = [goal + sum(row) for goal, row in zip(target, columns, strict=True)]
    if any(total % 2 for total in totals):
        return None
    goals = [total // 2 for total in totals]
    half = m // 2
    if 3 * 2.0 ** (m - half) / _RATE > deadline - time.monotonic():
        return "no time for meeting in the middle"
    coins = random.Random(61)
    weights = [coins.randrange(1, PRIME) for _ in columns]
    hashes = [sum(c * row[j] for c, row in zip(weights, columns, strict=True)) % PRIME for j in range(m)]
    goal_hash = sum(c * g for c, g in zip(weights, goals, strict=True)) % PRIME
    left, right = _sums(hashes[:half], 0), _sums([PRIME - h for h in hashes[half:]], goal_hash)
    for value in _common(left, right):  # each common hash, every pair of subsets that has it
        lows, highs = np.flatnonzero(left == value), np.flatnonzero(right == value)
        for low in lows.tolist():
            for high in highs.tolist():
                chosen = low | high << half
                if all(
                    sum(v for j, v in enumerate(row) if chosen >> j & 1) == goal
                    for row, goal in zip(columns, goals, strict=True)
                ):
                    return np.array([1 if chosen >> j & 1 else -1 for j in range(m)])
    return None


def restricted_meeting(columns: list[list[int]], target: list[int], deadline: float) -> np.ndarray | None:
    """Signs by meeting in the middle on 40 random unknowns, the others random, again and again until the deadline.

    Finds solutions where there are many (small integers, many unknowns); None says nothing.
    """
    m = len(columns[0])
    free_count = min(m, _RESTRICTED)
    rng = np.random.default_rng(62)
    for _ in range(1000):
        order, signs = rng.permutation(m), rng.choice([-1, 1], m)
        free, fixed = order[:free_count].tolist(), order[free_count:].tolist()
        goals = [goal - sum(int(signs[j]) * row[j] for j in fixed) for goal, row in zip(target, columns, strict=True)]
        found = meet_in_the_middle([[row[j] for j in free] for row in columns], goals, deadline)
        if isinstance(found, str):
            return None
        if found is not None:
            signs[free] = found
            return signs
    return None


def _sums(values: list[int], start: int) -> np.ndarray:
    """start + the sum of every subset, modulo PRIME, at the place whose bits are the subset (uint64)."""
    out = np.array([start], dtype=np.uint64)
    prime = np.uint64(PRIME)
    for value in values:
        more = out + np.uint64(value % PRIME)
        out = np.concatenate([out, np.minimum(more, more - prime)])  # below the prime, the difference wraps to above
    return out


def _common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The values that occur in both arrays, ascending, once each."""
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    both.sort(kind="stable")  # two ascending runs: one merge
    twice = np.unique(both[1:][both[1:] == both[:-1]])
    for array in (a, b):
        at = np.searchsorted(array, twice)
        twice = twice[array[np.minimum(at, len(array) - 1)] == twice]
    return twice
