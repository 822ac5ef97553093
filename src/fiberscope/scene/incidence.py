"""Which units take part in what: a row for each thing, a column for each unit, a disc where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fiberscope.scene.drawing import Disc, Group, Item, Text, straight
from fiberscope.scene.paint import width_of

CELL, ROW = 22.0, 22.0
MOST_ROWS, MOST_UNITS = 60, 80


@dataclass(frozen=True)
class Line:
    """A row: its name, the units that take part, and the colour of their discs."""

    name: str
    units: tuple[int, ...]
    colour: str
    tooltip: str = ""


def incidence(lines: Sequence[Line], units: int, left: float, top: float) -> tuple[list[Item], float, float]:
    """The shapes from (left, top), and their width and height; at most MOST_ROWS rows and MOST_UNITS columns.

    >>> items, width, height = incidence([Line("scaling", (0,), "full")], 2, 0.0, 0.0)
    >>> len(items), height
    (6, 44.0)
    """
    shown, columns = lines[:MOST_ROWS], min(units, MOST_UNITS)
    names = 16.0 + max([width_of(line.name, "small") for line in shown] + [width_of("unit", "small")])
    x0, y0 = left + names, top + 20.0
    height, right = 20.0 + ROW * len(shown), x0 + CELL * columns
    items: list[Item] = [Text(x0 - 12.0, top + 8.0, "unit", "small", "end", "soft")]
    for i in range(columns):
        x = x0 + CELL * (i + 0.5)
        items.append(Text(x, top + 8.0, str(i), "small", "middle", "soft"))
        items.append(straight([(x, top + 14.0), (x, top + height)], "line", "guide"))
    for at, line in enumerate(shown):
        y = y0 + ROW * (at + 0.5)
        parts: list[Item] = [straight([(x0, y), (right, y)], "line", "guide")]
        parts.append(Text(x0 - 12.0, y + 4.0, line.name, "small", "end"))
        seen = sorted(i for i in line.units if i < columns)
        if len(seen) > 1:
            ends = [(x0 + CELL * (i + 0.5), y) for i in (seen[0], seen[-1])]
            parts.append(straight(ends, line.colour, "outline"))
        parts += [Disc(x0 + CELL * (i + 0.5), y, 6.5, line.colour) for i in seen]
        items.append(
            Group(tuple(parts), line.tooltip or f"{line.name}: {', '.join(map(str, line.units)) or 'no unit'}")
        )
    return items, names + CELL * columns, height + 2.0
