"""The lattice of mixing groups and its meet.

A hidden space of size n carries one of these groups of n x n matrices, from
small to large: the identity, permutation matrices, orthogonal matrices that fix
the line of ones, orthogonal matrices, invertible matrices. The groups form a
chain, so the meet of two is the smaller one. ``complex_scalar`` (one complex
number per rotary frequency) is written down for the blocks that need it.
"""

from __future__ import annotations

import math
from enum import IntEnum


class Mixing(IntEnum):
    """How the coordinates of a space may be mixed; a smaller value is a smaller group."""

    none = 0
    permutation = 1
    complex_scalar = 2
    orthogonal_fixing_ones = 3
    orthogonal = 4
    general_linear = 5

    def meet(self, other: Mixing) -> Mixing:
        """Return the largest group contained in both.

        A complex scalar acts on pairs of coordinates and shares only the identity with the others.

        >>> Mixing.orthogonal.meet(Mixing.permutation).name
        'permutation'
        """
        low, high = min(self, other), max(self, other)
        if low is Mixing.complex_scalar and high is not low:
            return low if high is Mixing.general_linear else Mixing.none
        if high is Mixing.complex_scalar and low is Mixing.permutation:
            return Mixing.none
        return low

    def dimension(self, n: int) -> int:
        """Dimension of the group on a space of size ``n`` (scalings not counted, except inside GL and C*)."""
        match self:
            case Mixing.general_linear:
                return n * n
            case Mixing.orthogonal:
                return n * (n - 1) // 2
            case Mixing.orthogonal_fixing_ones:
                return (n - 1) * (n - 2) // 2
            case Mixing.complex_scalar:
                return n
            case _:
                return 0

    def log10_components(self, n: int) -> float:
        """log10 of the number of connected components (permutations: n!)."""
        match self:
            case Mixing.permutation:
                return math.lgamma(n + 1) / math.log(10)
            case Mixing.general_linear | Mixing.orthogonal:
                return math.log10(2) if n else 0.0
            case Mixing.orthogonal_fixing_ones:
                return math.log10(2) * (2 if n > 1 else 1) if n else 0.0
            case _:
                return 0.0
