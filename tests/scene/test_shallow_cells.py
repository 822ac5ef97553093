"""Pictures of fibers, reversals and null vectors: every cell once, every meeting a line, components told apart."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path as FilePath

import networkx as nx
import numpy as np
import pytest
from tests.scene.linear_pictures import overlapping

from fiberscope.errors import InputError
from fiberscope.scene.drawing import Disc, Group, Path, Text, shapes
from fiberscope.scene.incidence import CELL, Line, incidence
from fiberscope.scene.shallow_causes import CAUSES, COLOURS
from fiberscope.scene.shallow_cells import cells_picture, kinds
from fiberscope.scene.shallow_cells_drawing import cells_drawing
from fiberscope.scene.shallow_fisher import fisher_drawing
from fiberscope.scene.shallow_reversals import MOST_TILES, reversals_drawing
from fiberscope.shallow import examples
from fiberscope.shallow.cell_graph import cell_graph
from fiberscope.shallow.fiber import Fiber
from fiberscope.shallow.fisher import fisher
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.reversals import reversals

ONE, PLANE = examples.reversal_without_annihilation().truth, examples.boundary_off_the_folds().truth
PAIR = examples.reversed_pair().truth
ZERO = ShallowModel(np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
TWO_OUTPUTS = ShallowModel(np.array([[1.0], [1.0]]), np.array([0.0, -1.0]), np.array([[1.0, 0], [0, 1]]), np.zeros(2))
FIBERS = [(PAIR, 2), (PAIR, 3), (PAIR, 4), (ONE, 2), (ONE, 3), (ONE, 4), (PLANE, 1), (PLANE, 2), (PLANE, 3), (PLANE, 4),
          (examples.four_hyperplanes(), 4), (examples.four_hyperplanes(), 5), (ZERO, 1), (ZERO, 2), (ZERO, 3),
          (TWO_OUTPUTS, 3), (TWO_OUTPUTS, 4)]  # fmt: skip


@pytest.mark.parametrize(("model", "units"), FIBERS)
def test_every_cell_is_in_one_kind(model: ShallowModel, units: int):
    """Multiplicities add up, dimension by dimension, to the labelled cells listed one by one."""
    fiber = Fiber.of(model, units)
    found = list(kinds(fiber))
    m, n = fiber.equation.folds, fiber.equation.inputs
    listed = Counter(cell.shape(m, n) for cell in fiber.cells())
    assert {kind.cell.shape(m, n): kind.cells for kind in found} == dict(listed)
    assert len(found) == len(listed)
    by: Counter[int] = Counter()
    for kind in found:
        by[kind.dimension] += kind.cells
    assert dict(by) == fiber.by_dimension


@pytest.mark.parametrize(("model", "units"), [row for row in FIBERS if row[1] < 5])
def test_lines_are_meetings_and_colours_components(model: ShallowModel, units: int):
    fiber = Fiber.of(model, units)
    m, n = fiber.equation.folds, fiber.equation.inputs
    picture = cells_picture(fiber)
    assert picture.components == fiber.components.modulo_permutations
    place = {box.kind.cell.shape(m, n): at for at, box in enumerate(picture.boxes)}
    graph = cell_graph(fiber.equation, fiber.cells())
    pairs = {frozenset((place[a.shape(m, n)], place[b.shape(m, n)])) for a, b in graph.edges}
    drawn = {frozenset((edge.upper, edge.lower)) for edge in picture.edges}
    assert drawn == {pair for pair in pairs if len(pair) == 2}
    joined = nx.Graph(list(map(tuple, drawn)))  # pyright: ignore[reportArgumentType]
    joined.add_nodes_from(range(len(picture.boxes)))
    for members in nx.connected_components(joined):
        assert len({picture.boxes[at].component for at in members}) == 1
    for edge in picture.edges:
        assert picture.boxes[edge.upper].y < picture.boxes[edge.lower].y
        assert edge.points[0][1] < edge.points[-1][1]
    rectangles = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in picture.boxes]
    assert overlapping(rectangles) == []
    assert all(x0 >= 0 and x1 <= picture.width and y1 <= picture.height for x0, _, x1, y1 in rectangles)
    for row in {box.kind.row for box in picture.boxes}:  # a component's cells stand side by side
        line = [b.component for b in sorted(picture.boxes, key=lambda b: b.x) if b.kind.row == row]
        if picture.components > 1 and len(picture.edges) == 0:
            assert line == sorted(line)


def test_a_cell_is_drawn_with_its_units():
    drawing = cells_drawing(cells_picture(Fiber.of(ONE, 3)))
    nodes = [item for item in drawing.items if isinstance(item, Group) and item.name]
    assert len(nodes) == 7
    for node in nodes:
        roles = node.tooltip.splitlines()[1].split(", ")
        triangles = [p for p in node.items if isinstance(p, Path) and p.closed and p.role == "solid"]
        assert len(triangles) == sum("fold" in role or "fresh" in role for role in roles)
        right = [t for t in triangles if t.curves[0][2][0] > t.start[0]]
        assert len(right) == sum(role.endswith("+") for role in roles)
    assert drawing.follow


def test_many_units_on_one_side_become_a_number():
    drawing = cells_drawing(cells_picture(Fiber.of(PLANE, 5)))
    said = [s.text for s, _ in shapes(drawing) if isinstance(s, Text)]
    assert {"4", "5"} <= set(said)


def test_too_many_kinds():
    rng = np.random.default_rng(0)
    model = ShallowModel(
        rng.integers(-3, 4, (5, 1)).astype(float) + 0.5, np.arange(5.0), rng.standard_normal((1, 5)), np.zeros(1)
    )
    with pytest.raises(InputError, match="too many"):
        cells_picture(Fiber.of(model, 9))


def test_polygons_close_up():
    model = examples.m_symmetric(6)
    found = reversals(model)
    drawing = reversals_drawing(model, found)
    tiles = [item for item in drawing.items if isinstance(item, Group)]
    assert len(tiles) == found.count  # all but the empty set, and the star of all weights
    for tile, units in zip(tiles[1:], [s for s in found.sets if s], strict=True):
        bars = [p for p in tile.items if isinstance(p, Path) and len(p.curves) == 3]
        heads = [p for p in tile.items if isinstance(p, Path) and len(p.curves) == 2]
        assert len(heads) == len(units)
        assert len(bars) == 2 * len(units)
        tips = [h.curves[0][2] for h in heads]  # head to tail: every tip is where another arrow starts
        starts = [((b.start[0] + b.curves[2][2][0]) / 2, (b.start[1] + b.curves[2][2][1]) / 2) for b in bars[::2]]
        for tip in tips:
            assert min(abs(tip[0] - s[0]) + abs(tip[1] - s[1]) for s in starts) < 1e-6
    twelve = reversals_drawing(examples.m_symmetric(12), reversals(examples.m_symmetric(12)))
    assert sum(isinstance(item, Group) for item in twelve.items) == MOST_TILES + 1


def test_sets_in_other_dimensions_are_rows():
    found = reversals(PAIR)
    drawing = reversals_drawing(PAIR, found)
    discs = [s for s, _ in shapes(drawing) if isinstance(s, Disc)]
    assert len(discs) == 2 and discs[1].x - discs[0].x == CELL


def test_every_null_vector_is_a_row():
    model = examples.boundary_off_the_folds().model
    found = fisher(model, exact=True)
    drawing = fisher_drawing(model, found)
    rows = [item for item in drawing.items if isinstance(item, Group)]
    assert len(rows) == found.nullity
    for row, vector in zip(rows, found.null_vectors, strict=True):
        discs = [p for p in row.items if isinstance(p, Disc)]
        assert len(discs) == len(vector.units)
        assert all(d.colour == COLOURS[vector.kind] for d in discs)
        assert CAUSES[vector.kind] in row.tooltip
    free = fisher_drawing(ONE, fisher(ONE))
    assert free.width > 0


def test_all_causes_are_known():
    """Every kind of null vector that networks full of coincidences give has its words and colour."""
    seen = set()
    rng = np.random.default_rng(0)
    for _ in range(60):
        W1 = rng.integers(-1, 2, (6, 2)).astype(float)
        b1 = rng.integers(-1, 2, 6) + 0.5 * (rng.random() < 0.5)
        b1 = np.where((W1 == 0).all(axis=1) & (b1 == 0), 1.0, b1)
        model = ShallowModel(W1, b1, rng.integers(-1, 2, (1, 6)).astype(float), np.zeros(1))
        for box in (None, (-0.25, 0.25)):
            seen |= set(fisher(model, box, exact=True).causes)
    assert seen <= set(CAUSES)
    assert {"scaling", "exchange", "boundary", "unread", "dead", "constant", "affine"} <= seen


def test_incidence_names_its_rows():
    items, width, height = incidence([Line("first", (1,), "full"), Line("second", (), "lost")], 3, 5.0, 5.0)
    assert width > 3 * CELL and height == 66.0
    groups = [item for item in items if isinstance(item, Group)]
    assert [g.tooltip for g in groups] == ["first: 1", "second: no unit"]


def test_the_pictures_in_the_documents_are_current(root: FilePath):
    """docs/shallow_*.svg are what scripts/make_shallow_pictures.py draws today."""
    script = runpy.run_path(str(root / "scripts" / "make_shallow_pictures.py"))
    found = script["pictures"]()
    assert sorted(found) == sorted(path.name for path in (root / "docs").glob("shallow_*.svg"))
    for name, text in found.items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == text, f"{name}: run the script"
