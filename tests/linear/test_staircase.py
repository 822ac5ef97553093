"""The float staircase against planted strata, exact ranks, singular values of products, and its own certificate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from tests.linear.planted import (
    integer_factors,
    noisy,
    planted,
    random_barcode,
    random_widths,
    ranks_by_brute_force,
    ranks_by_singular_values,
    seeds,
)

from fiberscope.linear.decomposition import decompose
from fiberscope.linear.staircase import staircase
from fiberscope.linear.triangular import smallest_singular_value


def distance(a, b):
    return np.sqrt(sum(float(((x - y) ** 2).sum()) for x, y in zip(a, b, strict=True)))


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_integer_chains_have_the_ranks_of_their_products(seed):
    rng = np.random.default_rng(seed)
    factors = integer_factors(random_barcode(random_widths(rng), rng), rng)
    assert decompose(factors).barcode.ranks == ranks_by_brute_force(factors)


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_random_small_entries_have_the_ranks_of_their_products(seed):
    """No planting: entries in {-1, 0, 1}, where low ranks come about by chance."""
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most=4)
    factors = [rng.integers(-1, 2, (b, a)) * rng.integers(0, 2, (b, a)) for a, b in pairwise(widths)]
    assert decompose(factors).barcode.ranks == ranks_by_brute_force(factors)


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_the_dropped_norm_is_the_distance_to_a_point_of_the_stratum(seed):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(random_widths(rng), rng)
    factors = noisy(planted(barcode, rng), 1e-5, rng)
    found = decompose(factors, tol=1e-4)
    assert found.backward_error == pytest.approx(distance(found.nearest, factors), rel=1e-6, abs=1e-14)
    again = decompose(found.nearest, tol=1e-11)
    assert again.barcode == found.barcode
    assert again.backward_error < 1e-13
    if found.gap is not None:
        assert found.gap > 1
    assert found.smallest_kept is None or found.smallest_kept > found.cut


def test_bases_are_orthogonal_and_their_groups_span_the_images():
    rng = np.random.default_rng(1)
    for _ in range(40):
        barcode = random_barcode(random_widths(rng), rng)
        factors = planted(barcode, rng)
        stairs = staircase(factors, 1e-10)
        assert stairs.barcode == barcode
        for k in range(barcode.length + 1):
            basis, births = stairs.basis(k), stairs.births[k]
            assert np.allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-13)
            assert (np.diff(births) >= 0).all()
            for i in range(k):
                product = np.linalg.multi_dot([np.eye(barcode.widths[k]), *factors[i:k][::-1]])
                spanning = basis[:, births <= i]
                assert spanning.shape[1] == barcode.rank(k, i)
                assert np.allclose(spanning @ (spanning.T @ product), product, atol=1e-11)


def campaign(points: int, seed: int, *, most: int, spread: float) -> tuple[int, int, int]:
    """Noisy planted strata with the cut at ten times the noise: how many each method gets wrong in any rank.

    The staircase, then the singular values of products measured by their largest, and by one scale for all layers.
    """
    rng = np.random.default_rng(seed)
    wrong = wrong_relative = wrong_one_scale = 0
    for number in range(points):
        size = 10.0 ** -(3 + number % 10)
        barcode = random_barcode(random_widths(rng, most_layers=8, most=most), rng)
        factors = noisy(planted(barcode, rng, spread), size, rng)
        tol = 10 * size / float(max(np.linalg.norm(w) for w in factors))
        found = decompose(factors, tol=tol)
        wrong += found.barcode != barcode
        assert found.backward_error <= 20 * size
        wrong_relative += ranks_by_singular_values(factors, tol) != barcode.ranks
        wrong_one_scale += ranks_by_singular_values(factors, tol, one_scale=True) != barcode.ranks
    return wrong, wrong_relative, wrong_one_scale


def test_noisy_strata_are_recognised():
    wrong, wrong_relative, _ = campaign(80, seed=0, most=8, spread=2.0)
    assert wrong == 0
    assert wrong_relative > 20


@pytest.mark.slow
@pytest.mark.parametrize(("most", "spread"), [(8, 2.0), (30, 4.0)])
def test_five_hundred_noisy_strata_are_recognised(most, spread):
    wrong, wrong_relative, wrong_one_scale = campaign(500, seed=1, most=most, spread=spread)
    assert wrong == 0
    assert wrong_relative > 100
    assert spread < 4 or wrong_one_scale > 20


def test_a_layer_of_noise_alone_has_rank_zero():
    """The cut is one number for all layers; relative to itself the second layer would have full rank."""
    rng = np.random.default_rng(2)
    factors = [rng.standard_normal((4, 4)), 1e-9 * rng.standard_normal((4, 4)), rng.standard_normal((4, 4))]
    found = decompose(factors, tol=1e-7)
    assert found.barcode.bars == ((0, 1, 4), (2, 3, 4))
    assert found.backward_error == pytest.approx(np.linalg.norm(factors[1]))


def test_conditions_of_layers_do_not_multiply():
    """Eight layers of condition 1e3: the product is singular to working precision, its rank is not in doubt."""
    rng = np.random.default_rng(3)
    values = np.logspace(0, -3, 32)
    factors = [
        np.linalg.qr(rng.standard_normal((32, 32)))[0] * values @ np.linalg.qr(rng.standard_normal((32, 32)))[0]
        for _ in range(8)
    ]
    assert decompose(factors).barcode.bars == ((0, 8, 32),)
    assert ranks_by_singular_values(factors, 1e-12)[8, 0] < 32


def test_where_pivots_overstate_the_singular_values_decide():
    """Kahan's matrix: QR with column pivoting keeps the order, the last pivot is far above the last singular value."""
    size, angle = 60, 1.2
    s, c = np.sin(angle), np.cos(angle)
    kahan = np.diag(s ** np.arange(size)) @ (np.eye(size) - c * np.triu(np.ones((size, size)), 1))
    kahan *= 1 - 1e-10 * np.arange(size)  # the columns tie without it
    values = np.linalg.svd(kahan, compute_uv=False)
    tol = np.sqrt(values[-1] * values[-2]) / np.linalg.norm(kahan)
    assert s ** (size - 1) > 100 * tol * np.linalg.norm(kahan)  # the last pivot
    found = decompose([kahan], tol=tol)
    assert found.rank == size - 1
    assert found.backward_error == pytest.approx(values[-1], rel=1e-6)
    assert distance(found.nearest, [kahan]) == pytest.approx(values[-1], rel=1e-6)
    assert found.gap == pytest.approx(values[-2] / values[-1], rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_the_flow_passes_every_vector_on_or_drops_it(seed):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(random_widths(rng, most=8), rng)
    factors = planted(barcode, rng)
    found = decompose(factors, tol=1e-10)
    flow = found.flow
    assert found.barcode == flow.barcode == barcode
    assert found.residual < 1e-13
    for j, factor in enumerate(factors, start=1):
        target = flow.bases[j] @ flow.pattern(j)
        assert np.allclose(factor @ flow.bases[j - 1], target, atol=1e-10 * np.abs(flow.bases[j]).max())
        assert np.allclose(flow.factors()[j - 1], factor, atol=1e-8)
    assert all(np.linalg.cond(basis) < 1e8 for basis in flow.bases)
    assert list(flow.bars) == sorted(flow.bars, key=lambda bar: (bar[0], -bar[1]))
    assert all(list(c) == sorted(c) for c in flow.columns)


def test_the_flow_of_noisy_factors_is_that_of_the_nearest():
    rng = np.random.default_rng(4)
    for _ in range(20):
        barcode = random_barcode(random_widths(rng), rng)
        factors = noisy(planted(barcode, rng), 1e-6, rng)
        found = decompose(factors, tol=1e-5)
        assert found.residual < 1e-13
        assert distance(found.flow.factors(), found.nearest) < 1e-9


@pytest.mark.parametrize("widths", [(300, 300, 300), (200, 330, 150, 400), (420, 160, 160)])
@pytest.mark.parametrize("death", [0.0, 0.1])
def test_wide_layers(widths, death):
    """Wide enough for every panel and block of the fast paths."""
    rng = np.random.default_rng(7)
    barcode = random_barcode(widths, rng, death)
    factors = planted(barcode, rng)
    found = decompose(factors)
    assert found.barcode == barcode
    assert found.residual < 1e-13
    assert distance(found.nearest, factors) == pytest.approx(found.backward_error, abs=1e-11)
    for basis, numbers in zip(found.flow.bases, found.flow.columns, strict=True):
        assert np.linalg.cond(basis) < 1e6
        assert list(numbers) == sorted(numbers)


def test_smallest_singular_values_are_estimated_from_above():
    rng = np.random.default_rng(8)
    for size in (1, 2, 5, 40, 150):
        for _ in range(10):
            triangle = np.triu(rng.standard_normal((size, size))) + 2 * np.sqrt(size) * np.eye(size)
            truth = np.linalg.svd(triangle, compute_uv=False)[-1]
            assert truth * (1 - 1e-10) <= smallest_singular_value(triangle, 0.0) <= 2 * truth
    assert smallest_singular_value(np.diag([1.0, 0.0]), 0.0) == 0.0
    assert smallest_singular_value(np.array([[1e-200, 1.0], [0.0, 1e-200]]), 0.0) == 0.0
