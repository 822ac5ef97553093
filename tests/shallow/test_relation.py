"""Relations between networks: planted ones are found, near misses are not, and each is checked weight by weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.errors import InputError
from fiberscope.numerics.exact import nearest_floats, rationals
from fiberscope.shallow.examples import four_hyperplanes, network, reversed_pair
from fiberscope.shallow.fiber import Fiber
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form
from fiberscope.shallow.relation import Relation, relation
from fiberscope.shallow.reversals import reversals


@given(st.integers(0, 100_000), st.sampled_from(["relu", "leaky_relu(0.25)", "gelu", "silu"]))
def test_planted_relations_are_found(seed, activation):
    rng = np.random.default_rng(seed)
    d, n, k = int(rng.integers(2, 6)), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    W, q = rng.integers(-9, 10, (d, n)) / 1.0, rng.integers(1, 4, (k, d)) / 1.0
    W[0, 0] = 1.0 + abs(W[0, 0])
    W[1], q[:, 1] = -W[0], q[:, 0]  # a zero-sum pair
    W[2:, 0] = 1.0 + np.arange(d - 2)
    model = ShallowModel(W, rng.standard_normal(d), q, rng.standard_normal(k), activation)
    scales = rng.integers(1, 9, d) if "relu" in activation else np.ones(d, dtype=int)
    sets = reversals(model, exact=True).sets
    chosen = sets[int(rng.integers(len(sets)))]
    plan = Relation(tuple(rng.permutation(d).tolist()), tuple(rationals(scales / 4.0 * 4).tolist()), chosen)
    other = plan(model)
    found = relation(model, other)
    assert found is not None and found == plan and found.maps(model, other)
    if "relu" in activation:
        assert normal_form(model, exact=True) == normal_form(other, exact=True)
    back = relation(other, model)
    assert back is not None and back.maps(other, model)
    for name in ("W1", "b1", "W2", "b2"):
        floats = nearest_floats(getattr(other, name))[0]
        place = tuple(int(rng.integers(s)) for s in floats.shape)
        floats[place] = np.nextafter(floats[place], np.inf)
        assert not found.maps(model, replace(other, **{name: rationals(floats)}))


def test_members_of_the_fiber_at_least_width_are_related():
    model = four_hyperplanes()
    fiber = Fiber.of(model)
    seen = set()
    for number, cell in enumerate(fiber.cells()):
        point = fiber.random_point(cell, seed=number)
        found = relation(model, point)
        assert found is not None and found.maps(model, point)
        seen.add((found.permutation, found.reversed))
    assert len(seen) == 96


def test_unrelated_networks_and_bad_input():
    pair = reversed_pair()
    assert relation(pair.truth, replace(pair.model, b2=np.zeros(1))) is None
    assert relation(pair.truth, replace(pair.truth, b1=np.array([-1.0, -2.0]))) is None
    with pytest.raises(InputError, match="turned round"):
        relation(replace(pair.truth, activation="tanh"), replace(pair.truth, activation="tanh"))
    with pytest.raises(InputError, match="do not sum"):
        Relation((0, 1), tuple(rationals(np.ones(2))), (0,))(pair.truth)
    for first, second, words in [
        (pair.truth, four_hyperplanes(), "different make"),
        (network([[0]], [1], [[1]]), network([[0]], [1], [[1]]), "w = 0"),
        (network([[1], [2]], [1, 2], [[1, 1]]), network([[1], [2]], [1, 3], [[1, 1]]), "share a boundary"),
        (replace(pair.truth, activation="abs"), replace(pair.truth, activation="abs"), "more symmetries"),
    ]:
        with pytest.raises(InputError, match=words):
            relation(first, second)
    found = relation(pair.truth, pair.model)
    assert found is not None and found.to_json() == {"permutation": [0, 1], "scales": ["1", "1"], "reversed": [0, 1]}
