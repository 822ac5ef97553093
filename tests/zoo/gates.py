"""Gated units value * act(gate): charges add; a value may carry any nonzero scale, a relu gate a positive one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo


class Gated(nn.Module):
    """down(act(gate x) * up x)."""

    def __init__(self, activation: Callable[[Tensor], Tensor], *, fused: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.activation, self.fused = activation, fused
        if fused:
            self.both = nn.Linear(5, 14, bias)
        else:
            self.gate, self.up = nn.Linear(5, 7, bias), nn.Linear(5, 7, bias)
        self.down = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.both(x).chunk(2, -1) if self.fused else (self.gate(x), self.up(x))
        return self.down(self.activation(gate) * up)


def _register(name: str, activation: Callable[[Tensor], Tensor], axis: int, *, fused: bool = False) -> None:
    @zoo(name, axis, theory=axis, spaces=(SpaceFact(7),), source="gated units: charges of value and gate add")
    def build() -> tuple[nn.Module, Inputs]:
        return Gated(activation, fused=fused), (torch.randn(2, 5),)


_register("swiglu", F.silu, 7)
_register("swiglu_fused", F.silu, 7, fused=True)
_register("geglu", F.gelu, 7)
_register("geglu_tanh", lambda x: F.gelu(x, approximate="tanh"), 7)
_register("glu", torch.sigmoid, 7)
_register("reglu", F.relu, 14)
_register("bilinear_gate", lambda x: x, 14)
_register("tanh_gate", torch.tanh, 7)


class Highway(nn.Module):
    """t h + (1 - t) x: the constant one forces charge zero on t, so t's scale is one; x is the residual stream."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.h, self.t, self.out = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        t = torch.sigmoid(self.t(x))
        return self.out(t * torch.relu(self.h(x)) + (1 - t) * x)


# relu(h) and x are added: one positive scale per channel of the stream.
@zoo("highway", 4, theory=4, spaces=(SpaceFact(4, scaling="positive"),), source="stream scaled, gate not")
def highway() -> tuple[nn.Module, Inputs]:
    return Highway(), (torch.randn(2, 3),)


class Attenuated(nn.Module):
    """x / (1 + |x|) written out, then squared: sign only, although each part alone would scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(h / (1.0 + h.abs()))


@zoo("ratio_softsign", 0, theory=0, spaces=(SpaceFact(5),), source="adding one forces charge zero: at most signs")
def ratio_softsign() -> tuple[nn.Module, Inputs]:
    return Attenuated(), (torch.randn(2, 3),)


class Rational(nn.Module):
    """a * b / (c + c): charges 1 + 1 - 1, three linear maps of one input."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.last = nn.Linear(3, 5), nn.Linear(3, 5), nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.a(x) * self.b(x) / (torch.exp(self.c(x)) + 0.5))


@zoo("rational_units", 10, theory=10, spaces=(SpaceFact(5),), source="a and b each any nonzero scale, c none")
def rational_units() -> tuple[nn.Module, Inputs]:
    return Rational(), (torch.randn(2, 3),)
