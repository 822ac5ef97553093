"""Method "lipschitz": b is a, reduced step by step and rounded; on a box that moves the outputs by little.

Steps, in this order: the reductions of a (``chain_steps``; "fold-constant" also where the constant, tanh(0.3) say, is
enclosed between two floats only; then the units that read it have an uncertain bias, and may not be merged any more),
and "remove-dead" on b. What is left of a, called a', and b have the same shape.

Layer by layer z_a - z_b = W_a (h_a - h_b) + (W_a - W_b) h_b + (c_a - c_b), and h_a - h_b = k (z_a - z_b) with k a
difference quotient of the activation. All z and h lie in boxes found by interval arithmetic, k in an interval for each
unit (``steepness``), so with d_l = |W_a - W_b| max|h_b| + |c_a - c_b| + what is uncertain of the bias of a'

    |a' - b|  <=  sum over l of |W_L K_{L-1} W_{L-1} ... K_l| d_l,

the products taken in ball arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .affine import dot, plus
from .ball import Ball, U, bounds, hull, matmul, mul
from .certificate import Certificate, fields
from .chain import Chain
from .chain_steps import drop, neighbours, reduce_step, zero
from .exact import exact, rational, rational_to_float, to_float
from .report import Reject, need
from .spans import Span, add, join, outward
from .steepness import near, steepness
from .trees import tree_value

MERGES = ("merge", "reflect")
STEPS = ("remove-dead", "never-positive", "fold-constant", *MERGES)


@dataclass
class Loose:
    """A chain whose biases are known up to ``doubt``, one array per layer."""

    chain: Chain
    doubt: list[np.ndarray]

    @classmethod
    def of(cls, chain: Chain) -> Loose:
        """A chain that is known exactly."""
        return cls(Chain(list(chain.layers)), [np.zeros(len(layer.bias)) for layer in chain.layers])

    def step(self, step: dict) -> None:
        """One of the reductions."""
        kind = step.get("step")
        need(kind in STEPS, f"unknown step {str(kind)[:40]!r}")
        at, unit, here, _ = neighbours(self.chain, step.get("layer"), step.get("unit"))
        known = self.doubt[at - 1][unit] == 0
        assert here.activation is not None
        rational_value = known and tree_value(here.activation, rational(here.bias[unit])) is not None
        if kind == "fold-constant" and not rational_value:
            self.fold(step)
        else:
            if kind in MERGES:
                into = neighbours(self.chain, at, step.get("into"))[1]
                known = known and self.doubt[at - 1][into] == 0
            need(known or kind == "remove-dead", f"the bias of unit {unit} of layer {at} is not known exactly")
            reduce_step(self.chain, step)
        self.doubt[at - 1] = np.delete(self.doubt[at - 1], unit)

    def fold(self, step: dict) -> None:
        """A unit that reads nothing, whose value is enclosed, goes into the next biases."""
        at, unit, here, after = neighbours(self.chain, *fields(step, "fold-constant", "side", "layer", "unit")[1:])
        need(zero(here.weight[unit]), f"unit {unit} of layer {at} depends on its inputs: it is not constant")
        assert here.activation is not None
        column, doubt = after.weight[:, unit], np.full(1, self.doubt[at - 1][unit])
        at_zero = Span(-doubt, doubt)
        value, _ = steepness(here.activation, add(near(rational(here.bias[unit]), at_zero), at_zero))
        middle = float(value.lo[0] * 0.5 + value.hi[0] * 0.5)
        radius = outward(value.lo - middle, value.hi - middle).magnitude()
        shift = dot(exact(column)[:, None], np.array([[rational(middle)]], dtype=object))[:, 0]
        bias, ulp = plus(after.bias, after.bias_ulp, shift, np.zeros(len(shift)))
        size = upper(matmul(absolute(numbers(column[:, None])), exactly(radius[:, None])))[:, 0]
        self.doubt[at] = upper_sum(self.doubt[at], size)
        drop(self.chain, at, unit, here, replace(after, bias=bias, bias_ulp=ulp))


def exactly(x: np.ndarray) -> Ball:
    """Floats as balls."""
    return Ball(x, np.zeros(x.shape))


def numbers(x: np.ndarray) -> Ball:
    """Floats, or rationals rounded to them."""
    middle = to_float(x)
    need(bool(np.all(np.isfinite(middle))), "a number exceeds the range of float64")
    return Ball(middle, np.zeros(x.shape) if x.dtype != object else np.abs(middle) * 4 * U + 1e-300)


def absolute(x: Ball) -> Ball:
    """Absolute values."""
    return Ball(np.abs(x.mid), x.rad)


def upper(x: Ball) -> np.ndarray:
    """Upper ends."""
    return bounds(x)[1]


def upper_sum(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x + y rounded up, exact where one is zero; both are nonnegative."""
    return np.where(y == 0, x, np.where(x == 0, y, np.nextafter(x + y, np.inf)))


