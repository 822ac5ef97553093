"""The order of strata by closure: elementary moves of bars, covers, chains.

A stratum lies in the closure of another iff its rank list is pointwise at most the other's (Abeasis and Del Fra
1980, on degenerations of quivers of type A; in the fiber of one product the same holds, with the full bars left
alone). Two bars ``A = (i, k)``, ``B = (i', k')`` with ``i < i' <= k+1 <= k'`` move upward by

    connect   (i' = k+1):   (i, k) + (k+1, k')  ->  (i, k')
    exchange  (i' <= k):    (i, k) + (i', k')   ->  (i, k') + (i', k)

unless ``i = 0`` and ``k' = L``, which would change the rank of the product. A move raises ``r_{b~a}`` by 1 for
``i <= a < i'``, ``k < b <= k'`` and nothing else. These moves generate the order. A move is a cover iff no bar
``(a, b)`` of the lower stratum has ``i <= a <= i'`` and ``k <= b <= k'`` except at the four corners of that
rectangle, as in the Bruhat order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.linear.pairs import ext


@dataclass(frozen=True, order=True)
class BarMove:
    """Leading the end of the bar ``first = (i, k)`` into the bar ``second = (i', k')``.

    `InputError` unless ``i < i' <= k+1 <= k'`` (that is, ``ext(first, second)``).

    >>> move = BarMove((0, 1), (1, 2))
    >>> move.kind, move.target, BarMove((0, 0), (1, 2)).kind
    ('exchange', ((0, 2), (1, 1)), 'connect')
    """

    first: Bar
    second: Bar

    def __post_init__(self) -> None:
        if not ext(self.first, self.second):
            raise InputError(
                f"move of the bars {self.first} and {self.second}: expected births i < i' and ends k, k' with "
                "i' <= k+1 <= k'"
            )

    @property
    def kind(self) -> Literal["connect", "exchange"]:
        return "connect" if self.second[0] == self.first[1] + 1 else "exchange"

    @property
    def source(self) -> tuple[Bar, Bar]:
        """The two bars that the move consumes."""
        return self.first, self.second

    @property
    def target(self) -> tuple[Bar, ...]:
        """``((i, k'),)`` for connect, ``((i, k'), (i', k))`` for exchange."""
        (i, k), (other_i, other_k) = self.first, self.second
        return ((i, other_k),) if self.kind == "connect" else ((i, other_k), (other_i, k))

    def check(self, barcode: Barcode) -> None:
        """`InputError` unless the barcode has both bars and the move leaves the rank of the product alone."""
        for i, k in self.source:
            if not barcode.multiplicity(i, k):
                raise InputError(f"move of the bars {self.first} and {self.second}: {barcode!r} has no bar ({i}, {k})")
        if self.first[0] == 0 and self.second[1] == barcode.length:
            raise InputError(
                f"move of the bars {self.first} and {self.second}: it would raise the rank of the product; "
                "choose a pair that is not (born at layer 0, alive at the last layer)"
            )

    def apply(self, barcode: Barcode) -> Barcode:
        """The barcode after the move. `InputError` if a bar is missing or the rank of the product would change.

        >>> BarMove((0, 0), (1, 1)).apply(Barcode.from_bars(2, {(0, 0): 1, (1, 1): 2, (2, 2): 1})).bars
        ((0, 1, 1), (1, 1, 1), (2, 2, 1))
        """
        self.check(barcode)
        bars = dict(barcode.multiplicities)
        for bar in self.source:
            bars[bar] -= 1
        for bar in self.target:
            bars[bar] = bars.get(bar, 0) + 1
        return Barcode(barcode.length, tuple(sorted((i, k, m) for (i, k), m in bars.items() if m)))

    def to_json(self) -> dict[str, Any]:
        """``{"kind", "from", "to"}`` with bars as ``[birth, last layer alive]``."""
        return {"kind": self.kind, "from": [list(b) for b in self.source], "to": [list(b) for b in self.target]}


def up_moves(barcode: Barcode) -> list[BarMove]:
    """All elementary moves upward that keep the rank of the product, one per pair of types of bars, sorted.

    >>> [m.kind for m in up_moves(Barcode.from_bars(2, {(0, 0): 1, (1, 1): 1, (2, 2): 1}))]
    ['connect', 'connect']
    """
    return [BarMove(first, second) for first, second in _movable(barcode)]


def _movable(barcode: Barcode) -> Iterator[tuple[Bar, Bar]]:
    top = barcode.length
    types = [(i, k) for i, k, _ in barcode.bars]
    return ((a, b) for a in types for b in types if ext(a, b) and (a[0] > 0 or b[1] < top))


def is_cover(barcode: Barcode, move: BarMove) -> bool:
    """Whether no stratum lies strictly between ``barcode`` and the move's result.

    Iff no bar of ``barcode`` lies in ``[i, i'] x [k, k']`` except at the corners. `InputError` if the move does not
    apply.

    >>> b = Barcode.from_bars(3, {(0, 0): 1, (0, 1): 1, (1, 2): 1, (3, 3): 1})
    >>> [(m.first, m.second, is_cover(b, m)) for m in up_moves(b)][:2]
    [((0, 0), (1, 2), False), ((0, 1), (1, 2), True)]
    """
    move.check(barcode)
    return _nothing_between(barcode, *move.source)


def _nothing_between(barcode: Barcode, first: Bar, second: Bar) -> bool:
    (i, k), (other_i, other_k) = first, second
    for a, b, _ in barcode.bars:
        if i <= a <= other_i and k <= b <= other_k and not (a in (i, other_i) and b in (k, other_k)):
            return False
    return True


def dimension_gain(barcode: Barcode, move: BarMove) -> int:
    """By how much the move raises the dimension of the stratum.

    ``#bars in [i, i') x [k, k')  +  #bars in (i, i'] x (k, k']  -  1``, bars of the lower stratum with
    multiplicity; for a cover this is ``m_A + m_B - 1``. `InputError` if the move does not apply.

    >>> dimension_gain(Barcode.from_bars(2, {(0, 0): 3, (1, 1): 2, (2, 2): 1}), BarMove((0, 0), (1, 1)))
    4
    """
    move.check(barcode)
    (i, k), (other_i, other_k) = move.source
    near_first = sum(m for a, b, m in barcode.bars if i <= a < other_i and k <= b < other_k)
    near_second = sum(m for a, b, m in barcode.bars if i < a <= other_i and k < b <= other_k)
    return near_first + near_second - 1


def covers(barcode: Barcode) -> list[BarMove]:
    """The moves that lead to the strata directly above, one per such stratum, sorted."""
    return [BarMove(a, b) for a, b in _movable(barcode) if _nothing_between(barcode, a, b)]


def check_same_fiber(a: Barcode, b: Barcode) -> None:
    """`InputError` unless both barcodes are strata of one fiber (equal widths and equal rank of the product)."""
    if a.widths != b.widths or a.full != b.full:
        raise InputError(f"{a!r} and {b!r}: expected two strata of one fiber (equal widths and equal rank)")


def leq(a: Barcode, b: Barcode) -> bool:
    """Whether stratum ``a`` lies in the closure of stratum ``b``: ``r_{k~i}(a) <= r_{k~i}(b)`` for all ``i <= k``.

    `InputError` if they are not strata of one fiber.

    >>> low = Barcode.from_bars(2, {(0, 0): 1, (1, 1): 1, (2, 2): 1})
    >>> high = Barcode.from_bars(2, {(0, 1): 1, (2, 2): 1})
    >>> leq(low, high), leq(high, low)
    (True, False)
    """
    check_same_fiber(a, b)
    above = b.ranks
    return all(r <= above[key] for key, r in a.ranks.items())


def chain_up(a: Barcode, b: Barcode) -> list[BarMove]:
    """Covers that lead from ``a`` to ``b``, one after the other; empty if ``a == b``.

    From every stratum strictly below ``b`` some cover stays below ``b``, so the first one found may be taken.
    `InputError` if ``a`` is not in the closure of ``b``.

    >>> low = Barcode.from_bars(2, {(0, 0): 2, (1, 1): 2, (2, 2): 2})
    >>> high = Barcode.from_bars(2, {(0, 1): 1, (0, 0): 1, (1, 2): 1, (2, 2): 1})
    >>> [m.source for m in chain_up(low, high)]
    [((0, 0), (1, 1)), ((1, 1), (2, 2))]
    """
    if not leq(a, b):
        raise InputError(f"no chain up from {a!r} to {b!r}: the first is not in the closure of the second")
    chain: list[BarMove] = []
    while a != b:
        slack = {key: r - a.ranks[key] for key, r in b.ranks.items()}
        move = next(m for m in covers(a) if all(slack[key] for key in raised_ranks(m)))
        chain.append(move)
        a = move.apply(a)
    return chain


def raised_ranks(move: BarMove) -> Iterator[tuple[int, int]]:
    """The ``(b, a)`` for which the move raises ``r_{b~a}`` by 1: ``i <= a < i'`` and ``k < b <= k'``."""
    (i, k), (other_i, other_k) = move.source
    return ((b, a) for a in range(i, other_i) for b in range(k + 1, other_k + 1))
