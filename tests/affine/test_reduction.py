"""Planted redundancy goes away again, exactly or up to rounding; near misses stay apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.affine.planting import planted, random_dag

from fiberscope.affine.canonical import canonical_form
from fiberscope.affine.conditions import conditions
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.equality import same_function
from fiberscope.affine.sussmann import reduce_network

NAMES = ["tanh", "sigmoid", "erf", "arctan", "softsign"]
SEEDS = [range(20), pytest.param(range(20, 70), marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", SEEDS, ids=["first", "more"])
@pytest.mark.parametrize("name", NAMES)
def test_planted_in_exact_numbers_returns_exactly(name: str, seeds: range):
    """All planted sums are dyadic: the canonical form of the original comes back bit for bit."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        net = random_dag(rng, name=name, eighths=True)
        big = planted(net, rng, exact=True)
        x = rng.normal(size=(6, 2))
        np.testing.assert_allclose(big.evaluate(x), net.evaluate(x), atol=1e-11)
        want = canonical_form(net)
        assert canonical_form(big) == want
        assert canonical_form(big).digest == want.digest
        reduction = reduce_network(big, ulp=0)
        assert (reduction.strength, reduction.units_after) == ("exact", want.units)
        assert canonical_form(reduction.network) == want
        assert conditions(reduction.network).removable == ()
        assert len(reduction.steps) == reduction.units_before - reduction.units_after
        assert same_function(net, big).strength == "exact"


@pytest.mark.parametrize("seeds", SEEDS, ids=["first", "more"])
@pytest.mark.parametrize("name", NAMES)
def test_planted_in_floating_point_returns_up_to_rounding(name: str, seeds: range):
    for seed in seeds:
        rng = np.random.default_rng(1000 + seed)
        net = random_dag(rng, name=name)
        big = planted(net, rng, exact=False)
        x = rng.normal(size=(20, 2))
        before = net.evaluate(x)
        assert np.abs(big.evaluate(x) - before).max() < 1e-11
        reduction = reduce_network(big)
        assert reduction.units_after == reduce_network(net).units_after
        assert np.abs(reduction.network.evaluate(x) - before).max() < 1e-11
        assert reduce_network(reduction.network).steps == ()
        verdict = same_function(net, big)
        assert verdict.answer == "equal"
        # 1e-3 apart in one weight that counts: told apart, with a witness
        unit = int(rng.integers(len(net.units)))
        near = nudged(net, unit, 1e-3)
        assert canonical_form(near) != canonical_form(net)
        verdict = same_function(near, big)
        assert verdict.answer == "different"
        assert verdict.witness is not None and verdict.gap is not None
        at = np.array([verdict.witness])
        assert np.abs(near.evaluate(at) - big.evaluate(at)).max() >= verdict.gap * (1 - 1e-3) - 1e-13


def nudged(net: DagNetwork, unit: int, by: float) -> DagNetwork:
    row = net.units[unit].row
    moved = Row(row.parents, (row.weights[0] + by, *row.weights[1:]), row.bias)
    units = (*net.units[:unit], Unit(net.units[unit].activation, moved), *net.units[unit + 1 :])
    return replace(net, units=units)


def test_near_clones_are_not_merged():
    rng = np.random.default_rng(0)
    for seed in range(100):
        net = random_dag(np.random.default_rng(seed))
        plot_units = list(net.units)
        row = net.units[-1].row
        twin = Row(row.parents, (float(np.nextafter(row.weights[0], 9.0)), *row.weights[1:]), row.bias)
        units = (*plot_units, Unit("tanh", twin))
        outputs = tuple(Row.of({**r.weight_of, 2 + len(net.units): float(rng.normal())}, r.bias) for r in net.outputs)
        both = DagNetwork(2, units, outputs)
        assert reduce_network(both).units_after == len(units)


