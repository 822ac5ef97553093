"""How much an elementwise function can enlarge an error: |f(x) - f(y)| <= k |x - y|, and never more than its width.

k is the largest |f'| (where f bends, the larger of both sides):
relu, abs, clip, neg, tanh, sin, cos, atan, softshrink, softplus (a sigmoid of beta t), asinh, log1p(exp): 1;
sigmoid: s (1 - s) <= 1/4; erf: 2/sqrt(pi) < 1.13;
gelu: f'(t) = Phi(t) + t phi(t), whose derivative (2 - t^2) phi(t) vanishes at t = sqrt 2: f'(sqrt 2) < 1.13, and
f'(-sqrt 2) > -0.13; gelu_tanh: u = c (t + a t^3) has |t u'| <= 3 |u|, so |f'| <= 1 + 3/2 |u| sech^2 u < 1.68.

x g(x) has the derivative g(x) + x g'(x): sup |t g'(t)| is below 0.448 for tanh, 0.485 for erf (1/sqrt(2 e) 2/sqrt(pi)),
0.224 for sigmoid.
"""

from __future__ import annotations

import math

import numpy as np

from .ball import U

TURNED = {"tanh": (1.0, 0.448), "erf": (1.0, 0.485), "sigmoid": (1.0, 0.224)}
"""sup |g| and sup |t g'(t)|."""
ONE = ("neg", "float", "relu", "abs", "tanh", "sin", "cos", "atan", "asinh", "softshrink")
WIDTH = {"sigmoid": 1.0, "tanh": 2.0, "erf": 2.0, "sin": 2.0, "cos": 2.0, "atan": 3.15}


def enlarged(
    name: str, parameters: list[float], error: np.ndarray, lo: np.ndarray, hi: np.ndarray
) -> np.ndarray | None:
    """Errors after a function of values in [lo, hi]; None where nothing is known. Rounded up by the caller."""
    k = slope(name, parameters)
    if k is None:
        found = bounded(name, error, lo, hi)
        if found is None:
            return None
        out = found
    else:
        out = np.where(error > 0, k * error + jump(name, parameters), 0.0)
    width = WIDTH.get(name, math.inf)
    if name == "clip":
        width = parameters[1] - parameters[0]
        flat = (hi + error < parameters[0]) | (lo - error > parameters[1])
        out = np.where(flat, 0.0, out)
    if name == "relu":
        out = np.where(hi + error < 0, 0.0, out)
    return np.minimum(out, width)


def slope(name: str, parameters: list[float]) -> float | None:
    """The constant k of a function, whatever its argument."""
    if name in ONE or (name == "clip" and parameters[0] <= parameters[1]):
        return 1.0
    if name == "leaky_relu":
        return max(1.0, abs(parameters[0]))
    if name == "elu":
        alpha, scale, inner = parameters
        return abs(scale) * max(1.0, abs(alpha * inner)) if inner >= 0 else None
    if name == "softplus" and parameters[0] > 0:
        return 1.0
    return {"sigmoid": 0.25, "erf": 1.1284, "gelu": 1.13, "gelu_tanh": 1.68}.get(name)


def jump(name: str, parameters: list[float]) -> float:
    """Above its threshold softplus is t: it falls by log(1 + e^-threshold) / beta < 2^(-1.4426 threshold) / beta."""
    if name != "softplus" or parameters[1] == math.inf:
        return 0.0
    return 2.0 ** -math.floor(min(max(1.4426 * parameters[1], 0.0), 900.0)) / parameters[0] * (1 + 4 * U)


def bounded(name: str, error: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray | None:
    """Functions that are steep somewhere, on the values that are met: both points lie in [lo - error, hi + error]."""
    low, high = np.nextafter(lo - error, -math.inf), np.nextafter(hi + error, math.inf)
    if name == "square":
        k = 2 * np.maximum(np.abs(low), np.abs(high))
    elif name == "exp":  # e < 2^1.4427, 1/e < 2^-1.4426
        power = np.ceil(high * np.where(high > 0, 1.4427, 1.4426))
        k = np.where(power > 1000, math.inf, np.ldexp(1.0, np.clip(power, -1000, 1000).astype(int)))
    elif name in ("sqrt", "rsqrt", "reciprocal", "log"):
        least = np.where(low > 0, low, 1.0)
        steep = {"sqrt": 0.5 / np.sqrt(least), "rsqrt": 0.5 / (least * np.sqrt(least)), "log": 1 / least}
        k = np.where(low > 0, steep.get(name, 1 / (least * least)) * (1 + 16 * U), math.inf)
    else:
        return None
    return np.where(error > 0, k * error, 0.0)
