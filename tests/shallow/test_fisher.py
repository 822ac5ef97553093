"""Rank and null vectors against exact Jacobians at points of every linear region, and against the curvature of K."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope.activations.in_torch import torch_function
from fiberscope.errors import InputError, WeightError
from fiberscope.numerics.exact import fraction, nearest_floats, rational, rationals
from fiberscope.shallow.bend import bend
from fiberscope.shallow.examples import (
    boundary_off_the_folds,
    four_hyperplanes,
    m_symmetric,
    network,
    reversal_without_annihilation,
)
from fiberscope.shallow.fisher import Fisher, fisher
from fiberscope.shallow.functional_rank import functional_rank
from fiberscope.shallow.information import (
    information_of_samples,
    information_on_box,
    numerical_rank,
    parameter_names,
)
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.potential import potential
from fiberscope.shallow.regions import linear_regions

NAMES = ("W1", "b1", "W2", "b2")
LAWS = ["relu", "leaky_relu(0.5)", "abs", "leaky_relu(-0.5)", "identity", "prelu(2.0)"]


def planted(seed: int) -> ShallowModel:
    """Few different small rows, so that boundaries coincide, units die, are constant, or are not read."""
    rng = np.random.default_rng(seed)
    n, k, d = int(rng.integers(1, 3)), int(rng.integers(1, 4)), int(rng.integers(0, 6))
    pool = rng.integers(-1, 2, (3, n + 1))
    rows = pool[rng.integers(0, 3, d)] * rng.choice([-2, -1, 1, 3], (d, 1))
    outer = rng.integers(-1, 2, (k, 3))[:, rng.integers(0, 3, d)] * rng.choice([1, 2], d)
    outer = outer * rows.any(axis=1)  # no derivative elsewhere
    model = ShallowModel(rows[:, :n] / 1.0, rows[:, n] / 2.0, outer / 1.0, np.zeros(k), LAWS[seed % len(LAWS)])
    return model


def jacobian_rows(model: ShallowModel, box: tuple[float, float]) -> list[list[fmpq]]:
    """The rows of J at affinely independent points inside every linear region, in rationals."""
    wide = model if model.inputs == 2 else replace(model, W1=np.hstack([model.W1, np.zeros_like(model.W1)]))
    law = bend(model.activation)
    W, b, Q = (rationals(a) for a in (model.W1, model.b1, model.W2))
    rows = []
    for region in linear_regions(wide, box):
        corners = region.corners
        middle = [sum((c[a] for c in corners), fmpq(0)) / len(corners) for a in (0, 1)]
        for corner in corners:
            x = [(corner[a] + middle[a]) / 2 for a in range(model.inputs)]
            z = [sum((W[i, c] * x[c] for c in range(model.inputs)), b[i]) for i in range(model.units)]
            slope = [rational(law.slope(1) if v > 0 else law.slope(-1)) for v in z]
            for a in range(model.outputs):
                row = [Q[a, i] * slope[i] * x[c] for i in range(model.units) for c in range(model.inputs)]
                row += [Q[a, i] * slope[i] for i in range(model.units)]
                for other in range(model.outputs):
                    row += [slope[i] * z[i] if other == a else fmpq(0) for i in range(model.units)]
                rows.append(row + [fmpq(int(other == a)) for other in range(model.outputs)])
    return rows


def flat(model: ShallowModel, found: Fisher) -> list[list[fmpq]]:
    shapes = {name: getattr(model, name).shape for name in NAMES}
    out = []
    for vector in found.null_vectors:
        arrays = vector.arrays(shapes)
        out.append([v if isinstance(v, fmpq) else rational(v) for name in NAMES for v in arrays[name].ravel()])
    return out


def rank(rows: list[list[fmpq]]) -> int:
    return fmpq_mat(len(rows), len(rows[0]), [v for row in rows for v in row]).rank() if rows and rows[0] else 0


@given(st.integers(0, 100_000), st.booleans())
@settings(max_examples=80)
def test_null_vectors_are_a_basis_of_the_kernel_of_the_exact_jacobian(seed, everywhere):
    model = planted(seed)
    domain = (-50.0, 50.0) if everywhere else (-1.0, 2.0)  # every vertex of small rows lies within 50
    found = fisher(model, None if everywhere else domain, exact=True)
    J = jacobian_rows(model, domain)
    assert found.rank == rank(J) == functional_rank(model, None if everywhere else domain)
    basis = flat(model, found)
    assert len(basis) == found.nullity and rank(basis) == len(basis)
    assert all(sum((u * v for u, v in zip(row, vector, strict=True)), fmpq(0)) == 0 for row in J for vector in basis)
    for vector in found.null_vectors:
        assert vector.entries and set(vector.units) <= set(range(model.units))
    assert fisher(model, None if everywhere else domain).rank == found.rank  # in floats


@given(st.integers(0, 100_000))
@settings(max_examples=25)
def test_closed_form_matrix_has_that_kernel(seed):
    model = planted(seed)
    box = (-1.0, 1.5)
    information = information_on_box(model, box, exact=True)
    found = fisher(model, box, exact=True)
    size = len(information)
    assert fmpq_mat(size, size, information.ravel().tolist()).rank() == found.rank
    for vector in flat(model, found):
        assert all(v == 0 for v in information @ np.array(vector, dtype=object))
    near = information_on_box(model, box)
    assert np.allclose(near, nearest_floats(information)[0], rtol=1e-12, atol=1e-12)
    assert numerical_rank(near)[0] == found.rank


@given(st.integers(0, 100_000))
@settings(max_examples=40)
def test_float_decisions_see_through_rescaling(seed):
    """Rescaled units: coincidences hold up to rounding. Floats still find them, rationals see that they are gone."""
    model = planted(seed)
    r = np.random.default_rng(seed).uniform(0.3, 3.0, model.units)
    moved = replace(model, W1=model.W1 * r[:, None], b1=model.b1 * r, W2=model.W2 / r)
    found = fisher(moved)
    assert found.rank == fisher(model, exact=True).rank
    assert found.gap is not None and found.gap > 1e-6
    assert fisher(moved, exact=True).rank >= found.rank
    x = np.random.default_rng(seed).uniform(-9, 9, (500, model.inputs))
    information = information_of_samples(moved, x)
    for vector in found.null_vectors:
        arrays = vector.arrays({name: getattr(moved, name).shape for name in NAMES})
        v = np.concatenate([arrays[name].ravel() for name in NAMES]).astype(float)
        assert np.linalg.norm(information @ v) <= 1e-13 * np.linalg.norm(v) * np.trace(information)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)"])
def test_generic_networks_have_one_null_vector_per_unit(activation):
    rng = np.random.default_rng(0)
    for n, d, k in [(1, 5, 1), (2, 4, 3), (10, 30, 2), (3, 200, 1)]:
        draw = rng.standard_normal
        model = ShallowModel(draw((d, n)), draw(d), draw((k, d)), draw(k), activation)
        for exact in (False, True):
            found = fisher(model, exact=exact)
            assert found.causes == {"scaling": d} and found.rank == d * (n + k) + k
        if d < 10:
            box = information_on_box(model, (-9.0, 9.0))
            assert numerical_rank(box)[0] == fisher(model, (-9.0, 9.0)).rank


def test_annihilation_does_not_lower_the_rank():
    """Distinct boundaries: rank d (n + k) + k whether or not the weights of a set sum to zero."""
    triple = network([[1, 0], [0, 1], [-1, -1]], [1, 2, 3], [[1, 1, 1]])
    turned = network([[-1, 0], [0, -1], [1, 1]], [-1, -2, -3], [[1, 1, 1]], [6])
    for model in (triple, turned):
        assert (fisher(model, exact=True).rank, fisher(model, exact=True).parameters) == (10, 13)
    assert fisher(m_symmetric(6), exact=True).causes == {"scaling": 6}


def kinds(model: ShallowModel, box: tuple[float, float] | None = None) -> dict[str, int]:
    return fisher(model, box, exact=True).causes


def test_every_cause_by_name():
    assert kinds(four_hyperplanes()) == {"scaling": 4}
    assert kinds(network([[1, 2]], [1], [[0]])) == {"unread": 3}
    assert kinds(network([[0, 0]], [-1], [[3]])) == {"dead": 4}
    assert kinds(network([[0, 0]], [2], [[3]])) == {"scaling": 1, "constant": 1}
    assert kinds(network([[1, 2], [2, 4]], [1, 2], [[1, 3]])) == {"scaling": 2, "exchange": 1, "boundary": 2}
    pair = fisher(network([[1], [2]], [1, 2], [[1, 3]]), exact=True)
    vector = next(v for v in pair.null_vectors if v.kind == "exchange")
    assert vector.units == (0, 1) and vector.entries == {("W2", (0, 0)): -1, ("W2", (0, 1)): fmpq(1, 2)}
    # two outputs, output weights independent: the boundaries cannot part
    assert kinds(network([[1], [2]], [1, 2], [[1, 0], [0, 1]], [0, 0])) == {"scaling": 2, "exchange": 2}
    # opposite units in two inputs: nullity 3 of 9, although the fiber has dimension 2
    assert fisher(network([[1, 1], [-1, -1]], [1, -1], [[1, 1]]), exact=True).nullity == 3
    # on a box: one unit off it, one linear on it
    corner = network([[1, 1], [1, 1], [1, 0]], [-9, 9, 0], [[1, 1, 1]])
    assert kinds(corner) == {"scaling": 3}
    assert kinds(corner, (-1, 1)) == {"dead": 4, "scaling": 2, "constant": 1}
    assert kinds(reversal_without_annihilation().model) == {"scaling": 3, "affine": 1}
    assert fisher(boundary_off_the_folds().model, exact=True).causes == {"scaling": 3, "affine": 1}
    # leaky: nothing is dead, what is left of 0 still counts
    assert kinds(replace(network([[0, 0]], [-1], [[3]]), activation="leaky_relu(0.5)")) == {"scaling": 1, "constant": 1}


def test_curvature_of_k_at_the_truth_is_the_fisher_information():
    """2 K(w + h v) / h^2 -> v^T I v, in rationals with a tiny h."""
    rng = np.random.default_rng(3)
    for n, k in [(1, 2), (2, 1), (3, 1)]:
        raw = ShallowModel(rng.standard_normal((2, n)), rng.standard_normal(2), rng.standard_normal((k, 2)), np.ones(k))
        model = replace(raw, **{name: rationals(getattr(raw, name)) for name in NAMES}, activation="leaky_relu(0.25)")
        information = information_on_box(model, (-1.0, 2.0), exact=True)
        h = rational(Fraction(1, 10**10))
        for _ in range(3):
            v = {name: rationals(rng.integers(-3, 4, getattr(model, name).shape)) for name in NAMES}
            moved = replace(model, **{name: getattr(model, name) + v[name] * h for name in NAMES})
            curvature = 2 * potential(moved, model, (-1.0, 2.0), exact=True).k / h**2
            direction = np.concatenate([v[name].ravel() for name in NAMES])
            expected = fraction(direction @ information @ direction)
            assert float(fraction(curvature)) == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.3)", "gelu", "tanh"])
def test_samples_against_autograd(activation):
    import torch

    rng = np.random.default_rng(1)
    model = ShallowModel(
        rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal((2, 3)), np.ones(2), activation
    )
    x = rng.standard_normal((20, 2))
    tensors = [torch.tensor(getattr(model, name), requires_grad=True) for name in NAMES]
    sigma = torch_function(activation)
    expected = np.zeros((17, 17))
    for point in torch.tensor(x):
        output = tensors[2] @ sigma(tensors[0] @ point + tensors[1]) + tensors[3]
        for a in range(2):
            slopes = torch.autograd.grad(output[a], tensors, retain_graph=True)
            row = torch.cat([s.ravel() for s in slopes]).numpy()
            expected += np.outer(row, row) / 20
    assert np.allclose(information_of_samples(model, x), expected, atol=1e-12)
    assert len(parameter_names(model)) == 17 and parameter_names(model)[9:11] == ["W2[0,0]", "W2[0,1]"]


def test_bad_input_and_json():
    model = four_hyperplanes()
    with pytest.raises(WeightError, match="unit 1 has zero weights, zero bias"):
        fisher(network([[1], [0]], [0, 0], [[1, 1]]))
    assert fisher(network([[1], [0]], [0, 0], [[1, 0]])).causes == {"dead": 3, "scaling": 1}
    with pytest.raises(InputError, match="linear on both sides"):
        fisher(replace(model, activation="gelu"))
    with pytest.raises(InputError, match="samples"):
        information_of_samples(model, np.zeros((3, 5)))
    many = ShallowModel(np.random.default_rng(0).standard_normal((2, 7)), np.zeros(2), np.ones((1, 2)), np.zeros(1))
    with pytest.raises(InputError, match="more than 5 inputs"):
        information_on_box(many, (-1, 1))
    data = fisher(model).to_json()
    assert data["rank"] + data["nullity"] == data["parameters"] == 17
    assert data["null_vectors"][2] == {"kind": "scaling", "units": [2]} and data["exact"] is False
