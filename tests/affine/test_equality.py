"""Equal, different with a rigorous witness, and honest where no theorem helps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.affine.planting import random_dag

from fiberscope.affine.canonical import canonical_form
from fiberscope.affine.constant import Combination, number, value_at
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.enclosure import enclose
from fiberscope.affine.enumerate import networks
from fiberscope.affine.equality import same_function
from fiberscope.affine.unit_law import unit_law
from fiberscope.errors import InputError


def one(name: str, w: float, b: float, q: float, c: float = 0.0) -> DagNetwork:
    return DagNetwork(1, (Unit(name, Row.of({0: w}, b)),), (Row.of({1: q}, c),))


@given(seed=st.integers(0, 10**6), pick=st.integers(0, 15))
def test_members_of_the_orbit_are_equal_exactly(seed: int, pick: int):
    net = random_dag(np.random.default_rng(seed), units=4)
    for k, other in enumerate(networks(net)):
        if k == pick:
            assert canonical_form(other) == canonical_form(net)
            assert same_function(net, other, exact=True).strength == "exact"
            return


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "erf", "arctan", "softsign"])
def test_one_unit_in_the_last_place_is_a_difference(name: str):
    """Far below what float64 evaluation shows: the witness needs more bits."""
    a = one(name, 0.3, 0.1, 1.0)
    b = one(name, float(np.nextafter(0.3, 1.0)), 0.1, 1.0)
    verdict = same_function(a, b)
    assert verdict.answer == "different" and verdict.gap is not None and verdict.witness is not None
    high = [enclose(net, verdict.witness, 400) for net in (a, b)]
    assert high[0] is not None and high[1] is not None
    assert abs(high[0][0] - high[1][0]) >= verdict.gap


def test_a_tiny_difference_is_found():
    verdict = same_function(one("tanh", 1.0, 0.0, 1.0), one("tanh", 1.0, 0.0, 1.0, c=1e-200))
    assert verdict.answer == "different" and verdict.gap == pytest.approx(1e-200)


def test_softsigns_in_a_row_have_more_symmetries():
    """s(s(t)) = s(2t)/2: equal functions with different forms. No theorem, no witness: undecided, never "different"."""
    units = (Unit("softsign", Row.of({0: 1.0})), Unit("softsign", Row.of({1: 1.0})))
    two = DagNetwork(1, units, (Row.of({2: 1.0}),))
    single = one("softsign", 2.0, 0.0, 0.5)
    x = np.linspace(-9, 9, 50)[:, None]
    np.testing.assert_allclose(two.evaluate(x), single.evaluate(x), atol=1e-15)
    assert canonical_form(two) != canonical_form(single)
    verdict = same_function(two, single)
    assert (verdict.answer, verdict.theorem) == ("undecided", None)


def test_constants_that_are_equal_for_a_deeper_reason():
    """2 arctan(1/2) + arctan(3/4) = 2 arctan(1): written differently, equal numbers; nothing false is said."""
    law = unit_law("arctan")
    left = value_at(law, number(0.5)).times(2.0) + value_at(law, number(0.75))
    right = value_at(law, number(1.0)).times(2.0)
    assert left != right
    gap = (left + right.times(-1.0)).enclose(1024)
    assert gap.contains(0)
    units = tuple(Unit("arctan", Row.of({}, b)) for b in (0.5, 0.75, 1.0))
    zero = DagNetwork(1, units, (Row.of({1: 2.0, 2: 1.0, 3: -2.0}),))
    nothing = DagNetwork(1, (), (Row.of({}),))
    assert same_function(zero, nothing, exact=True).answer == "undecided"
    rough = same_function(zero, nothing)
    assert (rough.answer, rough.strength) == ("equal", "rounding")


@given(
    st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=4),
    st.sampled_from(["tanh", "sigmoid", "erf", "arctan", "softsign", "relu6", "hardsigmoid", "hardtanh", "cos"]),
)
def test_constants_are_the_numbers_they_stand_for(terms: list[tuple[int, int]], name: str):
    law = unit_law(name)
    total, want = Combination(), 0.0
    for at, factor in terms:
        total = total + value_at(law, number(Fraction(at, 4))).times(factor / 2)
        want += factor / 2 * float(law.value(np.array([at / 4]))[0])
    assert total.nearest() == pytest.approx(want, abs=1e-12)
    ball = total.enclose(200)
    assert ball is not None and abs(float(ball.mid()) - want) < 1e-12
    assert (total + total.times(-1.0)).is_zero


def test_nested_constants_and_signs():
    law = unit_law("tanh")
    inner = value_at(law, number(0.5)) + number(0.25)
    assert value_at(law, inner) == value_at(law, inner.times(-1.0)).times(-1.0)
    sigmoid = unit_law("sigmoid")
    assert value_at(sigmoid, inner) + value_at(sigmoid, inner.times(-1.0)) == number(1.0)


def test_forms_do_not_depend_on_names_or_order():
    """A graph and its mirror image, units relabelled: one form, one digest; another graph: another digest."""
    digests = set()
    for seed in range(200):
        net = random_dag(np.random.default_rng(seed), eighths=True)
        digests.add(canonical_form(net).digest)
    assert len(digests) == 200


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="cannot be compared"):
        same_function(one("tanh", 1, 0, 1), DagNetwork(2, (), (Row.of({0: 1.0}),)))


def test_enclosures_hold_the_value_at_more_bits():
    for seed, name in enumerate(["tanh", "sigmoid", "erf", "arctan", "softsign", "relu", "leaky_relu(0.3)", "relu6"]):
        net = random_dag(np.random.default_rng(seed), name=name)
        x = np.random.default_rng(seed).normal(size=2).tolist()
        low, high = enclose(net, x, 64), enclose(net, x, 300)
        assert low is not None and high is not None
        for p, q, value in zip(low, high, net.evaluate([x])[0], strict=True):
            assert p.contains(q)
            assert float(q.mid()) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert (
        enclose(replace(net, units=(Unit("mish", Row.of({0: 1.0})),), outputs=(Row.of({2: 1.0}),), layers=()), x)
        is None
    )
