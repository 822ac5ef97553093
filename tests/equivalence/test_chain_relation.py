"""Chains: the relation is found for every member of the orbit, and never for a near miss."""

from __future__ import annotations

import numpy as np
import pytest

from fiberscope.equivalence.chain import plain_chain
from fiberscope.equivalence.chain_activations import law
from fiberscope.equivalence.chain_match import match
from fiberscope.equivalence.chain_reduce import reduce_chain
from fiberscope.equivalence.chain_route import relate

from .planted import ACTIVATIONS, chain, member, nudge, random_layers, shift

WIDTHS = [4, 9, 6, 3]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_power_of_two_copies_are_exact(activation: str, dtype: type):
    rng = np.random.default_rng(1)
    layers = random_layers(rng, WIDTHS, dtype)
    copy = member(rng, layers, activation, "one" if dtype is np.float16 else "pow2", dtype)
    found = relate(chain(layers, activation, dtype), chain(copy, activation, dtype), 8)
    assert found is not None and found.judgement.exact and found.judgement.ulps == 0.0


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if law(a).log not in (None, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_real_scales_are_rounding(activation: str, dtype: type):
    rng = np.random.default_rng(2)
    layers = random_layers(rng, WIDTHS, dtype)
    copy = member(rng, layers, activation, "real", dtype)
    found = relate(chain(layers, activation, dtype), chain(copy, activation, dtype), 8)
    assert found is not None and not found.judgement.exact
    assert 0.0 < found.judgement.ulps < 4.0


@pytest.mark.parametrize("ulps", [1, 2, 5, 8, 9, 30])
def test_one_altered_weight_is_measured_to_the_ulp(ulps: int):
    rng = np.random.default_rng(ulps)
    layers = random_layers(rng, WIDTHS)
    copy = nudge(member(rng, layers, "relu", "pow2"), 1, (2, 3), ulps)
    found = relate(chain(layers, "relu"), chain(copy, "relu"), 8)
    assert found is not None and not found.judgement.exact
    assert found.judgement.ulps == ulps
    assert found.judgement.where == (1, "weight", (2, 3))


@pytest.mark.parametrize("amount", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_a_changed_weight_is_not_rounding(amount: float, activation: str):
    rng = np.random.default_rng(5)
    layers = random_layers(rng, WIDTHS)
    copy = shift(member(rng, layers, activation, "real"), 1, (0, 0), amount)
    found = relate(chain(layers, activation), chain(copy, activation), 2)
    assert found is None or (not found.judgement.exact and found.judgement.ulps > 2)
    assert found is not None and any((1, 0) in units for units in found.difference().targets(8))


def test_a_zero_must_stay_zero():
    layers = random_layers(np.random.default_rng(3), WIDTHS)
    layers[1][0][2, 2] = 0.0
    copy = [(w.copy(), b.copy()) for w, b in layers]
    copy[1][0][2, 2] = 1e-40
    for a, b in ((layers, copy), (copy, layers)):
        found = relate(chain(a, "relu"), chain(b, "relu"), 1e9)
        assert found is not None and not found.judgement.exact and found.judgement.ulps > 1e9


def with_redundancy(layers: list, l: int, rng: np.random.Generator, activation: str) -> list:
    """Add to hidden layer ``l`` (0-based) a duplicate whose outgoing weights are split, a dead and a constant unit."""
    rule = law(activation)
    (w, b), (v, c) = layers[l], layers[l + 1]
    scale = {True: 4.0, False: 1.0}[rule.log is not None] * (-1.0 if rule.sign is not None else 1.0)
    into = v[:, 0] * 0.5 / float(rule.multipliers(np.array([scale]))[0])
    w = np.vstack([w, scale * w[0], rng.integers(-3, 4, w.shape[1])])
    b = np.append(b, [scale * b[0], 1.0])
    v = np.column_stack([v, into, np.zeros(len(v))])
    v[:, 0] *= 0.5
    if activation in ("relu", "abs"):
        column = rng.integers(-4, 5, len(v)).astype(float)
        w, b = np.vstack([w, np.zeros(w.shape[1])]), np.append(b, 2.0)
        v, c = np.column_stack([v, column]), c - 2.0 * column
    out = list(layers)
    out[l], out[l + 1] = (w, b), (v, c)
    return out


@pytest.mark.parametrize("activation", ["relu", "tanh", "abs", "gelu", "square", "cos", "sigmoid"])
def test_redundant_units_are_seen_through(activation: str):
    rng = np.random.default_rng(7)
    layers = [(np.round(8 * w), np.round(4 * b)) for w, b in random_layers(rng, WIDTHS)]
    if activation == "square":
        layers[1] = (layers[1][0] * 32, layers[1][1])
    bigger = with_redundancy(with_redundancy(layers, 1, rng, activation), 0, rng, activation)
    bigger = member(rng, bigger, activation, "one")
    a, b = chain(layers, activation), chain(bigger, activation)
    x = rng.standard_normal((20, 4))
    assert np.allclose(a.run(x), b.run(x), rtol=1e-9, atol=1e-9)
    found = relate(a, b, 8)
    assert found is not None and found.judgement.exact
    kinds = {step["step"] for step in found.reductions[1].steps}
    assert {"merge", "remove-dead"} <= kinds
    place = int(found.reductions[1].kept[1][0]), int(found.reductions[1].kept[0][0])
    other = relate(a, chain(nudge(bigger, 1, place, 1), activation), 8)
    assert other is None or not other.judgement.exact


def test_reduction_keeps_the_function_and_the_numbers_of_units():
    rng = np.random.default_rng(8)
    layers = with_redundancy(
        [(np.round(8 * w), np.round(4 * b)) for w, b in random_layers(rng, WIDTHS)], 0, rng, "relu"
    )
    whole = chain(layers, "relu")
    reduction = reduce_chain(whole)
    x = rng.standard_normal((50, 4))
    assert np.allclose(reduction.chain.run(x), whole.run(x), rtol=1e-12, atol=1e-12)
    assert reduction.chain.widths == tuple(WIDTHS)
    assert [list(k) for k in reduction.kept] == [list(range(9)), list(range(6))]
    assert [s["unit"] for s in reduction.steps if s["step"] == "remove-dead"] == [10]


def test_near_duplicates_are_not_merged():
    rng = np.random.default_rng(9)
    (w, b), last = random_layers(rng, [4, 6, 2])
    w[1], b[1] = w[0], b[0]
    w[1, 0] = np.nextafter(np.float32(w[0, 0]), np.float32(9))
    assert reduce_chain(chain([(w, b), last], "relu")).steps == ()
    w[1, 0] = w[0, 0]
    assert [s["step"] for s in reduce_chain(chain([(w, b), last], "relu")).steps] == ["merge"]


def test_opposite_orientations_of_relu_are_not_duplicates():
    w, b = np.array([[1.0, 2.0], [-1.0, -2.0]]), np.array([0.5, -0.5])
    layers = [(w, b), (np.ones((1, 2)), np.zeros(1))]
    assert reduce_chain(plain_chain(layers, "relu")).steps == ()
    assert len(reduce_chain(plain_chain(layers, "tanh")).steps) > 0


def test_a_network_may_reduce_to_a_constant():
    layers = [(np.array([[1.0], [-2.0]]), np.zeros(2)), (np.zeros((1, 2)), np.array([3.0]))]
    reduction = reduce_chain(plain_chain(layers, "relu"))
    assert reduction.chain.widths == (1, 0, 1)
    other = plain_chain([(np.ones((3, 1)), np.ones(3)), (np.zeros((1, 3)), np.array([3.0]))], "relu")
    found = relate(plain_chain(layers, "relu"), other, 8)
    assert found is not None and found.judgement.exact


@pytest.mark.parametrize("seed", range(8))
def test_duplicates_with_different_readers_are_told_apart(seed: int):
    """Rounded copies keep duplicates as duplicates: only the outgoing weights tell which is which."""
    rng = np.random.default_rng(seed)
    layers = random_layers(rng, [3, 8, 7, 5, 2])
    for l in (0, 1, 2):
        w, b = layers[l]
        w[1], b[1], w[2], b[2] = w[0], b[0], w[0], b[0]
    copy = member(rng, layers, "relu", "real")
    found = relate(chain(layers, "relu"), chain(copy, "relu"), 8)
    assert found is not None and found.judgement.ulps < 4


def test_exchangeable_units_do_not_confuse():
    """Units with the same row and the same readers: any choice is right, and the layers must agree on it."""
    layers = random_layers(np.random.default_rng(4), [3, 6, 5, 2])
    w, b = layers[0]
    w[:3], b[:3] = w[0], b[0]
    v = layers[1][0]
    v[:, :3] = v[:, :1]
    copy = member(np.random.default_rng(5), layers, "relu", "pow2")
    found = relate(chain(layers, "relu"), chain(copy, "relu"), 8)
    assert found is not None and found.judgement.exact


def test_matching_needs_equal_shapes():
    rng = np.random.default_rng(0)
    a, b = random_layers(rng, [3, 4, 2]), random_layers(rng, [3, 5, 2])
    assert match(chain(a, "relu"), chain(b, "relu")) is None
    assert match(chain(a, "relu"), chain(a, "tanh")) is None


def test_wide_layers_are_fast():
    import time

    rng = np.random.default_rng(0)
    layers = random_layers(rng, [32, 1024, 1024, 8])
    copy = member(rng, layers, "relu", "pow2")
    a, b = chain(layers, "relu"), chain(copy, "relu")
    start = time.perf_counter()
    found = relate(a, b, 8)
    assert found is not None and found.judgement.exact
    assert time.perf_counter() - start < 5.0
