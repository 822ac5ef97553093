"""Exact rationals in numpy arrays, and the one comparison that decides every weight."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .report import Reject, need

MAX_EXACT = 20_000_000


def rational(x) -> fmpq:
    """A finite float (a dyadic rational) or an fmpq as fmpq."""
    if isinstance(x, fmpq):
        return x
    return fmpq(*float(x).as_integer_ratio())


def exact(array: np.ndarray) -> np.ndarray:
    """The same numbers as fmpq objects."""
    if array.dtype == object and all(isinstance(x, fmpq) for x in array.reshape(-1)):
        return array
    need(array.size <= MAX_EXACT, "too many numbers for exact arithmetic")
    out = np.empty(array.shape, dtype=object)
    out.reshape(-1)[:] = [rational(x) for x in array.reshape(-1).tolist()]
    return out


def to_float(array: np.ndarray) -> np.ndarray:
    """Rounded to float64, relative error at most 2^-52 per number."""
    if array.dtype != object:
        return array
    return np.array([rational_to_float(rational(x)) for x in array.reshape(-1)], dtype=np.float64).reshape(array.shape)


def rational_to_float(x: fmpq) -> float:
    """The nearest float64 (Python's correctly rounded integer division)."""
    try:
        return int(x.p) / int(x.q)
    except OverflowError:
        raise Reject("a number exceeds the range of float64") from None


def parse_rational(text: object) -> fmpq:
    """A rational from "p/q" or "p"."""
    if isinstance(text, str) and len(text) <= 5000:
        p, slash, q = text.partition("/")
        if p.removeprefix("-").isdecimal() and p.isascii() and q.isascii() and (q.isdecimal() if slash else not q):
            need(not slash or int(q) != 0, "a scale with denominator zero")
            return fmpq(int(p), int(q) if slash else 1)
    raise Reject("a scale must be a text p/q")


def unit_in_last_place(array: np.ndarray, dtype: str) -> np.ndarray:
    """The unit in the last place of each stored number in its own dtype; 0 for a zero (which must stay zero)."""
    x = np.abs(np.asarray(array))
    if dtype == "bfloat16":
        _, exponent = np.frexp(x.astype(np.float64))
        ulp = np.ldexp(1.0, np.maximum(exponent - 8, -133))
    else:
        need(dtype in ("float16", "float32", "float64"), f"weights of dtype {dtype} are not supported")
        with np.errstate(all="ignore"):
            ulp = np.spacing(x.astype(dtype)).astype(np.float64)
    return np.where(x == 0, 0.0, ulp)


def power_of_two(array: np.ndarray) -> bool:
    """Whether all factors are +-2^k (so that products with floats are exact within range)."""
    if array.dtype == object:
        return False
    mantissa, _ = np.frexp(array)
    return bool(np.all(np.abs(mantissa) == 0.5))


def mismatch(
    a: np.ndarray, b: np.ndarray, factors: list[np.ndarray], ulp: np.ndarray, max_ulp: int | None
) -> str | None:
    """None if b = a * product(factors) entrywise: exactly (max_ulp None), or within max_ulp * ulp with zeros kept.

    a, b: float64 or fmpq; factors: non-zero float64 or fmpq arrays that broadcast. A float64 product carries a
    relative error below 2^-48; entries that it cannot decide are decided in rationals.
    """
    need(a.shape == b.shape, "weights of different shapes")
    if a.size == 0:
        return None
    quick = a.dtype != object and b.dtype != object
    undecided = np.ones(a.shape, dtype=bool)
    if quick:
        with np.errstate(all="ignore"):
            approximate = a.astype(np.float64)
            for factor in factors:
                approximate = approximate * to_float(factor)
            size = np.abs(approximate)
            safe = np.isfinite(approximate) & (size > 1e-280) & (size < 1e280)
            error = np.abs(b - approximate)
            slack = size * 2.0**-47
            if all(power_of_two(f) for f in factors):
                slack = slack * 0
            tolerance = ulp * (max_ulp or 0)
            wrong = (safe & (error > (tolerance + slack) * (1 + 2**-50))) | ((a == 0) != (b == 0))
            right = ((a == 0) & (b == 0)) | (safe & (b != 0) & (error + slack <= tolerance * (1 - 2**-50)))
            if all(power_of_two(f) for f in factors):
                right |= safe & (error == 0)
        if wrong.any():
            return f"entry {tuple(int(i) for i in np.argwhere(wrong)[0])} does not fit"
        undecided = ~right
    where = np.argwhere(undecided)
    need(len(where) <= MAX_EXACT, "too many numbers for exact arithmetic")
    spread = [np.broadcast_to(f, a.shape) for f in factors]
    for index in map(tuple, where):
        value = rational(a[index])
        for factor in spread:
            value *= rational(factor[index])
        target = rational(b[index])
        if value == target:
            continue
        close = abs(value - target) <= rational(ulp[index]) * (max_ulp or 0)
        if value == 0 or target == 0 or not close:
            return f"entry {tuple(int(i) for i in index)} does not fit"
    return None
