"""The Hasse diagram: height is dimension, edges point up, nothing overlaps, few crossings, same strata same picture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scene.linear_pictures import overlapping

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.order import covers, dimension_gain
from fiberscope.scene.drawing import Group, Path, shapes
from fiberscope.scene.hasse import MOST_DRAWN, HassePicture, Stratum, hasse_picture
from fiberscope.scene.hasse_drawing import hasse_drawing

Fiber = tuple[list[Stratum], list[tuple[int, int]]]


@cache
def fiber(widths: tuple[int, ...], rank: int) -> tuple[tuple[Stratum, ...], tuple[tuple[int, int], ...]]:
    """All strata with heights by adding up the gains along covers, and the covers."""
    found = list(barcodes(widths, rank))
    place = {barcode: n for n, barcode in enumerate(found)}
    ups = [[(place[move.apply(b)], dimension_gain(b, move)) for move in covers(b)] for b in found]
    height = {place[least_barcode(widths, rank)]: 0}
    for n in sorted(range(len(found)), key=lambda n: sum(found[n].ranks.values())):
        for above, gain in ups[n]:
            assert height.setdefault(above, height[n] + gain) == height[n] + gain
    strata = tuple(Stratum(n, b, height[n], not ups[n], bool(ups[n])) for n, b in enumerate(found))
    return strata, tuple((n, above) for n, above_n in enumerate(ups) for above, _ in above_n)


SMALL = [((1, 1, 1), 0), ((2, 2, 2), 1), ((2, 3, 2), 1), ((2, 4, 3, 2), 1), ((2, 2, 2, 2), 0), ((3, 3, 3), 0)]
LARGE = ((2, 2, 2, 2, 2), 0)  # 109 strata, 282 covers


@pytest.mark.parametrize(("widths", "rank"), [*SMALL, LARGE])
def test_the_promises(widths: tuple[int, ...], rank: int):
    strata, edges = fiber(widths, rank)
    picture = hasse_picture(strata, edges)
    check(picture, strata, edges)


@st.composite
def graded(draw: st.DrawFn) -> Fiber:
    """Any graph whose edges go to larger dimensions: the layout must not lean on what posets of strata look like."""
    count = draw(st.integers(1, 14))
    heights = [draw(st.integers(0, 9)) for _ in range(count)]
    barcode = least_barcode((2, 2, 2), draw(st.integers(0, 2)))
    ids = draw(st.permutations(range(100, 100 + count)))
    strata = [
        Stratum(i, barcode, h, draw(st.booleans()), draw(st.booleans())) for i, h in zip(ids, heights, strict=True)
    ]
    pairs = [(a.id, b.id) for a in strata for b in strata if a.dimension < b.dimension]
    return strata, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []


@given(graded())
def test_the_promises_hold_for_any_graded_graph(made: Fiber):
    strata, edges = made
    check(hasse_picture(strata, edges), strata, edges)


def check(picture: HassePicture, strata: Sequence[Stratum], edges: Sequence[tuple[int, int]]) -> None:
    assert [box.stratum for box in picture.boxes] == list(strata)
    rectangles = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in picture.boxes]
    assert overlapping(rectangles) == []
    for left, top, right, bottom in rectangles:
        assert 0 <= left < right <= picture.width
        assert 0 <= top < bottom <= picture.height
    for a, b in combinations(picture.boxes, 2):  # higher is larger, level is equal
        assert (a.y < b.y) == (a.stratum.dimension > b.stratum.dimension)
    assert [d for d, _ in picture.levels] == sorted({s.dimension for s in strata}, reverse=True)
    drawn = [(picture.boxes[e.lower].stratum.id, picture.boxes[e.upper].stratum.id) for e in picture.edges]
    assert sorted(drawn) == sorted(edges)
    for edge in picture.edges:
        low, high = picture.boxes[edge.lower], picture.boxes[edge.upper]
        assert edge.points[0] == pytest.approx((low.x + low.width / 2, low.y))
        assert edge.points[-1] == pytest.approx((high.x + high.width / 2, high.y + high.height))
        assert all(b[1] < a[1] + 1e-9 for a, b in pairwise(edge.points))
        for left, top, right, bottom in rectangles:  # where a line passes a level it runs between the boxes
            for (x, y), (x2, y2) in pairwise(edge.points):
                if x == x2 and min(y, y2) < (top + bottom) / 2 < max(y, y2):
                    assert not left < x < right


@pytest.mark.parametrize(("widths", "rank"), [((2, 4, 3, 2), 1), LARGE])
def test_same_strata_same_picture(widths: tuple[int, ...], rank: int):
    strata, edges = fiber(widths, rank)
    mixed = list(edges)
    random.Random(0).shuffle(mixed)
    assert hasse_picture(strata, edges) == hasse_picture(strata, mixed)


def test_the_order_within_levels_saves_crossings():
    """Far fewer crossings of straight lines than in random orders on the same places."""
    strata, edges = fiber(*LARGE)
    picture = hasse_picture(strata, edges)
    centre = {b.stratum.id: (b.x, b.y) for b in picture.boxes}
    rng = random.Random(1)
    shuffled = []
    for _ in range(3):
        mixed = dict(centre)
        for dimension, _ in picture.levels:
            level = [s.id for s in strata if s.dimension == dimension]
            places = [centre[n] for n in level]
            rng.shuffle(places)
            mixed.update(zip(level, places, strict=True))
        shuffled.append(crossings(mixed, edges))
    assert crossings(centre, edges) < 0.6 * min(shuffled)


def crossings(centre: dict[int, tuple[float, float]], edges: Sequence[tuple[int, int]]) -> int:
    """Pairs of straight edges without a common end that cross."""

    def side(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    total = 0
    for (a, b), (c, d) in combinations([(centre[a], centre[b]) for a, b in edges], 2):
        if len({a, b, c, d}) == 4 and side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0:
            total += 1
    return total


def test_every_stratum_is_drawn_and_followed():
    strata, edges = fiber(*LARGE)
    drawing = hasse_drawing(hasse_picture(strata, edges))
    nodes = {item.name: item for item in drawing.items if isinstance(item, Group) and item.name}
    assert set(nodes) == {f"n{s.id}" for s in strata}
    assert all(f"dimension {s.dimension}" in nodes[f"n{s.id}"].tooltip for s in strata)
    lines = {shape.name for shape, _ in shapes(drawing) if isinstance(shape, Path) and shape.role == "edge"}
    assert lines == {f"{a} {b}" for a, b in edges}
    assert drawing.follow


def test_dimensions_far_apart_do_not_tear_the_picture():
    low, high = least_barcode((3, 3, 3), 0), Barcode.from_bars(2, {(0, 0): 3, (1, 2): 3})
    picture = hasse_picture([Stratum(0, low, 0), Stratum(1, high, 100_000)], [(0, 1)])
    assert picture.height < 300


def test_too_many_or_none():
    barcode = least_barcode((2, 2), 0)
    with pytest.raises(InputError, match="components only"):
        hasse_picture([Stratum(n, barcode, n) for n in range(MOST_DRAWN + 1)], [])
    with pytest.raises(InputError, match="at least one"):
        hasse_picture([], [])
