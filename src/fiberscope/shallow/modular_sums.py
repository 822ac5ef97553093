"""All zero-sum subsets of up to 44 integers of any size: residues find them, exact sums confirm them.

A zero sum is zero modulo the prime p = 2^61 - 1, so pairs of halves whose residues cancel hold every zero-sum subset
(Horowitz and Sahni, 1974, on residues); each pair is then added up exactly.
"""

from __future__ import annotations

import numpy as np

from fiberscope.errors import InputError

LONG = 44
"""No more numbers than this: a half has 2^22 sums."""

MAX_PAIRS = 1 << 22
"""No more pairs of cancelling halves than this are added up exactly."""

_PRIME = (1 << 61) - 1


def zero_sum_masks(codes: tuple[int, ...]) -> list[int]:
    """Every zero-sum subset of the integers ``codes`` as a mask, bit i for number i, in no particular order.

    Errors: InputError for more than 44 numbers, or more than 2^22 pairs of halves to check.

    >>> sorted(zero_sum_masks((5, 7, -5, 1 << 100)))
    [0, 5]
    """
    if len(codes) > LONG:
        raise InputError(f"{len(codes)} dependent units with too many different sums: sets are searched up to {LONG}")
    half = len(codes) // 2
    left, right = _residues(codes[:half]), _residues(codes[half:])
    head, tail = matching_halves(left, right, (np.uint64(_PRIME) - left) % np.uint64(_PRIME), MAX_PAIRS)
    masks = (head | tail << half).tolist()
    return [mask for mask in masks if sum(code for i, code in enumerate(codes) if mask >> i & 1) == 0]


def matching_halves(
    left: np.ndarray, right: np.ndarray, low: np.ndarray, most: int, high: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """All (i, j) with low[i] <= right[j] <= high[i] (high defaults to low), for one wanted value per entry of ``left``.

    Errors: InputError for more than ``most`` pairs.
    """
    order = np.argsort(right, kind="stable")
    start = np.searchsorted(right[order], low, side="left")
    number = np.searchsorted(right[order], low if high is None else high, side="right") - start
    if number.sum() > most:
        raise InputError(f"more than {most} sets of dependent units sum to nearly zero: too many to list one by one")
    head = np.repeat(np.arange(len(left)), number)
    within = np.arange(len(head)) - np.repeat(np.cumsum(number) - number, number)
    return head, order[np.repeat(start, number) + within]


def _residues(codes: tuple[int, ...]) -> np.ndarray:
    """All 2^s subset sums modulo p, indexed by the subset's bits."""
    prime = np.uint64(_PRIME)
    out = np.zeros(1, dtype=np.uint64)
    for code in codes:
        out = np.concatenate([out, (out + np.uint64(code % _PRIME)) % prime])
    return out
