"""Products of chains of matrices and the sizes that errors in them are measured by; for floats and for rationals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fiberscope.linear.exact import is_exact


def identity(size: int, like: np.ndarray) -> np.ndarray:
    """The identity matrix in the arithmetic of ``like``: float64, or an object array of rationals."""
    from fiberscope.numerics.exact import rationals

    return rationals(np.eye(size)) if is_exact(like) else np.eye(size)


def product(factors: Sequence[np.ndarray]) -> np.ndarray:
    """``mu = W_L ... W_1`` (d_L x d_0).

    >>> product([np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]])]).tolist()
    [[11.0]]
    """
    out = factors[0]
    for factor in factors[1:]:
        out = factor @ out
    return out


def heads(factors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """``[W_{0~0}, W_{1~0}, ..., W_{L~0}]``: what reaches layer j from the input (d_j x d_0)."""
    out = [identity(factors[0].shape[1], factors[0])]
    for factor in factors:
        out.append(factor @ out[-1])
    return out


def tails(factors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """``[W_{L~0}, W_{L~1}, ..., W_{L~L}]``: how layer j is seen at the output (d_L x d_j)."""
    out = [identity(factors[-1].shape[0], factors[-1])]
    for factor in reversed(factors):
        out.append(out[-1] @ factor)
    return out[::-1]


def frobenius(matrix: np.ndarray) -> float:
    """The Frobenius norm, as a float also for rationals; no square under- or overflows on the way."""
    if not is_exact(matrix):
        largest = float(np.abs(matrix).max(initial=0.0))
        if 1e-140 < largest < 1e140 or not 0 < largest < math.inf:
            return float(np.linalg.norm(matrix))
        exponent = math.frexp(largest)[1]
        return math.ldexp(float(np.linalg.norm(np.ldexp(matrix, -exponent))), exponent)
    return sqrt_as_float(sum((v * v for v in matrix.ravel().tolist()), start=0))


def sqrt_as_float(value: Any) -> float:
    """The square root of a nonnegative rational, rounded; no overflow on the way for huge or tiny numbers."""
    from fiberscope.numerics.exact import fraction

    exact = fraction(value)
    if exact == 0:
        return 0.0
    shift = (exact.denominator.bit_length() - exact.numerator.bit_length()) // 2
    scaled = exact * 4**shift if shift >= 0 else exact / 4**-shift
    try:
        return math.ldexp(math.sqrt(float(scaled)), -shift)
    except OverflowError:
        return math.inf


def distance(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """``sqrt(sum_l |A_l - B_l|_F^2)``: how far apart two points of the space of weights are."""
    return math.hypot(*(frobenius(x - y) for x, y in zip(a, b, strict=True)))


def product_of_norms(factors: Sequence[np.ndarray]) -> float:
    """``prod_l |W_l|_F``, an upper bound of ``|mu|_F``."""
    return math.prod(frobenius(factor) for factor in factors)


def relative_change(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float:
    """``|mu(after) - mu(before)|_F / prod_l |W_l|_F`` with the norms of ``before``; 0 where those vanish.

    The difference is summed layer by layer, ``sum_j A_L .. A_{j+1} (A_j - B_j) B_{j-1} .. B_1``, so that it does not
    drown in the rounding of two separate products.
    """
    scale = product_of_norms(before)
    if scale == 0:
        return 0.0
    head, tail = heads(before), tails(after)
    change = sum(
        (tail[j] @ (new - old) @ head[j - 1] for j, (old, new) in enumerate(zip(before, after, strict=True), start=1)),
        start=head[-1] - head[-1],
    )
    return frobenius(change) / scale


def as_floats(matrices: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The nearest float64 matrices of matrices of rationals; floats as they are."""
    from fiberscope.numerics.exact import nearest_floats

    return tuple(nearest_floats(m)[0] if is_exact(m) else m for m in matrices)


def as_float(value: Any) -> float:
    """The nearest float of a number, a rational of flint or an int among them; infinity beyond float64."""
    from fiberscope.numerics.exact import fraction

    if isinstance(value, (float, np.floating)):
        return float(value)
    exact = fraction(value)
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
