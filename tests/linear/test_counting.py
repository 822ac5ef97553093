"""Counting and listing strata, against all weights over F_2 and F_3 and against an independent search."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.linear.finite_fields import points, rank_lists

from fiberscope.errors import InputError
from fiberscope.linear import counting
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.counting import CountTooLarge, count_strata
from fiberscope.linear.enumeration import barcodes, raw_barcodes
from fiberscope.linear.order import up_moves

OVER_TWO = [(2, 2), (1, 1, 1, 1, 1), (2, 2, 2), (2, 3, 2), (3, 2, 3), (1, 3, 2, 1), (2, 2, 2, 2), (1, 2, 2, 1, 2)]
OVER_THREE = [(1, 1, 1, 1), (2, 2, 2), (1, 2, 2, 1), (2, 1, 2, 1), (1, 4, 1)]
SMALL = [(w, 2) for w in OVER_TWO] + [(w, 3) for w in OVER_THREE]

chains = st.lists(st.integers(1, 4), min_size=2, max_size=6).flatmap(
    lambda w: st.tuples(st.just(tuple(w)), st.integers(0, min(w)))
)


def rank_list(barcode: Barcode) -> tuple[tuple[int, int, int], ...]:
    """By counting bars, not through `Barcode.ranks`."""
    top = barcode.length
    return tuple(
        sorted(
            (k, i, sum(m for a, b, m in barcode.bars if a <= i and b >= k)) for k in range(top + 1) for i in range(k)
        )
    )


@pytest.mark.parametrize(("widths", "q"), SMALL)
def test_exactly_the_rank_lists_of_all_matrices(widths: tuple[int, ...], q: int) -> None:
    found = rank_lists(widths, q)
    top = len(widths) - 1
    for rho in range(min(widths) + 1):
        occurring = {ranks: n for ranks, n in found.items() if {(k, i): r for k, i, r in ranks}[top, 0] == rho}
        listed = list(barcodes(widths, rho))
        assert len(listed) == len(set(listed)) == count_strata(widths, rho)
        assert {rank_list(b) for b in listed} == set(occurring)
        for b in listed:
            single = [(i, k) for i, k, m in b.bars for _ in range(m)]
            assert points(single, widths, q) == occurring[rank_list(b)]


def kostant(widths: tuple[int, ...]) -> int:
    """Multisets of intervals with this dimension vector: interval by interval, no sweep over layers."""

    @cache
    def ways(left: tuple[int, ...]) -> int:
        start = next((j for j, d in enumerate(left) if d), None)
        if start is None:
            return 1

        def take(rest: tuple[int, ...], end: int) -> int:
            """All multisets of intervals from ``start`` with last layer <= end that empty ``start``."""
            if end < start:
                return ways(rest) if rest[start] == 0 else 0
            total, n = 0, 0
            while min(rest) >= 0:
                total += take(rest, end - 1)
                rest = tuple(d - (start <= j <= end) for j, d in enumerate(rest))
                n += 1
            return total

        return take(left, len(left) - 1)

    return ways(widths)


@given(chains)
def test_count_against_multisets_of_intervals(chain: tuple[tuple[int, ...], int]) -> None:
    widths, rank = chain
    reduced = tuple(d - rank for d in widths)
    smaller = kostant(tuple(d - 1 for d in reduced)) if min(reduced) else 0
    assert count_strata(widths, rank) == kostant(reduced) - smaller


@given(chains)
def test_listing_against_walking_up(chain: tuple[tuple[int, ...], int]) -> None:
    widths, rank = chain
    if count_strata(widths, rank) > 1500:
        return
    least = least_barcode(widths, rank)
    reached, pending = {least}, [least]
    for barcode in pending:
        for move in up_moves(barcode):
            above = move.apply(barcode)
            assert above.widths == widths
            assert above.full == rank
            if above not in reached:
                reached.add(above)
                pending.append(above)
    listed = list(barcodes(widths, rank))
    assert listed[0] == least
    assert set(listed) == reached
    assert len(listed) == len(reached) == count_strata(widths, rank)
    assert [b.bars for b in listed] == list(raw_barcodes(widths, rank))


@given(chains, st.integers(1, 3))
def test_full_bars_take_no_part_and_reversal(chain: tuple[tuple[int, ...], int], more: int) -> None:
    widths, rank = chain
    assert count_strata([d + more for d in widths], rank + more) == count_strata(widths, rank)
    assert count_strata(widths[::-1], rank) == count_strata(widths, rank)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_two_factors_in_closed_form(n: int) -> None:
    """r_1, r_2 with r_1 + r_2 <= n."""
    assert count_strata([n, n, n], 0) == comb(n + 2, 2)


@pytest.mark.parametrize("length", [1, 2, 5, 12])
def test_width_one_in_closed_form(length: int) -> None:
    """Any proper subset of nonzero weights."""
    assert count_strata([1] * (length + 1), 0) == 2**length - 1
    assert count_strata([1] * (length + 1), 1) == 1


def test_published_growth() -> None:
    assert [count_strata([2] * n, 0) for n in range(3, 11)] == [6, 27, 109, 418, 1561, 5747, 20994, 76363]
    assert [count_strata([3] * n, 0) for n in range(3, 11)] == [10, 77, 535, 3526, 22555, 141773, 881890, 5451629]


def test_count_is_a_polynomial_in_the_multiple() -> None:
    """K is an Ehrhart polynomial of a unimodular flow polytope: of degree 10 for 4 factors."""
    values = [count_strata([t] * 5, 0) for t in range(1, 18)]
    for _ in range(10):  # K(t) - K(t-1) has degree 9
        values = [b - a for a, b in pairwise(values)]
    assert set(values) == {0}


def test_wide_layers_and_long_chains_in_a_second() -> None:
    start = time.perf_counter()
    assert count_strata([4] * 9, 0) == 23273950
    assert count_strata([784, 128, 64, 10], 0) == 10003719
    assert count_strata([10] * 9, 0) > 10**13
    assert time.perf_counter() - start < 5


def test_lists_226014_strata_in_seconds() -> None:
    start = time.perf_counter()
    seen = sum(1 for _ in raw_barcodes([4] * 7, 0))
    assert seen == count_strata([4] * 7, 0) == 226014
    assert time.perf_counter() - start < 10


def test_first_strata_of_a_huge_fiber_come_at_once() -> None:
    start = time.perf_counter()
    huge: Iterator[Barcode] = barcodes([1000] * 20, 5)
    first = [next(huge) for _ in range(100)]
    assert len(set(first)) == 100
    assert all(b.widths == (1000,) * 20 and b.full == 5 for b in first)
    assert time.perf_counter() - start < 2


def test_gives_up_counting_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_SWEEP_STEPS", 100_000)
    with pytest.raises(CountTooLarge, match="takes too long"):
        count_strata([60] * 12, 0)


@pytest.mark.parametrize(
    ("widths", "rank", "words"),
    [
        ([3], 0, "at least two"),
        ([3, 0], 0, "positive"),
        ([3, 2], 3, "from 0 to 2"),
        ([3, 2], -1, "from 0 to 2"),
        ([3, 2], 1.0, "from 0 to 2"),
        ([3, 2], True, "from 0 to 2"),
    ],
)
def test_refuses_what_is_no_fiber(widths: list[int], rank: int, words: str) -> None:
    for act in (count_strata, barcodes, raw_barcodes):
        with pytest.raises(InputError, match=words):
            act(widths, rank)
