"""Zero-sum sets against all 2^d subsets in fractions, planted sets and near misses, reversal of every activation."""

from __future__ import annotations

import cmath
import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.activations import table
from fiberscope.activations.in_torch import torch_function
from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction, rationals
from fiberscope.shallow.examples import (
    boundary_off_the_folds,
    cyclotomic_weights,
    four_hyperplanes,
    m_symmetric,
    reversal_without_annihilation,
    reversed_pair,
    scaling,
    shared_boundary,
)
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.reflection import reflection
from fiberscope.shallow.reversals import Reversals, reversals, reverse, zero_sum_subsets

SMALL = st.integers(-3, 3)


def value(model: ShallowModel, x: list[Fraction]) -> list[Fraction]:
    """f(x) of a ReLU network, in fractions."""
    hidden = [
        max(Fraction(0), sum((fraction(w) * t for w, t in zip(row, x, strict=True)), fraction(b)))
        for row, b in zip(model.W1.tolist(), model.b1.tolist(), strict=True)
    ]
    return [
        fraction(c) + sum((fraction(q) * h for q, h in zip(row, hidden, strict=True)), Fraction(0))
        for row, c in zip(model.W2.tolist(), model.b2.tolist(), strict=True)
    ]


def brute(vectors: list[list]) -> list[tuple[int, ...]]:
    out = []
    for size in range(len(vectors) + 1):
        for chosen in itertools.combinations(range(len(vectors)), size):
            if all(sum((Fraction(vectors[i][c]) for i in chosen), Fraction(0)) == 0 for c in range(len(vectors[0]))):
                out.append(chosen)
    return out


def random_model(rng: np.random.Generator, d: int, n: int, k: int, activation: str = "relu") -> ShallowModel:
    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-2, 3, shape).astype(float)

    return ShallowModel(draw(d, n), draw(d), draw(k, d), draw(k), activation)


@given(st.integers(1, 3).flatmap(lambda r: st.lists(st.lists(SMALL, min_size=r, max_size=r), min_size=1, max_size=8)))
def test_all_subsets_of_integer_vectors(vectors):
    expected = brute(vectors)
    exact = zero_sum_subsets(np.array(vectors))
    assert exact.count == len(expected) and list(exact.sets) == expected and exact.exact
    near = zero_sum_subsets(np.array(vectors) / 3.0)
    assert near.count == len(expected) and list(near.sets) == expected
    assert near.gap is not None and near.gap > 1e-3


def test_large_numbers_take_the_residues():
    """The search by residues and the search by layers find the same sets."""
    rng = np.random.default_rng(5)
    for trial in range(20):
        vectors = rng.integers(-4, 5, (11, 2))
        layers = zero_sum_subsets(vectors)
        residues = zero_sum_subsets(vectors, max_sums=2)
        assert layers.sets == residues.sets == tuple(brute(vectors.tolist())), trial


def test_long_float_lists_find_planted_sets_and_report_near_misses():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((26, 2))
    vectors[25] = -vectors[:7].sum(axis=0)
    planted = (*range(7), 25)
    found = zero_sum_subsets(vectors)
    assert found.sets == ((), planted) and found.gap is not None and found.gap >= 1e-9
    vectors[25] *= 1 + 1e-10
    found = zero_sum_subsets(vectors)
    assert found.sets == ((),) and found.gap is not None and 1e-12 < found.gap < 1e-10


def test_one_ulp_is_seen_over_the_rationals():
    vectors = np.array([[0.5, 1.0], [-0.5, -1.0]])
    assert zero_sum_subsets(rationals(vectors)).count == 2
    vectors[1, 0] = np.nextafter(-0.5, 0.0)
    assert zero_sum_subsets(rationals(vectors)).count == 1
    assert zero_sum_subsets(vectors).count == 2  # within the float tolerance


def test_independent_blocks_multiply():
    """Twenty pairs +-e_i in twenty directions: 2^20 sets, of which only the first are listed."""
    vectors = np.vstack([np.eye(20, dtype=np.int64), -np.eye(20, dtype=np.int64)])
    found = zero_sum_subsets(vectors, limit=5)
    assert found.count == 2**20 and found.truncated and len(found.sets) == 5
    assert zero_sum_subsets(vectors.astype(float), limit=5).count == 2**20
    many = zero_sum_subsets(np.zeros((2000, 1), dtype=np.int64), limit=3)
    assert many.count == 2**2000 and len(many.sets) == 3


@pytest.mark.parametrize("m", range(1, 17))
def test_m_symmetric_networks(m):
    """Roots of unity: complex arithmetic over all subsets, the integers of Z[z], and the float weights agree."""
    roots = [cmath.exp(2j * cmath.pi * j / m) for j in range(m)]
    totals = np.zeros(1, dtype=complex)
    for root in roots:
        totals = np.concatenate([totals, totals + root])
    expected = int((abs(totals) < 1e-9).sum())
    assert zero_sum_subsets(cyclotomic_weights(m)).count == expected
    assert reversals(m_symmetric(m)).count == expected


def test_vanishing_sums_of_prime_powers():
    """Zero sums of p^a-th roots are unions of cosets of the p-th roots: 2^(p^(a-1)) of them."""
    for p, a in [(2, 3), (3, 2), (5, 2), (2, 5), (7, 2)]:
        assert zero_sum_subsets(cyclotomic_weights(p**a), limit=1).count == 2 ** (p ** (a - 1))


LAWS = ["relu", "leaky_relu(0.1)", "prelu", "gelu", "gelu_tanh", "silu", "softplus", "hardswish", "logsigmoid"]
LAWS += ["abs", "square", "gaussian", "cos", "identity", "leaky_relu(-1.5)", "leaky_relu(-1)"]


