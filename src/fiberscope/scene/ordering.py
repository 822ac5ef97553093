"""The order of boxes within the layers of a drawing, so that few edges cross.

Sweeps down and up sort each layer by the mean place of its neighbours (Sugiyama, Tagawa and Toda 1981); the best order
met is kept, and neighbours are then exchanged as long as that saves crossings. Everything is deterministic.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

SWEEPS = 24
EXCHANGES = 8  # rounds of exchanging neighbours


def order_layers(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Reorders `rows` in place; ``above[i]``, ``below[i]`` are the neighbours of item i in the rows next to its own.

    >>> rows = [[0, 1], [2, 3]]
    >>> order_layers(rows, [[], [], [1], [0]], [[3], [2], [], []])
    >>> crossings(rows, [[3], [2], [], []])
    0
    """
    best, fewest = [list(row) for row in rows], crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            place = {item: at for at, item in enumerate(rows[number - 1 if down else number + 1])}
            rows[number] = _sorted(rows[number], place, above if down else below)
        found = crossings(rows, below)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    rows[:] = best
    for _ in range(EXCHANGES):
        if not _exchange(rows, above, below):
            break


def crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges between neighbouring rows cross: inversions, counted with a sorted list."""
    total = 0
    for row, lower in pairwise(rows):
        place = {item: at for at, item in enumerate(lower)}
        passed: list[int] = []
        for item in row:
            ends = sorted(place[end] for end in below[item])
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def _sorted(row: list[int], place: dict[int, int], neighbours: list[list[int]]) -> list[int]:
    """A row by the mean place of each item's neighbours; an item without any keeps its own place."""

    def key(at: int) -> float:
        near = [place[n] for n in neighbours[row[at]] if n in place]
        return sum(near) / len(near) if near else float(at)

    return [row[at] for at in sorted(range(len(row)), key=key)]


def _exchange(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> bool:
    """One round: swaps neighbours wherever that saves crossings; whether any were."""
    place = {item: at for row in rows for at, item in enumerate(row)}
    changed = False
    for row in rows:
        for at in range(len(row) - 1):
            left, right = row[at], row[at + 1]
            saved = 0
            for side in (above, below):
                a, b = sorted(place[n] for n in side[left]), sorted(place[n] for n in side[right])
                saved += _inversions(a, b) - _inversions(b, a)
            if saved > 0:
                row[at], row[at + 1] = right, left
                place[left], place[right] = at + 1, at
                changed = True
    return changed


def _inversions(a: list[int], b: list[int]) -> int:
    """Crossings of the edges to places `a` with those to places `b` when the item of `a` stands on the left."""
    return sum(len(a) - bisect_right(a, place) for place in b)
