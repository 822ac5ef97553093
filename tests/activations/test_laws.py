"""Every row of the table of laws, numerically: what is claimed holds, and what is not claimed fails."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from fiberscope.activations.in_torch import torch_function
from fiberscope.activations.table import LAWS, parse_activation
from fiberscope.affine.activation import activation
from fiberscope.equivalence.chain_activations import constant

X = torch.linspace(-9.0, 9.0, 401, dtype=torch.float64) + 0.0137
SCALES = (0.25, 0.5, 2.0, 3.7)
NAMES = sorted(LAWS)
NAMES += ["leaky_relu(0.3)", "leaky_relu(-2)", "prelu(7)", "elu(0.2)", "celu(3)", "hardshrink(2)", "softshrink(1.25)"]


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))


@pytest.mark.parametrize("name", NAMES)
def test_positive_scalings(name: str):
    rho, row = torch_function(name), parse_activation(name)[0]
    if row.log is not None:
        assert all(far(rho(s * X), s ** float(row.log) * rho(X)) < 1e-12 for s in SCALES)
        return
    for s in SCALES:  # no factor at all would do: the best one leaves a rest
        y, z = rho(s * X), rho(X)
        factor = float((y * z).sum() / (z * z).sum())
        assert far(y, factor * z) > 1e-3, f"{name} scales by {s} -> {factor}: claim it"


@pytest.mark.parametrize("name", NAMES)
def test_parity(name: str):
    rho, row = torch_function(name), parse_activation(name)[0]
    odd, even = far(rho(-X), -rho(X)) < 1e-12, far(rho(-X), rho(X)) < 1e-12
    assert (odd, even) == (row.sign == "odd", row.sign == "even")


@pytest.mark.parametrize("name", NAMES)
def test_no_mixing_but_for_the_identity(name: str):
    """rho(A x) = B rho(x) for A with two nonzero entries in a row only where rho is linear."""
    rho, row = torch_function(name), parse_activation(name)[0]
    x, y = torch.meshgrid(X[::8], X[::8], indexing="ij")
    target = rho((x + 2 * y) / 2).ravel()
    basis = torch.stack([rho(x).ravel(), rho(y).ravel()], dim=1)
    rest = target - basis @ torch.linalg.lstsq(basis, target).solution
    assert row.linear == bool(rest.abs().max() < 1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_the_scaling(name: str):
    row = parse_activation(name)[0]
    expected = {(False, False): "one", (False, True): "sign", (True, False): "positive", (True, True): "nonzero"}
    assert row.scaling == expected[row.log is not None, row.sign is not None]


@pytest.mark.parametrize("name", [*NAMES, "leaky_relu(-1)"])
def test_reflection(name: str):
    """rho(t) - rho(-t) is the stated multiple of t, or no multiple of t at all."""
    rho, (row, parameter) = torch_function(name), parse_activation(name)
    odd_part, stated = rho(X) - rho(-X), row.reflection(parameter)
    if stated is not None:
        assert torch.allclose(odd_part, float(stated) * X, rtol=1e-12, atol=1e-12)
    else:
        assert (odd_part / X).max() - (odd_part / X).min() > 1e-3


@pytest.mark.parametrize("name", [*NAMES, "leaky_relu(-1)", "prelu(0)"])
def test_slope_below(name: str):
    """x above 0 and c x below, and only where this is the function."""
    rho, (row, parameter) = torch_function(name), parse_activation(name)
    slope = row.slope_below(parameter)
    below = float(slope) if slope is not None else float(rho(X[:1]) / X[:1])
    bent = torch.where(X > 0, X, below * X)
    assert torch.equal(rho(X), bent) == (slope is not None)


def test_a_slope_is_its_float64():
    """The decimal 0.1 is 1/10 in proofs about activations, but a network computes with the float64 next to it."""
    row, slope = parse_activation("leaky_relu(0.1)")
    assert row.slope_below(slope) == Fraction(0.1) != Fraction(1, 10)
    assert row.reflection(slope) == 1 + Fraction(0.1)
    assert LAWS["leaky_relu"].slope_below() == Fraction(0.01)
    assert activation("leaky_relu(0.1)").exact(Fraction(-1)) == Fraction(-1, 10)
    assert constant("leaky_relu(0.1)", Fraction(-1)) == -Fraction(0.1)
    assert constant("leaky_relu(0.10000000149011612)", Fraction(-1)) == -Fraction(float(np.float32(0.1)))
