"""Sets of units that can be turned round: the weights q_i w_i of each close up to a polygon, or are listed by unit."""

from __future__ import annotations

import math

import numpy as np

from fiberscope.scene.drawing import Drawing, Group, Item, Point, Rect, Text, moved
from fiberscope.scene.incidence import MOST_ROWS, Line, incidence
from fiberscope.scene.legend import legend, legend_width
from fiberscope.scene.paint import width_of, wrapped
from fiberscope.scene.shallow_marks import arrow, bar
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.reversals import Reversals

MARGIN, TILE, GAP = 28.0, 132.0, 14.0
ACROSS = 6  # tiles in a row
MOST_TILES = 35
TURNS = ("full", "lost", "free", "inner", "accent", "dead")  # colours of units, in turn


def reversals_drawing(model: ShallowModel, found: Reversals) -> Drawing:
    """Polygons where the products q_i w_i are vectors in the plane, else a row for each set.

    >>> from fiberscope.shallow.examples import m_symmetric
    >>> from fiberscope.shallow.reversals import reversals
    >>> reversals_drawing(m_symmetric(3), reversals(m_symmetric(3))).title
    '2 sets of units can be turned round'
    """
    title = f"{found.count:,} set{'' if found.count == 1 else 's'} of units can be turned round"
    sets = [s for s in found.sets if s]
    if model.inputs * model.outputs == 2:
        return _polygons(model, sets, found.count, title)
    lines = [Line(" ".join(map(str, s)) if len(s) <= 12 else f"{len(s)} units", s, "full") for s in sets]
    says = "The weights q w of the marked units add up to zero. The empty set counts too." + _more(
        found.count, MOST_ROWS
    )
    chart, width, height = incidence(lines, model.units, MARGIN, 80.0)
    wide = max(width, width_of(title, "title"), width_of(says, "subtitle"))
    items: tuple[Item, ...] = (*_head(title, says), *chart)
    return Drawing(title, wide + 2 * MARGIN, 80.0 + height + 18.0, items)


def _head(title: str, says: str) -> list[Item]:
    return [Text(MARGIN, 36.0, title, "title", "start"), Text(MARGIN, 57.0, says, "subtitle", "start", "soft")]


def _more(count: int, most: int) -> str:
    return f" The first {most} are shown." if count - 1 > most else ""


def _polygons(model: ShallowModel, sets: list[tuple[int, ...]], count: int, title: str) -> Drawing:
    """All weights from one point, then one closed polygon for each set."""
    W, Q = as_floats(model.W1), as_floats(model.W2)
    vectors = (Q.T[:, :, None] * W[:, None, :]).reshape(model.units, 2)
    says = "Put head to tail, the weights q w of each set come back to where they began. The empty set counts too."
    says += _more(count, MOST_TILES)
    items: list[Item] = []
    tiles = [(tuple(range(model.units)), True), *((s, False) for s in sets[:MOST_TILES])]
    for at, (units, star) in enumerate(tiles):
        x, y = MARGIN + at % ACROSS * (TILE + GAP), 76.0 + at // ACROSS * (TILE + GAP)
        items.append(_tile(vectors, units, star, x, y))
    across = min(len(tiles), ACROSS) * (TILE + GAP) - GAP
    entries = [
        ((bar((0.0, -4.0), (16.0, -4.0), 2.4, "full"),), "the weights of a unit; its colour is the same everywhere")
    ]
    wide = max(across, width_of(title, "title"), width_of(says, "subtitle"), legend_width(entries))
    y = 76.0 + -(-len(tiles) // ACROSS) * (TILE + GAP) + 8.0
    marks, tall = legend(entries, wide)
    items += [moved(item, MARGIN, y) for item in marks]
    return Drawing(title, wide + 2 * MARGIN, y + tall + 14.0, (*_head(title, says), *items))


def _tile(vectors: np.ndarray, units: tuple[int, ...], star: bool, x: float, y: float) -> Item:
    """The weights of some units, from one point or head to tail in the order of their directions."""
    chain: list[tuple[int, Point, Point]] = []
    at = np.zeros(2)
    for i in sorted(units, key=lambda i: math.atan2(vectors[i, 1], vectors[i, 0])):
        start = np.zeros(2) if star else at
        at = start + vectors[i]
        chain.append((i, (float(start[0]), float(start[1])), (float(at[0]), float(at[1]))))
    points = np.array([p for _, *ends in chain for p in ends] or [[0.0, 0.0]])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (TILE - 44.0) / max(float((high - low).max()), 1e-300)
    middle = (low + high) / 2

    def pixel(p: Point) -> Point:
        return (x + TILE / 2 + scale * (p[0] - middle[0]), y + (TILE - 14.0) / 2 - scale * (p[1] - middle[1]))

    items: list[Item] = [Rect(x, y, TILE, TILE, "line", "card", 8.0)]
    for i, a, b in chain:
        (ax, ay), (bx, by) = pixel(a), pixel(b)
        length = math.hypot(bx - ax, by - ay)
        if length > 1e-6:
            towards = ((bx - ax) / length, (by - ay) / length)
            head = min(11.0, 0.6 * length)
            colour = TURNS[i % len(TURNS)]
            items += [bar((ax, ay), (bx - 0.6 * head * towards[0], by - 0.6 * head * towards[1]), 2.4, colour)]
            items += arrow((ax, ay), towards, colour, start=length - head, length=head)
    name = "all weights" if star else " ".join(map(str, units))
    shown = wrapped(name, TILE - 12.0, "small")
    items.append(Text(x + TILE / 2, y + TILE - 8.0, shown[0] if len(shown) == 1 else f"{len(units)} units", "small"))
    return Group(tuple(items), "the weights of all units" if star else f"units {name}: their weights add up to zero")
