"""Long campaigns: thousands of random strata, all formulas against exact ranks and full searches."""

from __future__ import annotations

import numpy as np
import pytest
from tests.linear.exact_geometry import differential, integer_point, orbit_dimension, rank, tangent_upper_bound
from tests.linear.finite_fields import points, rank_lists
from tests.linear.strata import random_barcode
from tests.linear.test_components import dimension
from tests.linear.test_counting import rank_list

from fiberscope.linear.components import components, count_components
from fiberscope.linear.counting import count_strata
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.order import covers, dimension_gain, leq
from fiberscope.linear.stratum import Stratum

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(10))
def test_exact_ranks_at_random_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        barcode = random_barcode(rng, int(rng.integers(1, 6)), int(rng.integers(1, 8)), int(rng.integers(0, 3)))
        stratum = Stratum(barcode)
        factors = integer_point(barcode, rng)
        assert stratum.rank_differential == rank(differential(factors))
        assert stratum.dimension == orbit_dimension(factors, ends=True) == tangent_upper_bound(factors)
        assert stratum.inner_orbit_dimension == orbit_dimension(factors, ends=False)


@pytest.mark.parametrize("seed", range(10))
def test_local_dimension_and_singular_against_components(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    checked = 0
    while checked < 300:
        barcode = random_barcode(rng, int(rng.integers(2, 9)), int(rng.integers(3, 40)), int(rng.integers(0, 3)))
        if count_components(barcode.widths, barcode.full) > 5000:
            continue
        checked += 1
        stratum = Stratum(barcode)
        above = [c for c in components(barcode.widths, barcode.full) if leq(barcode, c)]
        largest = max(map(dimension, above))
        assert stratum.local_dimension == largest
        assert stratum.singular == (stratum.weights - stratum.rank_differential > largest)
        ranks = {Stratum(c).rank_differential for c in above}
        assert stratum.singular == (stratum.rank_differential not in ranks)
        if not stratum.singular:
            assert ranks == {stratum.rank_differential}


@pytest.mark.parametrize("widths", [(4, 4, 4, 4, 4), (3, 2, 4, 2, 3), (5, 3, 5, 3, 5), (2, 2, 2, 2, 2, 2)])
def test_covers_of_larger_posets(widths: tuple[int, ...]) -> None:
    """Covers against the pointwise order: nothing between, and everything above is above a cover."""
    strata = list(barcodes(widths, 0))
    assert len(strata) == count_strata(widths, 0)
    keys = sorted(strata[0].ranks)
    ranks = np.array([[b.ranks[key] for key in keys] for b in strata])
    place = {b: n for n, b in enumerate(strata)}
    dims = np.array([Stratum(b).dimension for b in strata])
    for n, b in enumerate(strata):
        above = np.flatnonzero((ranks >= ranks[n]).all(axis=1) & (np.arange(len(strata)) != n))
        moves = {place[m.apply(b)]: m for m in covers(b)}
        covered = np.zeros(len(above), dtype=bool)
        for c, move in moves.items():
            below_c = (ranks[above] <= ranks[c]).all(axis=1)
            assert list(above[below_c]) == [c]
            covered |= (ranks[above] >= ranks[c]).all(axis=1)
            assert dimension_gain(b, move) == dims[c] - dims[n]
        assert covered.all()


@pytest.mark.parametrize(("widths", "q"), [((3, 3, 3), 2), ((2, 3, 2, 3), 2), ((2, 2, 2, 2, 2), 2), ((2, 2, 2, 2), 3)])
def test_all_matrices_over_a_finite_field(widths: tuple[int, ...], q: int) -> None:
    found = rank_lists(widths, q)
    listed = {rank_list(b): b for rho in range(min(widths) + 1) for b in barcodes(widths, rho)}
    assert set(found) == set(listed)
    for ranks, number in found.items():
        single = [(i, k) for i, k, m in listed[ranks].bars for _ in range(m)]
        assert points(single, widths, q) == number