@pytest.mark.parametrize("activation", LAWS)
def test_reflection_law_and_reversal(activation):
    sigma = torch_function(activation)
    t = torch.linspace(-4, 4, 101, dtype=torch.float64)
    constant = float(reflection(activation))
    assert torch.allclose(sigma(t) - sigma(-t), constant * t, atol=1e-12)
    rng = np.random.default_rng(3)
    W1, b1, W2, b2 = rng.standard_normal((4, 2)), rng.standard_normal(4), rng.standard_normal((2, 4)), np.ones(2)
    W1[2], W2[:, 2] = -2 * W1[0], W2[:, 0] / 2
    model = ShallowModel(W1, b1, W2, b2, activation)
    found = reversals(model)
    assert (0, 2) in found.sets
    assert found.count == (16 if constant == 0 else 2)
    for chosen in found.sets:
        turned = reverse(model, chosen)
        x = torch.tensor(rng.standard_normal((50, 2)))
        outputs = []
        for net in (model, turned):
            hidden = sigma(x @ torch.tensor(net.W1.T) + torch.tensor(net.b1))
            outputs.append(hidden @ torch.tensor(net.W2.T) + torch.tensor(net.b2))
        assert torch.allclose(outputs[0], outputs[1], atol=1e-12)


def test_activations_without_the_law_are_refused_and_really_have_none():
    t = torch.linspace(0.1, 9, 90, dtype=torch.float64)
    for name in table.LAWS:
        sigma = torch_function(name)
        ratio = (sigma(t) - sigma(-t)) / t
        holds = bool((ratio.max() - ratio.min()).abs() < 1e-9)
        try:
            reflection(name)
        except InputError:
            assert not holds, name
        else:
            assert holds, name


@given(st.integers(0, 10_000))
def test_every_set_found_keeps_the_function_and_no_other_does(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, int(rng.integers(1, 6)), int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    found = reversals(model, exact=True)
    points = [[Fraction(int(v)) for v in rng.integers(-30, 30, model.inputs)] for _ in range(12)]
    for mask in itertools.product([0, 1], repeat=model.units):
        chosen = tuple(i for i, bit in enumerate(mask) if bit)
        if chosen in found.sets:
            turned = reverse(model, chosen)
            assert (turned.W1[list(chosen)] == -model.W1[list(chosen)]).all()
            assert not any(np.signbit(v) for v in turned.W1.ravel() if v == 0)
            again = reverse(turned, chosen)
            assert all((getattr(again, a) == getattr(model, a)).all() for a in ("W1", "b1", "W2", "b2"))
        else:
            with pytest.raises(InputError, match="not to zero"):
                reverse(model, chosen)
            # turn by hand, with the best constant: the functions differ by a linear function that is not zero
            W1, b1 = model.W1.copy(), model.b1.copy()
            W1[list(chosen)] *= -1
            b1[list(chosen)] *= -1
            b2 = model.b2 + model.W2[:, list(chosen)] @ model.b1[list(chosen)]
            turned = replace(model, W1=W1, b1=b1, b2=b2)
        same = all(value(model, x) == value(turned, x) for x in points)
        assert same == (chosen in found.sets)


def test_rational_models_stay_rational():
    model = reversed_pair().truth
    exact = ShallowModel(rationals(model.W1), rationals(model.b1), rationals(model.W2), rationals(model.b2))
    turned = reverse(exact, [0, 1])
    assert turned.b2.dtype == object and turned.b2[0] == -2 and turned.W1[0, 0] == -1


def test_examples_are_what_they_say():
    points = [Fraction(v, 7) for v in range(-60, 61)]
    for example in (reversed_pair(), reversal_without_annihilation()):
        assert all(value(example.model, [x]) == value(example.truth, [x]) for x in points)
    example = boundary_off_the_folds()
    for x in points:
        assert value(example.model, [x, points[3]]) == value(example.truth, [x, points[3]])
    assert reversals(reversal_without_annihilation().truth).count == 1
    for w1 in (0.25, 0.0, 1.0, 1.5):
        example = shared_boundary(w1)
        same = all(value(example.model, [x]) == value(example.truth, [x]) for x in points)
        assert same == (0 <= w1 <= 1)
    with pytest.raises(InputError, match="positive"):
        scaling(-1.0)
    assert reversals(four_hyperplanes()).count == 4
    with pytest.raises(InputError, match="positive integer"):
        m_symmetric(0)
    W1 = m_symmetric(12).W1
    assert (W1[:6] == -W1[6:]).all() and np.allclose((W1**2).sum(axis=1), 1, atol=1e-15)


def test_bad_input_and_json():
    model = four_hyperplanes()
    with pytest.raises(InputError, match="units"):
        reverse(model, [4])
    with pytest.raises(InputError, match="turned round"):
        reversals(replace(model, activation="tanh"))
    found = reversals(model)
    assert found.to_json()["sets"] == [[], [0, 2], [1, 3], [0, 1, 2, 3]]
    assert found.to_json()["gap"] == pytest.approx(1 / 3)
    lone = reversals(replace(model, W2=np.zeros((1, 4))))
    assert lone.count == 16 and lone.to_json()["gap"] is None
    assert isinstance(lone, Reversals) and math.isinf(lone.gap or 0.0)
    weights = np.random.default_rng(0).standard_normal((60, 1))
    for exact in (False, True):
        with pytest.raises(InputError, match="44"):
            reversals(ShallowModel(weights, np.zeros(60), np.ones((1, 60)), np.ones(1)), exact=exact)
