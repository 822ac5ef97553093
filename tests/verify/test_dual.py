"""Bounds by multipliers: whatever the multipliers, no exact value leaves its bound; the ranges are enforced."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.verify.test_stable import RELU, chain, leaky, points, preactivations, rationals, thirds

from fiberscope_verify.chain import Chain
from fiberscope_verify.dual import Leaves, Rows, branches, least, tightened
from fiberscope_verify.report import Reject
from fiberscope_verify.stable import ACTIVE, FREE, INACTIVE

RNG = np.random.default_rng


def case(seed: int, spread: float, tree) -> tuple[Chain, np.ndarray, np.ndarray, Rows]:
    """A random network, a box, and rows through its middle."""
    rng = RNG(seed)
    widths = [2, *rng.integers(2, 6, 3), 1]

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * 10.0 ** rng.uniform(-spread, spread, shape)

    layers = [(numbers(m, n), numbers(m)) for n, m in pairwise(widths)]
    if seed % 3 == 1:
        layers[0] = thirds(layers[0][0]), thirds(layers[0][1])
    lo = numbers(2)
    hi = lo + np.abs(numbers(2))
    G = numbers(int(rng.integers(0, 4)), 2)
    h = G @ (0.5 * lo + 0.5 * hi) + np.abs(numbers(len(G)))
    return chain(layers, tree), lo, hi, Rows(G, h)


def inside(rows: Rows, x: np.ndarray) -> bool:
    """Whether a point of floats meets the rows, in rationals."""
    G, h = rationals(rows.a), rationals(rows.b)
    return all(limit >= value for value, limit in zip(G.dot(rationals(x)), h, strict=True))


@pytest.mark.parametrize("spread", [0.0, 4.0, 40.0])
@pytest.mark.parametrize("tree", [RELU, leaky(0.125)], ids=str)
def test_any_multipliers_give_a_true_bound(spread: float, tree):
    """Random alpha, beta, mu on leaves with assumed sides, ends and status from exact samples' own signs."""
    used = 0
    for seed in range(16):
        rng = RNG(seed + 100)
        net, lo, hi, rows = case(seed, spread, tree)
        exact = [preactivations(net, x) for x in points(rng, lo, hi, 10) if inside(rows, x)]
        widths = [len(layer.bias) for layer in net.layers[:-1]]
        for layer in range(1, len(widths)):
            hidden = sum(widths[:layer])
            sides = rng.integers(-1, 2, (3, hidden)) * (rng.random((3, hidden)) < 0.4)
            found = Leaves(np.repeat(lo[None], 3, 0), np.repeat(hi[None], 3, 0), sides)
            m = widths[layer]
            signs = rng.choice([-1, 1], m)
            alpha = rng.random((3, m, hidden)) * rng.integers(0, 2, (3, m, hidden))
            beta = rng.exponential(10.0 ** rng.uniform(-3, 3), (3, m, hidden))
            multipliers = np.where(sides[:, None] != 0, beta, alpha)
            mu = rng.exponential(1.0, (3, m, len(rows.b)))
            free = [np.full(n, FREE) for n in widths[:layer]]
            none = [(np.full((1, n), -np.inf), np.full((1, n), np.inf)) for n in widths[:layer]]
            low = least(net, layer, np.arange(m), signs, free, none, found, rows, multipliers, mu)
            for values in exact:
                flat = np.concatenate(values[:layer])
                for leaf in range(3):
                    if all(v * int(s) >= 0 for v, s in zip(flat, sides[leaf], strict=True)):
                        for unit in range(m):
                            used += 1
                            assert not low[leaf, unit] > values[layer][unit] * int(signs[unit])
    assert used > 200


def test_known_ends_and_status_hold_too():
    """Ends of earlier layers, true on the samples, may only help; bounds stay true on them."""
    for seed in range(12):
        net, lo, hi, rows = case(seed, 0.0, RELU)
        exact = [preactivations(net, x) for x in points(RNG(seed), lo, hi, 10) if inside(rows, x)]
        if not exact:
            continue
        first = np.array([[float(v) for v in values[0]] for values in exact])
        low, high = first.min(0) - 1e-9, first.max(0) + 1e-9  # a domain of these points only
        status = [np.where(low >= 0, ACTIVE, np.where(high <= 0, INACTIVE, FREE))]
        m = len(net.layers[1].bias)
        found = Leaves(lo[None], hi[None], np.zeros((1, len(low)), dtype=np.int64))
        rest = np.full((1, m, len(low)), 0.5), np.zeros((1, m, len(rows.b)))
        for sign in (1, -1):
            signs = np.full(m, sign)
            bound = least(net, 1, np.arange(m), signs, status, [(low[None], high[None])], found, rows, *rest)
            for values in exact:
                assert all(b <= sign * v for b, v in zip(bound[0], values[1], strict=True))


