r"""The laws of the built-in activations that every floor needs: names, parameters, scalings, parity, reflection.

    rho(s x) = s**log * rho(x)   for s > 0      (``log`` is None: only s = 1),
    rho(-x) = -rho(x)  ("odd"),  rho(-x) = rho(x)  ("even"),  or neither (None),
    rho(x) - rho(-x) = L x       ("reflection" L; None where no such L exists).

``log`` and ``sign`` give the *intertwiner group*, all invertible A with rho(A x) = B rho(x) for some B: permutations
times the scalings that commute, or every invertible matrix where rho is ``linear``.
Reference: Vlacic and Boelcskei, "Affine symmetries and neural network identifiability" (2021); the tests derive every
row again from the expression of the activation. Every other module reads the laws, the names and the default parameters
from here. The one thing that is read in two ways is a parameter: `read_name` gives its text, for proofs about the
decimal that is meant; `parse_activation` gives its float64, for the function that a stored network computes.
"""

from __future__ import annotations

import math
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
    offset: int | None = None  # the reflection law's L where no slope gives it

    @property
    def scaling(self) -> str:
        """The scalings that commute: ``one``, ``sign``, ``positive`` or ``nonzero``."""
        return scaling_name(self.log is not None, self.sign is not None)

    def slope_below(self, parameter: float | None = None) -> Fraction | None:
        """c of a function that is x for x > 0 and c x for x < 0, exactly (a slope is its float64 value); else None.

        >>> LAWS["abs"].slope_below(), LAWS["leaky_relu"].slope_below(0.5), LAWS["tanh"].slope_below()
        (Fraction(-1, 1), Fraction(1, 2), None)
        """
        if self.name in ("leaky_relu", "prelu"):
            return Fraction(self.parameter or 0.0 if parameter is None else parameter)
        return Fraction(_BELOW[self.name]) if self.name in _BELOW else None

    def reflection(self, parameter: float | None = None) -> Fraction | None:
        """L of the reflection law, exactly (a slope is its float64 value), or None.

        >>> LAWS["gelu"].reflection(), LAWS["leaky_relu"].reflection(0.5), LAWS["tanh"].reflection()
        (Fraction(1, 1), Fraction(3, 2), None)
        """
        below = self.slope_below(parameter)
        if below is not None:
            return 1 + below
        return None if self.offset is None else Fraction(self.offset)


_BELOW = {"relu": 0, "abs": -1, "identity": 1}


def scaling_name(positive: bool, sign: bool) -> str:
    """Name the scaling group that has these two parts."""
    return {(False, False): "one", (False, True): "sign", (True, False): "positive", (True, True): "nonzero"}[
        (positive, sign)
    ]


def _table() -> dict[str, ScalingLaw]:
    one, zero = Fraction(1), Fraction(0)
    rows = [
        ScalingLaw("identity", one, "odd", linear=True),
        ScalingLaw("relu", one, None),
        ScalingLaw("leaky_relu", one, None, parameter=0.01),
        ScalingLaw("prelu", one, None, parameter=0.25),
        ScalingLaw("abs", one, "even"),
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

_NAME = re.compile(r"([a-z_0-9]+)(?:\(([^()]*)\))?")
_NUMBER = re.compile(r"[-+.0-9e]+")


def read_name(text: str) -> tuple[ScalingLaw, str | None]:
    """A name such as ``relu`` or ``Leaky_ReLU(0.1)`` as its law and the text of its parameter; case does not matter.

    Errors: `InputError` for an unknown name, a parameter that is no finite number, or one that is not taken.

    >>> read_name("leaky_relu(0.1)")[1]
    '0.1'
    """
    match = _NAME.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    name, parameter = match.groups() if match else ("", None)
    law = LAWS.get(name)
    if law is None:
        known = ", ".join(sorted(LAWS))
        raise InputError(
            f"unknown activation {str(text)[:60]!r}; expected one of: {known} (a slope as in leaky_relu(0.1))"
        )
    if parameter is None:
        return law, None
    if law.parameter is None:
        raise InputError(f"activation {name!r} takes no parameter, got {text[:60]!r}")
    parameter = parameter.strip()
    fault = _fault(law, parameter)
    if fault is not None:
        raise InputError(f"activation {text[:60]!r}: the parameter must {fault}")
    return law, parameter


def _fault(law: ScalingLaw, parameter: str) -> str | None:
    """What the parameter is not, but has to be."""
    try:
        number = float(parameter) if _NUMBER.fullmatch(parameter) else None
    except ValueError:
        number = None
    if number is None:
        return "be a number"
    if not math.isfinite(number):
        return "be finite"
    if number < 0 and law.name in ("hardshrink", "softshrink"):
        return "not be negative"
    return "not be 0" if number == 0 and law.name == "celu" else None


def parse_activation(text: str) -> tuple[ScalingLaw, float | None]:
    """`read_name` with the parameter as float64, as a network that is stored under this name computes with it.

    >>> law, slope = parse_activation("leaky_relu(0.1)")
    >>> law.name, slope, law.slope_below(slope) == Fraction(0.1)
    ('leaky_relu', 0.1, True)
    """
    law, parameter = read_name(text)
    return law, None if parameter is None else float(parameter)


def canonical_name(text: str) -> str:
    """The one spelling of a name: lower case, without blanks, the parameter as it was written.

    >>> canonical_name(" Leaky_ReLU( 0.10 )")
    'leaky_relu(0.10)'
    """
    law, parameter = read_name(text)
    return law.name if parameter is None else f"{law.name}({parameter})"
