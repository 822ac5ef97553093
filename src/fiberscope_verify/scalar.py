"""Exact numbers as cheaply as possible: a float where a float64 holds the value, else an fmpq.

So equal numbers have equal representations, and tuples of them can be hashed. A float result is kept only where it is
proved exact: Knuth's TwoSum leaves no error, or one factor is a power of two and the product is a normal number.
"""

from __future__ import annotations

import math

from flint import fmpq

from .exact import rational

Number = float | fmpq


def number(x: Number) -> Number:
    """The representation of a rational; a float stays one (without negative zero).

    >>> number(fmpq(1, 4)), number(fmpq(1, 3))
    (0.25, 1/3)
    """
    if not isinstance(x, fmpq):
        return x + 0.0
    try:
        near = int(x.p) / int(x.q)
    except OverflowError:
        return x
    return near + 0.0 if fmpq(*near.as_integer_ratio()) == x else x


def plus(x: Number, y: Number) -> Number:
    """x + y.

    >>> plus(0.5, 0.25), plus(0.1, 0.2)
    (0.75, 10808639105689191/36028797018963968)
    """
    if isinstance(x, float) and isinstance(y, float):
        total = x + y
        other = total - x
        if math.isfinite(total) and (x - (total - other)) + (y - other) == 0.0:
            return total + 0.0
    return number(rational(x) + rational(y))


def times(x: Number, y: Number) -> Number:
    """x * y.

    >>> times(3.0, 0.5), times(fmpq(1, 3), 3.0)
    (1.5, 1.0)
    """
    if isinstance(x, float) and isinstance(y, float):
        if x == 1.0 or y == 1.0:
            return (y if x == 1.0 else x) + 0.0
        if x == 0.0 or y == 0.0:
            return 0.0
        product = x * y
        if 1e-290 < abs(product) < 1e290 and (abs(math.frexp(x)[0]) == 0.5 or abs(math.frexp(y)[0]) == 0.5):
            return product
    return number(rational(x) * rational(y))


def over(x: Number, y: Number) -> Number:
    """x / y for y not zero."""
    return x if y == 1.0 else number(rational(x) / rational(y))
