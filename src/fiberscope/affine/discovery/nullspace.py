"""Linear dependence of columns of high-precision numbers, column by column.

A new column is eliminated by the earlier independent ones, always at the row where the rest is largest. What is left is
compared with the column's own size. A dependent column has unique coefficients on the independent ones, so the columns
with nonzero coefficients and itself form a circuit: no proper subset of them is dependent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DIGITS = 260
"""Decimal digits that the elimination works with."""

DEPENDENT = -130
"""A rest below 10 to this power times the column's size is a dependence; independent analytic columns leave more."""

NEGLIGIBLE = -60
"""Coefficients below 10 to this power are zero."""


def magnitude(x: Any) -> int:
    """The power of ten just above |x| (very negative for 0)."""
    upper = x.abs_upper()
    if upper.is_zero():
        return -(10**9)
    mantissa, exponent = upper.man_exp()
    return int((int(mantissa).bit_length() + int(exponent)) * 0.30103) + 1


class Elimination:
    """The independent columns so far.

    >>> from flint import arb
    >>> e = Elimination()
    >>> e.add([arb(1), arb(2)]) is None, [str(c) for c in e.add([arb(2), arb(4)])]
    (True, ['2.00000000000000'])
    """

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.columns: list[list[Any]] = []
        self.pivots: list[Any] = []
        self.factors: list[list[Any]] = []
        self.smallest = 0
        """The smallest rest of an independent column, as a power of ten of its size."""

    def add(self, column: Sequence[Any]) -> list[Any] | None:
        """The coefficients on the independent columns (in their order), or None: this one is independent too."""
        rest = list(column)
        factors = []
        for row, reduced in zip(self.rows, self.columns, strict=True):
            m = rest[row].mid()
            factors.append(m)
            if not m.is_zero():
                rest = [(a - m * b).mid() for a, b in zip(rest, reduced, strict=True)]
        size = max(magnitude(a) for a in column)
        sizes = [magnitude(a) for a in rest]
        left = max(sizes) - size
        if left <= DEPENDENT:
            return self._original(factors)
        row = max(range(len(rest)), key=lambda i: abs(rest[i]).mid() if sizes[i] == max(sizes) else -1)
        pivot = rest[row].mid()
        self.smallest = min(self.smallest, left)
        self.rows.append(row)
        self.columns.append([(a / pivot).mid() for a in rest])
        self.pivots.append(pivot)
        self.factors.append(factors)
        return None

    def _original(self, factors: list[Any]) -> list[Any]:
        """Coefficients on the columns as they were given, from those on the reduced ones."""
        left = list(factors)
        out = [None] * len(left)
        for j in reversed(range(len(left))):
            out[j] = c = (left[j] / self.pivots[j]).mid()
            if not c.is_zero():
                for k, m in enumerate(self.factors[j]):
                    left[k] = (left[k] - c * m).mid()
        return out
