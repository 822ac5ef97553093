"""Draws a Hasse diagram: strata as small barcodes on levels of equal dimension, joined by soft lines."""

from __future__ import annotations

from itertools import pairwise

from fiberscope.linear.barcode import Barcode
from fiberscope.scene.bar_kinds import kinds_of
from fiberscope.scene.barcode import barcode_picture, stroke_items
from fiberscope.scene.drawing import Drawing, Group, Item, Path, Point, Rect, Text, moved, straight, upwards
from fiberscope.scene.hasse import FOOT, LANE, LAYER, PAD, HasseEdge, HassePicture, StratumBox
from fiberscope.scene.legend import kinds_legend, legend, legend_width
from fiberscope.scene.paint import width_of

MARGIN = 30.0


def hasse_drawing(picture: HassePicture, title: str | None = None) -> Drawing:
    """The diagram; pointing at a stratum lights up its lines.

    >>> from fiberscope.scene.hasse import Stratum, hasse_picture
    >>> one = Stratum(0, Barcode.from_bars(1, {(0, 1): 1}), 0, component=True)
    >>> hasse_drawing(hasse_picture([one], [])).title
    'Strata of widths 1, 1, rank 1'
    """
    barcode = picture.boxes[0].stratum.barcode
    title = title or f"Strata of widths {', '.join(map(str, barcode.widths))}, rank {barcode.full}"
    entries = _entries(picture)
    axis = 16.0 + max(width_of(str(dimension), "small") for dimension, _ in picture.levels)
    wide = max(picture.width + axis, width_of(title, "title"), legend_width(entries))
    left = MARGIN + axis + (wide - axis - picture.width) / 2
    items: list[Item] = [
        Text(MARGIN, 36.0, title, "title", "start"),
        Text(MARGIN, 58.0, _subtitle(picture), "subtitle", "start", "soft"),
    ]
    top = 76.0
    items.append(Text(MARGIN, top + 4.0, "dimension", "small", "start", "soft"))
    for dimension, y in picture.levels:
        items.append(straight([(MARGIN + axis - 6.0, top + y), (MARGIN + wide, top + y)], "line", "guide"))
        items.append(Text(MARGIN + axis - 14.0, top + y + 4.0, str(dimension), "small", "end", "soft"))
    for edge in picture.edges:
        ids = f"{picture.boxes[edge.lower].stratum.id} {picture.boxes[edge.upper].stratum.id}"
        items.append(_edge(edge, ids, left, top))
    items += [_node(box, left, top) for box in picture.boxes]
    y = top + picture.height + 16.0
    lines, tall = legend(entries, wide)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, wide + 2 * MARGIN, y + tall + 18.0, tuple(items), follow=True)


def _subtitle(picture: HassePicture) -> str:
    count, top = len(picture.boxes), sum(box.stratum.component for box in picture.boxes)
    which = "a component" if top == 1 else "components"
    return f"{count:,} {'stratum' if count == 1 else 'strata'}, {top:,} of them {which}."


def _edge(edge: HasseEdge, ids: str, left: float, top: float) -> Path:
    points: list[Point] = [(x + left, y + top) for x, y in edge.points]
    return Path(points[0], tuple(upwards(a, b) for a, b in pairwise(points)), "edge", "edge", name=ids)


def _node(box: StratumBox, left: float, top: float) -> Item:
    stratum = box.stratum
    x, y = box.x + left, box.y + top
    role = (
        ("shaded-ring" if stratum.singular else "ring")
        if stratum.component
        else "shade"
        if stratum.singular
        else "card"
    )
    items: list[Item] = [Rect(x, y, box.width, box.height, "ink" if stratum.component else "edge", role, 6.0)]
    items += [moved(item, x + PAD + 3.0, y + box.height - FOOT) for item in _glyph(stratum.barcode)]
    items.append(Text(x + box.width / 2, y + box.height - 2.6, str(stratum.id), "tiny", colour="soft"))
    return Group(tuple(items), tooltip(box), f"n{stratum.id}")


def _glyph(barcode: Barcode) -> list[Item]:
    columns = tuple(LAYER * j for j in range(barcode.length + 1))
    return stroke_items(barcode_picture(barcode, columns, lane=LANE, thickness=5.2), counts=False)


def tooltip(box: StratumBox) -> str:
    """What pointing at a stratum tells."""
    stratum = box.stratum
    bars = ", ".join(f"[{i},{k}]" + (f" ×{m}" if m > 1 else "") for i, k, m in stratum.barcode.bars)
    kinds = ["component" if stratum.component else "", "singular points" if stratum.singular else "smooth points"]
    return f"stratum {stratum.id}: dimension {stratum.dimension}, {', '.join(k for k in kinds if k)}\n{bars}"


def _entries(picture: HassePicture) -> list[tuple[tuple[Item, ...], str]]:
    """The legend: what a box, its frame, its ground and a line mean, then the colours of bars."""
    strata = [box.stratum for box in picture.boxes]
    length = strata[0].barcode.length
    box = (0.0, -11.0, 17.0, 14.0)
    out: list[tuple[tuple[Item, ...], str]] = [
        ((Rect(*box, "edge", "card", 3.0),), "a stratum, drawn as its barcode, over its number")
    ]
    if any(s.component for s in strata):
        out.append(((Rect(*box, "ink", "ring", 3.0),), "a component: no stratum above it"))
    if any(s.singular for s in strata):
        out.append(((Rect(*box, "edge", "shade", 3.0),), "its points are singular: the fiber is not smooth there"))
    if picture.edges:
        line = Path((1.0, 3.0), (upwards((1.0, 3.0), (16.0, -11.0)),), "edge", "line")
        out.append(((line,), "the lower stratum is a limit of the upper one"))
    return [*out, *kinds_legend(kinds_of((bar[:2] for s in strata for bar in s.barcode.bars), length))]
