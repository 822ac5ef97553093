"""A module from parts and one line of forward: for short zoo members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo


class Formula(nn.Module):
    """forward(x...) = rule(self, x...), with `parts` as attributes (modules, or shapes of parameters)."""

    def __init__(self, parts: Mapping[str, nn.Module | tuple[int, ...]], rule: Callable[..., Any]) -> None:
        super().__init__()
        self.rule = rule
        for name, part in parts.items():
            if isinstance(part, tuple):
                self.register_parameter(name, nn.Parameter(torch.randn(part)))
            else:
                self.add_module(name, part)

    def forward(self, *x: Tensor) -> Any:
        return self.rule(self, *x)


def formula(
    name: str,
    source: str,
    parts: Callable[[], Mapping[str, nn.Module | tuple[int, ...]]],
    rule: Callable[..., Any],
    *shapes: tuple[int, ...],
    axis: int = 0,
    theory: int | None = None,
    spaces: tuple[SpaceFact, ...] = (),
) -> None:
    """Register a Formula whose inputs are random tensors of the given shapes (default: 2 samples of 3)."""

    @zoo(name, axis, theory=theory, spaces=spaces, source=source)
    def build() -> tuple[nn.Module, Inputs]:
        return Formula(parts(), rule), tuple(torch.randn(shape) for shape in (shapes or ((2, 3),)))