def gap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x - y| rounded up, entry by entry; zero where they are equal."""
    if object not in (x.dtype, y.dtype):
        return np.where(x == y, 0.0, np.nextafter(np.abs(x - y), np.inf))
    pairs = zip(x.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True)
    exact_gaps = [abs(rational(p) - rational(q)) for p, q in pairs]
    rounded = [0.0 if g == 0 else float(np.nextafter(rational_to_float(g), np.inf)) for g in exact_gaps]
    return np.array(rounded, dtype=np.float64).reshape(x.shape)


def distance(a: Loose, b: Chain, lo: np.ndarray, hi: np.ndarray) -> float:
    """A bound of |a(x) - b(x)| over lo <= x <= hi and all outputs."""
    p, doubt = a.chain, a.doubt
    need([w.weight.shape for w in p.layers] == [w.weight.shape for w in b.layers], "the chains have different shapes")
    values, slopes, errors = Span(lo, hi), [], []
    for l, (here, there) in enumerate(zip(p.layers, b.layers, strict=True)):
        need(here.activation == there.activation, f"layer {l + 1} has different activations")
        size = exactly(values.magnitude()[:, None])
        apart = gap(here.weight, there.weight)
        moved = np.where(apart.any(axis=1), upper(matmul(exactly(apart), size))[:, 0], 0.0)
        errors.append(upper_sum(upper_sum(moved, gap(here.bias, there.bias)), doubt[l]))
        if here.activation is None:
            break
        region = hull(values.lo, values.hi)
        inside = Span(-doubt[l], doubt[l])
        z = join(add(image(here.weight, here.bias, region), inside), image(there.weight, there.bias, region))
        values, slope = steepness(here.activation, z)
        slopes.append(hull(slope.lo, slope.hi))
    back = exactly(np.eye(p.n_out))
    total = errors[-1]
    for l in reversed(range(len(slopes))):
        back = matmul(back, numbers(p.layers[l + 1].weight))
        back = mul(back, Ball(slopes[l].mid[None], slopes[l].rad[None]))
        if np.any(errors[l]):
            total = upper_sum(total, upper(matmul(exactly(reach(back)), exactly(errors[l][:, None])))[:, 0])
    need(bool(np.all(np.isfinite(total))), "the bound is not finite")
    return float(total.max(initial=0.0))


def reach(x: Ball) -> np.ndarray:
    """The largest absolute values."""
    low, high = bounds(x)
    return np.maximum(np.abs(low), np.abs(high))


def image(weight: np.ndarray, bias: np.ndarray, region: Ball) -> Span:
    """Where W h + c can be."""
    product = matmul(numbers(weight), Ball(region.mid[:, None], region.rad[:, None]))
    low, high = (end[:, 0] for end in bounds(product))
    c = bounds(numbers(bias))
    return add(Span(low, high), Span(*c))


def check_lipschitz(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """The reductions, then the bound."""
    lo, hi, *_ = certificate.polytope(a.n_in)  # what holds on the box holds on a part of it
    need(a.n_in == b.n_in, "the chains have different inputs")
    if certificate.error_bound is None:
        raise Reject("this method needs an error bound")
    sides = {"a": Loose.of(a), "b": Loose.of(b)}
    for step in certificate.steps:
        side = step.get("side") if isinstance(step, dict) else None
        if not isinstance(side, str) or side not in sides:
            raise Reject("a reduction names the side a or b")
        need(side == "a" or step.get("step") == "remove-dead", "units of b may only be removed where nobody reads them")
        sides[side].step(step)
    checked.append(f"{len(certificate.steps)} reductions")
    found = distance(sides["a"], sides["b"].chain, lo, hi)
    need(
        found <= certificate.error_bound, f"the error is bounded by {found:.6g}, claimed {certificate.error_bound:.6g}"
    )
    checked.append(f"slopes of {len(a.layers) - 1} layers bound the error by {certificate.error_bound:.6g}")
