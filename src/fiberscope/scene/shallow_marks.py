"""Marks that the pictures of shallow networks share: a fold as a bar of its kink's thickness, a unit with its side."""

from __future__ import annotations

import math

from fiberscope.scene.drawing import Disc, Group, Item, Path, Point, Text, straight

CONVEX, CONCAVE = "lost", "inner"  # colours of folds that bend upwards and downwards
THICK = 9.0  # pixels of the largest kink
THIN = 1.3  # of the smallest
BADGE = 8.0  # radius of a unit's number


def thickness(kink: float, largest: float) -> float:
    """Pixels of a kink, in proportion to the largest.

    >>> thickness(-2.0, 2.0) == THICK, thickness(0.0, 2.0) == THIN
    (True, True)
    """
    return max(THIN, THICK * abs(kink) / largest) if largest > 0 else THIN


def colour_of(kink: float) -> str:
    """The colour key of a fold."""
    return CONVEX if kink > 0 else CONCAVE


def bar(a: Point, b: Point, width: float, colour: str) -> Path:
    """A straight line of a given thickness, as an area."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy) or 1.0
    nx, ny = -dy / length * width / 2, dx / length * width / 2
    corners = [(a[0] + nx, a[1] + ny), (b[0] + nx, b[1] + ny), (b[0] - nx, b[1] - ny), (a[0] - nx, a[1] - ny)]
    return straight(corners, colour, "solid", closed=True)


def fold(a: Point, b: Point, kink: float, largest: float, fine: float = 1.0) -> list[Item]:
    """A fold, with a rim that keeps it apart from what lies below; ``fine`` below 1 makes it thinner, without rim."""
    wide = thickness(kink, largest) * fine
    line = bar(a, b, wide, colour_of(kink))
    return [bar(a, b, wide + 2.4, "paper"), line] if fine == 1.0 else [line]


def arrow(at: Point, towards: Point, colour: str, start: float = BADGE + 1.0, length: float = 11.0) -> list[Item]:
    """A small arrow from ``start`` pixels beyond ``at`` in the direction ``towards`` (a vector of length 1)."""
    (x, y), (dx, dy) = at, towards
    base = (x + dx * start, y + dy * start)
    tip = (x + dx * (start + length), y + dy * (start + length))
    neck = (x + dx * (start + length * 0.35), y + dy * (start + length * 0.35))
    wing = 4.6
    head = [(neck[0] - dy * wing, neck[1] + dx * wing), tip, (neck[0] + dy * wing, neck[1] - dx * wing)]
    return [bar(base, neck, 2.0, colour), straight(head, colour, "solid", closed=True)]


def badge(at: Point, unit: int, towards: Point | None, tooltip: str = "") -> Item:
    """A unit's number on its boundary, with an arrow to its active side."""
    items: list[Item] = [] if towards is None else arrow(at, towards, "ink")
    items.append(Disc(at[0], at[1], BADGE, "ink", "badge"))
    items.append(Text(at[0], at[1] + 3.3, str(unit), "tiny"))
    return Group(tuple(items), tooltip or f"unit {unit}")
