"""Random points of strata: exactly the rank list asked for, exactly the product asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.linear.strata import barcodes, exact_ranks, mu, random_barcode

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.random_point import random_point


@given(barcodes(), st.integers(0, 10**9))
def test_rational_points_have_exactly_these_ranks(barcode: Barcode, seed: int):
    factors = random_point(barcode, seed=seed, exact=True)
    assert exact_ranks(factors) == barcode.ranks
    assert all(v.q == 1 for w in factors for v in w.ravel())


@given(barcodes(), st.integers(0, 10**9))
def test_float_points_are_seen_there(barcode: Barcode, seed: int):
    factors = random_point(barcode, seed=seed)
    assert decompose(factors).barcode == barcode
    assert [w.shape for w in factors] == [(d, c) for c, d in zip(barcode.widths, barcode.widths[1:], strict=False)]


@given(barcodes(), st.integers(0, 10**9))
def test_with_a_given_product_exactly(barcode: Barcode, seed: int):
    rng = np.random.default_rng(seed)
    d0, d_top, rank = barcode.widths[0], barcode.widths[-1], barcode.full
    w = random_point(
        Barcode.from_bars(1, {(0, 1): rank, (0, 0): d0 - rank, (1, 1): d_top - rank}), seed=rng, exact=True
    )
    factors = random_point(barcode, seed=seed, product=w[0], exact=True)
    assert (mu(factors) == w[0]).all()
    assert exact_ranks(factors) == barcode.ranks


@given(barcodes(), st.integers(0, 10**9), st.sampled_from([1e-6, 1.0, 1e5]))
def test_with_a_given_product_in_floats(barcode: Barcode, seed: int, size: float):
    rng = np.random.default_rng(seed)
    rank = barcode.full
    w = size * rng.standard_normal((barcode.widths[-1], rank)) @ rng.standard_normal((rank, barcode.widths[0]))
    factors = random_point(barcode, seed=rng, product=w)
    scale = np.prod([np.linalg.norm(f) for f in factors])
    assert np.linalg.norm(mu(factors) - w) <= 1e-13 * scale
    assert decompose(factors).barcode == barcode


def test_both_orientations_occur():
    """Widths 1, 1, 1 of rank 1: both components of the fiber of W = 2, so the sign of W_1 takes both values."""
    barcode = Barcode.from_bars(2, {(0, 2): 1})
    for exact in (False, True):
        points = [random_point(barcode, seed=n, product=[[2]], exact=exact) for n in range(20)]
        assert {float(w1[0, 0].p if exact else w1[0, 0]) > 0 for w1, _ in points} == {True, False}


def test_same_seed_same_point():
    barcode = random_barcode(np.random.default_rng(0), 3, 6, 1)
    one, two = random_point(barcode, seed=5), random_point(barcode, seed=5)
    other = random_point(barcode, seed=6)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("exact", [False, True])
def test_wrong_products_are_refused(exact: bool):
    barcode = Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (2, 2): 1})
    with pytest.raises(InputError, match="rank is 2"):
        random_point(barcode, seed=0, product=np.eye(2), exact=exact)
    with pytest.raises(InputError, match="rank is 0"):
        random_point(barcode, seed=0, product=np.zeros((2, 2)), exact=exact)
    with pytest.raises(InputError, match="shape"):
        random_point(barcode, seed=0, product=np.eye(3), exact=exact)
