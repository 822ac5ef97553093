"""What the equality of chains needs to know about an activation: its law, its constants, its values in float64."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from fiberscope.activations.evaluation import rational_value
from fiberscope.activations.expression import Expr, X, number
from fiberscope.activations.functions import FUNCTIONS
from fiberscope.activations.table import parse_activation


@dataclass(frozen=True)
class Law:
    """``rho(s x) = multiplier(s) rho(x)`` for every scale ``s`` that ``allows`` admits."""

    log: int | None
    sign: str | None

    def allows(self, scale: Fraction) -> bool:
        """Whether this scale passes through the activation."""
        if scale == 0 or (scale < 0 and self.sign is None):
            return False
        return self.log is not None or abs(scale) == 1

    def multiplier(self, scale: Fraction) -> Fraction:
        """The factor on the output that belongs to factor ``scale`` on the input."""
        size = abs(scale) ** self.log if self.log is not None else Fraction(1)
        return -size if scale < 0 and self.sign == "odd" else size

    def multipliers(self, scales: np.ndarray) -> np.ndarray:
        """``multiplier`` for float64 scales (rounded where a power does not fit)."""
        size = np.abs(scales) ** self.log if self.log is not None else np.ones_like(scales)
        return np.where(scales < 0, -size, size) if self.sign == "odd" else size


@lru_cache(maxsize=256)
def law(name: str) -> Law:
    """The law of an activation name (``leaky_relu(0.1)`` and the like included).

    >>> law("square").multiplier(Fraction(3))
    Fraction(9, 1)
    """
    row, parameter = parse_activation(name)
    if row.linear:  # never met between affine maps, which compose; a scale is all a unit may have
        return Law(1, "odd")
    log = None if row.log is None or row.log.denominator != 1 else int(row.log)
    return Law(log, "even" if row.slope_below(parameter) == -1 else row.sign)


_RATIONAL = frozenset(("relu", "leaky_relu", "abs", "relu6", "hardtanh", "square", "cube"))
"""Activations that are folded at any rational point; the others, where known, at 0 only."""
_AT_ZERO = {name: Fraction(0) for name in ("tanh", "erf", "softsign", "arctan", "sin", "tanhshrink", "hardshrink")}
_AT_ZERO |= {name: Fraction(0) for name in ("softshrink", "elu", "selu", "celu", "gelu", "gelu_tanh", "silu")}
_AT_ZERO |= {"hardswish": Fraction(0), "sigmoid": Fraction(1, 2), "exp": Fraction(1), "cos": Fraction(1)}


def constant(name: str, x: Fraction) -> Fraction | None:
    """The exact value of the activation at a rational point, or None where it is not known to be rational."""
    row, parameter = parse_activation(name)
    if row.name in _RATIONAL:
        return rational_value(_expression(row.name, row.parameter if parameter is None else parameter), x)
    return _AT_ZERO.get(row.name) if x == 0 else None


@lru_cache(maxsize=256)
def _expression(name: str, parameter: float | None) -> Expr:
    """The activation with its parameter's float64 value, exactly."""
    return FUNCTIONS[name].build(X, *([] if parameter is None else [number(parameter)]))


def value(name: str, x: np.ndarray) -> np.ndarray:
    """The activation elementwise in float64."""
    if name == "relu":
        return np.maximum(x, 0.0)
    if name == "tanh":
        return np.tanh(x)
    if name.startswith("leaky_relu("):
        slope = float(name[len("leaky_relu(") : -1])
        return np.where(x > 0, x, slope * x)
    import torch

    from fiberscope.activations.in_torch import torch_function

    return torch_function(name)(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def derivative(name: str, x: np.ndarray) -> np.ndarray:
    """The derivative elementwise in float64 (a one-sided one at a kink)."""
    if name == "relu":
        return (x > 0).astype(np.float64)
    if name == "tanh":
        return 1.0 - np.tanh(x) ** 2
    import torch

    from fiberscope.activations.in_torch import torch_function

    with torch.enable_grad():
        t = torch.from_numpy(np.array(x)).requires_grad_(True)
        y = torch_function(name)(t).sum()
        if not y.requires_grad:
            return np.zeros_like(x)
        return torch.autograd.grad(y, t)[0].numpy()
