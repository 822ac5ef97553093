"""Bounded sets of inputs: points in them, and proofs that there is none."""

from __future__ import annotations

import numpy as np
import pytest

from fiberscope.equivalence.polytope import Polytope
from fiberscope.errors import InputError

ZERO, ONE = np.zeros(3), np.ones(3)


@pytest.mark.parametrize("seed", range(8))
def test_points_lie_inside_and_reach_the_faces(seed: int):
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(4, 3))
    h = G @ np.full(3, 0.5) + rng.random(4) * 0.3
    set_ = Polytope.of((G, h), ZERO, ONE)
    assert (G @ set_.centre < h).all()
    x = set_.sample(rng, 500)
    slack = h - x @ G.T
    assert slack.min() > -1e-9
    assert (slack.min(axis=0) < 0.02).any()  # some face is met
    outside = rng.uniform(-2, 3, (300, 3))
    y = set_.clip(outside)
    assert (h - y @ G.T).min() > -1e-9
    assert ((y >= 0) & (y <= 1)).all()
    np.testing.assert_allclose(set_.clip(x), x, atol=1e-9)


def test_flat_sets_have_points():
    """An equation, and a single point."""
    rng = np.random.default_rng(0)
    line = Polytope.of(([[1.0, 1, 1], [-1, -1, -1]], [1.5, -1.5]), ZERO, ONE)
    x = line.sample(rng, 200)
    np.testing.assert_allclose(x.sum(axis=1), 1.5, atol=1e-9)
    assert x.std() > 0.1
    np.testing.assert_allclose(line.clip(rng.uniform(-1, 2, (50, 3))).sum(axis=1), 1.5, atol=1e-9)
    point = Polytope.of(([[1.0, 1, 1]], [0.0]), ZERO, ONE)
    assert np.abs(point.sample(rng, 20)).max() < 1e-9


@pytest.mark.parametrize("gap", [1.0, 1e-6, 1e-11])
def test_an_empty_set_is_proved_empty(gap: float):
    with pytest.raises(InputError, match="no input fits"):
        Polytope.of(([[1.0, 1, 1]], [-gap]), ZERO, ONE)
    with pytest.raises(InputError, match="no input fits"):
        Polytope.of(([[1.0, -1, 0], [-1, 1, 0]], [0.5, -0.5 - gap]), ZERO, ONE)


def test_exact_exclusion_is_exact():
    """A set of one point is not excluded, with whatever multipliers; one ulp less is."""
    rng = np.random.default_rng(1)
    touching = Polytope(np.array([[1.0, 1, 1]]), np.array([3.0]), ONE, 2 * ONE)
    beyond = Polytope(np.array([[1.0, 1, 1]]), np.array([np.nextafter(3.0, 0)]), ONE, 2 * ONE)
    for y in rng.exponential(1.0, (20, 1)):
        assert not touching.excluded(y)
        assert beyond.excluded(y)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (([[1.0, 1.0]], [1.0]), "expected"),
        (([[1.0, 1, 1]], [1.0, 2.0]), "expected"),
        (([1.0, 1, 1], [1.0]), "expected"),
        (([[1.0, np.nan, 1]], [1.0]), "NaN"),
        (([[1.0, 1, 1]], [np.inf]), "NaN or infinity"),
        (([["a", 1, 1]], [1.0]), "pair"),
        (7, "pair"),
        ((np.zeros((0, 3)), np.zeros(0)), "at least 1"),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused(pair, words: str):
    with pytest.raises(InputError, match=words):
        Polytope.of(pair, ZERO, ONE)
