"""How an activation acts on an interval: an enclosure of its values, and one of all its difference quotients there.

An expression is walked once with spans of values and of slopes (forward differentiation); the interval is cut into
parts, since a product of spans forgets that both are spans of the same z. A continuous function with slopes in [k, K]
wherever it has one has all difference quotients in [k, K], being the integral of its slope; so corners need no care. A
jump is refused.
"""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq

from .ball import bounds, function, hull
from .exact import parse_rational, rational_to_float
from .report import Reject, need
from .spans import Span, add, join, meet, mul, number, outward, rising, split, square, sub, united
from .trees import Tree, X

PARTS = 32
RISING = {
    "tanh",
    "sigmoid",
    "erf",
    "exp",
    "expm1",
    "atan",
    "relu",
    "clip",
    "softshrink",
    "softplus",
    "leaky_relu",
    "elu",
}


def steepness(tree: Tree, z: Span) -> tuple[Span, Span]:
    """Enclosures of the values, and of the difference quotients, of an activation on intervals of z."""
    parts = split(z, PARTS)
    value, slope = walk(tree, parts)
    middle = np.clip(parts.lo * 0.5 + parts.hi * 0.5, parts.lo, parts.hi)
    centre, _ = walk(tree, Span(middle, middle))
    value = meet(value, add(centre, mul(slope, sub(parts, Span(middle, middle)))))  # the mean value theorem
    return united(value), united(slope)


def walk(tree: Tree, z: Span) -> tuple[Span, Span]:
    """(values, slopes) of an expression on spans of z."""
    if tree == X:
        return z, number(1.0, z)
    if tree[0] == "lit":
        return near(parse_rational(tree[1]), z), number(0.0, z)
    if tree[0] == "map":
        value, slope = walk(tree[3], z)
        image, inner = mapped(tree[1], [float.fromhex(p) for p in tree[2]], value)
        return image, mul(inner, slope)
    if tree[0] in ("add", "mul", "max", "min"):
        (p, dp), (q, dq) = walk(tree[1], z), walk(tree[2], z)
        if tree[0] == "add":
            return add(p, q), add(dp, dq)
        if tree[0] == "mul":
            return mul(p, q), add(mul(p, dq), mul(q, dp))
        rule = np.maximum if tree[0] == "max" else np.minimum
        return Span(rule(p.lo, q.lo), rule(p.hi, q.hi)), join(dp, dq)
    raise Reject(f"no slopes are known for {tree[0]}")


def near(value: fmpq, like: Span) -> Span:
    """A rational number as a span."""
    middle = number(rational_to_float(value), like)
    return (
        middle if fmpq(*float(middle.lo.reshape(-1)[0]).as_integer_ratio()) == value else outward(middle.lo, middle.hi)
    )


