"""K(w) along one weight as a curve, along two as a map with contour lines: the valleys of the loss."""

from __future__ import annotations

import numpy as np

from fiberscope.scene.drawing import Disc, Drawing, Item, Path, Point, Rect, Text, moved, straight
from fiberscope.scene.frame import Frame
from fiberscope.scene.legend import legend
from fiberscope.scene.level_map import level_map
from fiberscope.shallow.landscape import Landscape

SIDE, MARGIN = 480.0, 28.0
STEPS = 12  # contour lines
POWER = 2.5  # levels grow like this power of their number, so that they crowd in the valley


def potential_drawing(land: Landscape) -> Drawing:
    """The curve or the map; a disc marks the model.

    >>> from fiberscope.shallow.examples import scaling
    >>> from fiberscope.shallow.landscape import landscape
    >>> e = scaling()
    >>> potential_drawing(landscape(e.model, e.truth, e.box, ["W1[0,0]"], points=5)).title
    'K along W1[0,0]'
    """
    return _curve(land) if len(land.entries) == 1 else _map(land)


def _map(land: Landscape) -> Drawing:
    x, y = land.axes
    title = f"K along {land.entries[0]} and {land.entries[1]}"
    top = 88.0
    frame = Frame((float(x[0]), float(x[-1])), (float(y[0]), float(y[-1])), MARGIN, top, SIDE, SIDE)
    frame = Frame(frame.x, frame.y, MARGIN + frame.room(), top, SIDE, SIDE)
    levels = contour_levels(land.values)
    found = level_map(x, y, land.values, levels)
    items: list[Item] = _head(title, land)
    items.append(Rect(frame.left, frame.top, SIDE, SIDE, _tone(0, len(levels)), "solid"))
    for number, outline in found.areas:
        points = [frame.at(*point) for point in outline]
        items.append(straight(points, _tone(number, len(levels)), "solid", closed=True))
    for line in found.lines:
        items.append(straight([frame.at(*point) for point in line], "ink", "contour"))
    items += _here(frame, land.here)
    items += frame.axes(land.entries[0], land.entries[1])
    right = frame.right + 26.0
    items += _scale(levels, right, top, SIDE)
    y_legend = frame.bottom + 54.0
    lines, tall = legend([(_mark(), "the model"), (_line(), "a contour line of K; they crowd in the valley")], SIDE)
    items += [moved(item, MARGIN, y_legend) for item in lines]
    return Drawing(title, right + 92.0, y_legend + tall + 14.0, tuple(items))


def contour_levels(values: np.ndarray, steps: int = STEPS) -> list[float]:
    """Levels that crowd at the bottom: low + (high - low) (i / (steps + 1))^2.5, high a large quantile.

    >>> [round(v, 3) for v in contour_levels(np.array([0.0, 32.0]), 1)]
    [5.657]
    """
    low, high = float(values.min()), float(np.quantile(values, 0.97)) if values.size > 20 else float(values.max())
    if not high - low > 1e-12 * max(abs(high), 1e-300):
        return []
    return [low + (high - low) * (at / (steps + 1)) ** POWER for at in range(1, steps + 1)]


def _curve(land: Landscape) -> Drawing:
    (x,), title = land.axes, f"K along {land.entries[0]}"
    high = float(land.values.max())
    span = (0.0, 1.06 * high if high > 0 else 1.0)
    frame = Frame((float(x[0]), float(x[-1])), span, MARGIN, 88.0, 1.2 * SIDE, 0.7 * SIDE)
    frame = Frame(frame.x, span, MARGIN + frame.room(), 88.0, frame.width, frame.height)
    points = [frame.at(float(a), float(k)) for a, k in zip(x, land.values, strict=True)]
    at = float(np.interp(land.here[0], x, land.values))
    floor: list[Point] = [*points, (frame.right, frame.bottom), (frame.left, frame.bottom)]
    items: list[Item] = [
        *_head(title, land),
        *frame.ground(),
        straight(floor, "tone3", "solid", closed=True),
        straight(points, "full", "curve"),
        *_here(frame, (land.here[0], at)),
        *frame.axes(land.entries[0], "K"),
    ]
    y = frame.bottom + 54.0
    lines, tall = legend([(_mark(), "the model")], SIDE)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, frame.right + MARGIN, y + tall + 14.0, tuple(items))


def _head(title: str, land: Landscape) -> list[Item]:
    low, high = float(land.values.min()), float(land.values.max())
    says = f"All other weights stay. K runs from {low:.3g} to {high:.3g} on a grid of {land.values.size:,} points."
    return [Text(MARGIN, 36.0, title, "title", "start"), Text(MARGIN, 57.0, says, "subtitle", "start", "soft")]


def _tone(band: int, levels: int) -> str:
    """Deep in the valley, pale on the heights."""
    return f"tone{8 - round(8 * band / levels)}" if levels else "tone2"


def _here(frame: Frame, at: Point | tuple[float, ...]) -> list[Item]:
    x, y = frame.at(at[0], at[1])
    if not (frame.left <= x <= frame.right and frame.top <= y <= frame.bottom):
        return []
    return [Disc(x, y, 7.0, "paper"), Disc(x, y, 5.0, "accent")]


def _mark() -> tuple[Item, ...]:
    return (Disc(8.0, -5.0, 5.0, "accent"),)


def _line() -> tuple[Path, ...]:
    return (straight([(0.0, -5.0), (16.0, -5.0)], "ink", "contour"),)


def _scale(levels: list[float], x: float, top: float, height: float) -> list[Item]:
    """Bands and their levels, the lowest at the bottom."""
    count = len(levels) + 1
    step = min(height / count, 30.0)
    items: list[Item] = [Text(x, top - 9.0, "K", "label", "start")]
    for at in range(count):
        items.append(Rect(x, top + (count - 1 - at) * step, 16.0, step, _tone(at, len(levels)), "solid"))
    for at, level in enumerate(levels, 1):
        items.append(Text(x + 22.0, top + (count - at) * step + 4.0, f"{level:.2g}", "small", "start", "soft"))
    corners = [(x, top), (x + 16.0, top), (x + 16.0, top + count * step), (x, top + count * step), (x, top)]
    items.append(straight(corners, "edge", "guide"))
    return items
