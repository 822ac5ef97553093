"""The basis flow diagram: what its boxes mean, that nothing overlaps or crosses, and one move drawn over it."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scene.linear_pictures import barcodes, overlapping

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.order import BarMove, up_moves
from fiberscope.scene.bar_kinds import KINDS, kind
from fiberscope.scene.drawing import Group, Path, Rect, Text, shapes
from fiberscope.scene.flow import GAP, LEAST, FlowPicture, flow_picture
from fiberscope.scene.flow_body import STUB, body
from fiberscope.scene.flow_drawing import flow_drawing
from fiberscope.scene.paint import width_of

EXAMPLE = Barcode.from_bars(
    3, {(0, 3): 2, (0, 1): 1, (0, 0): 2, (1, 2): 1, (2, 3): 1, (2, 2): 2, (3, 3): 1}
)  # widths 5, 4, 6, 4


@given(barcodes())
def test_boxes_are_the_flow_subspaces(barcode: Barcode):
    """One box per layer and type of bar alive there, its dimension the multiplicity: they add up to the widths."""
    picture = flow_picture(barcode)
    expected = {(j, i, k): m for i, k, m in barcode.bars for j in range(i, k + 1)}
    assert {(b.layer, b.birth, b.last): b.count for b in picture.boxes} == expected
    assert len(picture.boxes) == len(expected)
    for layer, width in enumerate(barcode.widths):
        assert sum(b.count for b in picture.boxes if b.layer == layer) == width


@given(barcodes())
def test_heights_are_dimensions(barcode: Barcode):
    picture = flow_picture(barcode)
    assert all(box.height == max(LEAST, picture.unit * box.count) for box in picture.boxes)


@given(barcodes(longest=11), st.booleans(), st.booleans())
def test_nothing_overlaps(barcode: Barcode, dual: bool, right_to_left: bool):
    """Boxes in a column keep their gap; the tapers of two columns do not reach each other."""
    picture = flow_picture(barcode, dual=dual, right_to_left=right_to_left)
    rectangles = [(b.x, b.y, b.x + picture.box, b.y + b.height + GAP - 1e-9) for b in picture.boxes]
    assert overlapping(rectangles) == []
    ordered = sorted(picture.columns)
    assert all(b - a - picture.box > 2 * (STUB + 14) for a, b in pairwise(ordered))


@given(barcodes())
def test_column_spaces_are_the_lower_boxes(barcode: Barcode):
    """col W_{j~i}, the boxes born at i or before, lies below all others; and among one birth longer bars lie lower."""
    picture = flow_picture(barcode)
    for a, b in combinations(picture.boxes, 2):
        if a.layer == b.layer:
            lower = (a.birth, -a.last) < (b.birth, -b.last)
            assert (a.y > b.y) == lower


@given(barcodes())
def test_ribbons_are_the_isomorphisms_and_never_cross(barcode: Barcode):
    picture = flow_picture(barcode)
    pairs = [(picture.boxes[a], picture.boxes[b]) for a, b in picture.ribbons]
    assert all(a.bar == b.bar and b.layer == a.layer + 1 for a, b in pairs)
    for layer in range(1, barcode.length + 1):  # as many units arrive as the matrix has rank
        assert sum(a.count for a, b in pairs if b.layer == layer) == barcode.rank(layer, layer - 1)
    for (a, b), (c, d) in combinations(pairs, 2):
        if a.layer == c.layer:
            assert (a.y < c.y) == (b.y < d.y)


@given(barcodes())
def test_marks_are_kernels_and_cokernels(barcode: Barcode):
    """At layer j the boxes that end make up null W_{j+1}; those that start are what W_j does not reach."""
    picture = flow_picture(barcode)
    for j in range(barcode.length):
        ending = sum(picture.boxes[n].count for n in picture.ends if picture.boxes[n].layer == j)
        starting = sum(picture.boxes[n].count for n in picture.starts if picture.boxes[n].layer == j + 1)
        rank = barcode.rank(j + 1, j)
        assert (ending, starting) == (barcode.widths[j] - rank, barcode.widths[j + 1] - rank)


@given(barcodes())
def test_right_to_left_is_the_mirror_image(barcode: Barcode):
    left, right = flow_picture(barcode), flow_picture(barcode, right_to_left=True)
    widest = max(left.columns)
    assert [(widest - b.x, b.y) for b in left.boxes] == [(b.x, b.y) for b in right.boxes]


@given(barcodes())
def test_same_barcode_same_picture(barcode: Barcode):
    again = Barcode.from_bars(barcode.length, dict(reversed(list(barcode.multiplicities.items()))))
    assert flow_drawing(flow_picture(barcode)) == flow_drawing(flow_picture(again))


@given(barcodes())
def test_the_drawing_holds_everything_and_its_legend_no_more(barcode: Barcode):
    drawing = flow_drawing(flow_picture(barcode))
    for shape, _ in shapes(drawing):
        if isinstance(shape, Rect):
            assert 0 <= shape.x <= shape.x + shape.width <= drawing.width
            assert 0 <= shape.y <= shape.y + shape.height <= drawing.height
    texts = {shape.text for shape, _ in shapes(drawing) if isinstance(shape, Text)}
    present = {kind((i, k), barcode.length) for i, k, _ in barcode.bars}
    assert {name for name, words in KINDS.items() if words in texts} == present


def test_wide_layers_keep_their_labels():
    """784 units and 1 unit in one column: the small box is still as high as its label."""
    picture = flow_picture(Barcode.from_bars(2, {(0, 0): 783, (0, 2): 1, (1, 1): 1}))
    assert min(box.height for box in picture.boxes) == LEAST
    assert picture.height < 600


def test_long_names_and_large_numbers_fit_their_boxes():
    """With ten layers and more the name takes commas and the box is wider; name and number keep apart."""
    for barcode in (barcode_of_eleven(), EXAMPLE):
        picture = flow_picture(barcode)
        for item in body(picture):
            if isinstance(item, Group):
                name, number = (part for part in item.items if isinstance(part, Text))
                assert name.x + width_of(name.text, "on") * 0.8 < number.x - width_of(number.text, "number")
    drawing = flow_drawing(flow_picture(barcode_of_eleven()))
    assert "a₁₁,₁₀,₁₀" in {shape.text for shape, _ in shapes(drawing) if isinstance(shape, Text)}


def barcode_of_eleven() -> Barcode:
    return Barcode.from_bars(11, {(10, 11): 99, **{(j, j): 1 for j in range(10)}})


def moved(picture: FlowPicture, move: BarMove) -> tuple[list[Rect], list[Path]]:
    """The outlines and arrows of a move."""
    items = body(picture, move)
    return (
        [item for item in items if isinstance(item, Rect) and item.role == "outline"],
        [item for item in items if isinstance(item, Path) and item.role == "arrow"],
    )


@given(barcodes(), st.booleans())
def test_a_move_leads_from_the_last_box_of_one_bar_into_the_other(barcode: Barcode, right_to_left: bool):
    picture = flow_picture(barcode, right_to_left=right_to_left)
    for move in up_moves(barcode):
        outlines, arrows = moved(picture, move)
        (_, k), (_, _) = move.first, move.second
        source, target = picture.box_of(move.first, k), picture.box_of(move.second, k + 1)
        assert (source.layer, target.layer) == (k, k + 1)
        assert [(r.x + 2.5, r.y + 2.5) for r in outlines] == [(source.x, source.y), (target.x, target.y)]
        (arrow,) = arrows
        (x, y), (to_x, to_y) = arrow.start, arrow.curves[-1][-1]
        assert (to_x - x) * picture.forward > 0
        assert source.y < y < source.y + source.height
        assert target.y < to_y < target.y + target.height


def test_before_and_after():
    """Two strips; the bars that move stand out, the others are faded."""
    move = BarMove((0, 1), (1, 2))
    drawing = flow_drawing(flow_picture(EXAMPLE), move)
    bright = [g.tooltip for g in drawing.items if isinstance(g, Group) and g.tooltip.startswith("bar ") and not g.faded]
    faded = [g for g in drawing.items if isinstance(g, Group) and g.faded]
    assert bright == ["bar [0,1]", "bar [1,2]", "bar [0,2]", "bar [1,1]"]
    assert len(faded) == 2 * 10 - 4
    with pytest.raises(InputError):
        flow_drawing(flow_picture(EXAMPLE), BarMove((0, 1), (2, 3)))  # would change the product


def test_the_dual_diagram_swaps_the_marks():
    plain, dual = flow_drawing(flow_picture(EXAMPLE)), flow_drawing(flow_picture(EXAMPLE, dual=True))
    zeros = [
        sorted(s.x for s, _ in shapes(d) if isinstance(s, Text) and s.text == "0" and s.colour != "soft")
        for d in (plain, dual)
    ]
    picture = flow_picture(EXAMPLE)
    assert len(zeros[0]) == len(picture.ends)
    assert len(zeros[1]) == len(picture.starts)
    assert any(s.text == "b₃₁₀" for s, _ in shapes(dual) if isinstance(s, Text))
