"""Points at which columns are compared: spread out, far away, and inside every cell between breakpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from fiberscope.affine.discovery.dictionary import Pair

FAR = (12, 25, 60)
PER_CELL = 4


def cells(breakpoints: Sequence[Fraction], pairs: Iterable[Pair]) -> list[Fraction]:
    """Every point at which some rho(beta t + gamma) has a breakpoint, in order."""
    return sorted({(p - gamma) / beta for p in breakpoints for beta, gamma in pairs})


def points(ends: Sequence[Fraction], count: int, seed: int) -> list[Fraction]:
    """``count`` or more rational points: some in every cell between the ends, some beyond the last, some far away.

    >>> len(points([Fraction(0)], 10, 0)) >= 10
    True
    """
    rng = np.random.default_rng(seed)

    def unit() -> Fraction:
        return Fraction(int(rng.integers(1, 2**20)), 2**20)

    out: list[Fraction] = []
    for low, high in pairwise(ends):
        out += [low + (high - low) * unit() for _ in range(PER_CELL)]
    first, last = (ends[0], ends[-1]) if ends else (Fraction(0), Fraction(0))
    out += [last + far * (1 + unit()) for far in (1, *FAR)]
    out += [first - far * (1 + unit()) for far in (1, *FAR)]
    more = max(0, count - len(out))
    out += [Fraction(2 * i - more, more) * 8 + unit() / 8 for i in range(more)]
    return out
