"""Equality of two models is always decided, rightly, and a difference is shown at an input."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shallow.oracle import evaluate, frac, model, same_on_line
from tests.shallow.test_normal_form import ACTIVATIONS, rewritten, small

from fiberscope.errors import InputError
from fiberscope.shallow.equality import same_function
from fiberscope.shallow.model import ShallowModel


def checked(a: ShallowModel, b: ShallowModel, box=None) -> bool:
    """The decision, after its evidence was looked at."""
    answer = same_function(a, b, box=box)
    if answer.equal:
        assert answer.witness is None and answer.gap is None
        rng = np.random.default_rng(0)
        low, high = (-4.0, 4.0) if box is None else (np.asarray(side, dtype=float) for side in box)
        for x in low + (high - low) * rng.integers(0, 17, (6, a.inputs)) / 16:
            assert [frac(v) for v in answer.form(x)] == evaluate(a, x) == evaluate(b, x)
    else:
        x = answer.witness
        assert x is not None and answer.gap is not None
        gap = [v - w for v, w in zip(evaluate(a, x), evaluate(b, x), strict=True)]
        assert gap == [frac(v) for v in answer.gap] and any(gap)
        if box is not None:
            low, high = (np.broadcast_to(np.asarray(side, dtype=float), a.inputs) for side in box)
            assert all(frac(lo) <= frac(v) <= frac(hi) for lo, v, hi in zip(low, x, high, strict=True))
    assert answer.to_json()["answer"] == answer.answer and len(repr(answer).splitlines()) <= 3
    return answer.equal


def test_all_pairs_of_small_networks_on_the_line():
    """Two units: pairs that agree at five inputs, and random ones, against the values at all breakpoints."""
    units = [(w, b, q) for w, b, q in product((-1, 1, 2), (-1, 0, 1), (-2, -1, 1))]
    nets = [model([[u[0]], [v[0]]], [u[1], v[1]], [[u[2], v[2]]], [0]) for u in units for v in units if u <= v]
    rng = np.random.default_rng(1)
    seen = {True: 0, False: 0}
    keys: dict[tuple, list[int]] = {}
    for i, net in enumerate(nets):
        keys.setdefault(tuple(evaluate(net, [x])[0] for x in (-5, -0.75, 0.25, 0.8, 5)), []).append(i)
    near = [group for group in keys.values() if len(group) > 1]
    pairs = [tuple(rng.choice(group, 2)) for group in near for _ in range(2)]
    pairs += [tuple(rng.integers(0, len(nets), 2)) for _ in range(150)]
    for i, j in pairs:
        for box in (None, (-1, 1), (0, 3)):
            truth = same_on_line(nets[i], nets[j], *(box or ()))
            assert same_function(nets[i], nets[j], box=box).equal == truth
            seen[truth] += 1
    assert min(seen.values()) > 100


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rewritten_networks_are_equal_and_one_changed_weight_is_not(activation):
    rng = np.random.default_rng(2)
    for _ in range(25):
        net = small(rng, int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(1, 6)), activation)
        other = rewritten(net, rng)
        assert checked(net, other) and checked(other, net) and checked(net, other, (-1, 2))
        c = other.b2.copy()
        c[0] = np.nextafter(c[0], 9)
        assert not checked(net, ShallowModel(other.W1, other.b1, other.W2, c, activation))


def test_units_outside_the_box_do_not_matter():
    a = model([[1.0, 1.0], [1.0, 0.0]], [0.0, -3.0], [[1.0, 7.0]], [0.0])
    b = model([[1.0, 1.0]], [0.0], [[1.0]], [0.0])
    assert checked(a, b, (-1, 1)) and checked(a, b, ((-1, -1), (3, 3))) and not checked(a, b)
    assert not checked(a, b, ((-1, -1), (np.nextafter(3.0, 4), 1)))


def test_on_a_flat_box_boundaries_merge():
    a, b = model([[1.0, 1.0]], [0.0], [[1.0]], [0.0]), model([[1.0, 0.0]], [2.0], [[1.0]], [0.0])
    assert checked(a, b, ((-5, 2), (5, 2))) and not checked(a, b) and not checked(a, b, ((-5, 2), (5, 2.5)))
    assert checked(a, b, ((-1, 2), (-1, 2)))
    assert not checked(a, b, ((-1, 3), (-1, 3)))


def test_functions_that_doubled_and_fresh_units_write_again():
    """Reversal without a zero-sum set, units on hyperplanes that are no folds; a hat that is 0 almost everywhere."""
    left = model([[1.0], [1.0]], [0.0, -1.0], [[1.0, 1.0]], [0.0])
    assert checked(left, model([[1.0], [-1.0], [-1.0]], [0.0, 0.0, 1.0], [[2.0, -1.0, 1.0]], [-1.0]))
    one = model([[1.0, 0.0]], [0.0], [[1.0]], [0.0])
    assert checked(one, model([[-1.0, 0], [1, 0], [-1, 0]], [0.0, 5, -5], [[1.0, 1, -1]], [-5.0]))
    e = 2.0**-60
    hat = model([[1.0]] * 3, [0.0, -e, -2 * e], [[1.0, -2.0, 1.0]], [0.0])
    assert not checked(hat, model([[1.0]], [0.0], [[0.0]], [0.0]))
    narrow = model([[1.0]] * 3, [-1.0, -1 - 2.0**-52, -1 - 2.0**-51], [[1.0, -2.0, 1.0]], [0.0])
    assert not checked(narrow, model([[1.0]], [0.0], [[0.0]], [0.0]), (0, 3))


def test_reversing_a_set_needs_its_weights_to_sum_to_zero():
    """q_1 w_1 + q_2 w_2 + q_3 w_3 = 0: all three may turn around, the constant takes the biases; two may not."""
    w = np.array([[1.0, 0.0], [1.0, 2.0], [-4.0, -4.0]])
    b, q = np.array([1.0, 0.5, -2.0]), np.array([[2.0, 2.0, 1.0]])
    net = ShallowModel(w, b, q, np.zeros(1))
    assert checked(net, ShallowModel(-w, -b, q, q @ b))
    part = np.array([-1.0, -1.0, 1.0])
    assert not checked(net, ShallowModel(w * part[:, None], b * part, q, q @ b))


def test_activations_of_different_slopes_are_compared():
    """leaky_s(z) = relu(z) - s relu(-z)."""
    leaky = model([[2.0, 1.0]], [1.0], [[3.0]], [0.5], "leaky_relu(0.25)")
    relu = model([[2.0, 1.0], [-2.0, -1.0]], [1.0, -1.0], [[3.0, -0.75]], [0.5])
    assert checked(leaky, relu) and checked(leaky, relu, (-1, 1))
    assert checked(model([[1.0]], [0.5], [[1.0]], [0.0], "abs"), model([[1], [-1]], [0.5, -0.5], [[1, 1]], [0]))
    assert not checked(leaky, model([[2.0, 1.0], [-2.0, -1.0]], [1.0, -1.0], [[3.0, -0.5]], [0.5]))


@given(seed=st.integers(0, 2**32), box=st.sampled_from([None, (-1, 1)]))
def test_one_ulp_is_a_difference(seed, box):
    rng = np.random.default_rng(seed)
    n, k, d = (int(v) for v in rng.integers(1, 5, 3))
    arrays = [rng.standard_normal(s) for s in ((d, n), (d,), (k, d), (k,))]
    scale, order = 2.0 ** rng.integers(-3, 4, d), rng.permutation(d)
    W, b, q, c = arrays[0] * scale[:, None], arrays[1] * scale, arrays[2] / scale, arrays[3].copy()
    net, copy = ShallowModel(*arrays), ShallowModel(W[order], b[order], q[:, order], c)  # pyright: ignore[reportArgumentType]
    assert checked(net, copy, box)
    moved = [a.copy() for a in (copy.W1, copy.b1, copy.W2, copy.b2)]
    which = moved[int(rng.integers(0, 4))]
    at = tuple(int(rng.integers(0, s)) for s in which.shape)
    which[at] = np.nextafter(which[at], rng.choice([-9.0, 9.0]))
    other = ShallowModel(*moved)  # pyright: ignore[reportArgumentType]
    if box is None:
        assert not checked(copy, other, box)
    else:
        checked(copy, other, box)  # equal only if the unit is dead there, which the evidence shows


@pytest.mark.slow
def test_ten_thousand_near_misses_are_told_apart():
    rng = np.random.default_rng(8)
    for _ in range(10_000):
        n, d = int(rng.integers(1, 5)), int(rng.integers(1, 9))
        W, b, q, c = rng.standard_normal((d, n)), rng.standard_normal(d), rng.standard_normal((1, d)), np.zeros(1)
        moved = [W.copy(), b.copy(), q.copy()]
        which = moved[int(rng.integers(0, 3))].reshape(-1)
        i = int(rng.integers(0, len(which)))
        which[i] = np.nextafter(which[i], 9)
        order = rng.permutation(d)
        net, other = ShallowModel(W, b, q, c), ShallowModel(moved[0][order], moved[1][order], moved[2][:, order], c)
        assert same_function(net, ShallowModel(W[order], b[order], q[:, order], c)).equal
        answer = same_function(net, other)
        assert not answer.equal and answer.gap is not None and any(frac(v) for v in answer.gap)


def test_rounded_quotients_that_agree_are_not_proportional_rows():
    """(3, 1) and (3 (1 + 2^-52), 1 + 2^-52 rounded): the same float quotient, different hyperplanes."""
    rng = np.random.default_rng(9)
    collisions = 0
    for _ in range(600):
        w, b = rng.uniform(1, 2), rng.uniform(1, 2)
        w2, b2 = np.nextafter(w, 3), np.nextafter(b, 3)
        collisions += b / w == b2 / w2
        a, c = model([[w]], [b], [[1 / 2]], [0]), model([[w2]], [b2], [[1 / 2]], [0])
        assert same_function(a, c).equal == (frac(w) * frac(b2) == frac(w2) * frac(b) and w == w2)
    assert collisions > 20


def test_extreme_ranges():
    a = model([[1e300, 1e-300]], [1e-310], [[1e-300]], [5e-324])
    for changed in range(4):
        arrays = [a.W1.copy(), a.b1.copy(), a.W2.copy(), a.b2.copy()]
        flat = arrays[changed].reshape(-1)
        flat[-1] = np.nextafter(flat[-1], np.inf)
        assert not checked(a, ShallowModel(*arrays))  # pyright: ignore[reportArgumentType]
    assert checked(a, ShallowModel(a.W1 * 2, a.b1 * 2, a.W2 / 2, a.b2))


def test_a_hundred_thousand_units_in_seconds():
    rng = np.random.default_rng(10)
    d, n = 100_000, 20
    net = ShallowModel(rng.standard_normal((d, n)), rng.standard_normal(d), rng.standard_normal((1, d)), np.zeros(1))
    scale, order = 2.0 ** rng.integers(-3, 4, d), rng.permutation(d)
    W, b, q = (net.W1 * scale[:, None])[order], (net.b1 * scale)[order], (net.W2 / scale)[:, order]
    start = time.perf_counter()
    assert same_function(net, ShallowModel(W, b, q, net.b2)).equal
    b = b.copy()
    b[17] = np.nextafter(b[17], 9)
    assert not same_function(net, ShallowModel(W, b, q, net.b2)).equal
    assert time.perf_counter() - start < 60  # a few seconds; the limit is for busy machines


def test_shapes_must_fit():
    with pytest.raises(InputError, match="equal numbers of inputs"):
        same_function(model([[1.0]], [0], [[1.0]], [0]), model([[1.0, 1.0]], [0], [[1.0]], [0]))
