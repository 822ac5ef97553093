"""Lines of a legend, set in as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence

from fiberscope.scene.bar_kinds import KINDS
from fiberscope.scene.drawing import Item, Rect, Text, moved
from fiberscope.scene.paint import width_of

LINE = 22.0
_MARK = 24.0  # room for the swatch
_SPACE = 26.0  # between columns


def swatch(colour: str) -> tuple[Item, ...]:
    """A small box of a kind's colour, around the origin."""
    return (Rect(0.0, -10.0, 15.0, 11.0, colour, "solid", 3.0),)


def kinds_legend(kinds: Sequence[str]) -> list[tuple[tuple[Item, ...], str]]:
    """A swatch and a sentence per kind of bar."""
    return [(swatch(name), KINDS[name]) for name in kinds]


def legend(entries: Sequence[tuple[tuple[Item, ...], str]], width: float) -> tuple[tuple[Item, ...], float]:
    """The entries, from the origin down, no wider than `width` where that is possible; and their height."""
    rooms = [_MARK + width_of(text, "legend") for _, text in entries]
    columns = max((n for n in range(1, 4) if _total(rooms, n) <= width), default=1)
    rows = -(-len(entries) // columns)
    items: list[Item] = []
    x = 0.0
    for column in range(columns):
        part = range(column * rows, min(len(entries), (column + 1) * rows))
        for row, at in enumerate(part):
            mark, text = entries[at]
            y = 14.0 + LINE * row
            items += [moved(item, x, y) for item in mark]
            items.append(Text(x + _MARK, y, text, "legend", "start"))
        x += max((rooms[at] for at in part), default=0.0) + _SPACE
    return tuple(items), LINE * rows


def legend_width(entries: Sequence[tuple[tuple[Item, ...], str]]) -> float:
    """The width that one column needs."""
    return max((_MARK + width_of(text, "legend") for _, text in entries), default=0.0)


def _total(rooms: Sequence[float], columns: int) -> float:
    rows = -(-len(rooms) // columns)
    parts = [rooms[at * rows : (at + 1) * rows] for at in range(columns)]
    return sum(max(part, default=0.0) for part in parts) + _SPACE * (columns - 1)
