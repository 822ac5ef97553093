"""Filled contours of numbers on a grid, as areas: contour lines by linear interpolation between the grid's points."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fiberscope.scene.drawing import Point


@dataclass(frozen=True)
class LevelMap:
    """``areas``: (number of the band, closed outline) with holes joined by a cut, in the order of painting; ``lines``:
    contour lines. All in the coordinates of the axes."""

    levels: tuple[float, ...]
    areas: tuple[tuple[int, tuple[Point, ...]], ...]
    lines: tuple[tuple[Point, ...], ...]


def level_map(x: np.ndarray, y: np.ndarray, values: np.ndarray, levels: list[float]) -> LevelMap:
    """Areas ``values > level`` for every level, lowest first; ``values[i, j]`` belongs to (x[i], y[j]).

    >>> x = np.linspace(-1.0, 1.0, 3)
    >>> found = level_map(x, x, x[:, None] + 0.0 * x[None, :], [0.5])
    >>> found.areas[0][0], sorted({round(px, 3) for px, _ in found.areas[0][1]})
    (1, [0.5, 1.0])
    """
    from contourpy import FillType, LineType, contour_generator

    made: Any = contour_generator(
        x, y, values.T, fill_type=FillType.OuterOffset, line_type=LineType.Separate, corner_mask=False
    )
    areas: list[tuple[int, tuple[Point, ...]]] = []
    lines: list[tuple[Point, ...]] = []
    for number, level in enumerate(levels, 1):
        outlines, offsets = made.filled(level, np.inf)
        for points, cuts in zip(outlines, offsets, strict=True):
            rings = [points[a:b] for a, b in pairwise(cuts.tolist())]
            areas.append((number, tuple(_points(_joined(rings)))))
        lines += [tuple(_points(line)) for line in made.lines(level)]
    return LevelMap(tuple(levels), tuple(areas), tuple(lines))


def _points(array: Any) -> list[Point]:
    return [(float(a), float(b)) for a, b in array]


def _joined(rings: list[Any]) -> Any:
    """One closed outline: out along a cut to every hole, round it, and back."""
    outline = rings[0]
    for hole in rings[1:]:
        outline = np.concatenate([outline, hole, outline[:1]])
    return outline
