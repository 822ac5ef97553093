"""All barcodes of given widths and rank, one after the other, each once.

A sweep over the layers, as a depth-first search: from layer ``j`` to ``j + 1`` choose how many of the bars of each
birth survive, at most ``d_{j+1}`` in all; the rest end at ``j``, and what is missing to ``d_{j+1}`` is born. Beyond
the full bars no bar of birth 0 survives into the last layer. Every partial choice can be completed, so nothing is
ever rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fiberscope.linear.barcode import Barcode, checked_widths
from fiberscope.linear.counting import checked_rank

RawBarcode = tuple[tuple[int, int, int], ...]
Alive = tuple[tuple[int, int], ...]  # (birth, how many), only those that occur
Choice = tuple[RawBarcode, Alive, int]  # bars that end at a layer, bars that survive it, room left in the next
Tails = dict[tuple[int, Alive], list[RawBarcode]]

TABULATED_WIDTH = 8
"""Up to this width the ways through the last two layers are kept for reuse (a few thousand per state at most)."""

TABULATED_STATES = 2_000
"""So many states' ways are kept at a time, to bound the memory."""


def barcodes(widths: Sequence[int], rank: int) -> Iterator[Barcode]:
    """Every stratum of the fiber of a matrix of the given rank, lazily, in a fixed order that starts with the least.

    There can be very many: ask `count_strata` first. `InputError` for bad widths or rank.

    >>> for b in barcodes([2, 3, 2], 1): print(b)
    Barcode(widths (2, 3, 2), rank 1: [0,0], [0,2], [1,1]x2, [2,2])
    Barcode(widths (2, 3, 2), rank 1: [0,0], [0,2], [1,1], [1,2])
    Barcode(widths (2, 3, 2), rank 1: [0,1], [0,2], [1,1], [2,2])
    Barcode(widths (2, 3, 2), rank 1: [0,1], [0,2], [1,2])
    """
    length = len(checked_widths(widths)) - 1
    return (Barcode(length, raw) for raw in raw_barcodes(widths, rank))


def raw_barcodes(widths: Sequence[int], rank: int) -> Iterator[RawBarcode]:
    """The same as `barcodes`, as sorted tuples of ``(i, k, multiplicity)``.

    >>> next(raw_barcodes([2, 3, 2], 1))
    ((0, 0, 1), (0, 2, 1), (1, 1, 2), (2, 2, 1))
    """
    widths = checked_widths(widths)
    rank = checked_rank(widths, rank)
    top = len(widths) - 1
    reduced = [d - rank for d in widths]
    full = ((0, top, rank),) if rank else ()
    return (tuple(sorted(full + ended)) for ended in _completions(reduced, 0, _newborn(0, reduced[0]), {}))


def _newborn(layer: int, number: int) -> Alive:
    return ((layer, number),) if number else ()


def _completions(widths: Sequence[int], layer: int, alive: Alive, tails: Tails) -> Iterator[RawBarcode]:
    """The bars that end at ``layer`` or later, for every way to go on (``tails``: kept for narrow layers)."""
    left = len(widths) - 1 - layer
    if left == 0:
        yield tuple((birth, layer, n) for birth, n in alive)
    elif left <= 2 and max(widths[layer:]) <= TABULATED_WIDTH:
        key = layer, alive
        if key not in tails:
            if len(tails) >= TABULATED_STATES:
                tails.clear()
            tails[key] = list(_ways(widths, layer, alive, tails))
        yield from tails[key]
    else:
        yield from _ways(widths, layer, alive, tails)


def _ways(widths: Sequence[int], layer: int, alive: Alive, tails: Tails) -> Iterator[RawBarcode]:
    last = layer + 1 == len(widths) - 1
    choices: Iterable[Choice] = [((), (), widths[layer + 1])]
    for birth, n in alive:
        choices = _surviving(choices, birth, layer, n, 0 if last and birth == 0 else n)
    for ended, survivors, room in choices:
        for tail in _completions(widths, layer + 1, survivors + _newborn(layer + 1, room), tails):
            yield ended + tail


def _surviving(choices: Iterable[Choice], birth: int, layer: int, n: int, most: int) -> Iterator[Choice]:
    """Each choice continued by how many of the ``n`` bars of this birth survive the layer: at most ``most``."""
    for ended, survivors, room in choices:
        for s in range(min(most, room) + 1):
            yield (
                (*ended, (birth, layer, n - s)) if s < n else ended,
                (*survivors, (birth, s)) if s else survivors,
                room - s,
            )
