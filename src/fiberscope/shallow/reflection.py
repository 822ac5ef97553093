"""Activations that a unit can be turned round in.

    sigma(t) - sigma(-t) = L t        (the reflection law)

holds iff sigma(t) - L t / 2 is even. Then q sigma(<w, x> + b) = q sigma(-<w, x> - b) + L q (<w, x> + b): a unit that
turns round leaves an affine function behind. ReLU is t/2 + |t|/2; GELU, SiLU, hard-swish and softplus are t/2 plus an
even function.
"""

from __future__ import annotations

from fractions import Fraction

from fiberscope.activations.table import LAWS, parse_activation
from fiberscope.errors import InputError


def reflection(activation: str) -> Fraction:
    """The constant L of the reflection law sigma(t) - sigma(-t) = L t, exactly (a slope is its float64 value).

    1 for ReLU, GELU, SiLU, softplus, hard-swish and log-sigmoid; 1 + slope for leaky ReLU; 0 for even functions.

    Errors: InputError for an activation without such a law.

    >>> reflection("gelu"), reflection("leaky_relu(0.5)"), reflection("abs")
    (Fraction(1, 1), Fraction(3, 2), Fraction(0, 1))
    """
    row, slope = parse_activation(activation)
    constant = row.reflection(slope)
    if constant is None:
        known = ", ".join(sorted(name for name, other in LAWS.items() if other.reflection() is not None))
        raise InputError(
            f"activation {activation!r}: sigma(t) - sigma(-t) is not a multiple of t, so units cannot be turned round; "
            f"this works for {known}"
        )
    return constant
