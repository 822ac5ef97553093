"""The drawing's promises, for random graphs: no overlaps, edges point down, same graph same picture."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.scene.layout import layout

Graph = tuple[list[tuple[float, float]], list[tuple[int, int]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Sizes of up to 14 boxes, and edges from earlier to later ones."""
    count = draw(st.integers(1, 14))
    sizes = [(draw(st.floats(20, 300)), draw(st.floats(20, 80))) for _ in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    return sizes, edges


@given(graphs())
def test_boxes_do_not_overlap(graph: Graph):
    sizes, edges = graph
    places = layout(sizes, edges).positions
    rects = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(places, sizes, strict=True)]
    for a, b in combinations(rects, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (a, b)


@given(graphs())
def test_edges_point_down_from_box_to_box(graph: Graph):
    sizes, edges = graph
    plan = layout(sizes, edges)
    for (a, b), route in zip(edges, plan.routes, strict=True):
        heights = [y for _, y in route]
        assert heights == sorted(heights)
        assert heights[0] < heights[-1]
        assert route[0][1] == pytest.approx(plan.positions[a][1] + sizes[a][1])
        assert route[-1][1] == pytest.approx(plan.positions[b][1])
        for (x, _), k in ((route[0], a), (route[-1], b)):
            assert plan.positions[k][0] < x < plan.positions[k][0] + sizes[k][0]


@given(graphs())
def test_long_edges_pass_between_boxes(graph: Graph):
    """The straight part of a route, where it crosses a layer, touches no box."""
    sizes, edges = graph
    plan = layout(sizes, edges)
    for route in plan.routes:
        for (x, top), (other, bottom) in pairwise(route):
            if x != other or (x, top) == route[0] or (x, bottom) == route[-1]:
                continue
            for (left, up), (w, h) in zip(plan.positions, sizes, strict=True):
                assert not (left < x < left + w and top < up + h and up < bottom)


@given(graphs())
def test_everything_lies_on_the_page(graph: Graph):
    sizes, edges = graph
    plan = layout(sizes, edges)
    for (x, y), (w, h) in zip(plan.positions, sizes, strict=True):
        assert x >= 0
        assert y >= 0
        assert x + w <= plan.width + 1e-6
        assert y + h <= plan.height + 1e-6
    assert all(0 <= x <= plan.width and 0 <= y <= plan.height for route in plan.routes for x, y in route)


@given(graphs())
def test_same_graph_same_picture(graph: Graph):
    assert layout(*graph) == layout(*graph)


def test_a_chain_stands_in_a_column():
    plan = layout([(100.0, 40.0)] * 5, [(k, k + 1) for k in range(4)])
    assert len({x for x, _ in plan.positions}) == 1


def test_an_edge_upwards_is_refused():
    with pytest.raises(ValueError, match="before their readers"):
        layout([(10.0, 10.0)] * 2, [(1, 0)])


def test_a_thousand_boxes_take_seconds_not_minutes():
    count = 1000
    edges = [(k, k + 1) for k in range(count - 1)] + [(k, k + 3) for k in range(0, count - 3, 3)]
    assert len(layout([(120.0, 40.0)] * count, edges).positions) == count
