"""A whole basis flow diagram: title, barcode above, the columns, legend; and one move drawn over it."""

from __future__ import annotations

from fiberscope.linear.order import BarMove
from fiberscope.scene.bar_kinds import kinds_of, layer_name, lowered
from fiberscope.scene.barcode import barcode_picture, stroke_items
from fiberscope.scene.drawing import Disc, Drawing, Group, Item, Text, moved, straight
from fiberscope.scene.flow import FlowPicture
from fiberscope.scene.flow_body import body
from fiberscope.scene.legend import kinds_legend, legend, legend_width
from fiberscope.scene.paint import width_of, wrapped

MARGIN = 34.0


def flow_drawing(picture: FlowPicture, move: BarMove | None = None, title: str | None = None) -> Drawing:
    """The diagram; with a move, the two bars it takes and the arrow it adds are drawn over it.

    >>> from fiberscope.linear.barcode import least_barcode
    >>> from fiberscope.scene.flow import flow_picture
    >>> flow_drawing(flow_picture(least_barcode((2, 3, 2), 1))).title
    'Basis flow of widths 2, 3, 2, rank 1'
    """
    barcode, length = picture.barcode, picture.barcode.length
    widths = ", ".join(map(str, barcode.widths))
    title = title or f"{'Dual basis' if picture.dual else 'Basis'} flow of widths {widths}, rank {barcode.full}"
    entries = [*kinds_legend(kinds_of((box.bar for box in picture.boxes), length)), *_marks(picture)]
    subtitle = _subtitle(picture)
    inner = max(max(picture.columns) + picture.box, legend_width(entries), width_of(title, "title"))
    left = MARGIN + (inner - max(picture.columns) - picture.box) / 2
    items: list[Item] = [Text(MARGIN, 36.0, title, "title", "start")]
    y = 40.0
    for line in wrapped(subtitle, inner, "subtitle"):
        y += 18.0
        items.append(Text(MARGIN, y, line, "subtitle", "start", "soft"))
    strips, y = _strips(picture, move, left, y + 22.0)
    items += strips
    y += 20.0
    items += _heads(picture, left, y)
    floor = y + 30.0 + picture.height
    items += [moved(item, left, floor) for item in body(picture, move)]
    for j, x in enumerate(picture.columns):
        middle = left + x + picture.box / 2
        items.append(Text(middle, floor + 24, layer_name(j, length), "head"))
        items.append(Text(middle, floor + 41, f"dimension {barcode.widths[j]}", "small", colour="soft"))
    y = floor + 66.0
    if move:
        for line in wrapped(move_words(move), inner, "label"):
            items.append(Text(MARGIN, y + 6, line, "label", "start"))
            y += 18.0
        y += 12.0
    lines, tall = legend(entries, inner)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, inner + 2 * MARGIN, y + tall + 20.0, tuple(items))


def move_words(move: BarMove) -> str:
    """What a move does, in two sentences.

    >>> move_words(BarMove((0, 1), (2, 3)))
    'Connect [0,1] and [2,3] into [0,3]: a small change ε of W₂ leads the end of one into the other.'
    """
    first, second = (f"[{i},{k}]" for i, k in move.source)
    made = " and ".join(f"[{i},{k}]" for i, k in move.target)
    change = f"a small change ε of W{lowered(move.first[1] + 1)} leads the end of one into the other."
    if move.kind == "connect":
        return f"Connect {first} and {second} into {made}: {change}"
    return f"Exchange the ends of {first} and {second}, giving {made}: {change}"


def _subtitle(picture: FlowPicture) -> str:
    if picture.dual:
        return "A column is a layer, a box some of its read-outs, as many as it is high. Ribbons pull them back."
    return "A column is a layer's space; a box, a part of it, as high as its dimension; ribbons are the matrices."


def _marks(picture: FlowPicture) -> list[tuple[tuple[Item, ...], str]]:
    """Legend lines of the two marks, where they occur."""
    out: list[tuple[tuple[Item, ...], str]] = []
    zero: tuple[Item, ...] = (Text(7.0, 0.0, "0", "number", colour="soft"),)
    new: tuple[Item, ...] = (Disc(7.0, -4.5, 3.6, "soft", "line"),)
    if picture.starts if picture.dual else picture.ends:
        out.append((zero, "the next matrix sends it to zero"))
    if picture.ends if picture.dual else picture.starts:
        out.append(
            (new, "new: nothing is pulled back to it" if picture.dual else "new: the matrix before does not reach it")
        )
    return out


def _strips(picture: FlowPicture, move: BarMove | None, left: float, y: float) -> tuple[list[Item], float]:
    """The barcode over the same columns; with a move, before and after. Returns the lower end too."""
    columns = tuple(x + picture.box / 2 for x in picture.columns)
    rounds = [("barcode", picture.barcode, () if move is None else move.source)]
    if move:
        rounds = [("before", *rounds[0][1:]), ("after", move.apply(picture.barcode), move.target)]
    items: list[Item] = []
    for label, barcode, marked in rounds:
        strip = barcode_picture(barcode, columns)
        y += strip.height
        middle = y - strip.height / 2 + 4
        for x in columns:
            items.append(straight([(left + x, y + 3), (left + x, y - strip.height - 3)], "line", "guide"))
        if move:
            items.append(Text(MARGIN - 22, middle, label, "small", "start", "soft"))
        todo = list(marked)
        for item, stroke in zip(stroke_items(strip, counts=False), strip.strokes, strict=True):
            chosen = not move
            if stroke.bar in todo:
                todo.remove(stroke.bar)
                chosen = True
            items.append(Group((moved(item, left, y),), f"bar [{stroke.birth},{stroke.last}]", faded=not chosen))
        items += [
            Text(left + s.x + s.width + 4, y + s.y + 4, f"×{s.count}", "small", "start", "soft")
            for s in strip.strokes
            if s.count > 1
        ]
        y += 22.0
    return items, y - 8.0


def _heads(picture: FlowPicture, left: float, y: float) -> list[Item]:
    """The matrices' names and ranks, between the columns."""
    items: list[Item] = []
    for j in range(1, picture.barcode.length + 1):
        middle = left + (picture.columns[j - 1] + picture.columns[j] + picture.box) / 2
        name = f"W{lowered(j)}" + ("ᵀ" if picture.dual else "")
        items.append(Text(middle, y, name, "head"))
        items.append(Text(middle, y + 15, f"rank {picture.barcode.rank(j, j - 1)}", "small", colour="soft"))
    return items
