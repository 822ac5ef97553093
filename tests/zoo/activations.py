"""Multilayer perceptrons 3-5-4-2 with every activation of the table of intertwiner groups.

Hidden units 9: a scaling activation (relu-like, power-like) gives one dimension per unit, all others none.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo

UNITS = 5 + 4


class Perceptron(nn.Module):
    """Linear layers with one elementwise activation between them."""

    def __init__(self, widths: tuple[int, ...], activation: Callable[[Tensor], Tensor], *, bias: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in pairwise(widths))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


POSITIVE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.13),
    "heaviside_ramp": lambda x: torch.clamp(x, min=0.0),
}
NONZERO: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "square": lambda x: x * x,
    "pow2": lambda x: x**2,
    "cube": lambda x: x**3,
}
SIGN: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "erf": torch.erf,
    "softsign": F.softsign,
    "arctan": torch.atan,
    "sin": torch.sin,
    "cos": torch.cos,
    "hardtanh": F.hardtanh,
    "tanhshrink": F.tanhshrink,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "gaussian": lambda x: torch.exp(-x * x),
}
NONE: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "relu6": F.relu6,
    "exp": torch.exp,
    "elu": F.elu,
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.3),
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "logsigmoid": F.logsigmoid,
}


def _register(name: str, activation: Callable[[Tensor], Tensor], axis: int, scaling: str) -> None:
    spaces = (SpaceFact(5, scaling=scaling), SpaceFact(4, scaling=scaling))

    @zoo(f"mlp_{name}", axis, theory=axis, spaces=spaces, source="intertwiner table, one-node groups")
    def build() -> tuple[nn.Module, Inputs]:
        return Perceptron((3, 5, 4, 2), activation), (torch.randn(2, 3),)


for _name, _activation in POSITIVE.items():
    _register(_name, _activation, UNITS, "positive")
for _name, _activation in NONZERO.items():
    _register(_name, _activation, UNITS, "nonzero")
for _name, _activation in SIGN.items():
    _register(_name, _activation, 0, "sign")
for _name, _activation in NONE.items():
    _register(_name, _activation, 0, "one")


@zoo("mlp_sign", UNITS, spaces=(SpaceFact(5), SpaceFact(4)), source="sign(beta t) = sgn(beta) sign(t): beta nonzero")
def mlp_sign() -> tuple[nn.Module, Inputs]:
    return Perceptron((3, 5, 4, 2), torch.sign), (torch.randn(2, 3),)


@zoo("mlp_step", 0, spaces=(SpaceFact(5), SpaceFact(4)), source="heaviside(beta t) for beta > 0; floor: permutations")
def mlp_step() -> tuple[nn.Module, Inputs]:
    return Perceptron((3, 5, 4, 2), lambda x: (x > 0).to(x.dtype)), (torch.randn(2, 3),)


@zoo("mlp_prelu", UNITS, theory=UNITS, spaces=(SpaceFact(5, scaling="positive"),), source="as leaky, one shared slope")
def mlp_prelu() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Linear(3, 5), nn.PReLU(), nn.Linear(5, 4), nn.PReLU(), nn.Linear(4, 2)), (
        torch.randn(2, 3),
    )


@zoo("mlp_prelu_each", UNITS, theory=UNITS, spaces=(SpaceFact(5), SpaceFact(4)), source="slopes travel with the units")
def mlp_prelu_each() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Linear(3, 5), nn.PReLU(5), nn.Linear(5, 4), nn.PReLU(4), nn.Linear(4, 2)), (
        torch.randn(2, 3),
    )


@zoo("mlp_no_bias", UNITS, theory=UNITS, spaces=(SpaceFact(5),), source="as relu")
def mlp_no_bias() -> tuple[nn.Module, Inputs]:
    return Perceptron((3, 5, 4, 2), F.relu, bias=False), (torch.randn(2, 3),)


@zoo("mlp_width_one", 2, theory=2, spaces=(SpaceFact(1, "none"),), source="one positive scale per relu unit")
def mlp_width_one() -> tuple[nn.Module, Inputs]:
    return Perceptron((3, 1, 1, 2), F.relu), (torch.randn(2, 3),)


@zoo("mlp_all_ones", 1, theory=1, source="one relu unit, one input, one output")
def mlp_all_ones() -> tuple[nn.Module, Inputs]:
    return Perceptron((1, 1, 1), F.relu), (torch.randn(2, 1),)


@zoo("mlp_mixed_activations", 5, theory=5, spaces=(SpaceFact(5), SpaceFact(4, scaling="sign")), source="relu 5, tanh 4")
def mlp_mixed_activations() -> tuple[nn.Module, Inputs]:
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)), (torch.randn(2, 3),)


class Maxout(nn.Module):
    """max over pieces: units (4) by pieces (3); a positive scale per unit, pieces permute inside."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 12), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).view(x.shape[0], 4, 3).amax(-1))


@zoo("mlp_maxout", 0, theory=4, source="max commutes with positive scale; floor: an op without a rule freezes")
def mlp_maxout() -> tuple[nn.Module, Inputs]:
    return Maxout(), (torch.randn(2, 3),)


class TwoReaders(nn.Module):
    """One hidden space read by relu and by tanh: scaling meets to one, permutation remains."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.a(torch.relu(hidden)) + self.b(torch.tanh(hidden))


@zoo("mlp_two_readers", 0, theory=0, spaces=(SpaceFact(5),), source="meet of positive and sign is one")
def mlp_two_readers() -> tuple[nn.Module, Inputs]:
    return TwoReaders(), (torch.randn(2, 3),)
