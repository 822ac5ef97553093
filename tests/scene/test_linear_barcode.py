"""Barcodes as pictures: as few lanes as layers are wide, no overlaps, kinds by where bars begin and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.scene.linear_pictures import barcodes, overlapping

from fiberscope.linear.barcode import Barcode
from fiberscope.scene.bar_kinds import KINDS, kind, kinds_of, layer_name
from fiberscope.scene.barcode import barcode_drawing, barcode_picture
from fiberscope.scene.drawing import Rect, Text, shapes
from fiberscope.scene.lanes import lanes


@given(barcodes())
def test_lanes_hold_every_bar_once_in_as_few_as_possible(barcode: Barcode):
    placed = lanes(barcode, most=100)
    counts: dict[tuple[int, int], int] = {}
    for bar in placed:
        counts[bar.bar] = counts.get(bar.bar, 0) + bar.count
    assert counts == barcode.multiplicities
    assert 1 + max(bar.lane for bar in placed) == max(barcode.widths)  # no fewer lanes can hold them
    cells = [(bar.lane, layer) for bar in placed for layer in range(bar.birth, bar.last + 1)]
    assert len(cells) == len(set(cells))


@given(barcodes())
def test_full_bars_lie_lowest(barcode: Barcode):
    assert [bar.lane for bar in lanes(barcode, 100) if bar.bar == (0, barcode.length)] == list(range(barcode.full))


@given(barcodes())
def test_many_equal_bars_share_a_lane(barcode: Barcode):
    placed = lanes(barcode, most=0)
    assert [(b.birth, b.last, b.count) for b in sorted(placed, key=lambda b: b.bar)] == list(barcode.bars)
    cells = [(bar.lane, layer) for bar in placed for layer in range(bar.birth, bar.last + 1)]
    assert len(cells) == len(set(cells))


@given(barcodes())
def test_strokes_do_not_overlap_and_stand_over_their_layers(barcode: Barcode):
    picture = barcode_picture(barcode)
    rectangles = [(s.x, s.y - s.thickness / 2, s.x + s.width, s.y + s.thickness / 2) for s in picture.strokes]
    assert overlapping(rectangles) == []
    for stroke in picture.strokes:
        assert stroke.x + stroke.thickness / 2 == pytest.approx(picture.columns[stroke.birth])
        assert stroke.x + stroke.width - stroke.thickness / 2 == pytest.approx(picture.columns[stroke.last])
        assert -picture.height <= stroke.y <= 0


def test_kinds():
    """Each kind says where the bar begins and ends; the ends of the network are never 'dead'."""
    length = 3
    found = {(i, k): kind((i, k), length) for i in range(4) for k in range(i, 4)}
    assert {bar for bar, name in found.items() if name == "full"} == {(0, 3)}
    assert {bar for bar, name in found.items() if name == "lost"} == {(0, 0), (0, 1), (0, 2)}
    assert {bar for bar, name in found.items() if name == "free"} == {(1, 3), (2, 3), (3, 3)}
    assert {bar for bar, name in found.items() if name == "inner"} == {(1, 2)}
    assert {bar for bar, name in found.items() if name == "dead"} == {(1, 1), (2, 2)}
    assert kinds_of(found, length) == tuple(KINDS)
    assert [layer_name(j, 2) for j in range(3)] == ["input", "layer 1", "output"]


@given(barcodes())
def test_the_drawing_by_itself(barcode: Barcode):
    drawing = barcode_drawing(barcode)
    texts = [shape.text for shape, _ in shapes(drawing) if isinstance(shape, Text)]
    assert all(f"width {d}" in texts for d in barcode.widths)
    strokes = [s for s, _ in shapes(drawing) if isinstance(s, Rect) and s.radius == 5.0]
    assert len(strokes) == (sum(m for *_, m in barcode.bars) if max(barcode.widths) <= 12 else len(barcode.bars))
    assert all(s.x >= 0 and s.x + s.width <= drawing.width and 0 <= s.y <= drawing.height for s in strokes)