def test_weights_that_cancel_up_to_rounding():
    """0.1 + 0.2 - 0.3 is 2^-54 or so in floats and not 0: three clones, read with these, make their reader constant."""
    clones = tuple(Unit("tanh", Row.of({0: 1.5}, 0.5)) for _ in range(3))
    reader = Unit("tanh", Row.of({1: 0.1, 2: 0.2, 3: -0.3}, 0.25))
    net = DagNetwork(1, (*clones, reader), (Row.of({1: 1.0, 4: 2.0}, 0.0),))
    assert reduce_network(net, ulp=0).units_after == 2
    found = reduce_network(net)
    assert (found.units_after, found.strength) == (1, "rounding")
    assert found.network.outputs[0].bias == pytest.approx(2.0 * np.tanh(0.25), rel=1e-15)
    tiny = Unit("tanh", Row.of({1: 1e-17}, 0.25))
    stored = DagNetwork(1, (clones[0], tiny), (Row.of({1: 1.0, 2: 2.0}),))
    assert reduce_network(stored).units_after == 2  # a stored number is what it is, however small


def test_signs_and_constants_by_hand():
    """tanh(x) + tanh(-x) + tanh(1/2) + sigmoid pair: everything is constant."""
    units = (
        Unit("tanh", Row.of({0: 1.0})),
        Unit("tanh", Row.of({0: -1.0})),
        Unit("tanh", Row.of({}, 0.5)),
        Unit("sigmoid", Row.of({0: 2.0, 3: 1.0}, 0.25)),
        Unit("sigmoid", Row.of({0: -2.0, 3: -1.0}, -0.25)),
    )
    net = DagNetwork(1, units, (Row.of({1: 2.0, 2: 2.0, 3: 1.0, 4: 3.0, 5: 3.0}, 1.0),))
    reduction = reduce_network(net)
    assert reduction.units_after == 0
    np.testing.assert_allclose(reduction.network.outputs[0].bias, 4.0 + np.tanh(0.5), rtol=1e-15)
    assert reduction.strength == "rounding"  # the constant had to be written as a float
    kinds = [step.kind for step in reduction.steps]
    assert kinds.count("constant") == 1 and len(kinds) == 5


def test_a_tanh_is_a_sigmoid():
    """tanh(t) = 2 sigmoid(2t) - 1, in one network and across two."""
    tanh = DagNetwork.from_layers([([[1.5, 0.25]], [0.5]), ([[3.0]], [0.0])])
    sigmoid = DagNetwork.from_layers([([[3.0, 0.5]], [1.0]), ([[6.0]], [-3.0])], "sigmoid")
    assert same_function(tanh, sigmoid).strength == "exact"
    units = (Unit("tanh", tanh.units[0].row), Unit("sigmoid", sigmoid.units[0].row))
    mixed = DagNetwork(2, units, (Row.of({2: 3.0, 3: 6.0}, -3.0),))
    assert reduce_network(mixed).units_after == 1
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(reduce_network(mixed).network.evaluate(x), mixed.evaluate(x), atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.25)", "abs", "square", "cube", "relu6", "hardtanh", "gaussian"])
def test_other_activations_keep_their_function(name: str):
    """Merging along known one-unit symmetries is sound for every activation."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        w, b = rng.integers(-3, 4, size=(6, 2)) / 2.0, rng.integers(-3, 4, size=6) / 2.0
        for k, scale in enumerate((1.0, -1.0, 2.0)):
            w[3 + k], b[3 + k] = scale * w[k], scale * b[k]
        net = DagNetwork.from_layers([(w, b), (rng.integers(-3, 4, size=(2, 6)) / 2.0, None)], name)
        reduction = reduce_network(net)
        x = rng.normal(size=(50, 2)) * 3
        np.testing.assert_allclose(reduction.network.evaluate(x), net.evaluate(x), atol=1e-11)
        assert reduction.units_after < 6
        assert same_function(net, reduction.network).answer == "equal"
