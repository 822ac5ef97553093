"""Draws a function of two inputs: bands of height, folds as thick as their kinks, units on their boundaries."""

from __future__ import annotations

import math
from itertools import pairwise

from fiberscope.scene.drawing import Drawing, Item, Point, Rect, Text, moved, straight
from fiberscope.scene.frame import Frame, number
from fiberscope.scene.legend import legend
from fiberscope.scene.shallow_marks import BADGE, badge, bar, colour_of, fold
from fiberscope.scene.shallow_plane import Boundary, PlanePicture

SIDE = 460.0
MARGIN = 28.0
BADGED = 60  # units up to which each has its number and arrow


def plane_drawing(picture: PlanePicture, title: str, subtitle: str = "") -> Drawing:
    """The picture as shapes.

    >>> from fiberscope.scene.shallow_plane import plane_picture
    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> model = four_hyperplanes()
    >>> plane_drawing(plane_picture(model, normal_form(model), (-2, 2)), "four").title
    'four'
    """
    wide, high = _sides(picture)
    frame = Frame(picture.x, picture.y, MARGIN, 86.0, wide, high)
    frame = Frame(picture.x, picture.y, MARGIN + frame.room(), 86.0, wide, high)
    items: list[Item] = [Text(MARGIN, 36.0, title, "title", "start")]
    items.append(Text(MARGIN, 57.0, subtitle, "subtitle", "start", "soft"))
    items += frame.ground()
    for band in picture.bands:
        corners = [frame.at(*corner) for corner in band.corners]
        items.append(straight(corners, _tone(band.level, len(picture.levels)), "solid", closed=True))
    for a, b in picture.contours:
        items.append(straight([frame.at(*a), frame.at(*b)], "ink", "contour"))
    largest = max((abs(boundary.kink) for boundary in picture.boundaries), default=0.0)
    many = len(picture.boundaries)
    fine = 0.5 * BADGED / many if many > BADGED else 1.0  # a thicket of folds stays transparent
    for boundary in sorted(picture.boundaries, key=lambda b: abs(b.kink)):
        a, b = (frame.at(*end) for end in boundary.ends)
        if boundary.kink:
            items += fold(a, b, boundary.kink, largest, fine)
        else:
            items += [bar(a, b, 3.4, "paper"), straight([a, b], "ink", "dashed")]
    items += _badges(picture, frame)
    items += frame.axes("input 0", "input 1")
    x = frame.right + 26.0
    items += _scale(picture, x, frame.top, frame.height)
    entries = _entries(picture)
    lines, tall = legend(entries, x + 90.0 - MARGIN)
    y = frame.bottom + 54.0
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, x + 90.0, y + tall + 16.0, tuple(items))


def _sides(picture: PlanePicture) -> tuple[float, float]:
    """Equal scales on both axes, unless one side of the box is much longer."""
    across, up = picture.x[1] - picture.x[0], picture.y[1] - picture.y[0]
    ratio = min(max(up / across, 0.45), 1.6)
    return (SIDE, SIDE * ratio) if ratio <= 1.0 else (SIDE / ratio * 1.15, SIDE * 1.15)


def _tone(level: int, levels: int) -> str:
    """Tones spread over those that leave lines visible."""
    return f"tone{round(6 * level / levels)}" if levels else "tone1"


def _badges(picture: PlanePicture, frame: Frame) -> list[Item]:
    """Units' numbers, each where its boundary is farthest from everything else."""
    placed: list[Point] = []
    out: list[Item] = []
    drawn = [b for b in picture.boundaries if b.units]
    if sum(len(b.units) for b in drawn) > BADGED:
        return []
    segments = [tuple(frame.at(*end) for end in b.ends) for b in picture.boundaries]
    for boundary in sorted(drawn, key=_length):
        a, b = (frame.at(*end) for end in boundary.ends)
        others = [s for s in segments if s != (a, b)]
        for unit, side in boundary.units:
            spots = [(a[0] + t / 24 * (b[0] - a[0]), a[1] + t / 24 * (b[1] - a[1])) for t in range(2, 23)]
            middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
            best = max(spots, key=lambda p: _clearance(p, others, placed) - 0.006 * math.dist(p, middle))
            placed.append(best)
            out.append(badge(best, unit, _towards(side, (a, b)), _about(unit, boundary)))
    return out


def _length(boundary: Boundary) -> float:
    (ax, ay), (bx, by) = boundary.ends
    return math.hypot(bx - ax, by - ay)


def _clearance(p: Point, segments: list[tuple[Point, ...]], placed: list[Point]) -> float:
    near = min((_distance(p, *s) for s in segments), default=200.0)
    taken = min((math.hypot(p[0] - q[0], p[1] - q[1]) for q in placed), default=200.0)
    return min(near, 34.0) + min(taken - 2 * BADGE, 30.0) * 1.5


def _distance(p: Point, a: Point, b: Point) -> float:
    """From a point to a segment."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / ((dx * dx + dy * dy) or 1.0)
    t = min(max(t, 0.0), 1.0)
    return math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy)


def _towards(side: Point, segment: tuple[Point, Point]) -> Point:
    """The unit vector in pixels across the segment, to the side of inputs on which the unit is active."""
    (ax, ay), (bx, by) = segment
    length = math.hypot(bx - ax, by - ay) or 1.0
    across = (-(by - ay) / length, (bx - ax) / length)
    sign = 1.0 if across[0] * side[0] - across[1] * side[1] > 0 else -1.0
    return (sign * across[0], sign * across[1])


def _about(unit: int, boundary: Boundary) -> str:
    bend = f"a fold with kink {boundary.kink:.6g}" if boundary.kink else "no fold: the kinks cancel here"
    return f"unit {unit}, active where the arrow points\n{bend}"


def _scale(picture: PlanePicture, x: float, top: float, height: float) -> list[Item]:
    """The heights of the bands, at the right."""
    if not picture.levels:
        return []
    count = len(picture.levels) + 1
    step = min(height / count, 30.0)
    items: list[Item] = [Text(x, top - 9.0, "f", "label", "start")]
    for at in range(count):
        items.append(Rect(x, top + (count - 1 - at) * step, 16.0, step, _tone(at, count - 1), "solid"))
    for at, level in enumerate(picture.levels, 1):
        items.append(Text(x + 22.0, top + (count - at) * step + 4.0, number(level), "small", "start", "soft"))
    items.append(straight([(x, top), (x + 16.0, top)], "edge", "guide"))
    corners = [(x, top), (x + 16.0, top), (x + 16.0, top + count * step), (x, top + count * step), (x, top)]
    items += [straight([a, b], "edge", "guide") for a, b in pairwise(corners)]
    return items


def _entries(picture: PlanePicture) -> list[tuple[tuple[Item, ...], str]]:
    """What lines and badges mean."""
    out: list[tuple[tuple[Item, ...], str]] = []
    kinks = [boundary.kink for boundary in picture.boundaries]
    for sign, word in ((1.0, "upwards"), (-1.0, "downwards")):
        if any(kink * sign > 0 for kink in kinks):
            mark = bar((0.0, -5.0), (16.0, -5.0), 5.0, colour_of(sign))
            out.append(((mark,), f"a fold: f bends {word}, the thicker the more"))
    if any(not kink for kink in kinks):
        out.append(
            ((straight([(0.0, -5.0), (16.0, -5.0)], "ink", "dashed"),), "a boundary that is no fold: kinks cancel")
        )
    if 0 < sum(len(b.units) for b in picture.boundaries) <= BADGED:
        out.append(((badge((8.0, -5.0), 0, None, "a unit"),), "a unit; the arrow shows its active side"))
    return out