def mapped(name: str, parameters: list[float], t: Span) -> tuple[Span, Span]:
    """Values and slopes of one function of t."""
    one, half = number(1.0, t), number(0.5, t)
    if name == "neg":
        return Span(-t.hi, -t.lo), number(-1.0, t)
    if name == "float":
        return t, one
    if name == "abs":
        low = np.where((t.lo <= 0) & (t.hi >= 0), 0.0, np.minimum(np.abs(t.lo), np.abs(t.hi)))
        return Span(low, t.magnitude()), corner(t, 0.0, -1.0, 1.0)
    if name == "square":
        return square(t), mul(number(2.0, t), t)
    if name == "reciprocal":
        need(bool(np.all((t.lo > 0) | (t.hi < 0))), "a division by what may be zero")
        value = outward(1.0 / t.hi, 1.0 / t.lo)
        return value, sub(number(0.0, t), square(value))
    if name == "gelu":  # t Phi(t), slope Phi(t) + t phi(t)
        share = mul(half, add(one, rising("erf", [], mul(t, root(0.5, t)))))
        bell = mul(rising("exp", [], sub(number(0.0, t), mul(half, square(t)))), root(1.0 / (2.0 * math.pi), t))
        return mul(t, share), add(share, mul(t, bell))
    if name == "gelu_tanh":
        factor, cubic = root(2.0 / math.pi, t), outward(np.full(t.lo.shape, 0.044715), np.full(t.lo.shape, 0.044715))
        inner = mul(factor, mul(t, add(one, mul(cubic, square(t)))))
        bent = rising("tanh", [], inner)
        share = mul(half, add(one, bent))
        fall = sub(one, square(bent))
        speed = mul(factor, add(one, mul(number(3.0, t), mul(cubic, square(t)))))
        return mul(t, share), add(share, mul(mul(half, t), mul(fall, speed)))
    if name in ("sin", "cos"):
        wave, other = (bounds(function(f, [], hull(t.lo, t.hi))) for f in ("sin", "cos"))
        wave, other = (meet(Span(*ends), Span(-one.hi, one.hi)) for ends in (wave, other))
        return (wave, other) if name == "sin" else (other, Span(-wave.hi, -wave.lo))
    need(name in RISING, f"no slopes are known for {name}")
    if name == "leaky_relu":
        need(parameters[0] >= 0, "a slope below zero")
        return rising(name, parameters, t), corner(t, 0.0, parameters[0], 1.0)
    if name == "relu":
        return rising(name, parameters, t), corner(t, 0.0, 0.0, 1.0)
    if name == "clip":
        low, high = parameters
        inside = (t.lo >= low) & (t.hi <= high)
        outside = ~inside & ((t.hi <= low) | (t.lo >= high))
        return rising(name, parameters, t), Span(np.where(inside, 1.0, 0.0), np.where(outside, 0.0, 1.0))
    if name == "softshrink":
        return rising(name, parameters, t), Span(np.zeros(t.lo.shape), np.ones(t.lo.shape))
    if name == "elu":  # scale t, and alpha scale (exp(inner t) - 1) below 0
        alpha, scale, inner = parameters
        need(min(parameters) >= 0, "a slope below zero")
        factor = mul(number(alpha, t), mul(number(scale, t), number(inner, t)))
        left = mul(factor, rising("exp", [], mul(number(inner, t), Span(np.minimum(t.lo, 0.0), np.minimum(t.hi, 0.0)))))
        right = number(scale, t)
        low = np.where(t.lo >= 0, right.lo, np.where(t.hi <= 0, left.lo, np.minimum(left.lo, right.lo)))
        high = np.where(t.lo >= 0, right.hi, np.where(t.hi <= 0, left.hi, np.maximum(left.hi, right.hi)))
        return rising(name, parameters, t), Span(low, high)
    if name == "softplus":
        beta, threshold = parameters
        scaled = mul(number(beta, t), t)
        need(beta > 0 and bool(np.all(scaled.hi <= threshold)), "a softplus beyond its threshold, where it jumps")
        return rising(name, parameters, t), rising("sigmoid", [], scaled)
    value = rising(name, parameters, t)
    if name == "tanh":
        return value, sub(one, square(value))
    if name == "sigmoid":  # s (1 - s)
        return value, sub(number(0.25, t), square(sub(value, half)))
    if name == "erf":
        bell = rising("exp", [], Span(-square(t).hi, -square(t).lo))
        return value, mul(bell, mul(number(2.0, t), root(1.0 / math.pi, t)))
    if name == "atan":
        below = add(one, square(t))
        return value, outward(1.0 / below.hi, 1.0 / below.lo)
    return value, value if name == "exp" else add(value, one)


def root(value: float, like: Span) -> Span:
    """The square root of a constant that float64 holds within two units in the last place."""
    middle = math.sqrt(value)
    return Span(np.full(like.lo.shape, middle * (1 - 2.0**-50)), np.full(like.lo.shape, middle * (1 + 2.0**-50)))


def corner(t: Span, at: float, below: float, above: float) -> Span:
    """Slopes of a function with one corner: ``below`` on its left, ``above`` on its right."""
    left, right = t.lo < at, t.hi > at
    low = np.where(left & right, min(below, above), np.where(left, below, above))
    high = np.where(left & right, max(below, above), np.where(left, below, above))
    return Span(low, high)
