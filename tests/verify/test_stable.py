"""Method "stable": the bounds of its units and of its errors against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from flint import fmpq

from fiberscope_verify.chain import Chain, Layer
from fiberscope_verify.compressed import Comparison, Relation
from fiberscope_verify.report import Reject
from fiberscope_verify.stable import ACTIVE, FREE, INACTIVE, ends_of_units, local
from fiberscope_verify.trees import X

RNG = np.random.default_rng
RELU = ("map", "relu", (), X)


def leaky(slope: float):
    return ("map", "leaky_relu", (slope.hex(),), X)


def chain(layers: list[tuple[np.ndarray, np.ndarray]], tree=RELU) -> Chain:
    """A chain of given arrays (float64 or fmpq) with one activation."""
    out = []
    for l, (w, b) in enumerate(layers):
        zero = np.zeros(w.shape), np.zeros(b.shape)
        out.append(Layer(w, b, *zero, tree if l + 1 < len(layers) else None))
    return Chain(out)


def fraction(x) -> Fraction:
    return Fraction(int(x.p), int(x.q)) if isinstance(x, fmpq) else Fraction(float(x))


def rationals(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, dtype=object)
    out.reshape(-1)[:] = [fraction(x) for x in array.reshape(-1)]
    return out


def thirds(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, dtype=object)
    out.reshape(-1)[:] = [fmpq(*v.as_integer_ratio()) / 3 for v in array.reshape(-1).tolist()]
    return out


def preactivations(net: Chain, x: np.ndarray) -> list[np.ndarray]:
    """Every layer's values before its activation, in rationals."""
    h, out = rationals(np.asarray(x)), []
    for layer in net.layers:
        z = rationals(layer.weight).dot(h) + rationals(layer.bias)
        out.append(z)
        tree = layer.activation
        s = Fraction(0) if tree is None or tree[1] == "relu" else Fraction(float.fromhex(tree[2][0]))
        h = np.array([v if v >= 0 else s * v for v in z], dtype=object)
    return out


def points(rng: np.random.Generator, lo: np.ndarray, hi: np.ndarray, count: int) -> np.ndarray:
    """Corners, the middle, and points inside (some on faces)."""
    corners = [[(lo, hi)[side][i] for i, side in enumerate(sides)] for sides in product((0, 1), repeat=len(lo))]
    inside = lo + (hi - lo) * rng.random((count, len(lo)))
    face = np.where(rng.random(inside.shape) < 0.3, np.where(rng.random(inside.shape) < 0.5, lo, hi), inside)
    return np.clip(np.concatenate([corners[:32], [lo / 2 + hi / 2], inside, face]), lo, hi)


SPREADS = {"plain": 0.0, "wide": 6.0, "wild": 60.0}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("tree", [RELU, leaky(0.125), leaky(1e-200), leaky(1.0)], ids=str)
def test_bounds_of_units_hold_in_exact_arithmetic(spread: str, tree):
    """No exact value leaves its bounds; what is claimed linear is linear; weights from 1e-60 to 1e60, also rational."""
    shown = 0
    for seed in range(12):
        rng = RNG(seed)
        widths = [2, *rng.integers(1, 6, rng.integers(1, 4)), 1]

        def numbers(*shape: int, rng=rng) -> np.ndarray:
            return rng.normal(size=shape) * 10.0 ** rng.uniform(-SPREADS[spread], SPREADS[spread], shape)

        layers = [(numbers(m, n), numbers(m)) for n, m in pairwise(widths)]
        if seed % 3 == 1:  # a third everywhere: what a subtracted mean leaves
            layers[0] = thirds(layers[0][0]), thirds(layers[0][1])
        net = chain(layers, tree)
        lo = numbers(2)
        hi = lo + np.abs(numbers(2)) * rng.integers(0, 2, 2)  # some sides of width zero
        status: list[np.ndarray] = []
        exact = [preactivations(net, x) for x in points(rng, lo, hi, 12)]
        for l, width in enumerate(widths[1:-1]):
            low, high, _ = ends_of_units(net, l, np.arange(width), status, lo[None], hi[None])
            for values in exact:
                for unit in range(width):
                    assert not low[0, unit] > values[l][unit]
                    assert not high[0, unit] < values[l][unit]
            linear = np.where(low[0] >= 0, ACTIVE, np.where(high[0] <= 0, INACTIVE, FREE))
            shown += int((linear != FREE).sum())
            status.append(linear)
        reach = local(net, status, lo[None], hi[None])[1] if spread == "plain" else []
        for l, size in enumerate(reach[1:]):
            for values in exact:
                assert all(abs(v) <= Fraction(float(s)) for v, s in zip(values[l], size[0], strict=True) if v > 0)
    assert shown > 10


def test_a_product_below_the_floats_is_not_taken_for_zero():
    """1e-170 * 1e-170 is no float, yet at an input of 1e300 it beats a bias of -1e-50."""
    w = np.array([[1e-170]])
    net = chain([(w, np.zeros(1)), (w, np.array([-1e-50])), (np.ones((1, 1)), np.zeros(1))])
    low, high, _ = ends_of_units(net, 1, np.array([0]), [np.array([ACTIVE])], np.array([[0.0]]), np.array([[1e300]]))
    truth = preactivations(net, np.array([1e300]))[1][0]
    assert truth > 0
    assert Fraction(float(high[0, 0])) >= truth
    assert low[0, 0] <= -1e-50


