"""Tangent, normal and kernel bases against the tangent space of the group, by exact rank over Q."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given, settings
from tests.linear.planted import integer_factors, random_barcode, random_widths, seeds
from tests.linear.test_subspaces import null_space

from fiberscope.linear.decomposition import decompose
from fiberscope.linear.differential import differential, rank_of_differential, transposed_differential
from fiberscope.linear.exact import to_flint
from fiberscope.linear.normal import fiber_normal_basis, normal_basis
from fiberscope.linear.pairs import constrained, meeting_layers, touch
from fiberscope.linear.tangent import kernel_basis, one_matrix_moves, tangent_basis, two_matrix_moves


def flat(matrices) -> list:
    """All entries of a change of weights, in one list."""
    return [v for m in matrices for v in np.asarray(m).ravel().tolist()]


def rows(vectors: list[list], size: int) -> fmpq_mat:
    if not vectors:
        return fmpq_mat(0, size)
    return to_flint(np.array(vectors, dtype=object).reshape(len(vectors), size))


def unit_changes(widths):
    """Every change of one weight by 1."""
    for j, (a, b) in enumerate(pairwise(widths)):
        for position in range(a * b):
            change = [np.zeros((q, p), dtype=object) for p, q in pairwise(widths)]
            change[j].flat[position] = 1
            yield change


def group_tangent(factors, widths) -> fmpq_mat:
    """Rows spanning ``{(X_j W_j - W_j X_{j-1})_j : X_L W = W X_0}``, straight from the definition."""
    product = factors[0]
    for factor in factors[1:]:
        product = factor @ product
    conditions, images = [], []
    for layer, d in enumerate(widths):
        for position in range(d * d):
            unit = np.zeros((d, d), dtype=object)
            unit.flat[position] = 1
            condition = np.zeros_like(product)
            if layer == len(widths) - 1:
                condition = condition + unit @ product
            if layer == 0:
                condition = condition - product @ unit
            conditions.append(flat([condition]))
            image = [np.zeros(w.shape, dtype=object) for w in factors]
            if layer > 0:
                image[layer - 1] = image[layer - 1] + unit @ factors[layer - 1]
            if layer < len(factors):
                image[layer] = image[layer] - factors[layer] @ unit
            images.append(flat(image))
    allowed = null_space(rows(conditions, len(conditions[0])).transpose())
    return allowed.transpose() * rows(images, len(images[0]))


@settings(max_examples=250, deadline=None)
@given(seeds)
def test_bases_are_the_tangent_space_of_the_group_and_its_complement(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=4, most=4 if seed % 4 == 0 else 3)
    barcode = random_barcode(widths, rng)
    factors = [w.astype(object) for w in integer_factors(barcode, rng)]
    flow = decompose(factors, exact=True).flow
    weights = sum(a * b for a, b in pairwise(widths))
    group = group_tangent(factors, widths)
    tangent = rows([flat(v.dense(widths)) for v in tangent_basis(flow)], weights)
    normal = rows([flat(v.dense(widths)) for v in normal_basis(flow)], weights)
    bars = flow.bars
    limited = sum(constrained(a, b, flow.length) for a in bars for b in bars)
    assert normal.nrows() == limited
    assert tangent.nrows() == weights - limited
    assert tangent.rank() == tangent.nrows()
    assert normal.rank() == normal.nrows()
    assert group.rank() == tangent.rank()
    assert group * normal.transpose() == fmpq_mat(group.nrows(), normal.nrows())
    assert tangent * normal.transpose() == fmpq_mat(tangent.nrows(), normal.nrows())
    spans = [len(meeting_layers(a, b)) for a in bars for b in bars if constrained(a, b, flow.length)]
    assert sum(1 for _ in two_matrix_moves(flow)) == sum(spans) - len(spans)
    assert sum(1 for _ in one_matrix_moves(flow)) == weights - sum(spans)


@settings(max_examples=120, deadline=None)
@given(seeds)
def test_kernel_and_rank_of_the_differential(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=4, most=4)
    barcode = random_barcode(widths, rng)
    factors = [w.astype(object) for w in integer_factors(barcode, rng)]
    flow = decompose(factors, exact=True).flow
    weights = sum(a * b for a, b in pairwise(widths))

    def derivative(change):  # from the definition: all products with one factor replaced
        out = 0
        for j in range(len(factors)):
            product = np.eye(widths[0], dtype=int).astype(object)
            for m, factor in enumerate(factors):
                product = (change[m] if m == j else factor) @ product
            out = out + product
        return out

    matrix = rows([flat([derivative(change)]) for change in unit_changes(widths)], widths[0] * widths[-1])
    assert matrix.rank() == rank_of_differential(barcode)
    assert matrix.rank() == sum(touch(a, b, flow.length) for a in flow.bars for b in flow.bars)
    kernel = rows([flat(v.dense(widths)) for v in kernel_basis(flow)], weights)
    assert kernel.nrows() == kernel.rank() == weights - matrix.rank()
    assert kernel * matrix == fmpq_mat(kernel.nrows(), matrix.ncols())
    normal = rows([flat(v.dense(widths)) for v in fiber_normal_basis(flow)], weights)
    assert normal.nrows() == normal.rank() == matrix.rank()
    assert kernel * normal.transpose() == fmpq_mat(kernel.nrows(), normal.nrows())
    change = [rng.integers(-3, 4, w.shape).astype(object) for w in factors]
    output = rng.integers(-3, 4, (widths[-1], widths[0])).astype(object)
    moved = differential(factors, change)
    assert (moved == derivative(change)).all()
    pulled = transposed_differential(factors, output)
    assert (moved * output).sum() == sum((g * c).sum() for g, c in zip(pulled, change, strict=True))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_one_matrix_moves_are_lines_inside_the_stratum_and_the_fiber(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=3, most=3)
    factors = [w.astype(object) for w in integer_factors(random_barcode(widths, rng), rng)]
    found = decompose(factors, exact=True)
    for move in one_matrix_moves(found.flow):
        moved = [w + 3 * step for w, step in zip(found.factors, move.dense(widths), strict=True)]
        assert decompose(moved, exact=True).barcode == found.barcode


def test_directions_know_their_inner_products_without_matrices():
    rng = np.random.default_rng(0)
    for exact in (False, True):
        factors = integer_factors(random_barcode((3, 4, 3, 2), rng), rng)
        flow = decompose(factors, exact=exact).flow
        weights = [rng.integers(-5, 6, w.shape).astype(object if exact else float) for w in factors]
        directions = [*tangent_basis(flow), *normal_basis(flow)]
        dense = [flat(v.dense((3, 4, 3, 2))) for v in directions]
        for n in range(0, len(directions), 7):
            truth = sum(x * y for x, y in zip(dense[n], flat(weights), strict=True))
            assert float(directions[n].inner(weights) - truth) == pytest.approx(0, abs=1e-8)
            for m in range(0, len(directions), 5):
                truth = sum(x * y for x, y in zip(dense[n], dense[m], strict=True))
                assert float(directions[n].dot(directions[m]) - truth) == pytest.approx(0, abs=1e-8)
        assert "rank-one changes of W" in repr(directions[0])
