"""The columns of a basis flow diagram: ribbons, boxes with names and dimensions, marks for zero and new, one move."""

from __future__ import annotations

from fiberscope.linear.order import BarMove
from fiberscope.scene.bar_kinds import layer_name, subspace_name
from fiberscope.scene.drawing import Disc, Group, Item, Path, Rect, Text, band, sideways, straight
from fiberscope.scene.flow import FlowBox, FlowPicture

STUB = 34.0  # length of the taper at a box's end or start
LEAST_NOTCHED = 20.0  # height of a box from which its units are marked


def body(picture: FlowPicture, move: BarMove | None = None) -> list[Item]:
    """Ribbons, stubs, boxes and the move, standing on y = 0."""
    items: list[Item] = []
    for source, target in picture.ribbons:
        items += _ribbon(picture, picture.boxes[source], picture.boxes[target])
    hidden = set()
    if move:  # the arrow takes the place of the mark
        hidden |= {(box.bar, 1) for box in picture.boxes if box.bar == move.first and box.count == 1}
        if move.kind == "connect":
            hidden |= {(box.bar, -1) for box in picture.boxes if box.bar == move.second and box.count == 1}
    for numbers, side in ((picture.ends, 1), (picture.starts, -1)):
        zero = (side > 0) != picture.dual
        for box in (picture.boxes[n] for n in numbers):
            if (box.bar, side) not in hidden:
                items += _stub(picture, box, side, zero)
    items += [_box(picture, box) for box in picture.boxes]
    if move:
        items += _arrow(picture, move)
    return items


def _side(picture: FlowPicture, box: FlowBox, side: int) -> float:
    """x of the side towards the output (side 1) or the input (side -1)."""
    return box.x + (picture.box if side * picture.forward > 0 else 0.0)


def _ribbon(picture: FlowPicture, a: FlowBox, b: FlowBox) -> list[Item]:
    colour = picture.kind(a)
    start, end = _side(picture, a, 1), _side(picture, b, -1)
    middle_x, middle_y = (start + end) / 2, (a.y + b.y + a.height) / 2
    tip = 4.0 * picture.forward * (-1 if picture.dual else 1)
    chevron = straight(
        [(middle_x - tip, middle_y - 5), (middle_x + tip, middle_y), (middle_x - tip, middle_y + 5)], colour, "chevron"
    )
    return [band((start, a.y), (end, b.y), a.height, b.height, colour), chevron]


def _stub(picture: FlowPicture, box: FlowBox, side: int, zero: bool) -> list[Item]:
    """A taper to a point, with 0 or a small circle at its tip."""
    x = _side(picture, box, side)
    tip = x + STUB * side * picture.forward
    middle = box.y + box.height / 2
    colour = picture.kind(box)
    mark_x = tip + 7.0 * side * picture.forward
    mark: Item = (
        Text(mark_x, middle + 4.4, "0", "number", colour=colour) if zero else Disc(mark_x, middle, 3.6, colour, "line")
    )
    return [band((x, box.y), (tip, middle), box.height, 0.0, colour), mark]


def _box(picture: FlowPicture, box: FlowBox) -> Item:
    """The box with its name, its dimension, and a notch per unit on both sides."""
    colour = picture.kind(box)
    name = subspace_name("b" if picture.dual else "a", box.last, box.layer, box.birth)
    base = box.y + box.height / 2 + 4.3
    items: list[Item] = [Rect(box.x, box.y, picture.box, box.height, colour, "solid", 4.0)]
    if box.count > 1 and picture.unit >= 9 and box.height > LEAST_NOTCHED:
        for n in range(1, box.count):
            y = box.y + box.height * n / box.count
            items += [
                straight([(box.x + 1, y), (box.x + 6, y)], "on", "notch"),
                straight([(box.x + picture.box - 6, y), (box.x + picture.box - 1, y)], "on", "notch"),
            ]
    items.append(Text(box.x + 9, base, name, "on", "start", "on"))
    items.append(Text(box.x + picture.box - 10, base, str(box.count), "number", "end", "on"))
    return Group(tuple(items), _tooltip(picture, box, name))


def _tooltip(picture: FlowPicture, box: FlowBox, name: str) -> str:
    length = picture.barcode.length
    born = "in the input" if box.birth == 0 else f"at {layer_name(box.birth, length)}"
    ends = "reaches the output" if box.last == length else f"sent to zero by W{box.last + 1}"
    return f"{name}, dimension {box.count}: bars [{box.birth},{box.last}], born {born}, {ends}"


def _arrow(picture: FlowPicture, move: BarMove) -> list[Item]:
    """The new arrow from A's last box to B's box one layer on, both outlined; it leaves from one unit of the box."""
    a = picture.box_of(move.first, move.first[1])
    b = picture.box_of(move.second, move.first[1] + 1)
    out: list[Item] = []
    ends = []
    for box, side in ((a, 1), (b, -1)):
        unit = box.height / box.count  # the topmost one moves
        out.append(Rect(box.x - 2.5, box.y - 2.5, picture.box + 5, box.height + 5, "accent", "outline", 6.0))
        ends.append((_side(picture, box, side) + 3.0 * side * picture.forward, box.y + unit / 2))
    (x, y), (to_x, to_y) = ends
    ahead = picture.forward
    neck = (to_x - 9.0 * ahead, to_y)
    out.append(Path((x, y), (sideways((x, y), neck, 0.6),), "accent", "arrow"))
    head = [(to_x - 11.0 * ahead, to_y - 6.5), (to_x, to_y), (to_x - 11.0 * ahead, to_y + 6.5)]
    out.append(straight([*head, head[0]], "accent", "solid", closed=True))
    out.append(Text(x + 0.2 * (to_x - x), y - 9, "ε", "title", colour="accent"))
    return out
