"""One-line networks in float64, and how much a claimed group changes their outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fiberscope.equivalence.sampling import sample_inputs
from fiberscope.network import Network, load
from fiberscope.symmetry.symmetries import Symmetries


class Program(nn.Module):
    """forward(x...) = rule(self, x...); parts: modules, shapes of random parameters, or tensors made parameters."""

    def __init__(self, rule: Callable[..., Any], parts: Mapping[str, Any]) -> None:
        super().__init__()
        self.rule = rule
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                self.add_module(name, part)
            else:
                value = part if isinstance(part, Tensor) else torch.randn(part, dtype=torch.float64)
                self.register_parameter(name, nn.Parameter(value.to(torch.float64)))

    def forward(self, *x: Tensor) -> Any:
        return self.rule(self, *x)


def program(rule: Callable[..., Any], *shapes: tuple[int, ...], **parts: Any) -> Network:
    """Build and load a Program on random inputs of these shapes; module parts are given as functions that make them."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        made = {n: p() if callable(p) and not isinstance(p, (nn.Module, Tensor)) else p for n, p in parts.items()}
        inputs = tuple(torch.randn(s, dtype=torch.float64) for s in shapes)
        return load(Program(rule, made).double().eval(), inputs)


def largest_change(net: Network, sym: Symmetries, seeds: int = 5) -> float:
    """Largest relative change of the outputs on random inputs under random elements of the claimed group."""
    x = 2 * sample_inputs(net, 16, np.random.default_rng(1))
    y = net.run_flat(x)
    size = max(float(np.abs(y).max()), 1e-30)
    return max(float(np.abs(sym.random(s)(net).run_flat(x) - y).max()) for s in range(seeds)) / size
