"""Numbers of a stratum against exact ranks at its points, counts of points over large fields, and full searches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.linear.exact_geometry import (
    differential,
    integer_point,
    orbit_dimension,
    products,
    rank,
    tangent_upper_bound,
)
from tests.linear.finite_fields import matrices_of_rank, points
from tests.linear.strata import barcodes as any_barcode

from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.counting import count_strata
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.fiber import Fiber
from fiberscope.linear.order import leq
from fiberscope.linear.pairs import constrained, ext, hom, meeting_layers, touch
from fiberscope.linear.stratum import Stratum

SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = ["weights", "dimension", "rank_differential", "normal_dimension", "inner_orbit_dimension", "one_matrix_moves"]
NUMBERS += ["two_matrix_moves", "leaving_moves", "singular", "local_dimension", "is_component", "real_components"]


def singles(barcode: Barcode) -> list[tuple[int, int]]:
    return [(i, k) for i, k, m in barcode.bars for _ in range(m)]


@settings(max_examples=60)
@given(any_barcode(longest=4, most=6), SEEDS)
def test_dimensions_by_exact_ranks(barcode: Barcode, seed: int) -> None:
    stratum = Stratum(barcode)
    factors = integer_point(barcode, np.random.default_rng(seed))
    found = {key: rank(list(p)) for key, p in products(factors).items()}
    assert found == barcode.ranks
    assert stratum.rank_differential == rank(differential(factors))
    tangent = orbit_dimension(factors, ends=True)
    assert tangent == tangent_upper_bound(factors) == stratum.dimension
    assert stratum.inner_orbit_dimension == orbit_dimension(factors, ends=False)
    assert stratum.one_matrix_moves + stratum.two_matrix_moves == stratum.dimension
    assert set(stratum.dimension_by_formulas().values()) == {stratum.dimension}
    assert stratum.weights == sum(w.size for w in factors)
    kernel = stratum.weights - stratum.rank_differential
    assert kernel == stratum.dimension + stratum.leaving_moves


@given(any_barcode(longest=6, most=9))
def test_what_the_inner_orbit_misses_are_two_flags(barcode: Barcode) -> None:
    """dim S - dim inner orbit = sum of products of distinct m_{0k} (k < L), plus that of m_{iL} (i > 0)."""
    top = barcode.length
    dying = [barcode.multiplicity(0, k) for k in range(top)]
    fresh = [barcode.multiplicity(i, top) for i in range(1, top + 1)]
    flags = sum(a * b for numbers in (dying, fresh) for a, b in itertools.combinations(numbers, 2))
    stratum = Stratum(barcode)
    assert stratum.dimension - stratum.inner_orbit_dimension == flags


@given(any_barcode(longest=6, most=9))
def test_dimension_is_the_degree_of_the_number_of_points(barcode: Barcode) -> None:
    """Over F_q the stratum of one matrix has ``#orbit / #{matrices of that rank}`` points, a monic polynomial in q."""
    q = 10**9 + 7
    d = barcode.widths
    total, rest = divmod(points(singles(barcode), d, q), matrices_of_rank(d[-1], d[0], barcode.full, q))
    assert rest == 0
    dimension = Stratum(barcode).dimension
    assert abs(total / q**dimension - 1) < 1e-3


@given(any_barcode(longest=6, most=12))
def test_counts_by_single_bars(barcode: Barcode) -> None:
    top, bars = barcode.length, singles(barcode)
    pairs = list(itertools.product(bars, bars))
    stratum = Stratum(barcode)
    assert stratum.normal_dimension == sum(constrained(a, b, top) for a, b in pairs)
    assert stratum.rank_differential == sum(touch(a, b, top) for a, b in pairs)
    layers = {(a, b): [j for j in range(1, top + 1) if a[0] <= j - 1 <= a[1] and b[0] <= j <= b[1]] for a, b in pairs}
    assert all(list(meeting_layers(a, b)) == found for (a, b), found in layers.items())
    assert stratum.one_matrix_moves == sum(len(layers[p]) for p in pairs if not constrained(*p, top))
    assert stratum.two_matrix_moves == sum(len(layers[p]) - 1 for p in pairs if constrained(*p, top))
    d = barcode.widths
    euler = sum(w * w for w in d) - sum(v * w for v, w in itertools.pairwise(d))
    assert sum(hom(a, b) - ext(a, b) for a, b in pairs) == euler  # the Euler form of the quiver


@given(any_barcode(longest=5, most=9))
def test_reversal_keeps_all_numbers(barcode: Barcode) -> None:
    one, other = Stratum(barcode), Stratum(barcode.transpose())
    for name in NUMBERS:
        assert getattr(one, name) == getattr(other, name), name