def test_a_slope_below_the_floats_keeps_its_sign():
    """A leaky unit of slope 1e-200 at -1e-200 is below zero, though its float is -0."""
    net = chain(
        [(np.array([[1.0]]), np.zeros(1)), (np.array([[1.0]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))],
        leaky(1e-200),
    )
    low, _, _ = ends_of_units(net, 1, np.array([0]), [np.array([FREE])], np.array([[-1e-200]]), np.array([[1.0]]))
    assert low[0, 0] < 0


def test_rationals_that_no_float_holds_are_refused():
    tiny = np.array([[fmpq(1, 10**400)]], dtype=object)
    net = chain([(tiny, np.zeros(1)), (np.ones((1, 1)), np.zeros(1))])
    with pytest.raises(Reject, match="too small"):
        ends_of_units(net, 0, np.array([0]), [], np.zeros((1, 1)), np.ones((1, 1)))


def test_an_overflow_proves_nothing():
    huge = np.full((2, 2), 1e200)
    net = chain([(huge, np.zeros(2)), (huge, np.zeros(2)), (-huge, np.full(2, -1.0)), (np.ones((1, 2)), np.zeros(1))])
    status = [np.zeros(2, dtype=np.int64)] * 2
    low, high, _ = ends_of_units(net, 2, np.arange(2), status, -np.ones((1, 2)), np.ones((1, 2)))
    assert not np.isnan(low).any()
    assert not np.isnan(high).any()
    assert (low < 0).all()
    with pytest.raises(Reject, match="not finite"), np.errstate(all="ignore"):
        local(net, [*status, status[0]], -np.ones((1, 2)), np.ones((1, 2)))


@pytest.mark.parametrize("end", [0.0, 2.0**-60, -(2.0**-60)])
def test_an_end_of_exactly_zero_counts_in_the_first_layer(end: float):
    """0.1 x - 0.1 on [0, 1] is nowhere positive, whatever rounding says; 2^-60 more is."""
    net = chain([(np.array([[0.1, 0.7]]), np.array([-0.1])), (np.ones((1, 1)), np.zeros(1))])
    lo, hi = np.array([[0.0, end / 0.7]]), np.array([[1.0, end / 0.7]])
    _, high, _ = ends_of_units(net, 0, np.array([0]), [], lo, hi)
    truth = preactivations(net, hi[0])[0][0]
    assert (high[0, 0] <= 0) == (truth <= 0)


@pytest.mark.parametrize("seed", range(6))
def test_the_error_bound_holds_for_wrong_networks(seed: int):
    """b is a, altered at random, each unit standing for itself: the bound is never below an exact difference."""
    rng = RNG(seed)
    widths, tree = [2, 4, 3, 2], [RELU, leaky(0.25)][seed % 2]
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(widths)]
    noise = 10.0 ** rng.uniform(-12, 0)
    other = [(w + noise * rng.normal(size=w.shape) * (rng.random(w.shape) < 0.3), b.copy()) for w, b in layers]
    lo, hi = -rng.random((8, 2)) * 2, rng.random((8, 2)) * 2
    lo[0] = hi[0]  # a point
    scale = [2.0 ** rng.integers(-2, 3, n) for n in widths[1:-1]]
    for l, s in enumerate(scale):  # a's unit is s times b's
        w, b = other[l]
        other[l] = w / s[:, None], b / s
        other[l + 1] = other[l + 1][0] * s, other[l + 1][1]
    a, b = chain(layers, tree), chain(other, tree)
    free = [np.zeros(n, dtype=np.int64) for n in widths[1:-1]]
    relations = [
        Relation(np.arange(n), np.arange(n), s, np.zeros((widths[l + 2], 0)), layers[l + 1][1])
        for l, (n, s) in enumerate(zip(widths[1:-1], scale, strict=True))
    ]
    bound = Comparison(a, b, free, free, relations).bound(lo, hi)
    for box in range(len(lo)):
        gaps = [
            max(abs(p - q) for p, q in zip(preactivations(a, x)[-1], preactivations(b, x)[-1], strict=True))
            for x in points(rng, lo[box], hi[box], 15)
        ]
        assert max(gaps) <= Fraction(float(bound[box]))
    assert bound[0] <= 50 * noise + 1e-13  # and it is not idle


def test_bounds_of_sums_of_thousands_of_terms():
    """A last layer of 5000 inputs that differs in every weight: the float sum may round down, the bound may not."""
    rng = RNG(0)
    n = 5000
    w, v = np.ones((n, 1)), rng.random((1, n))
    moved = v + rng.random((1, n)) * 1e-3
    a, b = (chain([(w, np.zeros(n)), (r, np.zeros(1))]) for r in (v, moved))
    relation = Relation(np.arange(n), np.arange(n), np.ones(n), np.zeros((1, 0)), np.zeros(1))
    free = [np.zeros(n, dtype=np.int64)]
    bound = Comparison(a, b, free, free, [relation]).bound(np.array([[1.0]]), np.array([[1.0]]))[0]
    truth = sum((Fraction(float(q)) - Fraction(float(p)) for p, q in zip(v[0], moved[0], strict=True)), Fraction(0))
    assert truth <= Fraction(float(bound)) <= truth * (1 + Fraction(1, 10**6))
