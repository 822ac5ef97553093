"""Which functions a search compares: 1, t and rho(beta t + gamma) over a grid, in order of simplicity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

Pair = tuple[Fraction, Fraction]

BETAS = tuple(Fraction(b) for b in ("1", "-1", "2", "-2", "1/2", "-1/2", "3", "-3"))
GAMMAS = tuple(Fraction(g) for g in ("0", "1", "-1", "1/2", "-1/2", "2", "-2", "3", "-3"))
MOST_EXTRA = 24


@dataclass(frozen=True)
class Dictionary:
    """All (beta, gamma) of a grid, and ``extra`` ones that the breakpoints of the activation suggest.

    >>> Dictionary.around((Fraction(0), Fraction(6))).extra[:2]
    ((Fraction(1, 1), Fraction(6, 1)), (Fraction(1, 1), Fraction(-6, 1)))
    """

    betas: tuple[Fraction, ...] = BETAS
    gammas: tuple[Fraction, ...] = GAMMAS
    extra: tuple[Pair, ...] = ()

    @classmethod
    def around(cls, breakpoints: Sequence[Fraction]) -> Dictionary:
        """The default grid, and what maps breakpoints p < q to one another:

        reflections -t + p + q, translations t + q - p, and for N = 2, 3 the maps N t + gamma that carry the j-th of N
        equal parts of [p, q] onto [p, q].
        """
        found: list[Pair] = []
        for p, q in pairwise(breakpoints):
            found += [(Fraction(-1), p + q), (Fraction(1), q - p), (Fraction(1), p - q)]
            found += [(Fraction(n), p - n * p - (q - p) * j) for n in (2, 3) for j in range(n)]
        found += [(Fraction(-1), 2 * p) for p in breakpoints]
        grid = {(b, g) for b in BETAS for g in GAMMAS}
        new = sorted({pair for pair in found if pair not in grid}, key=simplicity)
        return cls(extra=tuple(new[:MOST_EXTRA]))

    @property
    def pairs(self) -> list[Pair]:
        """Every (beta, gamma), the simplest first."""
        return sorted({(b, g) for b in self.betas for g in self.gammas} | set(self.extra), key=simplicity)

    def to_json(self) -> dict[str, Any]:
        """The searched columns, as numbers."""
        return {
            "columns": f"1, t and rho(beta t + gamma) for {len(self.pairs)} pairs (beta, gamma)",
            "beta": [float(b) for b in self.betas],
            "gamma": [float(g) for g in self.gammas],
            "extra": [[float(b), float(g)] for b, g in self.extra],
        }


def height(q: Fraction) -> int:
    """How much a reader has to look at, roughly: |numerator|, and the denominator twice."""
    return abs(q.numerator) + 2 * q.denominator


def simplicity(pair: Pair) -> tuple[Any, ...]:
    """Sorts (1, 0) first, then (-1, 0), then small shifts and scales; a shift comes before a scale."""
    beta, gamma = pair
    return (height(beta) + height(gamma), height(beta), beta < 0, gamma < 0, abs(beta), abs(gamma))
