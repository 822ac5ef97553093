r"""Activations and the linear maps that pass through them.

An activation rho has the *intertwiner group* of all invertible A for which some B
satisfies rho(A x) = B rho(x). For every function below except the identity it
consists of permutations times per-unit scalings, and the scalings follow a law

    rho(s x) = s**log * rho(x)   for s > 0      (``log`` is None: only s = 1),
    rho(-x) = -rho(x)  ("odd"),  rho(-x) = rho(x)  ("even"),  or neither (None).

Reference: Vlacic and Boelcskei, "Affine symmetries and neural network
identifiability" (2021); the laws are verified numerically in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from fiberscope.errors import InputError

if TYPE_CHECKING:
    import torch

Parity = Literal["odd", "even"]


@dataclass(frozen=True)
class Activation:
    """One activation and its scaling law.

    ``log``: exponent of a positive scaling (None: no scaling commutes), ``sign``:
    parity, ``linear``: commutes with every linear map.
    """

    name: str
    log: Fraction | None
    sign: Parity | None
    linear: bool = False

    @property
    def scaling(self) -> str:
        """The scalings that commute: ``one``, ``sign``, ``positive`` or ``nonzero``."""
        return scaling_name(self.log is not None, self.sign is not None)


def scaling_name(positive: bool, sign: bool) -> str:
    """Name the scaling group that has these two parts."""
    return {(False, False): "one", (False, True): "sign", (True, False): "positive", (True, True): "nonzero"}[
        (positive, sign)
    ]


def _table() -> dict[str, Activation]:
    one, zero = Fraction(1), Fraction(0)
    rows: list[Activation] = [Activation("identity", one, "odd", linear=True)]
    rows += [Activation(n, one, None) for n in ("relu", "leaky_relu", "prelu")]
    rows += [Activation("abs", one, "even"), Activation("square", Fraction(2), "even")]
    rows += [Activation("cube", Fraction(3), "odd")]
    rows += [Activation("sign", zero, "odd"), Activation("heaviside", zero, None)]
    odd = ("tanh", "erf", "softsign", "arctan", "sin", "hardtanh", "tanhshrink", "hardshrink", "softshrink")
    rows += [Activation(n, None, "odd") for n in odd]
    rows += [Activation(n, None, "even") for n in ("gaussian", "cos")]
    plain = ("sigmoid", "hardsigmoid", "relu6", "exp", "elu", "selu", "celu", "gelu", "gelu_tanh", "silu")
    plain += ("softplus", "hardswish", "mish", "logsigmoid")
    rows += [Activation(n, None, None) for n in plain]
    return {a.name: a for a in rows}


ACTIVATIONS: dict[str, Activation] = _table()
"""Every activation that Fiberscope knows by name, in lower case."""

_PARAMETERISED = re.compile(r"^([a-z_0-9]+)\(([^()]*)\)$")


def parse_activation(text: str) -> tuple[Activation, float | None]:
    """Read a name such as ``relu`` or ``leaky_relu(0.1)`` into its table row and parameter.

    >>> parse_activation("leaky_relu(0.1)")[1]
    0.1
    """
    match = _PARAMETERISED.match(text.strip())
    name, parameter = (match.group(1), match.group(2)) if match else (text.strip(), None)
    if name not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise InputError(f"unknown activation {text!r}; expected one of: {known}")
    if parameter is None:
        return ACTIVATIONS[name], None
    if name not in ("leaky_relu", "prelu", "elu", "celu"):
        raise InputError(f"activation {name!r} takes no parameter, got {text!r}")
    try:
        return ACTIVATIONS[name], float(parameter)
    except ValueError:
        raise InputError(f"activation {text!r}: the parameter must be a number") from None


def torch_function(text: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the torch function that an activation name means (elementwise, any shape).

    >>> import torch
    >>> torch_function("square")(torch.tensor([3.0]))
    tensor([9.])
    """
    import torch
    import torch.nn.functional as F

    row, p = parse_activation(text)
    slope = {"leaky_relu": 0.01, "prelu": 0.25, "elu": 1.0, "celu": 1.0}.get(row.name, 0.0) if p is None else p
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "identity": lambda x: x,
        "relu": F.relu,
        "leaky_relu": lambda x: F.leaky_relu(x, slope),
        "prelu": lambda x: F.leaky_relu(x, slope),
        "abs": torch.abs,
        "square": lambda x: x * x,
        "cube": lambda x: x * x * x,
        "sign": torch.sign,
        "heaviside": lambda x: (x > 0).to(x.dtype),
        "tanh": torch.tanh,
        "erf": torch.erf,
        "softsign": F.softsign,
        "arctan": torch.atan,
        "sin": torch.sin,
        "cos": torch.cos,
        "gaussian": lambda x: torch.exp(-x * x),
        "hardtanh": F.hardtanh,
        "tanhshrink": F.tanhshrink,
        "hardshrink": F.hardshrink,
        "softshrink": F.softshrink,
        "sigmoid": torch.sigmoid,
        "hardsigmoid": F.hardsigmoid,
        "relu6": F.relu6,
        "exp": torch.exp,
        "elu": lambda x: F.elu(x, slope),
        "selu": F.selu,
        "celu": lambda x: F.celu(x, slope),
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "softplus": F.softplus,
        "hardswish": F.hardswish,
        "mish": F.mish,
        "logsigmoid": F.logsigmoid,
    }
    return functions[row.name]
