"""K(w) against Simpson's rule between breakpoints, polygons, closed forms, exact differences and Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope.errors import InputError, WeightError
from fiberscope.numerics.exact import fraction, rational, rationals
from fiberscope.shallow.bend import bend
from fiberscope.shallow.box import Box
from fiberscope.shallow.cubature import cubature
from fiberscope.shallow.examples import (
    boundary_off_the_folds,
    four_hyperplanes,
    m_symmetric,
    network,
    reversal_without_annihilation,
    reversed_pair,
    scaling,
    shared_boundary,
)
from fiberscope.shallow.landscape import landscape
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.moments import CubeMoments
from fiberscope.shallow.potential import potential
from fiberscope.shallow.regions import linear_regions

NAMES = ("W1", "b1", "W2", "b2")


def small(rng: np.random.Generator, d: int, n: int, k: int, activation: str = "relu") -> ShallowModel:
    """Small integer weights: coincident and parallel boundaries, dead and silent units all happen."""
    return ShallowModel(
        rng.integers(-2, 3, (d, n)) / 1.0,
        rng.integers(-2, 3, d) / 2.0,
        rng.integers(-2, 3, (k, d)) / 1.0,
        rng.integers(-2, 3, k) / 1.0,
        activation,
    )


def normal(rng: np.random.Generator, d: int, n: int, k: int, activation: str = "relu") -> ShallowModel:
    draw = rng.standard_normal
    return ShallowModel(draw((d, n)), draw(d), draw((k, d)), draw(k), activation)


def evaluate(model: ShallowModel, x: np.ndarray) -> np.ndarray:
    z = x @ model.W1.T + model.b1
    return np.where(z > 0, z, float(bend(model.activation).slope(-1)) * z) @ model.W2.T + model.b2


def simpson(model: ShallowModel, truth: ShallowModel, lo: Fraction, hi: Fraction) -> Fraction:
    """K for one input: Simpson's rule is exact for the quadratics between neighbouring breakpoints."""
    points = {lo, hi}
    for net in (model, truth):
        for w, b in zip(net.W1[:, 0].tolist(), net.b1.tolist(), strict=True):
            if w and lo < -Fraction(b) / Fraction(w) < hi:
                points.add(-Fraction(b) / Fraction(w))

    def g(x: Fraction) -> Fraction:
        total = Fraction(0)
        for a in range(model.outputs):
            value = Fraction(0)
            for net, sign in ((model, 1), (truth, -1)):
                slope = bend(net.activation).slope(-1)
                value += sign * Fraction(net.b2.tolist()[a])
                for w, b, q in zip(net.W1[:, 0].tolist(), net.b1.tolist(), net.W2[a].tolist(), strict=True):
                    z = Fraction(w) * x + Fraction(b)
                    value += sign * Fraction(q) * (z if z > 0 else slope * z)
            total += value**2
        return total

    marks = sorted(points)
    whole = sum((b - a) * (g(a) + 4 * g((a + b) / 2) + g(b)) / 6 for a, b in pairwise(marks))
    return Fraction(whole) / (hi - lo) / 2


