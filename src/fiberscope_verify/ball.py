"""Mid-radius arithmetic on arrays: every operation encloses the real result of all points of its arguments.

float64 throughout. Dot products of length n carry gamma_{n+2} = (n+2)u / (1 - (n+2)u), valid for any order of summation
and fused operations (Higham, Accuracy and Stability, ch. 3). Each radius is inflated by 1 + 2^-40 + 4 n u and 1e-300 n,
which covers the rounding of its own computation and underflow. Elementary functions go through Arb balls number by
number: no assumption about the C library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx

from .report import Reject, need

U = 2.0**-53
MAX_ARB = 3_000_000
FURTHER = ("sinh", "cosh", "tan", "asin", "acos", "asinh", "acosh", "atanh", "erfc")


@dataclass
class Ball:
    """The set of arrays x with |x - mid| <= rad entrywise."""

    mid: np.ndarray
    rad: np.ndarray


def ball(mid: np.ndarray, rad: np.ndarray | float, length: int = 1) -> Ball:
    """A Ball with its radius rounded outward; an infinite centre (a mask) is exact, NaN stands for "undefined"."""
    mid = np.asarray(mid, dtype=np.float64)
    rad = np.broadcast_to(np.asarray(rad, dtype=np.float64), mid.shape)
    exact = (rad == 0) | ~np.isfinite(mid)
    rad = np.where(exact, 0.0, rad * (1 + 2.0**-40 + 4 * length * U) + 1e-300 * length)
    need(not np.any(np.isnan(rad)), "the evaluation leaves the range of float64")
    return Ball(mid, rad)


def hull(lo: np.ndarray, hi: np.ndarray) -> Ball:
    """The ball of [lo, hi]; an interval that reaches infinity on one side only is undefined."""
    same = lo == hi
    with np.errstate(invalid="ignore", over="ignore"):
        mid = np.where(same, lo, lo / 2 + hi / 2)
        rad = np.where(same, 0.0, np.maximum(hi - mid, mid - lo))
    lost = ~same & ~(np.isfinite(mid) & np.isfinite(rad))
    return ball(np.where(lost, np.nan, mid), np.where(lost, 0.0, rad))


def whole(x: np.ndarray) -> np.ndarray:
    """Which numbers are integers below 2^53: a result that rounds to one of them was not rounded."""
    return (np.abs(x) < 2.0**53) & (x == np.floor(x))


def add(x: Ball, y: Ball) -> Ball:
    mid = x.mid + y.mid
    other = mid - x.mid  # the error of the sum, without rounding (Knuth's TwoSum)
    exact = np.isfinite(mid) & ((x.mid - (mid - other)) + (y.mid - other) == 0)
    infinite = np.isinf(mid) & (np.isinf(x.mid) | np.isinf(y.mid))
    error = np.where(exact | infinite | np.isnan(mid), 0.0, np.abs(mid) * 2 * U)
    overflow = np.isinf(mid) & ~np.isinf(x.mid) & ~np.isinf(y.mid)
    need(not overflow.any(), "the evaluation overflows")
    return ball(mid, x.rad + y.rad + error)


def mul(x: Ball, y: Ball) -> Ball:
    mid = x.mid * y.mid
    need(not np.any(np.isinf(mid)), "a product overflows")
    exact = whole(x.mid) & whole(y.mid) & whole(mid) | (mid == 0) & ((x.mid == 0) | (y.mid == 0))
    rad = np.abs(x.mid) * y.rad + x.rad * (np.abs(y.mid) + y.rad)
    return ball(mid, rad + np.where(exact, 0.0, np.abs(mid) * 2 * U + 1e-300))


def matmul(x: Ball, y: Ball, product=np.matmul, length: int | None = None) -> Ball:
    """A matrix product, or any product that sums `length` terms x*y."""
    n = (x.mid.shape[-1] if length is None else length) + 2
    need(not np.any(np.isinf(x.mid)) and not np.any(np.isinf(y.mid)), "an infinite number enters a product")
    lost = [np.isnan(v.mid) for v in (x, y)]
    if any(np.any(v) for v in lost):  # not every BLAS multiplies by what it does not know when the other factor is 0
        p, q = (Ball(np.where(v, 0.0, z.mid), z.rad) for v, z in zip(lost, (x, y), strict=True))
        out = matmul(p, q, product, length)
        touched = product(lost[0] * 1.0, np.ones(y.mid.shape)) + product(np.ones(x.mid.shape), lost[1] * 1.0) > 0
        return Ball(np.where(touched, np.nan, out.mid), np.where(touched, 0.0, out.rad))
    ax, ay = np.abs(x.mid), np.abs(y.mid)
    gamma = n * U / (1 - n * U)
    rad = product(ax, y.rad) + product(x.rad, ay + y.rad) + gamma * 1.01 * product(ax, ay) + n * 1e-300
    mid = product(x.mid, y.mid)
    need(not np.any(np.isinf(mid)), "a product overflows")
    return ball(mid, rad, n)


def extreme(x: Ball, y: Ball, rule) -> Ball:
    """max or min, which are monotone: both ends by themselves."""
    (xl, xh), (yl, yh) = bounds(x), bounds(y)
    return hull(rule(xl, yl), rule(xh, yh))


def maximum_over(x: Ball, axes: tuple[int, ...], smallest: bool = False) -> Ball:
    """The largest (smallest) number over axes: both ends by themselves, so that a mask of -1e38 costs nothing."""
    rule, (lo, hi) = np.min if smallest else np.max, bounds(x)
    return hull(rule(lo, axis=axes, keepdims=True), rule(hi, axis=axes, keepdims=True))


def total(x: Ball, axes: tuple[int, ...], mean: bool) -> Ball:
    n = math.prod(x.mid.shape[a] for a in axes)
    need(not np.any(np.isinf(x.mid)), "an infinite number enters a sum")
    size = np.abs(x.mid).sum(axes, keepdims=True)
    exact = np.all(whole(x.mid), axes, keepdims=True) & (size * 1.01 <= 2.0**53)
    rad = x.rad.sum(axes, keepdims=True) + np.where(exact, 0.0, (n + 2) * 1.01 * U * size)
    mid = x.mid.sum(axes, keepdims=True)
    if not mean:
        return ball(mid, rad, n + 2)
    return ball(mid / n, rad / n + np.abs(mid / n) * 4 * U + 1e-300, n + 2)


def cumulative(x: Ball, axis: int) -> Ball:
    """Sums of all numbers up to each place of an axis; the last sum bounds the rounding of all."""
    n = x.mid.shape[axis]
    need(not np.any(np.isinf(x.mid)), "an infinite number enters a sum")
    size = np.cumsum(np.abs(x.mid), axis)
    exact = np.logical_and.accumulate(whole(x.mid), axis) & (size * 1.01 <= 2.0**53)
    mid = np.cumsum(x.mid, axis)
    rad = np.cumsum(x.rad, axis) + np.where(exact, 0.0, (n + 2) * 1.01 * U * size)
    return ball(mid, rad, n + 2)


def power(x: Ball, y: Ball) -> Ball:
    """x ** y number by number: a positive base, or a whole exponent that is known exactly."""
    need(x.mid.size <= MAX_ARB, "too many numbers for a rigorous evaluation")
    values = []
    for m, r, e, s in zip(*(v.reshape(-1).tolist() for v in (x.mid, x.rad, y.mid, y.rad)), strict=True):
        base = arb(m, r)
        if s == 0 and e == math.floor(e) and abs(e) < 2**31:
            values.append(base ** int(e))
        else:
            values.append(base ** arb(e, s) if base > 0 else arb("nan"))
    return from_arb(values, x.mid.shape)


def from_arb(values: list, shape: tuple[int, ...]) -> Ball:
    """Arb balls as one Ball."""
    mid = np.empty(len(values))
    rad = np.empty(len(values))
    for i, v in enumerate(values):
        mid[i], rad[i] = float(v.mid()), float(v.rad())
    lost = ~(np.isfinite(mid) & np.isfinite(rad))
    mid, rad = np.where(lost, np.nan, mid), np.where(lost, 0.0, rad)
    exact = np.array([v.is_integer() and abs(m) < 2.0**53 for v, m in zip(values, mid.tolist(), strict=True)], bool)
    rad = np.where(exact | lost, 0.0, rad * (1 + 2.0**-30) + np.abs(mid) * 4 * U + 1e-300)
    return ball(mid.reshape(shape), rad.reshape(shape))


def scalar_function(name: str, parameters: list[float], t: arb) -> arb:
    """One smooth function of one Arb ball."""
    if name == "sigmoid":
        return 1 / (1 + (-t).exp())
    if name == "gelu":
        return t / 2 * (1 + (t / arb(2).sqrt()).erf())
    if name == "gelu_tanh":
        return t / 2 * (1 + ((arb(2) / arb.pi()).sqrt() * (t + arb("0.044715") * t**3)).tanh())
    if name == "softplus":
        beta, threshold = parameters
        z = beta * t
        if threshold != math.inf and z > threshold:
            return t
        soft = (z.exp().log1p() if z < 50 else z + (-z).exp().log1p()) / beta
        return soft if threshold == math.inf or z <= threshold else soft.union(t)
    if name in ("tanh", "erf", "exp", "expm1", "log", "log1p", "sin", "cos", "sqrt", "rsqrt", "atan", *FURTHER):
        return getattr(t, name)()
    raise Reject(f"{name} cannot be evaluated rigorously")


def monotone_pieces(
    name: str, parameters: list[float], lo: np.ndarray, hi: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Images of [lo, hi] under monotone functions that need no rounding, as (low, high)."""
    if name == "sign":
        return np.sign(lo), np.sign(hi)
    if name == "heaviside":
        return (lo > 0) * 1.0, (hi > 0) * 1.0
    if name in ("floor", "ceil", "trunc", "round"):
        return getattr(np, name)(lo), getattr(np, name)(hi)
    if name == "hardshrink":
        edge = parameters[0]
        return np.where(np.abs(lo) > edge, lo, 0.0), np.where(np.abs(hi) > edge, hi, 0.0)
    return None


