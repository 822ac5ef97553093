"""The built-in activations as torch functions, by the names and with the default parameters of the table of laws."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fiberscope.activations.table import parse_activation

if TYPE_CHECKING:
    import torch


def torch_function(text: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The torch function that a name means (elementwise, any shape), with its parameter in float64.

    Errors: `InputError` for an unknown name or a bad parameter.

    >>> import torch
    >>> torch_function("softshrink(2)")(torch.tensor([-3.0, 1.0]))
    tensor([-1.,  0.])
    """
    law, given = parse_activation(text)
    function = _functions()[law.name]
    parameter = law.parameter if given is None else given
    return function if parameter is None else lambda x: function(x, parameter)


@lru_cache(maxsize=1)
def _functions() -> dict[str, Callable[..., Any]]:
    """Every row of the table; those with a parameter take it second."""
    import torch
    import torch.nn.functional as F

    return {
        "identity": lambda x: x,
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "prelu": F.leaky_relu,
        "abs": torch.abs,
        "square": torch.square,
        "cube": lambda x: x * x * x,
        "sign": torch.sign,
        "heaviside": lambda x: (x > 0).to(x.dtype),
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
        "hardshrink": F.hardshrink,
        "softshrink": F.softshrink,
        "hardsigmoid": F.hardsigmoid,
        "relu6": F.relu6,
        "exp": torch.exp,
        "elu": F.elu,
        "selu": F.selu,
        "celu": F.celu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "softplus": F.softplus,
        "hardswish": F.hardswish,
        "mish": F.mish,
        "logsigmoid": F.logsigmoid,
    }
