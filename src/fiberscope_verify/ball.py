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


@dataclass
class Ball:
    """The set of arrays x with |x - mid| <= rad entrywise."""

    mid: np.ndarray
    rad: np.ndarray


def ball(mid: np.ndarray, rad: np.ndarray | float, length: int = 1) -> Ball:
    """A Ball with its radius rounded outward; an infinite centre (a mask) is exact, NaN is refused."""
    mid = np.asarray(mid, dtype=np.float64)
    rad = np.broadcast_to(np.asarray(rad, dtype=np.float64), mid.shape)
    rad = np.where((rad == 0) | np.isinf(mid), 0.0, rad * (1 + 2.0**-40 + 4 * length * U) + 1e-300 * length)
    need(not np.any(np.isnan(mid)) and not np.any(np.isnan(rad)), "the evaluation leaves the range of float64")
    return Ball(mid, rad)


def add(x: Ball, y: Ball) -> Ball:
    mid = x.mid + y.mid
    error = np.where(np.isinf(mid) & (np.isinf(x.mid) | np.isinf(y.mid)), 0.0, np.abs(mid) * 2 * U)
    overflow = np.isinf(mid) & ~np.isinf(x.mid) & ~np.isinf(y.mid)
    need(not overflow.any(), "the evaluation overflows")
    return ball(mid, x.rad + y.rad + error)


def mul(x: Ball, y: Ball) -> Ball:
    mid = x.mid * y.mid
    need(np.all(np.isfinite(mid)), "a product overflows")
    rad = np.abs(x.mid) * y.rad + x.rad * (np.abs(y.mid) + y.rad) + np.abs(mid) * 2 * U
    tiny = np.where((mid == 0) & ((x.mid == 0) | (y.mid == 0)), 0.0, 1e-300)
    return ball(mid, rad + tiny)


def matmul(x: Ball, y: Ball, product=np.matmul, length: int | None = None) -> Ball:
    """A matrix product, or any product that sums `length` terms x*y."""
    n = (x.mid.shape[-1] if length is None else length) + 2
    need(np.all(np.isfinite(x.mid)) and np.all(np.isfinite(y.mid)), "an infinite number enters a product")
    ax, ay = np.abs(x.mid), np.abs(y.mid)
    gamma = n * U / (1 - n * U)
    rad = product(ax, y.rad) + product(x.rad, ay + y.rad) + gamma * 1.01 * product(ax, ay) + n * 1e-300
    mid = product(x.mid, y.mid)
    need(np.all(np.isfinite(mid)), "a product overflows")
    return ball(mid, rad, n)


def extreme(x: Ball, y: Ball, rule) -> Ball:
    """max or min: the centre of the extremes, |max(a,b) - max(c,d)| <= max(|a-c|, |b-d|)."""
    return ball(rule(x.mid, y.mid), np.maximum(x.rad, y.rad))


def maximum_over(x: Ball, axes: tuple[int, ...], smallest: bool = False) -> Ball:
    mid = (np.min if smallest else np.max)(x.mid, axis=axes, keepdims=True)
    return ball(mid, np.max(x.rad, axis=axes, keepdims=True))


def total(x: Ball, axes: tuple[int, ...], mean: bool) -> Ball:
    n = math.prod(x.mid.shape[a] for a in axes)
    need(np.all(np.isfinite(x.mid)), "an infinite number enters a sum")
    rad = x.rad.sum(axes, keepdims=True) + (n + 2) * 1.01 * U * np.abs(x.mid).sum(axes, keepdims=True)
    mid = x.mid.sum(axes, keepdims=True)
    if not mean:
        return ball(mid, rad, n + 2)
    return ball(mid / n, rad / n + np.abs(mid / n) * 4 * U + 1e-300, n + 2)


def from_arb(values: list, shape: tuple[int, ...]) -> Ball:
    """Arb balls as one Ball."""
    mid = np.empty(len(values))
    rad = np.empty(len(values))
    for i, v in enumerate(values):
        mid[i], rad[i] = float(v.mid()), float(v.rad())
    need(np.all(np.isfinite(mid)) and np.all(np.isfinite(rad)), "a function is evaluated outside its domain")
    return ball(mid.reshape(shape), (rad * (1 + 2.0**-30) + np.abs(mid) * 4 * U + 1e-300).reshape(shape))


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
        if not (threshold == math.inf or beta * t <= threshold):
            if beta * t > threshold:
                return t
            raise Reject("softplus at its threshold")
        z = beta * t
        return (z.exp().log1p() if z < 50 else z + (-z).exp().log1p()) / beta
    if name in ("tanh", "erf", "exp", "expm1", "log", "log1p", "sin", "cos", "sqrt", "rsqrt", "atan"):
        return getattr(t, name)()
    raise Reject(f"{name} cannot be evaluated rigorously")


def monotone_pieces(
    name: str, parameters: list[float], lo: np.ndarray, hi: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Images of [lo, hi] under functions that need no rounding, as (low, high)."""
    if name == "relu":
        return np.maximum(lo, 0), np.maximum(hi, 0)
    if name == "clip":
        return np.clip(lo, *parameters), np.clip(hi, *parameters)
    if name == "sign":
        return np.sign(lo), np.sign(hi)
    if name == "heaviside":
        return (lo > 0) * 1.0, (hi > 0) * 1.0
    if name in ("floor", "ceil", "trunc"):
        return getattr(np, name)(lo), getattr(np, name)(hi)
    return None


def function(name: str, parameters: list[float], x: Ball) -> Ball:
    """The image of a ball under an elementwise function."""
    if name == "neg":
        return Ball(-x.mid, x.rad)
    if name == "float":  # a change of type
        return x
    if name in ("abs", "relu") or (name == "clip"):  # Lipschitz with constant 1 and exact on centres
        rule = {"abs": np.abs, "relu": lambda m: np.maximum(m, 0)}.get(name, lambda m: np.clip(m, *parameters))
        return ball(rule(x.mid), x.rad)
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
        need(np.all(low > 0), "a division by a number that may be zero")
        mid = 1 / x.mid
        need(np.all(np.isfinite(mid)), "a division overflows")
        return ball(mid, x.rad / (np.abs(x.mid) * low) * (1 + 2.0**-40) + np.abs(mid) * 2 * U + 1e-300)
    pieces = None
    if name in ("sign", "heaviside", "floor", "ceil", "trunc"):
        lo, hi = bounds(x)
        pieces = monotone_pieces(name, parameters, lo, hi)
    if pieces is not None:
        need(np.array_equal(*pieces), f"{name} at a jump")
        return ball(pieces[0], 0.0)
    need(x.mid.size <= MAX_ARB, "too many numbers for a rigorous evaluation")
    if name in ("hardshrink", "softshrink"):
        lo, hi = bounds(x)
        edge = parameters[0]
        inside = (lo >= -edge) & (hi <= edge)
        outside = (lo > edge) | (hi < -edge)
        if name == "hardshrink":
            need(np.all(inside | outside), "hardshrink at a jump")
            return ball(np.where(inside, 0, x.mid), np.where(inside, 0, x.rad))
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
