"""A barcode as a picture: bars in lanes over the layers; a strip above a diagram, or a small glyph for one stratum."""

from __future__ import annotations

from dataclasses import dataclass

from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.scene.bar_kinds import kind, kinds_of, layer_name
from fiberscope.scene.drawing import Drawing, Item, Rect, Text, straight
from fiberscope.scene.lanes import lanes
from fiberscope.scene.legend import kinds_legend, legend, legend_width


@dataclass(frozen=True)
class BarStroke:
    """One bar as a rounded stroke; y is its middle. `count` is more than 1 where equal bars are drawn as one."""

    birth: int
    last: int
    count: int
    lane: int
    x: float
    y: float
    width: float
    thickness: float

    @property
    def bar(self) -> Bar:
        return (self.birth, self.last)


@dataclass(frozen=True)
class BarcodePicture:
    """Strokes over the layers at `columns` (x of each layer), lanes from y = 0 upwards."""

    barcode: Barcode
    strokes: tuple[BarStroke, ...]
    columns: tuple[float, ...]
    height: float


def barcode_picture(
    barcode: Barcode, columns: tuple[float, ...] | None = None, *, lane: float = 13.0, thickness: float = 7.0
) -> BarcodePicture:
    """Lays the bars out over the given x of each layer (default: 90 apart).

    >>> picture = barcode_picture(Barcode.from_bars(1, {(0, 1): 1, (1, 1): 1}))
    >>> [(stroke.bar, stroke.lane) for stroke in picture.strokes]
    [((0, 1), 0), ((1, 1), 1)]
    """
    if columns is None:
        columns = tuple(90.0 * j for j in range(barcode.length + 1))
    placed = lanes(barcode)
    strokes = tuple(
        BarStroke(
            b.birth,
            b.last,
            b.count,
            b.lane,
            min(columns[b.birth], columns[b.last]) - thickness / 2,
            -(b.lane + 0.5) * lane,
            abs(columns[b.last] - columns[b.birth]) + thickness,
            thickness,
        )
        for b in placed
    )
    return BarcodePicture(barcode, strokes, columns, lane * (1 + max(b.lane for b in placed)))


def stroke_items(picture: BarcodePicture, *, counts: bool = True) -> list[Item]:
    """The strokes alone, standing on y = 0."""
    length = picture.barcode.length
    items: list[Item] = []
    for stroke in picture.strokes:
        half = stroke.thickness / 2
        colour = kind(stroke.bar, length)
        items.append(Rect(stroke.x, stroke.y - half, stroke.width, stroke.thickness, colour, "solid", half))
        if counts and stroke.count > 1:
            items.append(Text(stroke.x + stroke.width + 4, stroke.y + 4, f"×{stroke.count}", "small", "start", "soft"))
    return items


def barcode_drawing(barcode: Barcode, title: str | None = None) -> Drawing:
    """The barcode as a drawing by itself: guides, layers, strokes and legend."""
    from fiberscope.scene.drawing import moved

    length = barcode.length
    step = 96.0
    picture = barcode_picture(barcode, tuple(step * j for j in range(length + 1)), lane=17.0, thickness=10.0)
    entries = kinds_legend(kinds_of((s.bar for s in picture.strokes), length))
    width = max(step * length + 60.0, legend_width(entries))
    left = 24.0 + (width - step * length) / 2
    floor = 84.0 + picture.height
    title = title or f"Barcode of widths {', '.join(map(str, barcode.widths))}, rank {barcode.full}"
    items: list[Item] = [Text(24.0, 34.0, title, "title", "start")]
    for j, x in enumerate(picture.columns):
        items.append(straight([(left + x, floor + 4), (left + x, 62.0)], "line", "guide"))
        items.append(Text(left + x, floor + 22, layer_name(j, length), "label"))
        items.append(Text(left + x, floor + 38, f"width {barcode.widths[j]}", "small", colour="soft"))
    items += [moved(item, left, floor) for item in stroke_items(picture)]
    lines, tall = legend(entries, width)
    items += [moved(item, 24.0, floor + 58) for item in lines]
    return Drawing(title, width + 48.0, floor + 58 + tall + 18.0, tuple(items))
