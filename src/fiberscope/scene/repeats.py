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


def fold(signatures: Sequence[Hashable], largest: int) -> tuple[list[int], dict[int, int]]:
    """Where each item is drawn, and how often each block head stands for a repetition.

    Folds run after run until at most `largest` items are left or nothing repeats. Returns `place` (item -> the item
    that is drawn for it) and `times` (first item of a folded block -> number of blocks).
    """
    kept = list(range(len(signatures)))
    place = list(range(len(signatures)))
    times: dict[int, int] = {}
    while len(kept) > largest:
        run = longest_run([signatures[item] for item in kept])
        if run is None or any(kept[run.start + k] in times for k in range(run.period * run.times)):
            break
        block = kept[run.start : run.start + run.period]
        rest = kept[run.start + run.period : run.start + run.period * run.times]
        drawn = {item: block[number % run.period] for number, item in enumerate(rest)}
        place = [drawn.get(item, item) for item in place]
        times[block[0]] = run.times
        kept = [item for item in kept if item not in drawn]
    return place, times
