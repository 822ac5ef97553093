"""Two inputs: the linear regions cut into bands of equal height, and the boundaries with their kinks and active sides.

On every linear region the function is affine, so its level lines there are straight and the bands between them are
convex polygons: nothing is sampled, unless there are too many regions to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fiberscope.numerics.exact import nearest_floats
from fiberscope.scene.drawing import Point
from fiberscope.scene.frame import Range, ticks
from fiberscope.scene.shallow_window import window
from fiberscope.shallow.bend import bend
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm
from fiberscope.shallow.regions import linear_regions

BANDS = 9
MOST_REGIONS = 1500  # cut exactly; more are too small to see
GRID = 161  # values along a side where heights are sampled
_SAME = 1e-9  # lines closer than this, relative to the window, are one line in the picture


@dataclass(frozen=True)
class Boundary:
    """A boundary inside the window: its two ends, the kink of the output shown (0: no fold there), and its units, each
    with the direction of its active side."""

    ends: tuple[Point, Point]
    kink: float
    units: tuple[tuple[int, Point], ...]


@dataclass(frozen=True)
class Band:
    """A part of a linear region where the function lies above the level of this number; painted in order."""

    level: int
    corners: tuple[Point, ...]


@dataclass(frozen=True)
class PlanePicture:
    """What the picture of a function of two inputs shows; all in the coordinates of the inputs."""

    x: Range
    y: Range
    levels: tuple[float, ...]
    bands: tuple[Band, ...]
    contours: tuple[tuple[Point, Point], ...]
    boundaries: tuple[Boundary, ...]
    regions: int | None


def plane_picture(model: ShallowModel, form: NormalForm, box: Any = None, output: int = 0) -> PlanePicture:
    """The picture of output ``output`` of a model with two inputs, in the box or where its boundaries are.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> picture = plane_picture(four_hyperplanes(), normal_form(four_hyperplanes()), (-2, 2))
    >>> picture.regions, len(picture.boundaries), {b.kink for b in picture.boundaries}
    (9, 4, {1.0})
    """
    x, y = window(model, box)
    boundaries = _boundaries(model, form, (x, y), output)
    if _regions(boundaries) > MOST_REGIONS:
        return _sampled(model, (x, y), boundaries, output)
    regions = linear_regions(model, ([x[0], y[0]], [x[1], y[1]]))
    pieces: list[tuple[list[Point], list[float]]] = []
    for region in regions:
        corners = [(float(a.p) / float(a.q), float(b.p) / float(b.q)) for a, b in region.corners]
        slope, constant = (
            nearest_floats(region.slope[output])[0],
            nearest_floats(region.constant[output : output + 1])[0],
        )
        pieces.append((corners, [float(slope @ corner + constant[0]) for corner in corners]))
    heights = [v for _, values in pieces for v in values]
    levels = _levels(heights)
    bands, contours = [], []
    for corners, values in pieces:
        for number, level in enumerate([-np.inf, *levels]):
            part = _above(corners, values, level)
            if len(part) > 2 and max(values) > level:
                bands.append(Band(number, tuple(part)))
                contours += _along(corners, values, level)
    return PlanePicture(x, y, levels, tuple(bands), tuple(contours), boundaries, len(regions))


def _levels(heights: list[float]) -> tuple[float, ...]:
    """Round numbers between the least and the largest height; none for a function that is flat up to rounding."""
    low, high = min(heights), max(heights)
    if not high - low > 1e-9 * (1.0 + max(abs(low), abs(high))):
        return ()
    return tuple([v for v in ticks((low, high), BANDS - 1) if low < v < high][: BANDS - 1])


def _regions(boundaries: tuple[Boundary, ...]) -> int:
    """How many regions there are in the window: 1 + lines + crossings (up to rounding, and crossings that coincide)."""
    if len(boundaries) < 2 or len(boundaries) > MOST_REGIONS:
        return 1 + len(boundaries)
    start, end = (np.array([b.ends[which] for b in boundaries]) for which in (0, 1))

    def sides(points: np.ndarray) -> np.ndarray:
        """On which side of line i point j lies."""
        along, off = end - start, points[None, :, :] - start[:, None, :]
        return np.sign(along[:, None, 0] * off[:, :, 1] - along[:, None, 1] * off[:, :, 0])

    parted = sides(start) * sides(end) < 0
    return 1 + len(boundaries) + int((parted & parted.T).sum()) // 2


def _sampled(
    model: ShallowModel, area: tuple[Range, Range], boundaries: tuple[Boundary, ...], output: int
) -> PlanePicture:
    """The picture of a function with very many regions: heights from a grid of values."""
    from fiberscope.scene.level_map import level_map

    law = bend(model.activation)
    W, b, Q, c = (as_floats(a) for a in (model.W1, model.b1, model.W2, model.b2))
    x, y = (np.linspace(*side, GRID) for side in area)
    rows = []
    for across in x.tolist():
        z = W[:, :1] * across + W[:, 1:] * y + b[:, None]
        rows.append(Q[output] @ (float(law.mean) * z + float(law.jump) / 2 * np.abs(z)) + c[output])
    values = np.array(rows)
    levels = _levels(values.ravel().tolist())
    found = level_map(x, y, values, list(levels))
    (x0, x1), (y0, y1) = area
    ground = Band(0, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    bands = (ground, *(Band(number, outline) for number, outline in found.areas))
    contours = tuple((p, q) for line in found.lines for p, q in pairwise(line))
    return PlanePicture(*area, levels, bands, contours, boundaries, None)


def _above(corners: list[Point], values: list[float], level: float) -> list[Point]:
    """The part of a convex polygon where an affine function, ``values`` at the corners, is at least ``level``."""
    out: list[Point] = []
    for at, (p, v) in enumerate(zip(corners, values, strict=True)):
        q, u = corners[(at + 1) % len(corners)], values[(at + 1) % len(corners)]
        if v >= level:
            out.append(p)
        if (v < level) != (u < level):
            out.append(_meeting(p, v, q, u, level))
    return out


def _along(corners: list[Point], values: list[float], level: float) -> list[tuple[Point, Point]]:
    """Where the level line crosses the polygon."""
    ends = [
        _meeting(p, v, corners[(at + 1) % len(corners)], u, level)
        for at, (p, v) in enumerate(zip(corners, values, strict=True))
        if (v < level) != ((u := values[(at + 1) % len(corners)]) < level)
    ]
    return [(ends[0], ends[1])] if len(ends) == 2 else []


def _meeting(p: Point, v: float, q: Point, u: float, level: float) -> Point:
    t = (level - v) / (u - v)
    return (p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]))


def _boundaries(model: ShallowModel, form: NormalForm, area: tuple[Range, Range], output: int) -> tuple[Boundary, ...]:
    """The folds of the form and the boundaries of units, those on one line together."""
    folds = form.floats()
    size = max(abs(v) for side in area for v in side) + 1.0
    rows: list[tuple[np.ndarray, float]] = list(zip(folds.normals, folds.offsets.tolist(), strict=True))
    kinks = folds.kinks[:, output].tolist()
    units: list[list[tuple[int, Point]]] = [[] for _ in rows]
    W, b = as_floats(model.W1), as_floats(model.b1)
    for i in range(model.units):
        length = float(np.linalg.norm(W[i]))
        if length == 0.0:
            continue
        turn = 1.0 if next(w for w in W[i] if w != 0) > 0 else -1.0
        u, t = turn * W[i] / length, turn * float(b[i]) / length
        near = [j for j, (v, s) in enumerate(rows) if np.abs(u - v).max() * size + abs(t - s) < _SAME * size]
        if not near:
            near = [len(rows)]
            rows.append((u, t))
            kinks.append(0.0)
            units.append([])
        units[near[0]].append((i, (float(W[i, 0]) / length, float(W[i, 1]) / length)))
    out = []
    for (u, t), kink, members in zip(rows, kinks, units, strict=True):
        ends = _inside(u, t, area)
        if ends is not None:
            out.append(Boundary(ends, kink, tuple(members)))
    return tuple(out)


def _inside(u: np.ndarray, t: float, area: tuple[Range, Range]) -> tuple[Point, Point] | None:
    """The part of the line <u, x> + t = 0 inside a rectangle."""
    (x0, x1), (y0, y1) = area
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    values = [float(u[0] * x + u[1] * y + t) for x, y in corners]
    found = _along(corners, values, 0.0)
    if not found or np.hypot(found[0][0][0] - found[0][1][0], found[0][0][1] - found[0][1][1]) < 1e-9 * (x1 - x0):
        return None
    return found[0]
