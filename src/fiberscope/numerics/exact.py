"""Exact arithmetic on float64 arrays: error-free transformations, and rationals where they do not suffice.

A float64 number is a dyadic rational. ``a*b`` and ``a+b`` split exactly into a rounded value and its error
(Dekker 1971; Knuth, TAOCP 2, 4.2.2), as long as nothing overflows or underflows; so products can be compared
exactly at the speed of numpy, and only what does not fit is done in python-flint's rationals.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

_SPLITTER = 134217729.0  # 2**27 + 1
_SMALL, _LARGE = 2.0**-480, 2.0**480


def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(p, e)`` with ``a*b == p + e`` exactly and ``p = fl(a*b)`` (Dekker), factors within 2**+-480."""
    product = a * b
    c = _SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(s, e)`` with ``a + b == s + e`` exactly and ``s = fl(a+b)`` (Knuth)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def in_safe_range(*arrays: np.ndarray) -> bool:
    """Whether every nonzero entry lies in 2**+-480, where products and their errors are representable."""
    for array in arrays:
        if array.size == 0:
            continue
        size = np.abs(array)
        if size.max() > _LARGE:
            return False
        if size.min() < _SMALL and bool(((size < _SMALL) & (size > 0)).any()):
            return False
    return True


def products_equal(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Elementwise ``a*b == c*d`` in exact arithmetic (arrays broadcast; booleans of the common shape).

    >>> bool(products_equal(*map(np.array, (0.1, 3.0, 0.3, 1.0))))
    False
    """
    a, b, c, d = (np.asarray(v, dtype=np.float64) for v in (a, b, c, d))
    if in_safe_range(a, b, c, d):
        p, e = two_product(a, b)
        q, f = two_product(c, d)
        return (p == q) & (e == f)
    left = rationals(np.broadcast_to(a, np.broadcast_shapes(a.shape, c.shape, b.shape, d.shape)))
    return np.asarray(left * rationals(b) == rationals(c) * rationals(d), dtype=bool)


def rational(value: float | int | Fraction) -> Any:
    """The exact python-flint rational of a float, an int or a Fraction."""
    from flint import fmpq

    numerator, denominator = value.as_integer_ratio()
    return fmpq(numerator, denominator)


def fraction(value: Any) -> Fraction:
    """A python Fraction from a python-flint rational, a float or an int."""
    if isinstance(value, (int, float, np.floating)):
        return Fraction(float(value)) if not isinstance(value, int) else Fraction(value)
    return Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else Fraction(value)


def below(value: Any) -> tuple[float, str]:
    """A positive rational rounded down to 53 bits, as the largest float not above it and as a short text "p/q".

    >>> below(Fraction(1, 3))
    (0.3333333333333333, '6004799503160661/18014398509481984')
    """
    top, bottom = (int(v) for v in (fraction(value).numerator, fraction(value).denominator))
    shift = max(0, bottom.bit_length() - top.bit_length() + 53)
    top = (top << shift) // bottom
    try:
        near = top / (1 << shift)
    except OverflowError:
        near = float(np.finfo(np.float64).max)
    near = near if Fraction(near) <= Fraction(top, 1 << shift) else float(np.nextafter(near, 0.0))
    return near, f"{top}/{1 << shift}"


def rationals(array: np.ndarray) -> np.ndarray:
    """An object array of exact rationals, same shape as ``array`` (which may be one already, or in part)."""
    array = np.asarray(array)
    if array.dtype == object and not any(isinstance(value, float) for value in array.ravel()):
        return array
    out = np.empty(array.size, dtype=object)
    for i, value in enumerate(array.ravel().tolist()):
        out[i] = rational(value) if isinstance(value, (int, float)) else value
    return out.reshape(array.shape)


def nearest_floats(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """The nearest float64 array of an object array of rationals, and whether it is exact everywhere."""
    values = np.empty(array.size, dtype=np.float64)
    exact = True
    for i, value in enumerate(array.ravel()):
        f = fraction(value)
        try:
            values[i] = f.numerator / f.denominator
        except OverflowError:  # beyond float64
            values[i] = np.inf if f > 0 else -np.inf
        exact = exact and bool(np.isfinite(values[i])) and Fraction(values[i]) == f
    return values.reshape(array.shape), exact


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a + b`` exactly: float64 when no entry rounds, an object array of rationals otherwise."""
    if a.dtype != object and b.dtype != object:
        with np.errstate(over="ignore", invalid="ignore"):
            total, error = two_sum(a, b)
        if np.isfinite(total).all() and not error.any():
            return total
    return simplify(rationals(a) + rationals(b))


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a * b`` elementwise (broadcast) exactly: float64 when no entry rounds, rationals otherwise."""
    if a.dtype != object and b.dtype != object and in_safe_range(a, b):
        product, error = two_product(a, b)
        if not error.any():
            return product
    return simplify(rationals(a) * rationals(b))


def simplify(array: np.ndarray) -> np.ndarray:
    """Float64 if every rational of the object array is a float64, else the array itself."""
    if array.dtype != object:
        return array
    values, exact = nearest_floats(array)
    return values if exact else array


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` exactly, for matrices of floats or rationals, through one integer matrix product in flint."""
    from flint import fmpq, fmpz_mat

    rows, inner = a.shape
    columns = b.shape[1]
    if inner == 0 or rows == 0 or columns == 0:
        return np.zeros((rows, columns))
    (left, left_scale), (right, right_scale) = _integers(a), _integers(b)
    product = fmpz_mat(rows, inner, left) * fmpz_mat(inner, columns, right)
    scale = left_scale * right_scale
    out = np.empty(rows * columns, dtype=object)
    for i, entry in enumerate(product.entries()):
        out[i] = fmpq(entry, scale)
    return simplify(out.reshape(rows, columns))


def _integers(array: np.ndarray) -> tuple[list[int], int]:
    """Integers ``n_i`` and one common denominator ``d`` with ``array_i = n_i / d``."""
    import math

    pairs = [fraction(v).as_integer_ratio() for v in array.ravel().tolist()]
    common = math.lcm(*{q for _, q in pairs}) if pairs else 1
    return [p * (common // q) for p, q in pairs], common
