"""The order within layers: crossings counted as by brute force, never more than before, none for a planar tree."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from fiberscope.scene.ordering import crossings, order_layers

Layered = tuple[list[list[int]], list[list[int]], list[list[int]]]


@st.composite
def layered(draw: st.DrawFn) -> Layered:
    """Rows of items, and edges between neighbouring rows."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    numbers = iter(range(sum(sizes)))
    rows = [[next(numbers) for _ in range(size)] for size in sizes]
    above: list[list[int]] = [[] for _ in range(sum(sizes))]
    below: list[list[int]] = [[] for _ in range(sum(sizes))]
    for upper, lower in pairwise(rows):
        for a, b in draw(st.sets(st.tuples(st.sampled_from(upper), st.sampled_from(lower)), max_size=10)):
            below[a].append(b)
            above[b].append(a)
    return rows, above, below


def by_brute_force(rows: list[list[int]], below: list[list[int]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        edges = [(upper.index(a), lower.index(b)) for a in upper for b in below[a]]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(edges, 2))
    return total


@given(layered())
def test_crossings_are_counted_right(graph: Layered):
    rows, _, below = graph
    assert crossings(rows, below) == by_brute_force(rows, below)


@given(layered())
def test_never_more_crossings_than_before(graph: Layered):
    rows, above, below = graph
    before, items = by_brute_force(rows, below), [sorted(row) for row in rows]
    order_layers(rows, above, below)
    assert by_brute_force(rows, below) <= before
    assert [sorted(row) for row in rows] == items


def test_a_tree_is_drawn_without_crossings():
    """Three levels of a ternary tree in random order."""
    rng = random.Random(3)
    rows = [[0], [1, 2, 3], list(range(4, 13))]
    below = [[1, 2, 3], *([3 * n + 1, 3 * n + 2, 3 * n + 3] for n in (1, 2, 3)), *([] for _ in range(9))]
    above = [[], [0], [0], [0], *([1 + (n - 4) // 3] for n in range(4, 13))]
    for row in rows:
        rng.shuffle(row)
    assert crossings(rows, below) > 0
    order_layers(rows, above, below)
    assert crossings(rows, below) == 0
