"""The layout of a Hasse diagram of strata: height is dimension, a line leads from a stratum to each one it covers.

Strata of one dimension stand on one level, in an order that keeps crossings few (medians of neighbours, swept up and
down). A line that passes a level keeps a place of its own between the strata there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.scene.drawing import Point
from fiberscope.scene.lanes import lanes
from fiberscope.scene.layout import layout

MOST_DRAWN = 1000  # strata; more than that no eye follows
LAYER = 11.0  # of a glyph, from layer to layer
LANE = 7.0  # of a glyph, from lane to lane
PAD = 7.0  # around a glyph
FOOT = 11.0  # under a glyph, for the number of the stratum
RISE = (
    30.0,
    90.0,
)  # between neighbouring levels, for one dimension: more where levels are wide, so that lines stay steep
STEEP = 2.4  # pixels of rise per stratum on the widest level
MORE = 12.0  # for each further dimension, up to FURTHEST
FURTHEST = 4
ALONE = 16.0  # between levels where there are no lines


@dataclass(frozen=True)
class Stratum:
    """What the diagram shows of one stratum."""

    id: int
    barcode: Barcode
    dimension: int
    component: bool = False
    singular: bool = False


@dataclass(frozen=True)
class StratumBox:
    """A stratum at its place; (x, y) is the left upper corner."""

    stratum: Stratum
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class HasseEdge:
    """From the lower stratum's upper side to the upper stratum's lower side: `points` go up."""

    lower: int  # index into boxes
    upper: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class HassePicture:
    """Boxes in the order of the strata given, edges, and the levels as (dimension, y of the middle)."""

    boxes: tuple[StratumBox, ...]
    edges: tuple[HasseEdge, ...]
    levels: tuple[tuple[int, float], ...]
    width: float
    height: float


def hasse_picture(strata: Sequence[Stratum], covers: Sequence[tuple[int, int]]) -> HassePicture:
    """The layout; ``covers`` are pairs of ids (lower, upper), the lower one of smaller dimension.

    `InputError` if there are none, or more than can be drawn.

    >>> low, high = Barcode.from_bars(1, {(0, 0): 1, (1, 1): 1}), Barcode.from_bars(1, {(0, 1): 1})
    >>> picture = hasse_picture([Stratum(0, low, 0), Stratum(1, high, 1)], [(0, 1)])
    >>> picture.boxes[0].y > picture.boxes[1].y, [dimension for dimension, _ in picture.levels]
    (True, [1, 0])
    """
    if not strata:
        raise InputError("a Hasse diagram of no strata: expected at least one")
    check_drawable(len(strata))
    dimensions = sorted({s.dimension for s in strata}, reverse=True)
    level = {dimension: at for at, dimension in enumerate(dimensions)}
    order = sorted(range(len(strata)), key=lambda n: (level[strata[n].dimension], n))  # as drawn, from the top
    place = {strata[n].id: at for at, n in enumerate(order)}
    edges = sorted((place[upper], place[lower]) for lower, upper in covers)
    size = glyph_size([s.barcode for s in strata])
    widest = max(Counter(s.dimension for s in strata).values())
    rise, more = (min(max(RISE[0], STEEP * widest), RISE[1]), MORE) if edges else (ALONE, 0.0)
    steps = [a - b for a, b in pairwise(dimensions)]
    found = layout(
        [size] * len(strata),
        edges,
        layers=[level[strata[n].dimension] for n in order],
        rises=[*(rise + more * (min(step, FURTHEST) - 1) for step in steps), 0.0],
        gap=15.0,
        lane=7.0,
    )
    boxes: list[StratumBox | None] = [None] * len(strata)
    for at, n in enumerate(order):
        boxes[n] = StratumBox(strata[n], *found.positions[at], *size)
    placed = tuple(box for box in boxes if box is not None)
    lines = tuple(HasseEdge(order[b], order[a], route[::-1]) for (a, b), route in zip(edges, found.routes, strict=True))
    middles = {box.stratum.dimension: box.y + box.height / 2 for box in placed}
    return HassePicture(placed, lines, tuple((d, middles[d]) for d in dimensions), found.width, found.height)


def check_drawable(count: int) -> None:
    """`InputError` for more strata than one picture can hold."""
    if count > MOST_DRAWN:
        raise InputError(f"{count} strata are too many for one picture (at most {MOST_DRAWN}); try the components only")


def glyph_size(barcodes: Sequence[Barcode]) -> tuple[float, float]:
    """Width and height of a stratum's box: equal for all, so that barcodes can be compared by eye."""
    length = barcodes[0].length
    deep = 1 + max(bar.lane for barcode in barcodes for bar in lanes(barcode))
    return LAYER * length + 2 * PAD + 6.0, LANE * deep + PAD + FOOT
