r"""The laws of the built-in activations that every floor needs: names, parameters, scalings, parity, reflection.

    rho(s x) = s**log * rho(x)   for s > 0      (``log`` is None: only s = 1),
    rho(-x) = -rho(x)  ("odd"),  rho(-x) = rho(x)  ("even"),  or neither (None),
    rho(x) - rho(-x) = L x       ("reflection" L; None where no such L exists).

``log`` and ``sign`` give the *intertwiner group*, all invertible A with rho(A x) = B rho(x) for some B: permutations
times the scalings that commute, or every invertible matrix where rho is ``linear``.
Reference: Vlacic and Boelcskei, "Affine symmetries and neural network identifiability" (2021); the tests derive every
row again from the expression of the activation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from fiberscope.errors import InputError

Parity = Literal["odd", "even"]


@dataclass(frozen=True)
class ScalingLaw:
    """One activation: ``log``, ``sign``, ``linear`` as above; ``parameter`` is its default where it takes one."""

    name: str
    log: Fraction | None
    sign: Parity | None
    linear: bool = False
    parameter: float | None = None
    offset: int | None = None  # the reflection law's L, but for the slope of a leaky ReLU

    @property
    def scaling(self) -> str:
        """The scalings that commute: ``one``, ``sign``, ``positive`` or ``nonzero``."""
        return scaling_name(self.log is not None, self.sign is not None)

    def reflection(self, parameter: float | None = None) -> Fraction | None:
        """L of the reflection law, exactly (a slope is its float64 value), or None.

        >>> LAWS["gelu"].reflection(), LAWS["leaky_relu"].reflection(0.5), LAWS["tanh"].reflection()
        (Fraction(1, 1), Fraction(3, 2), None)
        """
        if self.name in ("leaky_relu", "prelu"):
            return 1 + Fraction(self.parameter or 0.0 if parameter is None else parameter)
        return None if self.offset is None else Fraction(self.offset)


def scaling_name(positive: bool, sign: bool) -> str:
    """Name the scaling group that has these two parts."""
    return {(False, False): "one", (False, True): "sign", (True, False): "positive", (True, True): "nonzero"}[
        (positive, sign)
    ]


def _table() -> dict[str, ScalingLaw]:
    one, zero = Fraction(1), Fraction(0)
    rows = [
        ScalingLaw("identity", one, "odd", linear=True, offset=2),
        ScalingLaw("relu", one, None, offset=1),
        ScalingLaw("leaky_relu", one, None, parameter=0.01),
        ScalingLaw("prelu", one, None, parameter=0.25),
        ScalingLaw("abs", one, "even", offset=0),
        ScalingLaw("square", Fraction(2), "even", offset=0),
        ScalingLaw("cube", Fraction(3), "odd"),
        ScalingLaw("sign", zero, "odd"),
        ScalingLaw("heaviside", zero, None),
    ]
    odd = ("tanh", "erf", "softsign", "arctan", "sin", "hardtanh", "tanhshrink")
    rows += [ScalingLaw(n, None, "odd") for n in odd]
    rows += [ScalingLaw(n, None, "odd", parameter=0.5) for n in ("hardshrink", "softshrink")]
    rows += [ScalingLaw(n, None, "even", offset=0) for n in ("gaussian", "cos")]
    half_linear = ("gelu", "gelu_tanh", "silu", "softplus", "hardswish", "logsigmoid")
    rows += [ScalingLaw(n, None, None, offset=1) for n in half_linear]
    rows += [ScalingLaw(n, None, None) for n in ("sigmoid", "hardsigmoid", "relu6", "exp", "selu", "mish")]
    rows += [ScalingLaw(n, None, None, parameter=1.0) for n in ("elu", "celu")]
    return {row.name: row for row in rows}


LAWS: Mapping[str, ScalingLaw] = MappingProxyType(_table())
"""Every activation that Fiberscope knows by name, in lower case."""

_NAME = re.compile(r"([a-z_0-9]+)(?:\(\s*([-+.0-9e]+)\s*\))?")


def read_name(text: str) -> tuple[ScalingLaw, str | None]:
    """A name such as ``relu`` or ``leaky_relu(0.1)`` as its law and the text of its parameter.

    Errors: `InputError` for an unknown name, a parameter that is no finite number, or one that is not taken.

    >>> read_name("leaky_relu(0.1)")[1]
    '0.1'
    """
    match = _NAME.fullmatch(text.strip().lower())
    name, parameter = match.groups() if match else (text, None)
    law = LAWS.get(name)
    if law is None:
        known = ", ".join(sorted(LAWS))
        raise InputError(f"unknown activation {text[:60]!r}; expected one of: {known} (a slope as in leaky_relu(0.1))")
    if parameter is None:
        return law, None
    if law.parameter is None:
        raise InputError(f"activation {name!r} takes no parameter, got {text[:60]!r}")
    try:
        number = float(parameter)
    except ValueError:
        raise InputError(f"activation {text[:60]!r}: the parameter must be a number") from None
    if not abs(number) <= 1e300:
        raise InputError(f"activation {text[:60]!r}: the parameter must be finite")
    return law, parameter
