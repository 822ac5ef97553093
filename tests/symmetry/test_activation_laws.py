"""Every row of the table of activations, numerically: what is claimed holds, and what is not claimed fails."""

from __future__ import annotations

import pytest
import torch

from fiberscope.errors import InputError
from fiberscope.symmetry.activations import ACTIVATIONS, parse_activation, torch_function

X = torch.linspace(-9.0, 9.0, 401, dtype=torch.float64) + 0.0137
SCALES = (0.25, 0.5, 2.0, 3.7)
NAMES = sorted(ACTIVATIONS)


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))


@pytest.mark.parametrize("name", NAMES)
def test_positive_scalings(name: str):
    rho, row = torch_function(name), ACTIVATIONS[name]
    if row.log is not None:
        assert all(far(rho(s * X), s ** float(row.log) * rho(X)) < 1e-12 for s in SCALES)
        return
    for s in SCALES:  # no factor at all would do: the best one leaves a rest
        y, z = rho(s * X), rho(X)
        factor = float((y * z).sum() / (z * z).sum())
        assert far(y, factor * z) > 1e-3, f"{name} scales by {s} -> {factor}: claim it"


@pytest.mark.parametrize("name", NAMES)
def test_parity(name: str):
    rho, row = torch_function(name), ACTIVATIONS[name]
    odd, even = far(rho(-X), -rho(X)) < 1e-12, far(rho(-X), rho(X)) < 1e-12
    assert (odd, even) == (row.sign == "odd", row.sign == "even")


@pytest.mark.parametrize("name", NAMES)
def test_no_mixing_but_for_the_identity(name: str):
    """rho(A x) = B rho(x) for A with two nonzero entries in a row only where rho is linear."""
    rho, row = torch_function(name), ACTIVATIONS[name]
    x, y = torch.meshgrid(X[::8], X[::8], indexing="ij")
    target = rho((x + 2 * y) / 2).ravel()
    basis = torch.stack([rho(x).ravel(), rho(y).ravel()], dim=1)
    rest = target - basis @ torch.linalg.lstsq(basis, target).solution
    assert row.linear == bool(rest.abs().max() < 1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_the_scaling(name: str):
    row = ACTIVATIONS[name]
    expected = {(False, False): "one", (False, True): "sign", (True, False): "positive", (True, True): "nonzero"}
    assert row.scaling == expected[row.log is not None, row.sign is not None]


@pytest.mark.parametrize(
    ("text", "name", "parameter"),
    [
        ("relu", "relu", None),
        (" leaky_relu(0.1) ", "leaky_relu", 0.1),
        ("elu(2)", "elu", 2.0),
        ("celu(.5)", "celu", 0.5),
    ],
)
def test_parse(text: str, name: str, parameter: float | None):
    assert parse_activation(text) == (ACTIVATIONS[name], parameter)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gelux", "unknown activation 'gelux'"),
        ("relu(1)", "takes no parameter"),
        ("leaky_relu(a)", "must be a number"),
        ("leaky_relu()", "must be a number"),
        ("", "unknown activation"),
        ("RELU", "unknown activation"),
    ],
)
def test_parse_errors(text: str, says: str):
    with pytest.raises(InputError, match=says):
        parse_activation(text)


def test_the_parameter_is_used():
    x = torch.tensor([-2.0], dtype=torch.float64)
    assert torch_function("leaky_relu(0.25)")(x).item() == -0.5
    assert torch_function("elu(2)")(x).item() == pytest.approx(2 * (torch.exp(x) - 1).item())
