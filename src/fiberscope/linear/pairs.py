"""Pairs of bars: homomorphisms, extensions, and which pairs the derivative of the product sees.

For two bars (interval modules of the linear quiver of type A) ``A = (i, k)``, ``B = (i', k')`` all spaces below have
dimension 0 or 1 (Gabriel 1972; the Ext criterion is the one of Abeasis and Del Fra 1980):

    hom(A, B)   = [i' <= i <= k' <= k]         maps of modules A -> B
    ext(A, B)   = [i < i' <= k+1 <= k']        nonsplit modules 0 -> B -> E -> A -> 0: A's end is led into B
    touch(A, B) = [i = 0, k' = L, i' <= k+1]   d(W_L ... W_1) has an entry for "A led into B"

A change of weights that leads ``A`` (alive at ``j - 1``) into ``B`` (alive at ``j``) can sit in the matrices ``W_j``
with ``j`` in `meeting_layers`. Sums over ordered pairs of single bars are taken over the types of bars that occur,
weighted by multiplicity, so that the cost does not depend on the widths.
"""

from __future__ import annotations

from collections.abc import Callable

from fiberscope.linear.barcode import Bar, Barcode


def hom(first: Bar, second: Bar) -> bool:
    """Whether there is a nonzero map of modules ``first -> second``: ``i' <= i <= k' <= k``.

    >>> hom((1, 3), (0, 2)), hom((0, 2), (1, 3))
    (True, False)
    """
    return second[0] <= first[0] <= second[1] <= first[1]


def ext(first: Bar, second: Bar) -> bool:
    """Whether the end of ``first`` can be led into ``second``: ``i < i' <= k+1 <= k'``.

    >>> ext((0, 0), (1, 2)), ext((0, 1), (1, 2)), ext((0, 2), (1, 2))
    (True, True, False)
    """
    return first[0] < second[0] <= first[1] + 1 <= second[1]


def touch(first: Bar, second: Bar, length: int) -> bool:
    """Whether the derivative of ``W_L ... W_1`` sees the pair: ``i = 0``, ``k' = L`` and ``i' <= k+1``.

    >>> touch((0, 0), (1, 2), 2), touch((0, 0), (2, 2), 2), touch((0, 2), (0, 2), 2)
    (True, False, True)
    """
    return first[0] == 0 and second[1] == length and second[0] <= first[1] + 1


def constrained(first: Bar, second: Bar, length: int) -> bool:
    """Whether leading ``first`` into ``second`` leaves the stratum or moves the product: ``ext`` or ``touch``."""
    return ext(first, second) or touch(first, second, length)


def meeting_layers(first: Bar, second: Bar) -> range:
    """The ``j`` for which ``first`` is alive at ``j - 1`` and ``second`` at ``j``: ``max(i+1, i') .. min(k+1, k')``.

    >>> list(meeting_layers((0, 2), (1, 3))), list(meeting_layers((2, 3), (0, 1)))
    ([1, 2, 3], [])
    """
    return range(max(first[0] + 1, second[0]), min(first[1] + 1, second[1]) + 1)


def count_pairs(barcode: Barcode, weight: Callable[[Bar, Bar], int]) -> int:
    """The sum of ``weight(A, B)`` over all ordered pairs of single bars of the barcode, ``A = B`` included.

    >>> count_pairs(Barcode.from_bars(1, {(0, 0): 3, (1, 1): 2}), ext)
    6
    """
    bars = barcode.bars
    return sum(m * n * weight((i, k), (other_i, other_k)) for i, k, m in bars for other_i, other_k, n in bars)
