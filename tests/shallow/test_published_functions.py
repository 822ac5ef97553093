"""Functions from the literature: their normal forms, which networks write them, and with how many units at least."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tests.shallow.oracle import frac, model

from fiberscope.numerics.exact import rationals
from fiberscope.shallow import examples
from fiberscope.shallow.equality import same_function
from fiberscope.shallow.minimal import minimal_width
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form
from fiberscope.shallow.sums import as_rational


def exact_units(*slopes: Fraction) -> ShallowModel:
    """sum_i relu(w_i x) with rational w_i."""
    W = np.array([[as_rational(w)] for w in slopes], dtype=object)
    ones = rationals(np.ones((1, len(slopes))))
    return ShallowModel(W, rationals(np.zeros(len(slopes))), ones, rationals(np.zeros(1)))


def test_four_hyperplanes():
    net = examples.four_hyperplanes()
    form = normal_form(net, exact=True)
    assert form.folds == 4 and not (form.linear != 0).any() and frac(form.constant[0]) == -2
    assert minimal_width(net).minimal_units == 4
    assert minimal_width(net, box=(-1, 1)).minimal_units == 0  # the flat square


def test_both_orientations_of_a_pair():
    pair = examples.reversed_pair()
    assert same_function(pair.model, pair.truth).equal
    assert normal_form(pair.model, exact=True) == normal_form(pair.truth, exact=True)
    assert minimal_width(pair.model).minimal_units == 2


def test_one_function_on_a_segment_of_weights_and_no_further():
    """relu(w x) + relu((1 - w) x) = relu(x) for 0 <= w <= 1, in rational weights; in floats where 1 - w is one."""
    one = exact_units(Fraction(1))
    for w, equal in ((Fraction(1, 3), True), (Fraction(0), True), (Fraction(1), True), (Fraction(3, 2), False)):
        answer = same_function(exact_units(w, 1 - w), one)
        assert answer.equal == equal
        if not equal:
            x = frac(answer.witness[0])  # pyright: ignore[reportOptionalSubscript]
            assert frac(answer.gap[0]) == max(w * x, 0) + max((1 - w) * x, 0) - max(x, 0) != 0  # pyright: ignore[reportOptionalSubscript]
    for w, equal in ((0.25, True), (1.0, True), (1.5, False)):
        example = examples.shared_boundary(w)
        assert same_function(example.model, example.truth).equal == equal
    third = examples.shared_boundary(1 / 3)  # these floats add up to 1 + 2^-54: told apart
    total = sum(frac(w) for w in third.model.W1[:, 0])
    assert same_function(third.model, third.truth).equal == (total == 1)


@pytest.mark.parametrize("build", [examples.reversal_without_annihilation, examples.boundary_off_the_folds])
def test_what_the_published_classification_leaves_out(build):
    example = build()
    assert same_function(example.model, example.truth).equal
    small = minimal_width(example.model)
    assert small.minimal_units == example.truth.units < example.model.units
    assert same_function(small.network, example.truth).equal


@pytest.mark.parametrize("m", range(2, 13))
def test_m_symmetric_networks(m):
    net = examples.m_symmetric(m, bias=-0.375)
    found = minimal_width(net)
    assert (found.folds, found.minimal_units) == (m, m)
    flipped = ShallowModel(-net.W1, -net.b1, net.W2, net.b2 + (net.W2 @ net.b1))
    answer = same_function(net, flipped)  # all reversed: equal iff the stored weights sum to exactly 0
    assert answer.equal == all(sum(map(frac, column), Fraction(0)) == 0 for column in net.W1.T.tolist())
    assert answer.equal or m not in (2, 4)


def test_a_function_that_needs_a_doubled_fold():
    """|x| + 3 x = 4 relu(x) - 2 relu(-x): no network with one unit per fold."""
    found = minimal_width(model([[1], [-1]], [0, 0], [[4, -2]], [0]))
    assert (found.folds, found.minimal_units) == (1, 2)
    assert minimal_width(model([[1], [-1]], [0, 0], [[2, 1]], [0])).minimal_units == 2
