"""Exact sums of many floats at the speed of numpy.

A float64 is an integer below 2**53 times a power of two. Sums are taken per exponent, in two halves of the integer that
cannot overflow 53 bits, and joined in Python integers at the end: a superaccumulator (Kulisch, Advanced Arithmetic for
the Digital Computer, 2002).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.numerics.exact import in_safe_range, matmul, rational, rationals, two_product

_HALF = 26


def exact_sum(values: np.ndarray) -> Any:
    """The exact sum of a float64 array as a ``flint.fmpq``.

    >>> print(exact_sum(np.array([1e300, 2.0**-70, -1e300])))
    1/1180591620717411303424
    """
    from flint import fmpq, fmpz

    mantissa, exponent = np.frexp(values.ravel())
    if not mantissa.size:
        return fmpq(0)
    integer = np.ldexp(mantissa, 53).astype(np.int64)
    least = int(exponent.min())
    exponent = exponent - least
    high, low = integer >> _HALF, integer & ((1 << _HALF) - 1)
    total = 0
    for start in range(0, len(integer), 1 << _HALF):  # below 2**26 terms of 27 bits each: exact in float64
        part = slice(start, start + (1 << _HALF))
        tops = np.bincount(exponent[part], weights=high[part]).tolist()
        bottoms = np.bincount(exponent[part], weights=low[part]).tolist()
        for place, (top, bottom) in enumerate(zip(tops, bottoms, strict=True)):
            if top or bottom:
                total += ((int(top) << _HALF) + int(bottom)) << place
    shift = least - 53
    return fmpq(fmpz(total) << shift) if shift >= 0 else fmpq(fmpz(total), fmpz(1) << -shift)


def exact_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` as rationals (object array), a (r x s), b (s x t), floats or rationals."""
    rows, inner = a.shape
    columns = b.shape[1]
    if a.dtype == object or b.dtype == object or inner == 0 or not in_safe_range(a, b):
        return rationals(matmul(a, b))
    out = np.empty((rows, columns), dtype=object)
    transposed = np.ascontiguousarray(b.T)
    for i in range(rows):
        for j in range(columns):
            product, error = two_product(a[i], transposed[j])
            out[i, j] = exact_sum(product) + exact_sum(error)
    return out


def as_rational(value: Any) -> Any:
    """The ``flint.fmpq`` of a number, rationals unchanged."""
    from flint import fmpq

    return value if isinstance(value, fmpq) else rational(value)
