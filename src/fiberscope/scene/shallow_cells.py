"""The cells of a fiber as a graph, units without their labels: what the units do, and which cells meet.

Rows go by the number of units in use, then by the number of hyperplanes that are no folds: a step from a cell to one
that it meets takes a unit out of use or gives such a hyperplane up, so every line leads down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, islice, product
from math import factorial, prod

from fiberscope.errors import InputError
from fiberscope.scene.drawing import Point
from fiberscope.scene.layout import layout
from fiberscope.shallow.cell import Cell, Role, pieces
from fiberscope.shallow.cell_graph import steps_down
from fiberscope.shallow.fiber import Fiber

MOST_DRAWN = 400  # kinds of cells; more than that no eye follows
COLUMN, SIDE, FOOT, PAD = 26.0, 8.0, 15.0, 8.0  # of a glyph: a hyperplane's width, a triangle's, the line below, margin
TALL = 30.0  # of a glyph's hyperplanes
LETTERS = 25.0  # the width of an idle unit's letter with its number
RISE, WIDE = 36.0, 2.2  # between rows, and more for every cell of the widest

Sides = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """Cells that differ only in the labels of units: ``idle`` units (Z, N, P), units on the two sides of every fold and
    of every fresh hyperplane, the dimension, and how many labelled cells there are."""

    cell: Cell
    idle: tuple[int, int, int]
    folds: tuple[Sides, ...]
    fresh: tuple[Sides, ...]
    dimension: int
    cells: int

    @property
    def row(self) -> tuple[int, int]:
        """Units in use, and hyperplanes off the folds."""
        return len(self.cell.roles) - self.idle[0], len(self.fresh)


@dataclass(frozen=True)
class CellBox:
    """A kind of cell at its place; ``component`` counts from 0."""

    kind: Kind
    component: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class CellEdge:
    """From a cell (upper) to one in its closure (lower); ``step`` is "dies" or "slides"."""

    upper: int
    lower: int
    step: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class CellsPicture:
    """Boxes, edges, and the rows as (units in use, hyperplanes off the folds, y of the middle)."""

    units: int
    boxes: tuple[CellBox, ...]
    edges: tuple[CellEdge, ...]
    rows: tuple[tuple[int, int, float], ...]
    components: int
    width: float
    height: float


def kinds(fiber: Fiber) -> Iterator[Kind]:
    """Every cell of the fiber once for all labellings of its units.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> [kind.cells for kind in kinds(Fiber.of(four_hyperplanes(), 4))]
    [24, 24, 24, 24]
    """
    equation, units = fiber.equation, fiber.units
    m, n = equation.folds, equation.inputs
    for on_folds in range(m, units + 1):
        for folds in _filled(m, on_folds):
            for off in range(units - on_folds + 1):
                for fresh in _groups(off, n):
                    for z, p in product(range(units - on_folds - off + 1), repeat=2):
                        idle = (z, units - on_folds - off - z - p, p)
                        if idle[1] >= 0:
                            yield from _kind(fiber, idle, folds, fresh)


def _kind(
    fiber: Fiber, idle: tuple[int, int, int], folds: tuple[Sides, ...], fresh: tuple[Sides, ...]
) -> Iterator[Kind]:
    roles: list[Role] = []
    for j, (plus, minus) in enumerate(folds):
        roles += [("fold", j, 1)] * plus + [("fold", j, -1)] * minus
    for g, (plus, minus) in enumerate(fresh):
        roles += [("fresh", g, 1)] * plus + [("fresh", g, -1)] * minus
    for role, number in zip("ZNP", idle, strict=True):
        roles += [role] * number
    cell = Cell(tuple(roles))
    found = pieces(fiber.equation, cell)
    if found is None:
        return
    sizes = [*idle, *(s for sides in (*folds, *fresh) for s in sides)]
    same = prod(factorial(c) for c in Counter(fresh).values())
    if fiber.equation.inputs > 1:  # a fresh hyperplane has no first side
        same *= 2 ** sum(a == b for a, b in fresh)
    cells = factorial(fiber.units) // prod(map(factorial, sizes)) // same
    dimension = max(d for d in found[1:] if d is not None)
    yield Kind(cell, idle, folds, fresh, dimension, cells)


def _filled(folds: int, units: int) -> Iterator[tuple[Sides, ...]]:
    """All ways to put unlabelled units on both sides of every fold, none of which stays empty."""
    if folds == 0:
        if units == 0:
            yield ()
        return
    for here in range(1, units - folds + 2):
        for plus in range(here, -1, -1):
            for rest in _filled(folds - 1, units - here):
                yield ((plus, here - plus), *rest)


def _groups(units: int, inputs: int) -> Iterator[tuple[Sides, ...]]:
    """All multisets of fresh hyperplanes with at least two units each."""
    pairs = [(a, s - a) for s in range(2, units + 1) for a in range(s, -1, -1) if inputs == 1 or 2 * a >= s]
    for number in range(units // 2 + 1):
        for chosen in combinations_with_replacement(pairs, number):
            if sum(map(sum, chosen)) == units:
                yield chosen


def cells_picture(fiber: Fiber) -> CellsPicture:
    """The layout; `InputError` when there are more kinds of cells than one picture can hold.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> picture = cells_picture(Fiber.of(reversed_pair().truth, 3))
    >>> len(picture.boxes), picture.components
    (10, 2)
    """
    found = list(islice(kinds(fiber), MOST_DRAWN + 1))
    if len(found) > MOST_DRAWN:
        raise InputError(f"more than {MOST_DRAWN} kinds of cells are too many for one picture; take fewer units")
    found.sort(key=lambda kind: (-kind.row[0], -kind.row[1]))
    m, n = fiber.equation.folds, fiber.equation.inputs
    place = {kind.cell.shape(m, n): at for at, kind in enumerate(found)}
    steps: dict[tuple[int, int], str] = {}
    for at, kind in enumerate(found):
        for step, _, other in steps_down(fiber.equation, kind.cell):
            to = place[other.shape(m, n)]
            if to != at:
                steps.setdefault((at, to), step)
    found, edges, step = _by_component(found, steps)
    levels = sorted({kind.row for kind in found}, reverse=True)
    sizes = [_size(kind) for kind in found]
    widest = max(Counter(kind.row for kind in found).values())
    made = layout(
        sizes,
        edges,
        layers=[levels.index(kind.row) for kind in found],
        rises=[RISE + min(WIDE * widest, 70.0) if edges else RISE / 2] * len(levels),
        gap=14.0,
        lane=9.0,
    )
    component = _components(len(found), edges)
    boxes = tuple(CellBox(kind, component[at], *made.positions[at], *sizes[at]) for at, kind in enumerate(found))
    lines = tuple(CellEdge(a, b, step[a, b], route) for (a, b), route in zip(edges, made.routes, strict=True))
    middles = {box.kind.row: box.y + box.height / 2 for box in boxes}
    rows = tuple((*row, middles[row]) for row in levels)
    return CellsPicture(fiber.units, boxes, lines, rows, max(component) + 1, made.width, made.height)


def _by_component(
    found: list[Kind], steps: dict[tuple[int, int], str]
) -> tuple[list[Kind], list[tuple[int, int]], dict[tuple[int, int], str]]:
    """The kinds, their edges and steps again, with the cells of a component side by side in every row."""
    component = _components(len(found), sorted(steps))
    size = Counter(component)
    order = sorted(range(len(found)), key=lambda at: (-size[component[at]], component[at]))
    order.sort(key=lambda at: (-found[at].row[0], -found[at].row[1]))
    place = {old: new for new, old in enumerate(order)}
    renamed = {(place[a], place[b]): word for (a, b), word in steps.items()}
    return [found[at] for at in order], sorted(renamed), renamed


def _size(kind: Kind) -> tuple[float, float]:
    columns = COLUMN * (len(kind.folds) + len(kind.fresh)) + LETTERS * sum(v > 0 for v in kind.idle)
    return max(columns, 40.0) + 2 * PAD, TALL + FOOT + PAD


def _components(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """The number of the connected component of every box, in the order of their first boxes."""
    parent = list(range(count))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    names: dict[int, int] = {}
    return [names.setdefault(root(at), len(names)) for at in range(count)]
