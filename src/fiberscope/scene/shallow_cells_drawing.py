"""Draws the cells of a fiber: each a row of hyperplanes with their units, joined where they meet."""

from __future__ import annotations

from itertools import pairwise

from fiberscope.scene.drawing import Drawing, Group, Item, Path, Point, Rect, Text, moved, straight, upwards
from fiberscope.scene.legend import legend, legend_width
from fiberscope.scene.paint import width_of
from fiberscope.scene.shallow_cells import (
    COLUMN,
    LETTERS,
    PAD,
    SIDE,
    TALL,
    CellBox,
    CellEdge,
    CellsPicture,
    Sides,
)

MARGIN = 30.0
PIECES = ("full", "lost", "free", "inner", "accent", "dead")  # colours of components, in turn
STACKED = 3  # triangles above each other; more are a triangle and a number


def cells_drawing(picture: CellsPicture) -> Drawing:
    """The graph; pointing at a cell lights up its lines.

    >>> from fiberscope.scene.shallow_cells import cells_picture
    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.fiber import Fiber
    >>> cells_drawing(cells_picture(Fiber.of(reversed_pair().truth, 2))).title
    'All networks of 2 units with this function'
    """
    title = f"All networks of {picture.units} unit{'' if picture.units == 1 else 's'} with this function"
    kinds, cells = len(picture.boxes), sum(box.kind.cells for box in picture.boxes)
    pieces = f"{picture.components} connected component{'' if picture.components == 1 else 's'}"
    says = f"{kinds} kind{'' if kinds == 1 else 's'} of cells ({cells:,} with labelled units), {pieces} up to labels."
    entries = _entries(picture)
    names = [_row_name(used, fresh) for used, fresh, _ in picture.rows]
    axis = 14.0 + max(width_of(name, "small") for name in names)
    wide = max(picture.width + axis, width_of(title, "title"), width_of(says, "subtitle"), legend_width(entries))
    left = MARGIN + axis + (wide - axis - picture.width) / 2
    top = 76.0
    items: list[Item] = [
        Text(MARGIN, 36.0, title, "title", "start"),
        Text(MARGIN, 58.0, says, "subtitle", "start", "soft"),
    ]
    for name, (_, _, y) in zip(names, picture.rows, strict=True):
        items.append(straight([(MARGIN + axis, top + y), (MARGIN + wide, top + y)], "line", "guide"))
        items.append(Text(MARGIN, top + y + 4.0, name, "small", "start", "soft"))
    items += [_edge(edge, left, top) for edge in picture.edges]
    items += [_node(at, box, left, top, picture.components) for at, box in enumerate(picture.boxes)]
    y = top + picture.height + 14.0
    lines, tall = legend(entries, wide)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, wide + 2 * MARGIN, y + tall + 18.0, tuple(items), follow=True)


def _row_name(used: int, fresh: int) -> str:
    return f"{used} in use" + (f", {fresh} off the folds" if fresh else "")


def _edge(edge: CellEdge, left: float, top: float) -> Path:
    points: list[Point] = [(x + left, y + top) for x, y in edge.points]
    ends = f"{edge.upper} {edge.lower}"
    return Path(points[0], tuple(upwards(a, b) for a, b in pairwise(points)), "edge", "edge", name=ends)


def _node(at: int, box: CellBox, left: float, top: float, components: int) -> Item:
    kind = box.kind
    x, y = box.x + left, box.y + top
    colour = PIECES[box.component % len(PIECES)] if components > 1 else "edge"
    items: list[Item] = [Rect(x, y, box.width, box.height, colour, "ring" if components > 1 else "card", 6.0)]
    columns = COLUMN * (len(kind.folds) + len(kind.fresh)) + LETTERS * sum(v > 0 for v in kind.idle)
    spot = x + (box.width - columns) / 2
    middle = y + PAD / 2 + TALL / 2
    for sides in kind.folds:
        items += _hyperplane(spot + COLUMN / 2, middle, sides, "ink")
        spot += COLUMN
    for sides in kind.fresh:
        items += _hyperplane(spot + COLUMN / 2, middle, sides, "soft")
        spot += COLUMN
    for letter, number in zip("ZNP", kind.idle, strict=True):
        if number:
            shown = letter + (f"×{number}" if number > 1 else "")
            items.append(Text(spot + LETTERS / 2, middle + 4.0, shown, "small", colour="soft"))
            spot += LETTERS
    foot = f"dim {kind.dimension}" + (f"  ×{kind.cells:,}" if kind.cells > 1 else "")
    items.append(Text(x + box.width / 2, y + box.height - 5.0, foot, "tiny", colour="soft"))
    return Group(tuple(items), tooltip(box), f"n{at}")


def _hyperplane(x: float, y: float, sides: Sides, colour: str) -> list[Item]:
    """A line with a triangle per unit, pointing to its active side."""
    line = straight([(x, y - TALL / 2 + 2.0), (x, y + TALL / 2 - 2.0)], colour, "line" if colour == "ink" else "dashed")
    items: list[Item] = [line]
    for number, turn in zip(sides, (1.0, -1.0), strict=True):
        shown = number if number <= STACKED else 1
        for at in range(shown):
            middle = y + (at - (shown - 1) / 2) * 9.0
            near, tip = x + turn * 2.0, x + turn * (2.0 + SIDE)
            corners = [(near, middle - 3.9), (tip, middle), (near, middle + 3.9)]
            items.append(straight(corners, "full" if colour == "ink" else "free", "solid", closed=True))
        if number > STACKED:
            items.append(Text(x + turn * (2.0 + SIDE / 2), y - 6.0, str(number), "tiny"))
    return items


def tooltip(box: CellBox) -> str:
    """What pointing at a cell tells."""
    kind = box.kind
    labels = f"{kind.cells:,} labelled cell{'' if kind.cells == 1 else 's'}"
    return f"dimension {kind.dimension}, {labels}\n{', '.join(kind.cell.to_json())}"


def _entries(picture: CellsPicture) -> list[tuple[tuple[Item, ...], str]]:
    """What glyphs, letters, lines and frames mean."""
    kinds = [box.kind for box in picture.boxes]
    out: list[tuple[tuple[Item, ...], str]] = []
    if any(kind.folds for kind in kinds):
        mark = tuple(moved(item, 8.0, -4.0) for item in _hyperplane(0.0, 0.0, (1, 0), "ink"))
        out.append((mark, "a fold, and a unit that points to its active side"))
    if any(kind.fresh for kind in kinds):
        mark = tuple(moved(item, 8.0, -4.0) for item in _hyperplane(0.0, 0.0, (1, 1), "soft"))
        out.append((mark, "a hyperplane that is no fold: its units' kinks cancel"))
    meanings = ("nothing reads the unit", "w = 0, b ≤ 0: the unit is zero", "w = 0, b > 0: the unit is constant")
    for number, (letter, says) in enumerate(zip("ZNP", meanings, strict=True)):
        if any(kind.idle[number] for kind in kinds):
            out.append(((Text(8.0, 0.0, letter, "small", colour="soft"),), says))
    if picture.edges:
        line = Path((1.0, 3.0), (upwards((1.0, 3.0), (16.0, -11.0)),), "edge", "line")
        out.append(((line,), "a unit goes, or a hyperplane slides onto another: the cells meet"))
    if picture.components > 1:
        out.append(((Rect(0.0, -11.0, 17.0, 14.0, "full", "ring", 3.0),), "one colour for each connected component"))
    out.append(((Text(8.0, 0.0, "×2", "tiny", colour="soft"),), "how many cells if units are labelled"))
    return out
