"""Random programs over features of shape (2, 5, n): linear maps, activations, products, views, attention, tied weights.

A fuzzer for claims: every program is exported like any network; all that is known of its group is that it holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (2, 3, 4, 4, 6)
UNARY: list[Callable[[Tensor], Tensor]] = [
    torch.relu,
    torch.relu,
    torch.tanh,
    torch.abs,
    torch.sigmoid,
    F.gelu,
    F.silu,
    torch.sin,
    lambda x: x * x,
    lambda x: x**3 / 4,
    lambda x: F.leaky_relu(x, 0.2),
    lambda x: x + 1.0,
    lambda x: 0.5 * x,
    lambda x: -x,
    lambda x: 1.0 / (1.0 + x * x),
    lambda x: x.flip(-1),
    lambda x: torch.roll(x, 1, -1),
    lambda x: x.flip(1),
    lambda x: x.softmax(-1),
    lambda x: x.softmax(1),
    lambda x: x - x.mean(-1, keepdim=True),
    lambda x: x - x.mean(1, keepdim=True),
    lambda x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 0.1),
    lambda x: F.layer_norm(x, x.shape[-1:], eps=0.1),
    lambda x: x * torch.arange(1, x.shape[-1] + 1, dtype=x.dtype),
    lambda x: x + torch.arange(5, dtype=x.dtype)[:, None],
    lambda x: x.amax(1, keepdim=True) + x,
    lambda x: F.hardtanh(x),
    lambda x: x * torch.sigmoid(x.mean(-1, keepdim=True)),
    lambda x: torch.cumsum(x, 1) / 3,
    lambda x: x.clamp(min=0),
    lambda x: torch.where(x > 0, x, x / 5),
    lambda x: F.normalize(x, dim=-1),
    lambda x: x.transpose(0, 1).transpose(0, 1),
]
BINARY: list[Callable[[Tensor, Tensor], Tensor]] = [
    torch.add,
    torch.add,
    torch.sub,
    torch.mul,
    torch.mul,
    torch.maximum,
    torch.minimum,
    lambda x, y: x / (1.0 + y * y),
    lambda x, y: torch.where(x > 0, y, 0 * y),
    lambda x, y: x * torch.sigmoid(y),
    lambda x, y: torch.cat([x, y], -1),
    lambda x, y: x @ y.transpose(1, 2) / 3,
    lambda x, y: (x @ y.transpose(1, 2)).softmax(-1) @ y,
    lambda x, y: torch.cat([y, x], -1),
    lambda x, y: (x @ y.transpose(1, 2)).softmax(-1) @ x,
    lambda x, y: (x[..., :, None] * y[..., None, :]).flatten(-2)[..., :6],
    lambda x, y: x * y.mean(1, keepdim=True),
    lambda x, y: (x * y).sum(-1, keepdim=True) * x,
    lambda x, y: torch.hypot(x, y + 0.1),
]


class Program(nn.Module):
    """`steps` instructions drawn from a seed; forward replays them and reads the last two features out."""

    def __init__(self, seed: int, steps: int = 8) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.weights = nn.ParameterList()
        self.code: list[Callable[[list[Tensor]], Tensor]] = []
        self.widths = [4]
        for _ in range(2):
            self.linear(0)
        shapes = [torch.zeros(2, 5, n, dtype=torch.float64) for n in self.widths]
        for _ in range(steps):
            self.draw(shapes)
            with torch.no_grad():
                made = self.code[-1](shapes)
            self.widths.append(made.shape[-1])
            shapes.append(torch.zeros_like(made))
        self.heads = nn.ModuleList(nn.Linear(n, 2) for n in self.widths[-2:])

    def weight(self, *shape: int) -> int:
        values = self.rng.standard_normal(shape) / np.sqrt(shape[-1])
        self.weights.append(nn.Parameter(torch.from_numpy(values)))
        return len(self.weights) - 1

    def linear(self, source: int) -> None:
        n_in, n_out = self.widths[source], int(self.rng.choice(WIDTHS))
        w, b = self.weight(n_out, n_in), self.weight(n_out)
        self.code.append(lambda v: F.linear(v[source], self.weights[w], self.weights[b]))
        if len(self.widths) < 3:
            self.widths.append(n_out)

    def pick(self) -> int:
        """A recent feature, sometimes an old one."""
        n = len(self.widths)
        return int(self.rng.integers(max(0, n - 4), n)) if self.rng.random() < 0.8 else int(self.rng.integers(n))

    def draw(self, shapes: list[Tensor]) -> None:
        source, kind = self.pick(), self.rng.random()
        if kind < 0.3:
            self.linear(source)
        elif kind < 0.6:
            rule = UNARY[int(self.rng.integers(len(UNARY)))]
            self.code.append(lambda v: rule(v[source]))
        elif kind < 0.85:
            self.pair(source)
        elif kind < 0.95:
            self.regroup(source)
        else:
            self.reuse(source)

    def pair(self, source: int) -> None:
        same = [i for i, n in enumerate(self.widths) if n == self.widths[source]]
        other, rule = int(self.rng.choice(same)), BINARY[int(self.rng.integers(len(BINARY)))]
        self.code.append(lambda v: rule(v[source], v[other]))

    def regroup(self, source: int) -> None:
        """Halves swapped or multiplied, views transposed, norms over groups, convolution over tokens."""
        n, choice = self.widths[source], int(self.rng.integers(6))
        if n % 2:
            w = self.weight(n, 1, 3)
            self.code.append(
                lambda v: F.conv1d(v[source].transpose(1, 2), self.weights[w], padding=1, groups=n).transpose(1, 2)
            )
            return
        w = self.weight(n, n, 1)
        rules: list[Callable[[Tensor], Tensor]] = [
            lambda x: torch.cat([x[..., n // 2 :], x[..., : n // 2]], -1),
            lambda x: x[..., : n // 2] * x[..., n // 2 :],
            lambda x: x.unflatten(-1, (2, n // 2)).transpose(-1, -2).flatten(-2),
            lambda x: F.layer_norm(x.unflatten(-1, (2, n // 2)), (n // 2,), eps=0.1).flatten(-2),
            lambda x: x.unflatten(-1, (n // 2, 2)).amax(-1),
            lambda x: F.conv1d(x.transpose(1, 2), self.weights[w]).transpose(1, 2),
        ]
        self.code.append(lambda v: rules[choice](v[source]))

    def reuse(self, source: int) -> None:
        """A weight met before, as it stands or transposed, or a residual when none fits."""
        n = self.widths[source]
        fit = [i for i, w in enumerate(self.weights) if w.ndim == 2 and n in w.shape]
        if not fit:
            self.code.append(lambda v: v[source] + torch.relu(v[source]))
            return
        w = int(self.rng.choice(fit))
        if self.weights[w].shape[1] == n:
            self.code.append(lambda v: F.linear(v[source], self.weights[w]))
        else:
            self.code.append(lambda v: v[source] @ self.weights[w])

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for step in self.code:
            values.append(step(values))
        return (self.heads[0](values[-2]) + self.heads[1](torch.tanh(values[-1]))).mean(1)
