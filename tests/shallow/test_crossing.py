"""Moves between cells: the function stays, exactly, along the whole line; impossible ones are really impossible."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.crossing import let_die, turn_round
from fiberscope.shallow.examples import four_hyperplanes, network
from fiberscope.shallow.fiber import Fiber
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form

from .oracle import evaluate, row_rank


@settings(max_examples=20)
@example(2408, "relu")
@given(st.integers(0, 100_000), st.sampled_from(["relu", "leaky_relu(0.5)"]))
def test_a_unit_dies_along_a_line_that_keeps_the_function(seed, activation):
    rng = np.random.default_rng(seed)
    d, n, k = int(rng.integers(2, 7)), int(rng.integers(1, 3)), int(rng.integers(1, 3))
    pool = rng.integers(-1, 2, (3, n + 1))
    rows = pool[rng.integers(0, 3, d)] * rng.choice([-2, -1, 1, 2], (d, 1)) / 1.0
    model = ShallowModel(rows[:, :n], rows[:, n], rng.integers(-2, 3, (k, d)) / 1.0, np.ones(k), activation)
    points = [[Fraction(int(v), 3) for v in rng.integers(-30, 30, n)] for _ in range(6)]
    for unit in range(d):
        # independent: is sigma_i a combination of the other units, on a set of points that tells them apart?
        grid = [[Fraction(int(v), 7) for v in rng.integers(-90, 90, n)] for _ in range(8 * d)]
        grid += [[Fraction(int(v), 7) for v in rng.integers(-15, 16, n)] for _ in range(16 * d)]  # between the folds
        eye = replace(model, W2=np.eye(d), b2=np.zeros(d))
        values = [[*evaluate(eye, x), Fraction(1)] for x in grid]
        others = [[v for i, v in enumerate(row) if i != unit] for row in values]
        possible = row_rank([list(r) for r in values]) == row_rank(others)
        try:
            end = let_die(model, unit)
        except InputError:
            assert not possible
            continue
        assert possible and not (end.W2[:, unit] != 0).any()
        assert np.array_equal(end.W1, rationals(model.W1))
        for t in (Fraction(1, 3), Fraction(1)):
            W2, b2 = (rationals(getattr(model, a)) for a in ("W2", "b2"))
            between = replace(end, W2=W2 + (end.W2 - W2) * rational(t), b2=b2 + (end.b2 - b2) * rational(t))
            assert all(evaluate(between, x) == evaluate(model, x) for x in points)


def test_orientations_in_one_component_are_joined_by_moves():
    """Four hyperplanes with one spare: no unit can turn alone. With a pair of opposite units to help, it can."""
    model = four_hyperplanes()
    spare = ShallowModel(
        np.vstack([model.W1, [[3.0, 4.0]]]), np.append(model.b1, 1.0), np.append(model.W2, [[0.0]], axis=1), model.b2
    )
    for unit in range(4):
        with pytest.raises(InputError, match="take its part"):
            turn_round(spare, unit, 4)
    assert Fiber.of(model, 5).components.modulo_permutations == 4
    helped = network([[1], [1], [-1], [0]], [0, -1, 1, 0], [[1, 2, 3, 0]])
    turned = turn_round(helped, 0, 3)
    assert normal_form(turned, exact=True) == normal_form(helped, exact=True)
    assert turned.W1[3, 0] == -1 and turned.W2[0, 0] == 0
    fiber = Fiber.of(helped, 4)
    assert fiber.cell_of(helped) != fiber.cell_of(turned)


def test_bad_input():
    model = four_hyperplanes()
    for call, words in [
        (lambda: let_die(model, 4), "from 0 to 3"),
        (lambda: let_die(model, 0), "take its part"),
        (lambda: turn_round(model, 0, 1), "read by an output"),
        (lambda: turn_round(model, 0, 7), "from 0 to 3"),
        (lambda: let_die(replace(model, activation="abs"), 0), "moves are known"),
    ]:
        with pytest.raises(InputError, match=words):
            call()