def function(name: str, parameters: list[float], x: Ball) -> Ball:
    """The image of a ball under an elementwise function."""
    if name == "neg":
        return Ball(-x.mid, x.rad)
    if name == "float":  # a change of type
        return x
    if name in ("abs", "relu") or (name == "clip"):  # Lipschitz with constant 1 and exact on centres
        if name == "abs":
            return ball(np.abs(x.mid), x.rad)
        low, high = parameters if name == "clip" else (0.0, math.inf)
        return ball(np.minimum(np.maximum(x.mid, low), high), x.rad)
    if name == "leaky_relu":
        slope = parameters[0]
        mid = np.where(x.mid > 0, x.mid, slope * x.mid)
        return ball(
            mid, x.rad * max(1.0, abs(slope)) + np.where(x.mid > 0, 0, np.abs(mid) * 2 * U + (x.mid != 0) * 1e-300)
        )
    if name == "square":
        return mul(x, x)
    if name == "power":
        out = x
        for _ in range(int(parameters[0]) - 1):
            out = mul(out, x)
        return out
    if name == "reciprocal":
        low = np.abs(x.mid) - x.rad * (1 + 2.0**-40)
        mid = 1 / x.mid
        mid = np.where((low > 0) & np.isfinite(x.mid) & np.isfinite(mid), mid, np.nan)
        return ball(mid, x.rad / (np.abs(x.mid) * low) * (1 + 2.0**-40) + np.abs(mid) * 2 * U + 1e-300)
    if name in (
        "sign",
        "heaviside",
        "floor",
        "ceil",
        "trunc",
        "round",
        "hardshrink",
    ):  # monotone: the images of both ends
        lo, hi = monotone_pieces(name, parameters, *bounds(x)) or (x.mid, x.mid)
        image = hull(lo, hi)
        return Ball(np.where(np.isnan(x.mid), np.nan, image.mid), np.where(np.isnan(x.mid), 0.0, image.rad))
    need(x.mid.size <= MAX_ARB, "too many numbers for a rigorous evaluation")
    if name == "softshrink":
        edge = parameters[0]
        mid = np.sign(x.mid) * np.maximum(np.abs(x.mid) - edge, 0)
        return ball(mid, x.rad + np.abs(mid) * 2 * U + U * edge)
    if name == "elu":
        alpha, scale, inner = parameters
        values = []
        for m, r in zip(x.mid.reshape(-1).tolist(), x.rad.reshape(-1).tolist(), strict=True):
            t = arb(m, r)
            low = arb(alpha) * (t.min(arb(0)) * inner).expm1()
            values.append(scale * (t.max(arb(0)) + low))
        return from_arb(values, x.mid.shape)
    before, ctx.prec = ctx.prec, 80
    try:
        pairs = zip(x.mid.reshape(-1).tolist(), x.rad.reshape(-1).tolist(), strict=True)
        if name == "exp":
            values = [arb(0) if m == -math.inf else arb(m, r).exp() for m, r in pairs]
        else:
            values = [scalar_function(name, parameters, arb(m, r)) for m, r in pairs]
    finally:
        ctx.prec = before
    return from_arb(values, x.mid.shape)


def bounds(x: Ball) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends, rounded outward."""
    lo, hi = x.mid - x.rad, x.mid + x.rad
    exact = x.rad == 0
    return np.where(exact, x.mid, np.nextafter(lo, -np.inf)), np.where(exact, x.mid, np.nextafter(hi, np.inf))
