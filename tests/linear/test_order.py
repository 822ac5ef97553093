"""The closure order: moves, covers, gains and chains, against all pairs of strata of whole fibers."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.linear.strata import barcodes as any_barcode

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.counting import count_strata
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.fiber import Fiber
from fiberscope.linear.order import BarMove, chain_up, covers, dimension_gain, is_cover, leq, raised_ranks, up_moves
from fiberscope.linear.pairs import ext
from fiberscope.linear.poset import interval
from fiberscope.linear.stratum import Stratum

FIBERS = [
    ((1, 1, 1), 0), ((3, 4, 2), 1), ((1, 1, 1, 1, 1), 0), ((3, 3, 3, 3), 0), ((2, 4, 3, 2), 1), ((4, 3, 4, 3, 4), 1),
    ((1, 5, 2, 6, 1), 0), ((2, 3, 1, 3, 2), 0), ((2, 2, 2, 2, 2), 0), ((1, 2, 2, 1), 1), ((1, 1, 1, 1, 1, 1, 1), 0),
    ((3, 1, 2, 3, 1, 2), 0), ((6, 2, 5, 3), 0),
]  # fmt: skip


def pointwise(strata: list[Barcode]) -> np.ndarray:
    """``[a, b]``: all ranks of a at most those of b; ranks by counting bars."""
    top = strata[0].length
    keys = [(i, k) for i in range(top + 1) for k in range(i, top + 1)]
    ranks = np.array([[sum(m for a, b, m in s.bars if a <= i and b >= k) for i, k in keys] for s in strata])
    return np.array([(row <= ranks).all(axis=1) for row in ranks])


def all_pairs_moves(barcode: Barcode) -> dict[Barcode, tuple[tuple[int, int], tuple[int, int]]]:
    """Every result of replacing two single bars of birth i < i' and end k < k' that meet, rank of the product kept."""
    out = {}
    bars = [(i, k) for i, k, m in barcode.bars for _ in range(m)]
    for x, (i, k) in enumerate(bars):
        for y, (a, b) in enumerate(bars):
            if x != y and i < a and k < b and a <= k + 1:
                rest = [bar for z, bar in enumerate(bars) if z not in (x, y)] + [(i, b)]
                rest += [(a, k)] if a <= k else []
                counts = {bar: rest.count(bar) for bar in rest}
                after = Barcode.from_bars(barcode.length, counts)
                if after.full == barcode.full:
                    out[after] = ((i, k), (a, b))
    return out


@pytest.mark.parametrize(("widths", "rank"), FIBERS)
def test_moves_generate_and_covers_reduce_the_pointwise_order(widths: tuple[int, ...], rank: int) -> None:
    strata = list(barcodes(widths, rank))
    place = {b: n for n, b in enumerate(strata)}
    order = pointwise(strata)
    moves = networkx.DiGraph()
    moves.add_nodes_from(range(len(strata)))
    cover_edges = set()
    for b in strata:
        found = {m.apply(b): m for m in up_moves(b)}
        brute = all_pairs_moves(b)
        assert {above: m.source for above, m in found.items()} == brute
        for above, move in found.items():
            moves.add_edge(place[b], place[above])
            if is_cover(b, move):
                cover_edges.add((place[b], place[above]))
            raised = {key for key, r in above.ranks.items() if r != b.ranks[key]}
            assert raised == set(raised_ranks(move))
            assert all(above.ranks[key] == b.ranks[key] + 1 for key in raised)
    closure = np.eye(len(strata), dtype=bool)
    for a, reachable in ((a, networkx.descendants(moves, a)) for a in moves):
        closure[a, list(reachable)] = True
    assert (closure == order).all()
    strictly = (order & ~np.eye(len(strata), dtype=bool)).astype(int)
    strict = networkx.from_numpy_array(strictly, create_using=networkx.DiGraph)
    assert set(networkx.transitive_reduction(strict).edges) == cover_edges
    assert all(leq(a, b) == order[place[a], place[b]] for a in strata[::7] for b in strata[::5])
    assert order[place[least_barcode(widths, rank)]].all()


@given(any_barcode(longest=6, most=10))
def test_gain_is_the_difference_of_dimensions(barcode: Barcode) -> None:
    for move in up_moves(barcode):
        above = move.apply(barcode)
        gain = dimension_gain(barcode, move)
        assert gain == Stratum(above).dimension - Stratum(barcode).dimension >= 1
        if is_cover(barcode, move):
            first, second = move.source
            assert gain == barcode.multiplicity(*first) + barcode.multiplicity(*second) - 1


@given(any_barcode(longest=5, most=8))
def test_reversal_keeps_the_order(barcode: Barcode) -> None:
    flipped = barcode.transpose()
    assert {m.apply(flipped) for m in up_moves(flipped)} == {m.apply(barcode).transpose() for m in up_moves(barcode)}
    assert {m.apply(flipped) for m in covers(flipped)} == {m.apply(barcode).transpose() for m in covers(barcode)}


@given(any_barcode(longest=5, most=8), st.integers(0, 2**32 - 1))
def test_chain_of_covers_from_a_stratum_to_any_above(barcode: Barcode, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = high = barcode
    for _ in range(int(rng.integers(0, 8))):
        moves = up_moves(high)
        if moves:
            high = moves[rng.integers(len(moves))].apply(high)
    chain = chain_up(low, high)
    for move in chain:
        assert is_cover(low, move)
        low = move.apply(low)
        assert leq(low, high)
    assert low == high
    if chain:
        with pytest.raises(InputError, match="not in the closure"):
            chain_up(high, barcode)


@pytest.mark.parametrize(("widths", "rank"), [((3, 3, 3, 3), 0), ((2, 2, 2, 2, 2), 0), ((4, 3, 4, 3, 4), 1)])
def test_intervals_are_what_lies_between(widths: tuple[int, ...], rank: int) -> None:
    strata = list(barcodes(widths, rank))
    order = pointwise(strata)
    rng = np.random.default_rng(0)
    for _ in range(25):
        a, b = rng.integers(len(strata), size=2)
        if order[a, b]:
            between = list(interval(strata[a], strata[b]))
            assert between[0] == strata[a]
            assert len(between) == len(set(between))
            assert set(between) == {s for n, s in enumerate(strata) if order[a, n] and order[n, b]}
        else:
            with pytest.raises(InputError, match="not in the closure"):
                interval(strata[a], strata[b])


def test_the_order_is_not_graded() -> None:
    """Two saturated chains of different length between the same strata, for widths 2, 2, 2, 2 and rank 0."""
    graph = Fiber((2, 2, 2, 2), 0).hasse()
    least = least_barcode((2, 2, 2, 2), 0)
    longest: dict[Barcode, int] = {least: 0}
    for node in networkx.topological_sort(graph):
        for above in graph.successors(node):
            longest[above] = max(longest.get(above, 0), longest[node] + 1)
    shortest = networkx.single_source_shortest_path_length(graph, least)
    assert any(longest[node] != shortest[node] for node in graph)


def test_hasse_diagram_carries_strata_and_moves() -> None:
    graph = Fiber((3, 3, 3, 3, 3, 3), 0).hasse()
    assert len(graph) == count_strata([3] * 6, 0) == 3526
    assert graph.number_of_edges() == sum(len(covers(b)) for b in graph)
    assert sorted(data["id"] for _, data in graph.nodes(data=True)) == list(range(3526))
    assert [b for b in graph if graph.in_degree(b) == 0] == [least_barcode([3] * 6, 0)]
    for lower, upper, data in list(graph.edges(data=True))[::50]:
        assert data["move"].apply(lower) == upper
        assert data["gain"] == graph.nodes[upper]["stratum"].dimension - graph.nodes[lower]["stratum"].dimension
        assert data["gain"] == dimension_gain(lower, data["move"])
    for b, data in list(graph.nodes(data=True))[::50]:
        assert data["stratum"] == Stratum(b)
        assert data["stratum"].is_component == (graph.out_degree(b) == 0)


def test_moves_of_wide_layers_cost_no_more() -> None:
    wide = Barcode.from_bars(3, {(0, 0): 3000, (1, 1): 2000, (0, 2): 50, (1, 2): 700, (2, 3): 900, (3, 3): 10})
    assert all(ext(*m.source) for m in up_moves(wide))
    assert dimension_gain(wide, BarMove((0, 0), (1, 1))) == 3000 + 2000 - 1


def test_refused_moves() -> None:
    with pytest.raises(InputError, match="i' <= k\\+1 <= k'"):
        BarMove((0, 2), (1, 2))
    with pytest.raises(InputError, match="i' <= k\\+1 <= k'"):
        BarMove((0, 0), (2, 3))
    low = Barcode.from_bars(2, {(0, 0): 1, (1, 1): 1, (2, 2): 1})
    with pytest.raises(InputError, match=r"has no bar \(0, 1\)"):
        BarMove((0, 1), (2, 2)).apply(low)
    half = Barcode.from_bars(2, {(0, 1): 1, (2, 2): 1})
    for act in (is_cover, dimension_gain):
        with pytest.raises(InputError, match="rank of the product"):
            act(half, BarMove((0, 1), (2, 2)))
    with pytest.raises(InputError, match="one fiber"):
        leq(low, Barcode.from_bars(2, {(0, 2): 1}))


def test_json_of_a_move() -> None:
    assert BarMove((0, 1), (1, 2)).to_json() == {"kind": "exchange", "from": [[0, 1], [1, 2]], "to": [[0, 2], [1, 1]]}
    assert BarMove((0, 0), (1, 2)).to_json() == {"kind": "connect", "from": [[0, 0], [1, 2]], "to": [[0, 2]]}
