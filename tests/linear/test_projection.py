"""Orthogonal projections to tangent, normal and kernel spaces against dense least squares and exact algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from tests.linear.planted import integer_factors, planted, random_barcode, random_widths, seeds
from tests.linear.test_tangent import flat

from fiberscope.errors import InputError
from fiberscope.linear import projection
from fiberscope.linear.balanced_flow import balanced
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.differential import differential, transposed_differential
from fiberscope.linear.normal import normal_basis, project_kernel, project_normal, project_tangent
from fiberscope.linear.pairs import constrained
from fiberscope.linear.tangent import kernel_basis, tangent_basis


def gradient(factors, rng):
    return [rng.standard_normal(w.shape) for w in factors]


def size(weights):
    return np.linalg.norm(flat(weights))


def by_least_squares(directions, widths, weights):
    """The projection to the span, with a dense matrix."""
    target = np.array(flat(weights))
    columns = [np.array(flat(v.dense(widths))) for v in directions]
    if not columns:
        return 0 * target
    matrix = np.stack(columns, axis=1)
    orthonormal = np.linalg.qr(matrix / np.linalg.norm(matrix, axis=0))[0]
    return orthonormal @ (orthonormal.T @ target)


@pytest.mark.parametrize("dense_pairs", [0, projection.MAX_DENSE_PAIRS])
@settings(max_examples=40, deadline=None)
@given(seeds)
def test_projections_are_those_of_dense_least_squares(dense_pairs, seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=4, most=5)
    factors = planted(random_barcode(widths, rng), rng)
    flow = decompose(factors, tol=1e-10).flow
    weights = gradient(factors, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "MAX_DENSE_PAIRS", dense_pairs)
        normal, tangent = project_normal(flow, weights), project_tangent(flow, weights)
        kernel = project_kernel(flow, weights)
    assert np.allclose(flat(normal), by_least_squares(normal_basis(flow), widths, weights), atol=1e-7)
    assert np.allclose(flat(tangent), by_least_squares(tangent_basis(flow), widths, weights), atol=1e-7)
    assert np.allclose(flat(kernel), by_least_squares(kernel_basis(flow), widths, weights), atol=1e-7)
    assert np.allclose(np.array(flat(normal)) + flat(tangent), flat(weights))
    for direction in normal_basis(flow):
        norm = float(np.sqrt(direction.dot(direction)))
        assert abs(direction.inner(tangent)) <= 1e-11 * norm * size(weights)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_over_q_projections_are_exact(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=3, most=3)
    factors = integer_factors(random_barcode(widths, rng), rng)
    flow = decompose(factors, exact=True).flow
    weights = [rng.integers(-3, 4, w.shape) for w in factors]
    tangent, normal = project_tangent(flow, weights), project_normal(flow, weights)
    assert all((t + n == w).all() for t, n, w in zip(tangent, normal, weights, strict=True))
    assert all(direction.inner(tangent) == 0 for direction in normal_basis(flow))
    assert all(direction.inner(normal) == 0 for direction in tangent_basis(flow))
    kernel = project_kernel(flow, weights)
    assert (differential(decompose(factors, exact=True).factors, kernel) == 0).all()


def test_at_width_forty_projections_are_idempotent_orthogonal_and_kill_the_differential():
    rng = np.random.default_rng(1)
    for widths in ((40, 40, 40, 40), (60, 20, 50, 10)):
        factors = planted(random_barcode(widths, rng, death=0.1), rng)
        flow = decompose(factors, tol=1e-10).flow
        weights = gradient(factors, rng)
        tangent = project_tangent(flow, weights)
        again = project_tangent(flow, tangent)
        assert size([a - b for a, b in zip(tangent, again, strict=True)]) < 1e-9 * size(weights)
        assert sum((t * (w - t)).sum() for t, w in zip(tangent, weights, strict=True)) == pytest.approx(0, abs=1e-8)
        kernel = project_kernel(flow, weights)
        assert np.linalg.norm(differential(factors, kernel)) < 1e-9 * np.linalg.norm(differential(factors, weights))
        output = rng.standard_normal((widths[-1], widths[0]))
        seen = transposed_differential(factors, output)
        assert size(project_kernel(flow, seen)) < 1e-9 * size(seen)


def test_the_gram_matrix_holds_the_inner_products():
    rng = np.random.default_rng(2)
    factors = planted(random_barcode((3, 4, 2, 3), rng), rng)
    flow = decompose(factors, tol=1e-10).flow
    space = projection.PairSpace.of(flow, constrained)
    flow = space.flow
    by_key = {v.second * len(flow.bars) + v.first: v for v in normal_basis(flow)}
    directions = [by_key[key] for key in sorted(by_key)]
    assert space.size == len(directions)
    truth = np.array([[a.dot(b) for b in directions] for a in directions])
    assert np.allclose(space.gram, truth)
    assert np.allclose(space.squared_norms, np.diag(truth))
    for number, direction in enumerate(directions):
        unit = np.eye(space.size)[number]
        assert np.allclose(flat(space.combine(unit)), flat(direction.dense((3, 4, 2, 3))))


def test_shapes_that_do_not_fit_are_refused():
    flow = decompose([np.ones((2, 3)), np.ones((1, 2))]).flow
    with pytest.raises(InputError, match="shapes"):
        project_tangent(flow, [np.ones((3, 2)), np.ones((1, 2))])


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_balanced_flows_are_flows_and_orthogonal_at_both_ends_of_a_type(seed):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(random_widths(rng), rng)
    factors = planted(barcode, rng)
    flow = balanced(decompose(factors, tol=1e-10).flow)
    assert flow.barcode == barcode
    for built, given_ in zip(flow.factors(), factors, strict=True):
        assert np.allclose(built, given_, atol=1e-8)
    for i, k, _ in barcode.bars:
        for layer in (i, k):
            vectors = flow.bases[layer][:, [flow.place[layer][s] for s, bar in enumerate(flow.bars) if bar == (i, k)]]
            vectors = vectors / np.linalg.norm(vectors, axis=0)
            assert np.allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-8)


def test_layers_of_condition_ten_thousand():
    rng = np.random.default_rng(3)
    for width, length in ((8, 2), (12, 3), (40, 2)):
        values = np.logspace(0, -4, width)
        factors = [
            np.linalg.qr(rng.standard_normal((width, width)))[0] * rng.permutation(values) for _ in range(length)
        ]
        flow = decompose(factors).flow
        weights = gradient(factors, rng)
        kernel = project_kernel(flow, weights)
        for output in rng.standard_normal((5, width, width)):
            seen = transposed_differential(factors, output)
            overlap = sum(float((s * k).sum()) for s, k in zip(seen, kernel, strict=True))
            assert abs(overlap) < 1e-9 * size(seen) * size(weights)
