"""The irreducible components of a fiber, without its other strata: one per maximal stratum.

A stratum is maximal iff every pair of bars with ``ext`` is a pair with ``touch``. It is determined by the numbers

    u_j = r_{j~0},   d_0 = u_0 >= u_1 >= ... >= u_L = rho,   u_j <= d_j,

of dimensions of the input that survive to layer ``j``: the bars of birth > 0 are those of a generic chain of widths
``e_j = d_j - u_j`` (no ext among them), so that with ``u`` given

    r_{k~0} = u_k,      r_{k~i} = u_k + min(e_i, ..., e_k)   (i >= 1).

A sequence ``u`` occurs iff wherever some of the input is lost nothing can be reached later that could not be
reached here:

    u_j > u_{j+1}   implies   e_{j+1} <= e_m  for all m > j.

All sequences ``u`` below a given stratum's bounds form a lattice, whose largest element is a component (`ascend`).
The variety of a sequence is the set of weights that have subspaces ``U_j`` of dimension ``u_j`` with ``W_{j+1}
U_j`` inside ``U_{j+1}`` (for rho = 0), irreducible as the image of a vector bundle over a product of Grassmannians;
compare the varieties of complexes of De Concini and Strickland (1981) and Buchsbaum and Eisenbud.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from fiberscope.linear.barcode import Bar, Barcode, checked_widths
from fiberscope.linear.counting import checked_rank
from fiberscope.linear.pairs import ext


def components(widths: Sequence[int], rank: int) -> Iterator[Barcode]:
    """The maximal strata, lazily; their closures are the irreducible components of the fiber.

    The search never meets a dead end, so the next one always comes at once. `InputError` for bad widths or rank.

    >>> for b in components([2, 2, 2], 1): print(b)
    Barcode(widths (2, 2, 2), rank 1: [0,0], [0,2], [1,2])
    Barcode(widths (2, 2, 2), rank 1: [0,1], [0,2], [2,2])
    """
    widths = checked_widths(widths)
    rank = checked_rank(widths, rank)
    return (from_survivors(widths, u) for u in survivor_sequences(widths, rank))


def count_components(widths: Sequence[int], rank: int) -> int:
    """The number of irreducible components of the fiber, by a sweep (about n^2 steps a layer for widths up to n).

    For constant widths ``n + rank`` it is the binomial coefficient ``C(L + n - 1, n)``.

    >>> count_components([784, 128, 64, 10], 0), count_components([7] * 9, 3)
    (66, 330)
    """
    widths = checked_widths(widths)
    rank = checked_rank(widths, rank)
    states = {(rank, widths[-1] - rank): 1}
    for layer in range(len(widths) - 2, -1, -1):
        following: dict[tuple[int, int], int] = {}
        for (u, least), ways in states.items():
            for state in _earlier(widths, layer, u, least):
                following[state] = following.get(state, 0) + ways
        states = following
    return sum(states.values())


def survivor_sequences(widths: Sequence[int], rank: int) -> Iterator[tuple[int, ...]]:
    """The sequences ``(u_0, ..., u_L)`` of the components, smallest first from the output's side."""
    top = len(widths) - 1
    pending: list[tuple[tuple[int, ...], int]] = [((rank,), widths[top] - rank)]
    while pending:
        tail, least = pending.pop()
        layer = top - len(tail)
        if layer < 0:
            yield tail
        else:
            found = [((u, *tail), f) for u, f in _earlier(widths, layer, tail[0], least)]
            pending.extend(reversed(found))


def _earlier(widths: Sequence[int], layer: int, u: int, least: int) -> Iterator[tuple[int, int]]:
    """The ``(u_j, min of e_m over m >= j)`` that may stand before ``(u_{j+1}, min of e_m over m > j)``, ``j = layer``.

    Only those that can be completed: ``u_j = d_0``, or ``e_m <= min e`` can be met at some ``1 <= m <= j``, where
    ``u`` may rise again (there ``u = min(d_0, ..., d_m)`` is always possible).
    """
    if layer == 0:
        yield widths[0], 0  # nothing but bars of birth 0
        return
    highest = min(widths[: layer + 1]) if least == widths[layer + 1] - u else u
    narrowest = min(widths[1 : layer + 1])
    for value in range(u, highest + 1):
        smallest = min(least, widths[layer] - value)
        if value == widths[0] or value + smallest >= narrowest:
            yield value, smallest


def from_survivors(widths: Sequence[int], survivors: Sequence[int]) -> Barcode:
    """The barcode with ``r_{k~0} = u_k`` and a generic rest, ``r_{k~i} = u_k + min(d_i - u_i, ..., d_k - u_k)``.

    >>> from_survivors([2, 3, 2], [2, 1, 0])
    Barcode(widths (2, 3, 2), rank 0: [0,0], [0,1], [1,2]x2)
    """
    top = len(widths) - 1
    bars: dict[Bar, int] = {(0, k): survivors[k] - survivors[k + 1] for k in range(top)}
    bars[0, top] = survivors[top]
    rest = [0, *(d - u for d, u in zip(widths[1:], survivors[1:], strict=True)), 0]
    for i in range(1, top + 1):
        least, wider = rest[i], min(rest[i - 1 : i + 1])
        for k in range(i, top + 1):
            least, wider = min(least, rest[k]), min(wider, rest[k])
            bars[i, k] = least - wider - min(least, rest[k + 1]) + min(wider, rest[k + 1])
    return Barcode.from_bars(top, bars)


def is_component(barcode: Barcode) -> bool:
    """Whether the stratum is maximal: no elementary move upward keeps the rank of the product."""
    top = barcode.length
    return not any(ext((i, k), (a, b)) and (i > 0 or b < top) for i, k, _ in barcode.bars for a, b, _ in barcode.bars)


def ascend(barcode: Barcode) -> Barcode:
    """A maximal stratum above the given one: that in which most of the input survives longest.

    ``u_j = rho + min over i <= j of dim null(W_L ... W_{i+1}) = rho + min_{i <= j} (d_i - r_{L~i})``. It is the
    largest sequence with ``u_j - u_k <= d_j - r_{k~j}`` for all ``j < k``, which is what lying above the stratum
    means.

    >>> ascend(Barcode.from_bars(2, {(0, 0): 2, (1, 1): 2, (2, 2): 2}))
    Barcode(widths (2, 2, 2), rank 0: [0,1]x2, [2,2]x2)
    """
    return from_survivors(barcode.widths, largest_survivors(barcode))


def largest_survivors(barcode: Barcode) -> tuple[int, ...]:
    """The sequence ``u`` of `ascend`."""
    top, widths = barcode.length, barcode.widths
    kernels = (d - barcode.rank(top, i) for i, d in enumerate(widths))
    return tuple(barcode.full + least for least in accumulate(kernels, min))
