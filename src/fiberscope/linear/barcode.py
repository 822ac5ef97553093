"""Rank lists and barcodes: two names for the same finite datum, the isomorphism type of a chain of linear maps.

A chain ``R^{d_0} -> R^{d_1} -> ... -> R^{d_L}`` is a representation of a quiver of type A (all arrows one way).
Gabriel's theorem (1972) splits it into intervals: the bar ``(i, k)``, ``i <= k``, is born at layer ``i`` and last alive
at layer ``k``. With ``r_{k~i} = rank(W_k ... W_{i+1})``, ``r_{j~j} = d_j`` and ``m_{ik}`` copies of the bar ``(i, k)``,

    r_{k~i} = sum of m_{ab} over a <= i, b >= k
    m_{ik}  = r_{k~i} - r_{k~i-1} - r_{k+1~i} + r_{k+1~i-1}      (out of range = 0).

Bhattacharya and Shewchuk call ``m_{ik}`` the interval multiplicity ``omega_{ki}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fiberscope.errors import InputError

Bar = tuple[int, int]


def checked_widths(widths: Iterable[int]) -> tuple[int, ...]:
    """``(d_0, ..., d_L)`` as a tuple of positive integers, at least two of them; `InputError` otherwise."""
    out = tuple(widths)
    if len(out) < 2 or any(not isinstance(d, int) or isinstance(d, bool) or d < 1 for d in map(_integer, out)):
        raise InputError(f"widths {list(out)}: expected at least two positive integers, from the input to the output")
    return tuple(int(d) for d in out)


def _integer(value: Any) -> Any:
    return value.__index__() if hasattr(value, "__index__") and not isinstance(value, bool) else value


@dataclass(frozen=True)
class Barcode:
    """A multiset of bars, as triples ``(i, k, multiplicity)`` in increasing order, over layers ``0 .. L``.

    >>> b = Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 1): 2, (2, 2): 1})
    >>> b.widths, b.rank(2, 0), b.bars
    ((2, 3, 2), 1, ((0, 0, 1), (0, 2, 1), (1, 1, 2), (2, 2, 1)))
    """

    length: int  # L, the number of matrices
    bars: tuple[tuple[int, int, int], ...]

    @classmethod
    def from_bars(cls, length: int, multiplicities: Mapping[Bar, int]) -> Barcode:
        """From ``{(i, k): multiplicity}``; zeros are dropped. `InputError` for a bar outside ``0 <= i <= k <= L``."""
        for (i, k), m in multiplicities.items():
            if not 0 <= i <= k <= length:
                raise InputError(f"bar ({i}, {k}): expected 0 <= birth <= last layer alive <= {length}")
            if m < 0:
                raise InputError(f"bar ({i}, {k}): its multiplicity is {m}, expected 0 or more")
        return cls(length, tuple(sorted((i, k, m) for (i, k), m in multiplicities.items() if m)))

    @classmethod
    def from_ranks(cls, ranks: Mapping[tuple[int, int], int], length: int) -> Barcode:
        """From ``{(k, i): r_{k~i}}`` for ``0 <= i <= k <= L`` (the widths at ``(j, j)``).

        A rank list is feasible iff every multiplicity is nonnegative; `InputError` names the first that is not.

        >>> Barcode.from_ranks({(0, 0): 1, (1, 1): 2, (1, 0): 1}, 1).bars
        ((0, 1, 1), (1, 1, 1))
        """

        def r(k: int, i: int) -> int:
            return ranks[k, i] if 0 <= i <= k <= length else 0

        out: dict[Bar, int] = {}
        for i in range(length + 1):
            for k in range(i, length + 1):
                m = r(k, i) - r(k, i - 1) - r(k + 1, i) + r(k + 1, i - 1)
                if m < 0:
                    raise InputError(
                        f"this rank list belongs to no matrices: rank {k}~{i} - rank {k}~{i - 1} - rank {k + 1}~{i} + "
                        f"rank {k + 1}~{i - 1} = {m}, expected 0 or more"
                    )
                out[i, k] = m
        return cls.from_bars(length, out)

    @cached_property
    def multiplicities(self) -> dict[Bar, int]:
        """``{(i, k): m_{ik}}``, only the bars that occur."""
        return {(i, k): m for i, k, m in self.bars}

    def multiplicity(self, birth: int, last: int) -> int:
        """``m_{ik}``, the number of copies of the bar born at ``birth`` and last alive at ``last``."""
        return self.multiplicities.get((birth, last), 0)

    @cached_property
    def ranks(self) -> dict[tuple[int, int], int]:
        """``{(k, i): r_{k~i}}`` for ``0 <= i <= k <= L``; the widths stand at ``(j, j)``."""
        size = self.length + 1
        table = [[0] * (size + 1) for _ in range(size + 1)]  # table[i + 1][k] = bars with birth <= i, last >= k
        for i, k, m in self.bars:
            table[i + 1][k] = m
        for i in range(1, size + 1):
            for k in range(size - 1, -1, -1):
                table[i][k] += table[i - 1][k] + table[i][k + 1] - table[i - 1][k + 1]
        return {(k, i): table[i + 1][k] for i in range(size) for k in range(i, size)}

    def rank(self, k: int, i: int) -> int:
        """``r_{k~i} = rank(W_k ... W_{i+1})``; 0 out of range, so that the formulas of the theory read as printed."""
        return self.ranks[k, i] if 0 <= i <= k <= self.length else 0

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """``(d_0, ..., d_L)``: the number of bars alive at each layer."""
        return tuple(sum(m for i, k, m in self.bars if i <= j <= k) for j in range(self.length + 1))

    @property
    def full(self) -> int:
        """``m_{0L} = rank(W_L ... W_1)``, the bars that carry the product."""
        return self.multiplicity(0, self.length)

    def transpose(self) -> Barcode:
        """The barcode of the reversed network ``W_1^T, ..., W_L^T``: bar ``(i, k)`` becomes ``(L-k, L-i)``."""
        top = self.length
        return Barcode.from_bars(top, {(top - k, top - i): m for i, k, m in self.bars})

    def __repr__(self) -> str:
        shown = ", ".join(f"[{i},{k}]" + (f"x{m}" if m > 1 else "") for i, k, m in self.bars)
        return f"Barcode(widths {self.widths}, rank {self.full}: {shown})"

    def to_json(self) -> list[list[int]]:
        """``[[i, k, multiplicity], ...]``."""
        return [list(bar) for bar in self.bars]


def least_barcode(widths: Sequence[int], rank: int) -> Barcode:
    """The unique least stratum: ``rank`` full bars, and every other dimension a bar of one layer.

    All products then have rank ``rank``: ``r_{k~i} = rank`` for ``k > i``.
    """
    top = len(widths) - 1
    bars = {(j, j): d - rank for j, d in enumerate(widths)}
    bars[0, top] = bars.get((0, top), 0) + rank
    return Barcode.from_bars(top, bars)
