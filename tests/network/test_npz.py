"""Plain perceptrons in .npz: every activation against a formula, round trips, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiberscope.activations.table import LAWS
from fiberscope.errors import LoadError
from fiberscope.network import load

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def own_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test draws from the start, whatever ran before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(5))


erf = np.vectorize(math.erf)


def sigmoid(t: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-t))."""
    return 1 / (1 + np.exp(-t))


def softplus(t: np.ndarray) -> np.ndarray:
    """log(1 + exp(t))."""
    return np.log1p(np.exp(-np.abs(t))) + np.maximum(t, 0)


FORMULAS: dict[str, Callable[[np.ndarray], Any]] = {
    "identity": lambda t: t,
    "relu": lambda t: np.maximum(t, 0),
    "leaky_relu": lambda t: np.where(t > 0, t, 0.01 * t),
    "leaky_relu(0.1)": lambda t: np.where(t > 0, t, 0.1 * t),
    "prelu": lambda t: np.where(t > 0, t, 0.25 * t),
    "abs": np.abs,
    "square": np.square,
    "cube": lambda t: t**3,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "erf": erf,
    "softsign": lambda t: t / (1 + np.abs(t)),
    "arctan": np.arctan,
    "sin": np.sin,
    "cos": np.cos,
    "gaussian": lambda t: np.exp(-t * t),
    "hardtanh": lambda t: np.clip(t, -1, 1),
    "tanhshrink": lambda t: t - np.tanh(t),
    "hardshrink": lambda t: np.where(np.abs(t) > 0.5, t, 0),
    "softshrink": lambda t: np.sign(t) * np.maximum(np.abs(t) - 0.5, 0),
    "Hardshrink( 1.5 )": lambda t: np.where(np.abs(t) > 1.5, t, 0),
    "softshrink(0.2)": lambda t: np.sign(t) * np.maximum(np.abs(t) - 0.2, 0),
    "hardsigmoid": lambda t: np.clip(t / 6 + 0.5, 0, 1),
    "relu6": lambda t: np.clip(t, 0, 6),
    "exp": np.exp,
    "elu": lambda t: np.where(t > 0, t, np.expm1(t)),
    "elu(0.3)": lambda t: np.where(t > 0, t, 0.3 * np.expm1(t)),
    "selu": lambda t: 1.0507009873554805 * np.where(t > 0, t, 1.6732632423543772 * np.expm1(t)),
    "celu": lambda t: np.where(t > 0, t, np.expm1(t)),
    "celu(2)": lambda t: np.where(t > 0, t, 2 * np.expm1(t / 2)),
    "gelu": lambda t: t * (1 + erf(t / math.sqrt(2))) / 2,
    "gelu_tanh": lambda t: t * (1 + np.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3))) / 2,
    "silu": lambda t: t * sigmoid(t),
    "softplus": softplus,
    "hardswish": lambda t: t * np.clip(t + 3, 0, 6) / 6,
    "mish": lambda t: t * np.tanh(softplus(t)),
    "logsigmoid": lambda t: -softplus(-t),
    "sign": np.sign,
    "heaviside": lambda t: (t > 0).astype(t.dtype),
}


def test_every_activation_has_a_formula() -> None:
    assert set(LAWS) == {name.partition("(")[0].lower() for name in FORMULAS}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation(name: str, tmp_path: Path) -> None:
    """f(x) = W2 s(W1 x + b1) in float64, at seven points on both sides of every kink."""
    w1, b1, w2 = RNG.standard_normal((5, 3)) * 2, RNG.standard_normal(5), RNG.standard_normal((2, 5))
    np.savez(tmp_path / "a.npz", W1=w1, b1=b1, W2=w2, activation=name)
    network = load(tmp_path / "a.npz")
    x = RNG.standard_normal((7, 3))
    expected = FORMULAS[name](x @ w1.T + b1) @ w2.T
    np.testing.assert_allclose(network.run_flat(x), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(network.module()(torch.from_numpy(x)).numpy(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_round_trip(dtype: Any, tmp_path: Path) -> None:
    arrays = {"W1": RNG.standard_normal((4, 3)), "W2": RNG.standard_normal((2, 4)), "b2": RNG.standard_normal(2)}
    stored: dict[str, Any] = {k: v.astype(dtype) for k, v in arrays.items()}
    np.savez_compressed(tmp_path / "a.npz", **stored, activation="tanh")
    network = load(tmp_path / "a.npz")
    assert (network.format, list(network.weights), network.parameters) == ("npz", ["W1", "W2", "b2"], 22)
    network.save(tmp_path / "same.npz")
    assert load(tmp_path / "same.npz").sha256 == network.sha256
    other = network.replace({"W1": network.weights["W1"] * 2})
    other.save(tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as again:
        assert str(again["activation"]) == "tanh"
        assert again["W1"].dtype == dtype
        assert np.array_equal(again["W1"], arrays["W1"].astype(dtype) * 2)


def test_defaults(tmp_path: Path) -> None:
    """ReLU without an activation; one layer alone is affine; Fortran and big-endian arrays are read."""
    w = RNG.standard_normal((2, 3))
    np.savez(tmp_path / "a.npz", W1=np.asfortranarray(w), b1=np.ones(2).astype(">f8"), W2=w.T.astype(">f8"))
    x = RNG.standard_normal((4, 3))
    np.testing.assert_allclose(load(tmp_path / "a.npz").run_flat(x), np.maximum(x @ w.T + 1, 0) @ w, rtol=1e-12)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "activation": ({"W1": np.ones((2, 2)), "activation": "swoosh"}, "unknown activation"),
    "slope": ({"W1": np.ones((2, 2)), "activation": "leaky_relu(x)"}, "must be a number"),
    "negative threshold": ({"W1": np.ones((2, 2)), "activation": "softshrink(-1)"}, "not be negative"),
    "infinite slope": ({"W1": np.ones((2, 2)), "activation": "leaky_relu(1e999)"}, "finite"),
    "number": ({"W1": np.ones((2, 2)), "activation": np.array(3)}, "one string"),
    "object": ({"W1": np.array([[1, None]], dtype=object)}, "dtype object"),
    "no layer": ({"b1": np.ones(2)}, "no array W1"),
    "gap": ({"W1": np.ones((2, 2)), "W3": np.ones((2, 2))}, "W2 must be a matrix"),
    "shape": ({"W1": np.ones((2, 3)), "W2": np.ones((2, 3))}, "W2 has 3 columns, but W1 has 2 rows"),
    "bias": ({"W1": np.ones((2, 3)), "b1": np.ones(3)}, "b1 must have shape"),
    "extra": ({"W1": np.ones((2, 3)), "b2": np.ones(3)}, "belong to no layer"),
    "name": ({"W1": np.ones((2, 3)), "weights": np.ones(3)}, "unexpected array"),
    "integers": ({"W1": np.ones((2, 3), np.int32)}, "dtype int32"),
    "mixed": ({"W1": np.ones((2, 3)), "b1": np.ones(2, np.float32)}, "use one dtype"),
    "nan": ({"W1": np.array([[np.nan, 1.0]])}, "'W1' holds 1 NaN"),
    "empty": ({"W1": np.ones((0, 3))}, "must be a matrix"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_contents(case: str, tmp_path: Path) -> None:
    arrays, message = BAD[case]
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(LoadError, match=message):
        load(tmp_path / "a.npz")
