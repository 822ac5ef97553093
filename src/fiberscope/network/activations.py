"""The activation functions of plain multilayer perceptrons, by the names of ``torch.nn.functional``.

A name may carry its parameter in brackets: ``leaky_relu(0.1)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.errors import LoadError

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": F.relu,
    "abs": torch.abs,
    "square": torch.square,
    "cube": lambda x: x * x * x,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "softsign": F.softsign,
    "arctan": torch.atan,
    "sin": torch.sin,
    "cos": torch.cos,
    "gaussian": lambda x: torch.exp(-torch.square(x)),
    "hardtanh": F.hardtanh,
    "tanhshrink": F.tanhshrink,
    "hardsigmoid": F.hardsigmoid,
    "relu6": F.relu6,
    "exp": torch.exp,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "logsigmoid": F.logsigmoid,
    "sign": torch.sign,
    "heaviside": lambda x: (x > 0).to(x.dtype),
}
PARAMETRIC: dict[str, tuple[float, Callable[[Tensor, float], Tensor]]] = {
    "leaky_relu": (0.01, F.leaky_relu),
    "prelu": (0.25, F.leaky_relu),
    "elu": (1.0, F.elu),
    "celu": (1.0, F.celu),
    "hardshrink": (0.5, F.hardshrink),
    "softshrink": (0.5, F.softshrink),
}
PATTERN = re.compile(r"([a-z_0-9]+)(?:\(\s*([-+.0-9e]+)\s*\))?")


def activation(text: str) -> Callable[[Tensor], Tensor]:
    """The function that a name means.

    Errors: :class:`LoadError` for an unknown name or a bad parameter.

    >>> activation("leaky_relu(0.5)")(torch.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """
    match = PATTERN.fullmatch(text.strip().lower())
    name, parameter = match.groups() if match else (text, None)
    if name in PARAMETRIC:
        default, function = PARAMETRIC[name]
        value = default if parameter is None else parse(text, parameter)
        return lambda x: function(x, value)
    if name in FUNCTIONS and parameter is None:
        return FUNCTIONS[name]
    known = ", ".join(sorted([*FUNCTIONS, *PARAMETRIC]))
    raise LoadError(f"unknown activation {text[:60]!r}; known: {known} (a slope as in 'leaky_relu(0.1)')")


def parse(text: str, parameter: str) -> float:
    """The number in brackets."""
    try:
        value = float(parameter)
    except ValueError as error:
        raise LoadError(f"activation {text[:60]!r}: {parameter!r} is not a number") from error
    if not math.isfinite(value):
        raise LoadError(f"activation {text[:60]!r}: the parameter must be finite")
    return value
