"""Networks with channels that are linear on [0, 1] planted in their layer c1."""

from __future__ import annotations

from typing import Any

import torch
from tests.equivalence.test_compression_graph import filled
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block of fully connected layers."""

    shape = (6,)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.out, self.rho = nn.Linear(6, 9), nn.Linear(9, 6), nn.Linear(6, 3), rho

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rho(x + self.c2(self.rho(self.c1(x)))))


class Pooled(nn.Module):
    """A convolution, means over windows, a convolution without padding."""

    shape = (2, 8, 8)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.out, self.rho = nn.Conv2d(2, 9, 3), nn.Conv2d(9, 4, 2), nn.Linear(4, 3), rho

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rho(self.c2(F.avg_pool2d(self.rho(self.c1(x)), 2))).mean((2, 3)))


class Padded(nn.Module):
    """The channels are read in front of zero padding."""

    shape = (2, 4, 4)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.rho = nn.Conv2d(2, 9, 3, padding=1), nn.Conv2d(9, 3, 3, padding=1), rho

    def forward(self, x: Tensor) -> Tensor:
        return self.c2(self.rho(self.c1(x)))


class Joined(nn.Module):
    """Read twice: beside another branch, and flattened."""

    shape = (2, 4, 4)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.side, self.c1, self.c2 = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 9, 3), nn.Conv2d(12, 4, 2)
        self.out, self.head, self.rho = nn.Linear(4, 3), nn.Linear(36, 3), rho

    def forward(self, x: Tensor) -> Tensor:
        h = self.rho(self.c1(x))
        joined = torch.cat([self.rho(self.side(x)), h], dim=1)
        return self.out(self.rho(self.c2(joined)).flatten(1)) + self.head(h.flatten(1))


class Largest(Pooled):
    """The largest of a window is no linear function of the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rho(self.c2(F.max_pool2d(self.rho(self.c1(x)), 2))).mean((2, 3)))


KINDS: dict[str, Any] = {"block": Block, "pooled": Pooled, "padded": Padded, "joined": Joined}
WANTED = {"folded": 2, "opposite": 1}


def planted(kind: str, rho: nn.Module, seed: int = 0, *, double: bool = False) -> tuple[Any, Tensor]:
    """Units 0 to 3 are nowhere negative on [0, 1], 4 and 5 combinations of them; 6 bends, 7 is -2 times 6, and 6 is a
    combination of 0 and 1. Constants are left over except in front of zero padding."""
    module = filled((Largest if kind == "largest" else KINDS[kind])(rho), seed)
    module = module.double() if double else module
    w, b = module.c1.weight, module.c1.bias
    left = 0.0 if kind == "padded" else 0.25
    with torch.no_grad():
        w[:4], b[:4] = w[:4].abs(), b[:4].abs()
        for v, constant in ((w, 0.0), (b, left)):
            v[4] = 0.5 * v[0] + 0.75 * v[1] + constant
            v[5] = v[2] + 2 * v[3] + constant
            v[6] = v[0] - 1.5 * v[1] - constant
            v[7] = -2 * v[6]
        if left:
            for i, factor in ((6, 1.0), (8, 1.0), (7, -2.0)):  # they bend at the centre of the box
                b[i] = -(w[i].sum() / 2) if i != 7 else factor * b[6]
    example = torch.zeros(2, *module.shape, dtype=w.dtype)
    return module, example
