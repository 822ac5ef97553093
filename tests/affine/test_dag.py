"""Graphs of units: evaluation against a naive loop, validation, conditions with the offending units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.affine.planting import random_dag, value

from fiberscope.affine.conditions import conditions
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.scalar import exact, nearest, over, parse, plus, text, times
from fiberscope.errors import InputError, WeightError
from fiberscope.numerics.exact import fraction


@given(seed=st.integers(0, 10**6), name=st.sampled_from(["tanh", "sigmoid", "erf", "arctan", "softsign"]))
def test_evaluation_is_that_of_the_formula(seed: int, name: str):
    rng = np.random.default_rng(seed)
    net = random_dag(rng, units=int(rng.integers(1, 9)), n_in=int(rng.integers(1, 4)), name=name)
    x = rng.normal(size=(3, net.n_inputs))
    got = net.evaluate(x)
    for sample, outputs in zip(x.tolist(), got.tolist(), strict=True):
        nodes = list(sample)
        for unit in net.units:
            total = sum(float(w) * nodes[p] for p, w in unit.row.weight_of.items())
            nodes.append(value(name, total + float(unit.row.bias)))
        for row, output in zip(net.outputs, outputs, strict=True):
            want = sum(float(w) * nodes[p] for p, w in row.weight_of.items()) + float(row.bias)
            assert output == pytest.approx(want, rel=1e-12, abs=1e-12)


GOOD = Unit("tanh", Row.of({0: 1.0}))


@pytest.mark.parametrize(
    ("units", "outputs", "more", "error", "why"),
    [
        ((Unit("tanh", Row((1,), (1.0,))),), (Row.of({0: 1}),), {}, InputError, "earlier node"),
        ((Unit("tanh", Row((0, 0), (1.0, 2.0))),), (Row.of({0: 1}),), {}, InputError, "each once"),
        ((Unit("tanh", Row((0,), (1.0, 2.0))),), (Row.of({0: 1}),), {}, WeightError, "2 weights for 1"),
        ((Unit("tanh", Row((0,), (math.nan,))),), (Row.of({0: 1}),), {}, WeightError, "unit 0"),
        ((Unit("tanh", Row((0,), (1.0,), math.inf)),), (Row.of({0: 1}),), {}, WeightError, "bias is inf"),
        ((Unit("wobble", Row.of({0: 1})),), (Row.of({0: 1}),), {}, InputError, "unknown activation"),
        ((Unit("__import__('os')", Row.of({0: 1})),), (Row.of({0: 1}),), {}, InputError, "unknown activation"),
        ((GOOD,), (), {}, InputError, "at least one"),
        ((GOOD,), (Row.of({5: 1}),), {}, InputError, "output 0"),
        ((GOOD,), (Row.of({0: 1}),), {"layers": (1, 2)}, InputError, "2 numbers for 1 units"),
        ((GOOD,), (Row.of({0: 1}),), {"ties": ((0, 9),)}, InputError, "tie"),
        ((GOOD, Unit("tanh", Row.of({1: 1}))), (Row.of({0: 1}),), {"layers": (1, 1)}, InputError, "its own layer"),
        ((GOOD, GOOD, GOOD), (Row.of({0: 1}),), {"layers": (1, 2, 1)}, InputError, "follow each other"),
    ],
)  # fmt: skip
def test_wrong_graphs_are_refused(units, outputs, more, error, why):
    with pytest.raises(error, match=why):
        DagNetwork(1, units, outputs, **more)


def test_wrong_inputs_are_refused():
    net = DagNetwork(2, (), (Row.of({0: 1.0}),))
    with pytest.raises(InputError, match=r"expected \[N, 2\]"):
        net.evaluate([[1.0]])
    with pytest.raises(WeightError, match="W2"):
        DagNetwork.from_layers([(np.eye(2), None), (np.eye(3), None)])
    with pytest.raises(InputError, match="activations for"):
        DagNetwork.from_layers([(np.eye(2), None), (np.eye(2), None)], ["tanh", "tanh"])


def test_conditions_name_the_offending_units():
    units = (
        Unit("tanh", Row.of({0: 1.0, 1: 2.0}, 0.5)),  # 0, node 2
        Unit("tanh", Row.of({0: -1.0, 1: -2.0}, -0.5)),  # 1: a clone of 0, turned round
        Unit("tanh", Row.of({0: 0.0}, 0.5)),  # 2: constant
        Unit("tanh", Row.of({4: 1.0}, 0.5)),  # 3: constant, through 2
        Unit("tanh", Row.of({2: 1.0, 3: 1.0}, 0.1)),  # 4: constant once 0 and 1 are merged
        Unit("tanh", Row.of({0: 3.0}, 0.5)),  # 5: read by 6 alone
        Unit("tanh", Row.of({7: 3.0}, 0.5)),  # 6: read by nothing
        Unit("tanh", Row.of({1: 3.0}, 0.5)),  # 7: fine
    )
    net = DagNetwork(2, units, (Row.of({2: 1.0, 3: 2.0, 5: 1.0, 6: 1.0, 8: 0.0, 9: 1.0}),))
    found = conditions(net)
    assert found.clones == ((0, 1),)
    assert found.unread == (5, 6)
    assert found.constant == (2, 3)
    assert found.zero_edges == ((2, 0), (-1, 8))
    assert found.removable == (1, 2, 3, 4, 5, 6)
    assert not found.irreducible and found.known_symmetries_only is None
    good = conditions(random_dag(np.random.default_rng(2), units=3))
    assert (good.no_clones, good.clones) == (True, ())
    assert conditions(DagNetwork.from_layers([(np.eye(2), None), (np.ones((1, 2)), None)], "elu")).known_symmetries_only


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_scalars_are_exact(a: float, b: float):
    x, y = exact(a), exact(b)
    assert fraction(plus(x, y)) == fraction(a) + fraction(b)
    assert fraction(times(x, y)) == fraction(a) * fraction(b)
    if b:
        assert fraction(over(x, y)) == fraction(a) / fraction(b)
    for number in (x, plus(x, y), times(x, y)):
        again = parse(text(number))
        assert again == number and type(again) is type(number)
        if isinstance(number, float):
            assert nearest(number) == number
