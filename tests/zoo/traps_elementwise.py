"""Traps: networks where a careless rule would claim too much. Elementwise arithmetic, constants, comparisons.

A hidden space of 4 units between `a` (3 inputs) and `b` (2 outputs); the floor is zero, soundness is what is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .formula import formula


def _parts() -> Mapping[str, nn.Module | tuple[int, ...]]:
    return {"a": nn.Linear(3, 4), "b": nn.Linear(4, 2)}


def _two() -> Mapping[str, nn.Module | tuple[int, ...]]:
    return {"a": nn.Linear(3, 4), "c": nn.Linear(3, 4), "b": nn.Linear(4, 2)}


def _unit(name: str, source: str, rule: Callable[[Tensor], Tensor], theory: int | None = None, axis: int = 0) -> None:
    formula(f"trap_{name}", source, _parts, lambda s, x: s.b(rule(s.a(x))), theory=theory, axis=axis)


def _pair(name: str, source: str, rule: Callable[[Tensor, Tensor], Tensor], theory: int | None = None) -> None:
    formula(f"trap_{name}", source, _two, lambda s, x: s.b(rule(s.a(x), s.c(x))), theory=theory)


_unit(
    "relu_plus_one",
    "a constant after relu goes into the next bias, not under a second relu",
    lambda h: torch.relu(torch.relu(h) - 0.5),
    0,
)
_unit("add_ramp", "adding 0, 1, 2, 3 to the units", lambda h: torch.relu(h + torch.arange(4, dtype=h.dtype)))
_unit(
    "times_ramp",
    "constants per unit: scales stay, permutations go through the constants only if readers absorb them",
    lambda h: torch.relu(h * torch.arange(1, 5, dtype=h.dtype)),
    4,
)
_unit(
    "times_ramp_after",
    "constants per unit behind a tanh",
    lambda h: torch.tanh(h) * torch.arange(1, 5, dtype=h.dtype),
    0,
)
_unit("mask_two", "two units are masked away", lambda h: torch.relu(h) * torch.tensor([1.0, 0, 1, 0], dtype=h.dtype))
_unit("clamp_low", "clamp(min=-1) has no scale", lambda h: torch.clamp(h, min=-1.0), 0)
_unit("clamp_both", "hardtanh(-1, 2) is not odd", lambda h: F.hardtanh(h, -1.0, 2.0), 0)
_unit("threshold", "threshold 0.3 has no scale", lambda h: F.threshold(h, 0.3, 0.0), 0)
_unit(
    "leaky_by_where",
    "where(h > 0, h, h / 8): a comparison with zero keeps positive scale",
    lambda h: torch.where(h > 0, h, h / 8),
)
_unit("where_constant", "where(h > 0, h, 1): the constant kills the scale", lambda h: torch.where(h > 0, h, 1.0), 0)
_unit("where_above", "where(h > 0.1, h, 0)", lambda h: torch.where(h > 0.1, h, 0.0), 0)
_unit("sqrt_abs", "charge one half", lambda h: torch.sqrt(torch.abs(h)))
_unit("relu_cubed", "charge three, positive", lambda h: torch.relu(h) ** 3)
_unit("odd_power", "h |h| has charge two and odd sign", lambda h: h * torch.abs(h))
_unit("squares_added", "h^2 + h: charges differ", lambda h: h * h + h, 0)
_unit("relu_squares_added", "relu(h)^2 + relu(h): charges differ", lambda h: torch.relu(h) ** 2 + torch.relu(h), 0)
_unit("log", "log(h^2 + 1)", lambda h: torch.log(h * h + 1.0), 0)
_unit("log_abs", "log|a h| = log|h| + log a: additive, not a scale", lambda h: torch.log(torch.abs(h) + 1e-3))
_unit("round", "round is odd and has no scale", lambda h: torch.round(3 * h))
_unit("floor", "floor is not even odd", lambda h: torch.floor(3 * h))
_unit("fraction", "remainder", lambda h: torch.remainder(h, 1.0))
_unit("softplus_sharp", "softplus(beta=3)", lambda h: F.softplus(h, 3.0), 0)
_unit("relu_sigmoid", "relu(h) sigmoid(h)", lambda h: torch.relu(h) * torch.sigmoid(h), 0)
_unit("crelu", "cat of relu(h), relu(-h) as sum", lambda h: torch.relu(h) + 2 * torch.relu(-h))
_unit("elu_selu", "elu and a relu side by side", lambda h: F.elu(h) - torch.relu(h), 0)
_unit("to_float32", "a cast through float32", lambda h: torch.relu(h).float().to(h.dtype))
_unit("cosine_shift", "cos(h + 0.3): no sign", lambda h: torch.cos(h + 0.3), 0)
_unit("atan2", "atan2(h, 1) and no rule", lambda h: torch.atan2(h, torch.ones_like(h)))
_unit("identity_dropout", "dropout in eval mode", lambda h: F.dropout(torch.relu(h), 0.5, training=False), 4)
_unit("leaky_minus_one", "leaky relu of slope -1 is abs", lambda h: F.leaky_relu(h, -1.0))
_unit("sign_times", "sign(h) h = |h|", lambda h: torch.sign(h) * h)
_unit("reciprocal", "1 / (h^2 + 1)", lambda h: torch.reciprocal(h * h + 1.0), 0)
_unit("exp_difference", "exp(h) - exp(-h) is odd", lambda h: torch.exp(h / 2) - torch.exp(-h / 2), 0)

_pair("maximum", "max of two spaces: one positive scale for both", torch.maximum)
_pair("minimum", "min of two spaces", torch.minimum)
_pair("subtract", "a - c is linear: one unit each", lambda h, k: torch.relu(h - k), 4)
_pair("divide", "h / (1 + k^2)", lambda h, k: h / (1.0 + k * k))
_pair("select_by_other", "where(h > k, h, k) = max", lambda h, k: torch.where(h > k, h, k))
_pair(
    "select_by_sign",
    "where(k > 0, h, 0): h any scale, k positive",
    lambda h, k: torch.where(k > 0, h, torch.zeros_like(h)),
)
_pair("hypotenuse", "sqrt(h^2 + k^2 + eps)", lambda h, k: torch.sqrt(h * h + k * k + 0.1))
_pair("hypotenuse_exact", "sqrt(h^2 + k^2)", lambda h, k: torch.sqrt(h * h + k * k))
_pair("add_weighted", "add with alpha", lambda h, k: torch.relu(torch.add(h, k, alpha=0.3)), 4)
_pair("lerp", "h + 0.3 (k - h)", lambda h, k: torch.tanh(torch.lerp(h, k, 0.3)), 0)
_pair("product_and_sum", "h k + h: k's charge is forced to zero", lambda h, k: h * k + h)
_pair("square_and_product", "h^2 k: charges two and one", lambda h, k: h * h * k)


def _outputs(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.relu(s.a(x))
    return h, s.b(h)


formula("trap_hidden_is_output", "the hidden units are an output too: frozen by the output", _parts, _outputs, theory=0)