@given(st.integers(0, 10_000))
def test_one_input_is_simpson_exactly(seed):
    rng = np.random.default_rng(seed)
    activation = ["relu", "leaky_relu(0.25)", "abs", "leaky_relu(-0.5)"][seed % 4]
    k = int(rng.integers(1, 3))
    model, truth = small(rng, int(rng.integers(0, 6)), 1, k, activation), small(rng, int(rng.integers(0, 5)), 1, k)
    lo, hi = sorted(rng.choice(np.arange(-6, 7), 2, replace=False) / 2.0)
    expected = simpson(model, truth, Fraction(lo), Fraction(hi))
    exact = potential(model, truth, (lo, hi), exact=True)
    assert fraction(exact.k) == expected and exact.error_bound == 0
    balls = potential(model, truth, (lo, hi))
    assert abs(Fraction(balls.k) - expected) <= Fraction(balls.error_bound)
    assert balls.error_bound <= 1e-15 * max(1.0, float(expected))


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_two_inputs_are_the_sum_over_polygons(seed):
    """Pairs of half-spaces against the cells of the arrangement, whose triangles take the three midpoints."""
    rng = np.random.default_rng(seed)
    model, truth = (
        small(rng, int(rng.integers(0, 4)), 2, 1, "leaky_relu(0.5)"),
        small(rng, int(rng.integers(0, 3)), 2, 1),
    )
    low, high = np.array([-1.0, -2.0]), np.array([2.0, 1.5])
    half = np.full((1, truth.units), 1.0)
    both = ShallowModel(
        np.vstack([model.W1, truth.W1]), np.hstack([model.b1, truth.b1]), np.hstack([model.W2, half]), model.b2
    )
    total, area = Fraction(0), Fraction(0)
    for region in linear_regions(both, (low, high)):
        corners = [(fraction(x), fraction(y)) for x, y in region.corners]

        def g(p: tuple[Fraction, Fraction]) -> Fraction:
            value = Fraction(0)
            for net, sign in ((model, 1), (truth, -1)):
                slope = bend(net.activation).slope(-1)
                value += sign * Fraction(net.b2.tolist()[0])
                for w, b, q in zip(net.W1.tolist(), net.b1.tolist(), net.W2[0].tolist(), strict=True):
                    z = Fraction(w[0]) * p[0] + Fraction(w[1]) * p[1] + Fraction(b)
                    value += sign * Fraction(q) * (z if z > 0 else slope * z)
            return value**2

        a = corners[0]
        for b, c in pairwise(corners[1:]):
            size = ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
            assert size >= 0
            middles = [((p[0] + q[0]) / 2, (p[1] + q[1]) / 2) for p, q in ((a, b), (b, c), (c, a))]
            total += size * sum(g(p) for p in middles) / 3
            area += size
    assert area == Fraction(3) * Fraction(7, 2)
    assert fraction(potential(model, truth, (low, high), exact=True).k) == total / area / 2


