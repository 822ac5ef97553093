"""Bars put into as few lanes as possible: the classic first-fit colouring of intervals, sorted by birth, is optimal."""

from __future__ import annotations

from dataclasses import dataclass

from fiberscope.linear.barcode import Bar, Barcode


@dataclass(frozen=True)
class LaneBar:
    """One bar in a lane (0 at the bottom); `count` is more than 1 where equal bars share a lane."""

    lane: int
    birth: int
    last: int
    count: int

    @property
    def bar(self) -> Bar:
        return (self.birth, self.last)


def lanes(barcode: Barcode, most: int = 12) -> tuple[LaneBar, ...]:
    """Bars one by one in max(d_j) lanes; if that is more than `most`, equal bars are drawn as one with a count.

    >>> [(b.lane, b.bar) for b in lanes(Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 1): 2, (2, 2): 1}))]
    [(0, (0, 2)), (1, (0, 0)), (1, (1, 1)), (2, (1, 1)), (1, (2, 2))]
    """
    single = max(barcode.widths) <= most
    ordered = sorted(barcode.bars, key=lambda bar: (bar[0], -bar[1]))
    free_from: list[int] = []  # the first layer at which each lane is empty again
    out = []
    for birth, last, count in ordered:
        for _ in range(count if single else 1):
            lane = next((n for n, free in enumerate(free_from) if free <= birth), len(free_from))
            if lane == len(free_from):
                free_from.append(0)
            free_from[lane] = last + 1
            out.append(LaneBar(lane, birth, last, 1 if single else count))
    return tuple(out)
