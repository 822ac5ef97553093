"""Two inputs: the linear regions of a network on a box, as convex polygons with the affine map on each.

Boundaries are put in one after the other; each cuts the polygons that it passes through in two (an incremental line
arrangement; de Berg et al., Computational Geometry, ch. 8). Exact over the rationals: floats are dyadic rationals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.box import Box
from fiberscope.shallow.model import ShallowModel

MAX_REGIONS = 100_000
"""Give up beyond this many regions."""

Point = tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class Region:
    """``corners`` of a convex polygon, counterclockwise, exact rationals; the units ``active`` on it; f(x) is
    ``slope`` x + ``constant`` there (k x 2 and k, rationals)."""

    corners: tuple[Point, ...]
    active: frozenset[int]
    slope: np.ndarray
    constant: np.ndarray

    def area(self) -> Any:
        """The area (shoelace formula)."""
        return sum(_cross(p, q) for p, q in zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True)) / 2


def linear_regions(model: ShallowModel, box: Any, *, max_regions: int = MAX_REGIONS) -> list[Region]:
    """The polygons into which the activation boundaries of ``model`` (two inputs) cut the ``box``, exactly.

    Cells of the arrangement: neighbours may carry the same affine map, where kinks cancel.

    Errors: InputError for other than two inputs, a flat box, or more than ``max_regions`` regions.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> regions = linear_regions(four_hyperplanes(), (-2, 2))
    >>> len(regions), max(len(r.active) for r in regions), sum(r.area() for r in regions)
    (9, 2, 16)
    """
    law = bend(checked_model(model).activation)
    if model.inputs != 2:
        raise InputError(f"a model of {model.inputs} inputs: regions are polygons for two inputs only")
    region = Box.of(box, 2)
    if region.fixed.any():
        raise InputError("box: LO equals HI; regions need an interior")
    (x0, y0), (x1, y1) = rationals(region.low).tolist(), rationals(region.high).tolist()
    W, b, Q, c = (rationals(a) for a in (model.W1, model.b1, model.W2, model.b2))
    pieces: list[tuple[list[Point], frozenset[int]]] = [([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], frozenset())]
    for i in range(model.units):
        cut = []
        for corners, active in pieces:
            values = [W[i, 0] * x + W[i, 1] * y + b[i] for x, y in corners]
            if any(v > 0 for v in values):
                cut.append((_clip(corners, values, 1), active | {i}))
            if not any(v > 0 for v in values) or any(v < 0 for v in values):
                cut.append((_clip(corners, values, -1), active))
        pieces = cut
        if len(pieces) > max_regions:
            raise InputError(f"more than {max_regions} linear regions; raise max_regions or take a smaller box")
    out = []
    low, jump = rational(law.slope(-1)), rational(law.jump)
    for corners, active in pieces:
        slopes = np.array([low + jump if i in active else low for i in range(model.units)], dtype=object)
        weighted = Q * slopes if model.units else Q
        slope = weighted @ W if model.units else np.full((len(c), 2), rational(0))
        out.append(Region(tuple(corners), active, slope, weighted @ b + c if model.units else c))
    return out


def _clip(corners: list[Point], values: list[Any], sign: int) -> list[Point]:
    """The part of a convex polygon where a linear function, ``values`` at the corners, times ``sign`` is >= 0."""
    out = []
    for place, (p, v) in enumerate(zip(corners, values, strict=True)):
        q, u = corners[(place + 1) % len(corners)], values[(place + 1) % len(corners)]
        if sign * v >= 0:
            out.append(p)
        if (v > 0 and u < 0) or (v < 0 and u > 0):
            t = v / (v - u)
            out.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
    return out


def _cross(p: Point, q: Point) -> Any:
    return p[0] * q[1] - p[1] * q[0]
