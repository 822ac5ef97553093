"""Closed forms for numbers known to many digits: rationals, and rational multiples of a few constants."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from fiberscope.activations.expression import PI, Expr, function, number
from fiberscope.affine.relation import value

DIGITS = 45
"""How many digits have to agree."""

LARGEST = 10**8
"""Largest numerator and denominator of a recognised rational."""


def fraction(x: Any) -> Fraction:
    """The midpoint of a ball, exactly."""
    mantissa, exponent = x.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def rational(x: Any, largest: int = LARGEST) -> Fraction | None:
    """The rational of small height that agrees with ``x`` to 45 digits, or None.

    >>> from flint import ctx, arb
    >>> with ctx.workdps(60): rational(arb(2) / 7), rational(arb(2).sqrt())
    (Fraction(2, 7), None)
    """
    exact = fraction(x)
    near = exact.limit_denominator(largest)
    tolerance = Fraction(1, 10**DIGITS) * max(1, abs(exact))
    return near if abs(near - exact) <= tolerance and abs(near.numerator) <= largest**2 else None


def constants(arguments: Iterable[Fraction]) -> list[Expr]:
    """pi, sqrt(2), and exp, cos, sin of the given numbers."""
    out = [PI, function("sqrt", 2), 1 / PI]
    for g in sorted({abs(a) for a in arguments if a}, key=lambda q: (q.denominator, q)):
        out += [function(f, number(s * g)) for f, s in (("cos", 1), ("sin", 1), ("exp", 1), ("exp", -1))]
    return out


def recognised(x: Any, arguments: Iterable[Fraction] = ()) -> Expr | None:
    """A closed form of ``x``: q, q c, or q c / d with a simple rational q and c, d among `constants`.

    >>> from flint import ctx, arb
    >>> with ctx.workdps(60): print(recognised(-2 * arb(1).cos(), [Fraction(1)]))
    -2*cos(1)
    """
    q = rational(x)
    if q is not None:
        return number(q)
    known = constants(arguments)
    values = [value(c) for c in known]
    for c, v in zip(known, values, strict=True):
        q = rational(x / v, 10**4)
        if q is not None:
            return number(q) * c
    for c, v in zip(known, values, strict=True):
        for d, w in zip(known, values, strict=True):
            q = rational(x * w / v, 100)
            if q is not None and c != d:
                return number(q) * c / d
    return None


def decimal(x: Any, digits: int = 50) -> Expr:
    """The number itself, rounded to so many digits, where no closed form is known."""
    exact = fraction(x)
    return number(Fraction(round(exact * 10**digits), 10**digits))
