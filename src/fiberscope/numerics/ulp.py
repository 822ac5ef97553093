"""Units in the last place, measured in the floating-point format in which a weight is stored."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

#: precision p (bits of the significand) and the exponent e of the smallest normal number 2**(e - 1), per format
FORMATS: dict[str, tuple[int, int]] = {
    "float64": (53, -1021),
    "float32": (24, -125),
    "float16": (11, -13),
    "bfloat16": (8, -125),
}


def ulp(values: np.ndarray, dtype: str) -> np.ndarray:
    """Distance between neighbouring floats of the binade of each value.

    ``ulp(x) = 2**(max(e, e_min) - p)`` for ``2**(e-1) <= |x| < 2**e``; shape as ``values``.

    >>> float(ulp(np.array(1.0), "float32")) == 2.0**-23
    True
    """
    precision, lowest = FORMATS[dtype]
    _, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    exponent = np.where(np.asarray(values) == 0, lowest, exponent)
    return np.ldexp(1.0, np.maximum(exponent, lowest) - precision)


def eps(dtype: str) -> float:
    """Largest relative rounding error of the format: ``2**-p``."""
    return 2.0 ** -FORMATS[dtype][0]


def ulp_error(stored: Fraction, exact: Fraction, dtype: str) -> Fraction:
    """``|stored - exact| / ulp(stored)`` in rationals (the ulp of one element, see ``ulp``)."""
    unit = Fraction(float(ulp(np.array(float(stored)), dtype)))
    return abs(stored - exact) / unit


def ceil_ulps(error: float | Fraction) -> int:
    """Smallest whole number of ulps that covers ``error``."""
    return math.ceil(error)
