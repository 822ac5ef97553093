"""Components and local dimension without the poset, against the poset and against closed forms."""

from __future__ import annotations

import time
from itertools import islice, pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.linear.strata import barcodes as any_barcode

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.components import ascend, components, count_components, is_component
from fiberscope.linear.counting import count_strata
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.local_dimension import best_survivors, local_dimension
from fiberscope.linear.order import leq, up_moves
from fiberscope.linear.pairs import constrained, count_pairs, ext

chains = st.lists(st.integers(1, 5), min_size=2, max_size=6).flatmap(
    lambda w: st.tuples(st.just(tuple(w)), st.integers(0, min(w)))
)
long_chains = st.lists(st.integers(1, 9), min_size=4, max_size=10).flatmap(
    lambda w: st.tuples(st.just(tuple(w)), st.integers(0, min(w) - 1))
)


def dimension(b: Barcode) -> int:
    return sum(v * w for v, w in pairwise(b.widths)) - count_pairs(b, lambda x, y: constrained(x, y, b.length))


@settings(max_examples=60)
@given(chains)
def test_components_are_the_maximal_elements(chain: tuple[tuple[int, ...], int]) -> None:
    widths, rho = chain
    if count_strata(widths, rho) > 2000:
        return
    everything = list(barcodes(widths, rho))
    maximal = {b for b in everything if not up_moves(b)}
    found = list(components(widths, rho))
    assert len(found) == len(set(found)) == count_components(widths, rho)
    assert set(found) == maximal
    for b in everything[:: max(1, len(everything) // 60)]:
        assert is_component(b) == (b in maximal)
        above = ascend(b)
        assert above in maximal
        assert leq(b, above)
        largest = max(dimension(c) for c in found if leq(b, c))
        assert local_dimension(b) == largest


@given(any_barcode(longest=8, most=25))
def test_local_dimension_against_all_components_above(barcode: Barcode) -> None:
    """Fibers whose poset is far out of reach: all their components, filtered."""
    if count_components(barcode.widths, barcode.full) > 3000:
        return
    above = [c for c in components(barcode.widths, barcode.full) if leq(barcode, c)]
    assert ascend(barcode) in above
    assert local_dimension(barcode) == max(map(dimension, above))


@given(long_chains)
def test_components_of_long_chains(chain: tuple[tuple[int, ...], int]) -> None:
    """No moves upward, right widths and rank, none twice, at most C(n + L - 1, L - 1) for either end."""
    widths, rho = chain
    number, length = count_components(widths, rho), len(widths) - 1
    assert number == count_components(widths[::-1], rho)
    assert number == count_components([d - rho for d in widths], 0)
    assert number <= min(comb(widths[end] - rho + length - 1, length - 1) for end in (0, -1))
    some = list(islice(components(widths, rho), 300))
    assert len(set(some)) == len(some) == min(number, 300)
    for b in some:
        assert (b.widths, b.full) == (widths, rho)
        assert not up_moves(b)
        assert ascend(b) == b
    if number <= 300:
        assert {b.transpose() for b in some} == set(components(widths[::-1], rho))
        assert max(map(dimension, some)) == local_dimension(least_barcode(widths, rho))


@pytest.mark.parametrize(("n", "length", "rho"), [(1, 7, 0), (2, 5, 3), (3, 4, 0), (5, 8, 1), (784, 8, 0), (40, 3, 2)])
def test_constant_widths_in_closed_form(n: int, length: int, rho: int) -> None:
    assert count_components([n + rho] * (length + 1), rho) == comb(length + n - 1, n)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 2000))
def test_two_factors_of_product_zero(a: int, b: int, c: int) -> None:
    """``W_2 W_1 = 0``: components by u = rank W_1, of dimension u (a + b - u) + (b - u) c, W_2 free on the cokernel."""
    allowed = [u for u in range(min(a, b) + 1) if b - u <= c] or [min(a, b)]
    assert count_components([a, b, c], 0) == len(allowed)
    best = max(u * (a + b - u) + (b - u) * c for u in allowed)
    least = least_barcode([a, b, c], 0)
    assert local_dimension(least) == best
    assert is_component(ascend(least))


def test_full_rank_has_one_component() -> None:
    for widths in [(3, 2, 4), (5, 5, 5), (7, 3, 3, 9)]:
        (only,) = components(widths, min(widths))
        meeting = [(a, b) for a in only.multiplicities for b in only.multiplicities if ext(a, b)]
        assert all(a[0] == 0 and b[1] == only.length for a, b in meeting)


def test_a_real_classifier_at_zero() -> None:
    start = time.perf_counter()
    found = list(components([784, 128, 64, 10], 0))
    assert len(found) == count_components([784, 128, 64, 10], 0) == 66
    assert all(is_component(b) for b in found)
    assert max(map(dimension, found)) == 108544
    least = least_barcode([784, 128, 64, 10], 0)
    assert local_dimension(least) == 108544
    assert time.perf_counter() - start < 1


def test_wide_and_deep_at_once() -> None:
    start = time.perf_counter()
    least = least_barcode([784] * 9, 0)
    best = local_dimension(least)
    assert [a - b for a, b in pairwise(best_survivors(least))] == [98] * 8  # shared equally over the factors
    assert best == 8 * 784**2 - 98 * (98 + 2 * 98 + 3 * 98 + 4 * 98 + 5 * 98 + 6 * 98 + 7 * 98 + 8 * 98)
    first = next(components([4000] * 30, 17))
    assert not up_moves(first)
    assert time.perf_counter() - start < 3


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_scaling_of_the_search_does_not_miss_the_best(seed: int) -> None:
    """Widths of hundreds in three factors: all ``u_1, u_2`` tried."""
    rng = np.random.default_rng(seed)
    d = [int(v) for v in rng.integers(20, 250, size=4)]
    counts = {(i, k): int(rng.integers(0, 8)) for i in range(4) for k in range(i, 4) if (i, k) != (0, 3)}
    for j in range(4):
        counts[j, j] += d[j]
    b = Barcode.from_bars(3, {**counts, (0, 3): int(rng.integers(0, 5))})
    w, r, rho = b.widths, b.rank, b.full
    u, v = (x.astype(np.int64) for x in np.meshgrid(np.arange(w[1] + 1), np.arange(w[2] + 1), indexing="ij"))
    allowed = (u >= v) & (v >= rho) & (u <= w[0]) & (u - v <= w[1] - r(2, 1))
    allowed &= (u >= r(1, 0)) & (v >= r(2, 0)) & (u - rho <= w[1] - r(3, 1)) & (v - rho <= w[2] - r(3, 2))
    lost = (w[0] - u) * (w[1] + rho - u) + (u - v) * (w[2] + rho - v) + (v - rho) * w[3]
    weights = w[0] * w[1] + w[1] * w[2] + w[2] * w[3]
    assert local_dimension(b) == weights - rho * w[3] - int(lost[allowed].min())


@pytest.mark.parametrize("act", [components, count_components])
def test_refuses_what_is_no_fiber(act: object) -> None:
    assert callable(act)
    with pytest.raises(InputError, match="from 0 to 2"):
        act([3, 2, 4], 3)
    with pytest.raises(InputError, match="positive"):
        act([3, -2], 0)
