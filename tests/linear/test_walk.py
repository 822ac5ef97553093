"""Random walks in a stratum: ranks and product stay, the points do move, far from a single orbit of the hidden
layers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.linear.strata import mu, random_barcode

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.random_point import random_point
from fiberscope.linear.walk import walk


@pytest.mark.parametrize("seed", range(12))
def test_stays_in_the_stratum(seed: int):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(rng, int(rng.integers(1, 5)), int(rng.integers(1, 7)), int(rng.integers(0, 3)))
    here = decompose(random_point(barcode, seed=rng))
    found = walk(here, 40, seed=seed, size=0.3)
    assert found.barcode == barcode
    assert [f.shape for f in found.factors] == [(41, *w.shape) for w in here.factors]
    scale = np.prod([np.linalg.norm(w) for w in here.factors])
    for n in range(41):
        point = [f[n] for f in found.factors]
        assert decompose(point, tol=1e-10).barcode == barcode
        assert np.linalg.norm(mu(point) - mu(here.factors)) <= 1e-11 * max(scale, 1e-3)
    assert all((f[0] == w).all() for f, w in zip(found.factors, here.factors, strict=True))
    assert found.max_product_drift <= 1e-11
    if barcode.length > 1 and any(w.any() for w in here.factors):
        assert found.accepted > 10
        assert sum(np.linalg.norm(f[-1] - f[0]) for f in found.factors) > 0.1


def test_flags_turn_at_the_ends():
    """Widths 2, 1, 1, W = 0, rank W_1 = 1: no base change of the hidden layer turns the null line of W_1; the walk
    does."""
    barcode = Barcode.from_bars(2, {(0, 0): 1, (0, 1): 1, (2, 2): 1})
    found = walk(decompose(random_point(barcode, seed=0)), 30, seed=1)
    lines = [w[0] / np.linalg.norm(w[0]) for w in found.factors[0]]
    assert min(abs(a @ lines[0]) for a in lines) < 0.95
    assert found.max_product_drift == 0.0 and not found.factors[1].any()


def test_small_steps_are_small():
    here = decompose(random_point(Barcode.from_bars(3, {(0, 3): 2, (0, 1): 1, (1, 2): 1, (2, 3): 1}), seed=0))
    jumps = [
        max(np.abs(f[1:] - f[:-1]).max() for f in walk(here, 20, seed=3, size=size).factors) for size in (1e-2, 1e-4)
    ]
    assert jumps[1] < jumps[0] / 50


def test_same_seed_same_walk_and_exact_factors():
    barcode = Barcode.from_bars(2, {(0, 2): 1, (0, 1): 1, (1, 2): 1})
    exact = decompose(random_point(barcode, seed=0, exact=True), exact=True)
    one, two = walk(exact, 5, seed=7), walk(exact, 5, seed=7)
    assert all((a == b).all() and a.dtype == np.float64 for a, b in zip(one.factors, two.factors, strict=True))
    assert any((a != b).any() for a, b in zip(one.factors, walk(exact, 5, seed=8).factors, strict=True))
    assert len(walk(exact, 0, seed=0).factors[0]) == 1


@pytest.mark.parametrize(("steps", "size"), [(-1, 0.1), (2.5, 0.1), (True, 0.1), (3, 0.0), (3, float("nan"))])
def test_bad_input(steps, size):
    here = decompose([np.eye(2), np.eye(2)])
    with pytest.raises(InputError):
        walk(here, steps, seed=0, size=size)
