"""Exact numbers as cheaply as possible: a float while a float holds the value, python-flint's rational otherwise.

A stored weight is a dyadic rational and stays a float. A sum or a product stays one when nothing was rounded
(Knuth's error-free sum; products with a power of two), else it is computed in rationals and turned back if it fits.
So equal numbers have equal representations, and tuples of them can be hashed and compared.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from fiberscope.numerics.exact import rational

Exact = Any
"""A float, or a ``flint.fmpq`` that is not a float64 number."""


def exact(value: float | int | Fraction | Any) -> Exact:
    """The representation of a number: a float where float64 holds it exactly, else an ``fmpq``.

    >>> exact(Fraction(1, 4)), str(exact(Fraction(1, 3)))
    (0.25, '1/3')
    """
    if isinstance(value, float):
        return float(value) + 0.0  # no negative zero, no numpy scalar
    ratio = rational(value) if isinstance(value, (int, Fraction)) or hasattr(value, "as_integer_ratio") else value
    near = nearest(ratio)
    return near + 0.0 if math.isfinite(near) and rational(near) == ratio else ratio


def nearest(value: Exact) -> float:
    """The nearest float64 (infinite beyond its range)."""
    if isinstance(value, float):
        return value
    top, bottom = int(value.p), int(value.q)
    try:
        return top / bottom
    except OverflowError:
        return math.inf if top > 0 else -math.inf


def plus(a: Exact, b: Exact) -> Exact:
    """``a + b``.

    >>> plus(0.5, 0.25), str(plus(0.1, 0.2))
    (0.75, '10808639105689191/36028797018963968')
    """
    if isinstance(a, float) and isinstance(b, float):
        total = a + b
        virtual = total - a
        if math.isfinite(total) and (a - (total - virtual)) + (b - virtual) == 0.0:
            return total + 0.0
    return exact(_ratio(a) + _ratio(b))


def times(a: Exact, b: Exact) -> Exact:
    """``a * b``; a product with a power of two that neither over- nor underflows is one multiplication.

    >>> times(3.0, 0.5)
    1.5
    """
    if isinstance(a, float) and isinstance(b, float):
        if a == 1.0 or b == 1.0:
            return b if a == 1.0 else a
        if a == -1.0 or b == -1.0:
            return 0.0 - (b if a == -1.0 else a)
        product = a * b
        plain = abs(math.frexp(a)[0]) == 0.5 or abs(math.frexp(b)[0]) == 0.5
        if plain and 1e-290 < abs(product) < 1e290:
            return product
        if a == 0.0 or b == 0.0:
            return 0.0
    return exact(_ratio(a) * _ratio(b))


def over(a: Exact, b: Exact) -> Exact:
    """``a / b`` for b not 0.

    >>> over(1.0, 4.0), str(over(1.0, 3.0))
    (0.25, '1/3')
    """
    if isinstance(b, float) and b in (1.0, -1.0):
        return times(a, b)
    return exact(_ratio(a) / _ratio(b))


def text(value: Exact) -> str:
    """One text per number: the hexadecimal float, or p/q."""
    return value.hex() if isinstance(value, float) else f"{int(value.p)}/{int(value.q)}"


def parse(words: str) -> Exact:
    """The number that `text` wrote; ValueError for anything else.

    >>> parse(text(0.1)) == 0.1, str(parse("2/6"))
    (True, '1/3')
    """
    if "x" in words:
        return exact(float.fromhex(words))
    return exact(Fraction(words))


def _ratio(value: Exact) -> Any:
    return rational(value) if isinstance(value, float) else value
