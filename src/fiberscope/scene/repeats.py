"""Folds runs of like blocks (the twelve layers of a transformer) into one block with a badge."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """`times` blocks of `period` items each, alike, beginning at `start`."""

    start: int
    period: int
    times: int

    @property
    def saved(self) -> int:
        return self.period * (self.times - 1)


@dataclass(frozen=True)
class Folded:
    """The items that are drawn for `times` like blocks."""

    items: tuple[int, ...]
    times: int


def longest_run(signatures: Sequence[Hashable], least: int = 3) -> Run | None:
    """The run of at least `least` like blocks that folds away most items; the shortest period on a tie.

    >>> longest_run("xabababy")
    Run(start=1, period=2, times=3)
    """
    best: Run | None = None
    for period in range(1, len(signatures) // least + 1):
        alike = 0
        for at in range(len(signatures) - period):
            alike = alike + 1 if signatures[at] == signatures[at + period] else 0
            times = alike // period + 1
            if times >= least and alike % period == 0:
                run = Run(at - alike + 1, period, times)
                if best is None or run.saved > best.saved:
                    best = run
    return best


def fold(signatures: Sequence[Hashable], largest: int) -> tuple[list[int], list[Folded]]:
    """Where each item is drawn (its own number, or that of the like item drawn for it), and the folded blocks.

    Folds run after run until at most `largest` items are left or nothing repeats.
    """
    kept = list(range(len(signatures)))
    place = list(range(len(signatures)))
    folded: list[Folded] = []
    inside: set[int] = set()
    while len(kept) > largest:
        run = longest_run([signatures[item] for item in kept])
        if run is None or inside & set(kept[run.start : run.start + run.period * run.times]):
            break
        block = kept[run.start : run.start + run.period]
        rest = kept[run.start + run.period : run.start + run.period * run.times]
        drawn = {item: block[number % run.period] for number, item in enumerate(rest)}
        place = [drawn.get(item, item) for item in place]
        folded.append(Folded(tuple(block), run.times))
        inside.update(block)
        kept = [item for item in kept if item not in drawn]
    return place, folded
