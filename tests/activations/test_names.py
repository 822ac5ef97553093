"""One grammar of names: every part of the package accepts, refuses and computes the same."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.activations.in_torch import torch_function
from fiberscope.activations.table import LAWS, canonical_name, parse_activation, read_name
from fiberscope.affine import DagNetwork
from fiberscope.affine.activation import activation, from_expression
from fiberscope.affine.custom_law import law_of
from fiberscope.affine.dag import Row, Unit
from fiberscope.affine.equality import same_function
from fiberscope.affine.unit_law import unit_law
from fiberscope.equivalence.chain_activations import constant, law, value
from fiberscope.errors import FiberscopeError, InputError
from fiberscope.network.activations import activation as of_a_file
from fiberscope.network.elementwise import recognise
from fiberscope.numerics.exact import fraction
from fiberscope.shallow.bend import bend
from fiberscope.shallow.reflection import reflection

WITH_PARAMETER = ["leaky_relu(0.1)", "leaky_relu(-3e-1)", "prelu(2)", "elu(.5)", "celu(-2)", "hardshrink(2)"]
WITH_PARAMETER += ["softshrink(1.25)", "softshrink(0)", "leaky_relu(1e305)"]
NAMES = [*sorted(LAWS), *WITH_PARAMETER]
GRID = np.linspace(-6.0, 6.0, 241) + 0.0037
READERS: dict[str, Callable[[str], Any]] = {
    "table": read_name,
    "float": parse_activation,
    "torch": torch_function,
    "file": of_a_file,
    "chain": law,
    "unit": unit_law,
    "object": activation,
    "graph": lambda name: DagNetwork.from_layers([([[1.0]], None), ([[2.0]], None)], name),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", NAMES)
def test_accepted_by_all(name: str, reader: str):
    READERS[reader](name)
    READERS[reader](f"  {name.upper().replace('(', '( ').replace(')', ' )')} ")


BAD = {
    "gelux": "unknown activation 'gelux'",
    "": "unknown activation",
    "relu)": "unknown activation",
    "relu(": "unknown activation",
    "relu()": "takes no parameter",
    "relu(1)": "takes no parameter",
    "leaky_relu()": "must be a number",
    "leaky_relu(a)": "must be a number",
    "leaky_relu(1_0)": "must be a number",
    "leaky_relu(0.1)(0.2)": "unknown activation",
    "leaky_relu(1e999)": "must be finite",
    "leaky_relu(nan)": "must be a number",
    "elu(-inf)": "must be a number",
    "hardshrink(-0.1)": "not be negative",
    "softshrink(-1)": "not be negative",
    "celu(0)": "not be 0",
    "celu(-0e5)": "not be 0",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", BAD)
def test_refused_by_all(name: str, reader: str):
    with pytest.raises(FiberscopeError, match=BAD[name].replace("(", "[(]")) as caught:
        READERS[reader](name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [None, 3, ["relu"]])
def test_a_name_is_text(name: Any):
    with pytest.raises(InputError, match="unknown activation"):
        canonical_name(name)


@given(st.text(alphabet="relu_cky61(). -+einfa", max_size=16))
def test_any_text_is_read_by_all_or_by_none(text: str):
    def accepts(reader: Callable[[str], Any]) -> bool:
        try:
            reader(text)
        except FiberscopeError:
            return False
        return True

    assert len({accepts(reader) for reader in READERS.values()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_one_spelling(name: str):
    spelled = canonical_name(f" {name.upper().replace('(', '( ')} ")
    assert spelled == canonical_name(spelled) == name
    assert unit_law(name.upper()) == unit_law(name)


def test_networks_with_two_spellings_are_one():
    layers = [(np.array([[1.0, 2.0], [3.0, -1.0]]), [0.5, 1.0]), (np.array([[1.0, -2.0]]), None)]
    a, b = DagNetwork.from_layers(layers, "ReLU6"), DagNetwork.from_layers(layers, "relu6")
    assert a.activations == ("relu6",) and a.units == b.units
    assert same_function(a, b).answer == "equal"


def test_a_law_of_ones_own_keeps_its_name():
    """A unit called TANH is the built-in one, also beside a law of the user's that is called tanh."""
    own = law_of(from_expression("x*x*x", "tanh"))
    row = Row.of({0: 1.0})
    net = DagNetwork(1, (Unit("TANH", row), Unit("tanh", row)), (Row.of({1: 1.0, 2: 10.0}),), laws={"tanh": own})
    assert net.evaluate([[2.0]])[0, 0] == pytest.approx(np.tanh(2.0) + 80.0)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "leaky_relu(1e305)"])
def test_the_same_function_everywhere(name: str):
    """torch, chains, units and the expressions: one function, parameters honoured."""
    expected = activation(name).value(GRID)
    for got in (torch_function(name)(torch.from_numpy(GRID)).numpy(), value(name, GRID), unit_law(name).value(GRID)):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_folded_constants_are_the_function(name: str):
    """What a chain folds is the value that torch computes, up to its rounding."""
    rho = torch_function(name)
    for x in (Fraction(0), Fraction(3, 8), Fraction(-3, 8), Fraction(-9), Fraction(9), Fraction(1, 7)):
        found = constant(name, x)
        if found is not None:
            assert float(found) == pytest.approx(rho(torch.tensor(float(x), dtype=torch.float64)).item(), rel=1e-14)
    bent = parse_activation(name)[0].name in ("relu", "leaky_relu", "abs", "relu6", "hardtanh", "square", "cube")
    assert (constant(name, Fraction(1, 7)) is not None) == bent


def test_laws_are_the_tables_laws():
    """What chains, units and single layers use is the row of the table, also where a parameter has a say."""
    for name in NAMES:
        row, parameter = parse_activation(name)
        assert (law(name).log, law(name).sign) == (None if row.log is None else int(row.log), row.sign)
        unit = unit_law(name)
        assert unit.parity == row.sign or name in ("sigmoid", "relu6", "hardsigmoid")  # odd about another point
        assert (unit.degree or 0) == (row.log or 0)
        offset = row.reflection(parameter)
        assert (None if unit.linear is None else fraction(unit.linear)) == offset
        if offset is not None:
            assert reflection(name) == offset
        below = row.slope_below(parameter)
        if below is not None:
            assert bend(name).slope(-1) == below and bend(name).slope(1) == 1
    assert law("leaky_relu(-1)").sign == law("prelu(-1.0)").sign == "even"


@pytest.mark.parametrize("slope", [float("inf"), float("-inf"), float("nan")])
def test_a_graph_with_a_slope_that_is_no_number_has_no_name(slope: float):
    assert recognise(("leaky_relu", "x", slope)) is None
    found = recognise(("leaky_relu", "x", 0.1))
    assert found is not None and found.activation == "leaky_relu(0.1)"