def test_multipliers_out_of_range_are_refused():
    net, lo, hi, rows = next(made for made in (case(seed, 0.0, RELU) for seed in range(9)) if len(made[3].b))
    hidden, m = len(net.layers[0].bias), len(net.layers[1].bias)
    status = [np.zeros(hidden, dtype=np.int64)]
    ends = [(np.full((1, hidden), -np.inf), np.full((1, hidden), np.inf))]
    sides = np.zeros((1, hidden), dtype=np.int64)
    sides[0, 0] = 1

    def ask(value: float, at: int, mu: float = 0.0) -> np.ndarray:
        multipliers = np.zeros((1, m, hidden))
        multipliers[..., at] = value
        found = Leaves(lo[None], hi[None], sides)
        rest = status, ends, found, rows, multipliers, np.full((1, m, len(rows.b)), mu)
        return least(net, 1, np.arange(m), np.ones(m, dtype=int), *rest)

    ask(1.0, 1)
    ask(7.0, 0)
    for value, at, mu, words in ((-1e-9, 1, 0, "negative"), (-1e-9, 0, 0, "negative"), (1 + 1e-9, 1, 0, "above 1")):
        with pytest.raises(Reject, match=words):
            ask(value, at, mu)
    with pytest.raises(Reject, match="negative"):
        ask(0.0, 1, -1e-9)


def test_leaves_of_a_tree_over_sides_cover_all_signs():
    """Whatever the cuts, every input with every pattern of signs lies in some leaf."""
    for seed in range(30):
        rng = RNG(seed)
        count = 7
        axis, at = rng.integers(0, 4, count), np.where(rng.random(count) < 0.7, 0.0, rng.uniform(-1, 1, count))
        left, right = np.full(count, -1), np.full(count, -1)
        for node in range(1, count):  # attach each node at a free place of an earlier one
            free = [(p, s) for p in range(node) for s, c in ((0, left), (1, right)) if c[p] < 0]
            parent, side = free[int(rng.integers(len(free)))]
            (left, right)[side][parent] = node
        try:
            found = branches(-np.ones(2), np.ones(2), 2, axis, at, left, right)
        except Reject:
            continue  # a cut outside its box
        for _ in range(50):
            x, t = rng.uniform(-1, 1, 2), rng.integers(-1, 2, 2)
            here = (found.lo <= x).all(1) & (x <= found.hi).all(1)
            assert (here & ((found.sides * t >= 0).all(1))).any()


@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_a_tightened_box_loses_no_point(spread: float):
    smaller = 0
    for seed in range(40):
        rng = RNG(seed)
        _, lo, hi, rows = case(seed, spread, RELU)
        mu = rng.exponential(1.0, (4, len(rows.b))) * (rng.random((4, len(rows.b))) < 0.5)
        if len(rows.b):  # the exact multiplier of one input by one row
            mu[:] = 0.0
            mu[0 if rows.a[0, 0] > 0 else 2, 0] = 1.0 / max(abs(rows.a[0, 0]), 1e-300)
        low, high = tightened(lo, hi, rows, mu)
        smaller += bool((low > lo).any() or (high < hi).any())
        for x in points(rng, lo, hi, 40):
            if inside(rows, x):
                assert (low <= x).all()
                assert (x <= high).all()
    assert smaller > 5


def test_a_bound_that_multipliers_make_exact():
    """x + y - 1 is nowhere positive where x + y <= 1, y <= 1: mu = 1 shows it up to rounding, less does not."""
    net = chain([(np.array([[1.0, 1.0]]), np.array([-1.0 - 2.0**-40])), (np.ones((1, 1)), np.zeros(1))])
    rows = Rows(np.array([[1.0, 1.0]]), np.array([1.0]))
    found = Leaves(np.zeros((1, 2)), np.ones((1, 2)), np.zeros((1, 0), dtype=np.int64))
    for mu, holds in ((1.0, True), (0.9, False), (0.0, False)):
        rest = np.array([0]), np.array([-1]), [], [], found, rows, np.zeros((1, 1, 0)), np.full((1, 1, 1), mu)
        assert (least(net, 0, *rest)[0, 0] >= 0) == holds