FIBERS = [
    ((1, 1, 1, 1), 0), ((2, 3, 2), 1), ((3, 3, 3, 3), 0), ((2, 4, 3, 2), 1), ((4, 3, 4, 3, 4), 1), ((1, 2, 2, 1), 1),
    ((3, 1, 2, 3, 1, 2), 0), ((6, 2, 5, 3), 0), ((5, 4, 6, 4), 2), ((2, 2, 3, 2, 4), 2), ((1, 1, 1, 1, 1, 1, 1), 0),
    ((2, 2, 2, 2, 2, 2), 0),
]  # fmt: skip


@pytest.mark.parametrize(("widths", "rho"), FIBERS)
def test_singular_and_local_dimension_by_full_search(widths: tuple[int, ...], rho: int) -> None:
    """Smooth iff the kernel of the differential is no larger than the largest stratum above, over the whole poset."""
    strata = [Stratum(b) for b in barcodes(widths, rho)]
    for s in strata[:: max(1, len(strata) // 250)]:
        largest = max(other.dimension for other in strata if leq(s.barcode, other.barcode))
        assert s.local_dimension == largest
        assert s.singular == (s.weights - s.rank_differential > largest)
        assert s.singular or s.dimension <= largest == s.weights - s.rank_differential


@given(st.lists(st.integers(1, 5), min_size=2, max_size=7), st.data())
def test_fiber_is_smooth_iff_the_rank_is_the_least_width(widths: list[int], data: st.DataObject) -> None:
    rho = data.draw(st.integers(0, min(widths)))
    fiber = Fiber(tuple(widths), rho)
    assert fiber.is_smooth == (len(widths) == 2 or rho == min(widths))
    if fiber.is_smooth:
        assert fiber.dimension == fiber.weights - rho * (widths[0] + widths[-1] - rho if len(widths) > 2 else 0) or (
            len(widths) == 2 and fiber.dimension == 0
        )


@pytest.mark.parametrize("length", range(2, 9))
def test_scalar_chains(length: int) -> None:
    """Widths 1, product 0: a union of coordinate hyperplanes; the point is singular where two weights vanish."""
    for b in barcodes([1] * (length + 1), 0):
        s = Stratum(b)
        zeros = sum(1 for j in range(1, length + 1) if b.rank(j, j - 1) == 0)
        assert (s.dimension, s.singular, s.is_component) == (length - zeros, zeros > 1, zeros == 1)
        assert (s.local_dimension, s.real_components) == (length - 1, 2 ** (length - zeros))


def test_a_smooth_stratum_that_is_not_maximal() -> None:
    """Widths 1, 2, 2, 1, rank 1: where W_2 has rank 1 the fiber is smooth, though W_2 has rank 2 nearby."""
    strata = {s.barcode.rank(2, 1): s for s in Fiber((1, 2, 2, 1), 1).strata()}
    assert not strata[1].singular
    assert not strata[1].is_component
    assert strata[1].dimension < strata[1].local_dimension == 7


@given(st.lists(st.integers(1, 5), min_size=2, max_size=7), st.data())
def test_least_stratum_in_closed_form(widths: list[int], data: st.DataObject) -> None:
    rho = data.draw(st.integers(0, min(widths)))
    least = Stratum(least_barcode(widths, rho))
    assert least.dimension == sum(2 * rho * d - rho * rho for d in widths[1:-1])
    assert all(r == rho for (k, i), r in least.barcode.ranks.items() if k > i)


def test_wide_layers_cost_no_more() -> None:
    wide = Barcode.from_bars(
        5, {(0, 5): 700, (0, 0): 1000, (1, 3): 2000, (2, 2): 500, (3, 5): 900, (4, 4): 3000, (0, 2): 40, (5, 5): 10}
    )
    s = Stratum(wide)
    assert len(set(s.dimension_by_formulas().values())) == 1
    assert s.one_matrix_moves + s.two_matrix_moves == s.dimension < s.local_dimension
    assert s.singular
    assert s.real_components >= 1


def test_thousands_of_strata_are_quick() -> None:
    import time

    start = time.perf_counter()
    dims = [(s.dimension, s.singular, s.is_component, s.real_components) for s in Fiber((3,) * 6, 0).strata()]
    assert len(dims) == count_strata([3] * 6, 0)
    assert time.perf_counter() - start < 10


def test_json_and_repr() -> None:
    s = Stratum(Barcode.from_bars(2, {(0, 2): 1, (0, 1): 1, (2, 2): 1}))
    assert s.to_json() == {
        "barcode": [[0, 1, 1], [0, 2, 1], [2, 2, 1]],
        "ranks": [[1, 0, 2], [2, 0, 1], [2, 1, 1]],
        "dimension": 4,
        "component": True,
        "singular": False,
        "real_components": 2,
    }
    assert repr(s) == "Stratum([0,1], [0,2], [2,2] | dimension 4 of 4, component)"