@pytest.mark.parametrize(("n", "d", "k"), [(1, 4, 2), (2, 3, 1), (2, 2, 2), (3, 2, 1)])
def test_gradient_is_the_exact_difference_quotient(n, d, k):
    """K is quadratic in W2 and b2: the central difference is the derivative. In W1, b1 it is off by O(h^2)."""
    rng = np.random.default_rng(n * 10 + d)
    model, truth = normal(rng, d, n, k, "leaky_relu(0.2)"), normal(rng, 2, n, k)
    exact, truth = (replace(net, **{a: rationals(getattr(net, a)) for a in NAMES}) for net in (model, truth))
    box = (-1.0, 2.0)
    found = potential(exact, truth, box, exact=True)
    balls = potential(model, truth, box)
    for name in NAMES:
        array = getattr(exact, name)
        for place in np.ndindex(*array.shape):
            h = rational(1) if name in ("W2", "b2") else rational(Fraction(1, 10**9))
            values = []
            for sign in (1, -1):
                moved = array.copy()
                moved[place] += sign * h
                values.append(potential(replace(exact, **{name: moved}), truth, box, exact=True).k)
            quotient = (values[0] - values[1]) / (2 * h)
            slope = found.gradient[name][place]
            if name in ("W2", "b2"):
                assert quotient == slope
            else:
                assert abs(float(fraction(quotient - slope))) < 1e-14
            assert abs(float(fraction(slope)) - balls.gradient[name][place]) <= balls.gradient_error * 1.01
    assert balls.gradient_error < 1e-13


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_scaling_a_unit_moves_along_the_level_set(seed):
    """<dK/d(w, b), (w, b)> = <dK/dq, q>, exactly, for every unit."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    model, truth = small(rng, 3, n, k, "leaky_relu(0.5)"), small(rng, 2, n, k)
    slopes = potential(model, truth, (-1, 1.5), exact=True).gradient
    for i in range(3):
        left = sum(slopes["W1"][i] * rationals(model.W1[i])) + slopes["b1"][i] * rationals(model.b1)[i]
        assert left == sum(slopes["W2"][:, i] * rationals(model.W2[:, i]))


def test_examples_have_their_corrected_constants():
    for w, q, theta in [(1.0, 3.0, 2.0), (0.5, -1.0, 2.0), (2.0, 1.0, 2.0)]:
        narrow = scaling(w, q, theta, half_width=math.sqrt(3.0))
        assert potential(narrow.model, narrow.truth, narrow.box).k == pytest.approx((w * q - theta) ** 2 / 4, abs=1e-15)
        wide = scaling(w, q, theta)
        assert potential(wide.model, wide.truth, wide.box).k == pytest.approx((w * q - theta) ** 2 / 2, abs=1e-15)
    for w1, w2 in [(1 / 3, 2 / 3), (0.0, 1.0), (1.0, 0.0), (1.5, -0.5), (-1.0, -2.0), (2.0, 3.0)]:
        e = shared_boundary(w1, w2)
        right, left = max(w1, 0) + max(w2, 0), min(w1, 0) + min(w2, 0)
        assert potential(e.model, e.truth, e.box).k == pytest.approx(((right - 1) ** 2 + left**2) / 2, abs=1e-14)
    for e in (reversed_pair(), reversal_without_annihilation(), boundary_off_the_folds()):
        assert potential(e.model, e.truth, e.box, exact=True).k == 0
        assert potential(e.model, e.truth, e.box).k == 0.0


def test_zero_for_equal_functions_only():
    """One weight off by one ulp gives a K that is positive, and an interval that says so."""
    model = four_hyperplanes()
    b1 = model.b1.copy()
    b1[2] = np.nextafter(b1[2], 0.0)
    found = potential(replace(model, b1=b1), model, (-2, 2))
    assert 0 < found.error_bound < found.k < 1e-30


def test_huge_and_tiny_weights():
    """Rationals do not overflow; floats of the result may, and say so. A tiny K keeps a positive bound."""
    model, zero = network([[1e200]], [0], [[1.0]]), network([[1.0]], [0], [[0.0]])
    assert potential(model, zero, (-1, 1), exact=True).k == rational(1e200) ** 2 / 12
    with pytest.raises(InputError, match="range of float64"):
        potential(model, zero, (-1, 1))
    tiny = potential(network([[1e-170]], [0], [[1.0]]), zero, (-1, 1))
    assert tiny.k == 0.0 and 0 < tiny.error_bound < 1e-300


@pytest.mark.parametrize(("n", "d"), [(3, 4), (4, 3), pytest.param(5, 2, marks=pytest.mark.slow)])
def test_more_inputs_against_monte_carlo(n, d):
    rng = np.random.default_rng(n)
    model, truth = normal(rng, d, n, 2), normal(rng, 1, n, 2, "leaky_relu(0.3)")
    low, high = -1 - rng.random(n), rng.random(n)
    found = potential(model, truth, (low, high))
    x = rng.uniform(low, high, (200_000, n))
    sample = ((evaluate(model, x) - evaluate(truth, x)) ** 2).sum(axis=1) / 2
    assert abs(found.k - sample.mean()) < 5 * sample.std() / math.sqrt(len(x))
    assert found.method == "balls" and found.error_bound < 1e-13


def test_inputs_that_are_not_read_do_not_matter():
    """The same network on 9 inputs of which it reads 2 has the same K, still exactly."""
    rng = np.random.default_rng(2)
    model, truth = small(rng, 3, 2, 1), small(rng, 2, 2, 1)
    wide = [replace(net, W1=np.insert(net.W1, [1] * 7, 0.0, axis=1)) for net in (model, truth)]
    few = potential(model, truth, ([-1.0, 0.0], [2.0, 1.0]), exact=True)
    many = potential(wide[0], wide[1], ([-1.0, *[3.0] * 7, 0.0], [2.0, *[5.0] * 7, 1.0]), exact=True)
    assert few.k == many.k and (few.gradient["W2"] == many.gradient["W2"]).all()


@pytest.mark.parametrize(("n", "d"), [(1, 5), (2, 5), (3, 3), (4, 2)])
def test_cubature_holds_the_exact_value(n, d):
    rng = np.random.default_rng(n + 20)
    for trial in range(5):
        model, truth = normal(rng, d, n, 2, "leaky_relu(0.2)"), normal(rng, 2, n, 2)
        exact = potential(model, truth, (-1, 2))
        bounds = [cubature(model, truth, Box.of((-1, 2), n), max_boxes=m) for m in (1, 50, 4000)]
        for found in bounds:
            assert abs(found.k - exact.k) <= found.error_bound
            for name in NAMES:
                assert np.abs(found.gradient[name] - exact.gradient[name]).max() <= found.gradient_error, trial
        assert bounds[2].error_bound < bounds[0].error_bound / 4


def test_many_inputs_get_bounds():
    rng = np.random.default_rng(4)
    model, truth = normal(rng, 2, 8, 1), normal(rng, 1, 8, 1)
    model = replace(model, b1=model.b1 / 20)  # boundaries inside the box
    found = potential(model, truth, (-0.1, 0.1))
    assert found.method == "cubature" and 0 < found.error_bound < found.k
    x = rng.uniform(-0.1, 0.1, (100_000, 8))
    sample = ((evaluate(model, x) - evaluate(truth, x)) ** 2).sum(axis=1) / 2
    assert abs(found.k - sample.mean()) < found.error_bound + 5 * sample.std() / math.sqrt(len(x))
    with pytest.raises(InputError, match="more than 5 inputs"):
        potential(model, truth, (-0.1, 0.1), exact=True)


def test_moments_of_degenerate_pairs():
    rows = [[rational(1), rational(Fraction(-1, 2))], [rational(-2), rational(1)], [rational(3), rational(0)]]
    found = CubeMoments(rows, inputs=1, exact=True)
    assert found.pair(0, 1) is None  # opposite sides of one boundary
    assert found.side(2) == 1 and (found.pair(0, 2) == found.pair(0, 0)).all()
    assert (found.pair(0, None) == found.pair(0, 0)).all()
    halves = [found.pair(i, None) for i in (0, 1)]
    whole = found.pair(None, None)
    assert whole is not None and np.array_equal(np.sum([m for m in halves if m is not None], axis=0), whole)


def test_landscape_is_potential_at_every_point():
    model, truth = m_symmetric(3), four_hyperplanes()
    grid = landscape(model, truth, (-2, 2), ["W1[0,1]", "W2[0, 2]"], [(-1, 1), (0, 2)], points=(4, 3))
    assert grid.values.shape == (4, 3) and grid.entries == ("W1[0,1]", "W2[0,2]") and grid.here == (0.0, 1.0)
    for i, u in enumerate(grid.axes[0]):
        for j, v in enumerate(grid.axes[1]):
            W1, W2 = model.W1.copy(), model.W2.copy()
            W1[0, 1], W2[0, 2] = u, v
            found = potential(replace(model, W1=W1, W2=W2), truth, (-2, 2))
            assert grid.values[i, j] == pytest.approx(found.k, abs=1e-13)
    line = landscape(model, truth, (-2, 2), ["b2[0]"])
    assert line.values.shape == (41,) and np.allclose(np.diff(line.values, 3), 0, atol=1e-12)
    assert len(line.to_json()["axes"][0]) == 41


def test_bad_input():
    model, truth = four_hyperplanes(), m_symmetric(3)
    cases = [
        (lambda: potential(model, truth, (1, 1)), InputError, "LO equal to HI"),
        (lambda: potential(model, scaling().truth, (-1, 1)), InputError, "2 inputs to 1 outputs"),
        (lambda: potential(replace(model, activation="tanh"), truth, (-1, 1)), InputError, "linear on both sides"),
        (lambda: potential(replace(model, b1=np.full(4, np.nan)), truth, (-1, 1)), WeightError, "b1"),
        (lambda: landscape(model, truth, (-1, 1), ["W1[4,0]"]), InputError, "shape"),
        (lambda: landscape(model, truth, (-1, 1), ["W3[0,0]"]), InputError, "expected W1"),
        (lambda: landscape(model, truth, (-1, 1), ["b1[0]", "b1[0]"]), InputError, "different"),
        (lambda: landscape(model, truth, (-1, 1), ["b1[0]"], [(2, 1)]), InputError, "smaller first"),
        (lambda: linear_regions(scaling().model, (-1, 1)), InputError, "two inputs"),
        (lambda: linear_regions(model, (-1, 1), max_regions=0), InputError, "more than 0"),
    ]
    for call, error, words in cases:
        with pytest.raises(error, match=words):
            call()
