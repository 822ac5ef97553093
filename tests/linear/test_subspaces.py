"""Every subspace against its definition by exact null spaces and images of products; orthonormal bases in floats."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given, settings
from tests.linear.planted import integer_factors, planted, random_barcode, random_widths, seeds

from fiberscope.errors import InputError
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.exact import to_flint


def eye(size: int) -> fmpq_mat:
    return fmpq_mat(size, size, [int(a == b) for a in range(size) for b in range(size)])


def product(factors, k: int, j: int, widths) -> fmpq_mat:
    """``W_{k~j}``; zero for k = L + 1."""
    if k > len(factors):
        return fmpq_mat(1, widths[j])
    out = eye(widths[j])
    for factor in factors[j:k]:
        out = to_flint(factor) * out
    return out


def null_space(matrix: fmpq_mat) -> fmpq_mat:
    """A basis of the kernel as columns, read off the reduced echelon form."""
    echelon, rank = matrix.rref()
    size = matrix.ncols()
    pivots = [next(c for c in range(size) if echelon[r, c] != 0) for r in range(rank)]
    free = [c for c in range(size) if c not in pivots]
    out = fmpq_mat(size, len(free))
    for n, c in enumerate(free):
        out[c, n] = 1
        for r, p in enumerate(pivots):
            out[p, n] = -echelon[r, c]
    return out


def beside(*matrices: fmpq_mat) -> fmpq_mat:
    rows = matrices[0].nrows()
    return fmpq_mat(
        rows,
        sum(m.ncols() for m in matrices),
        [m[r, c] for r in range(rows) for m in matrices for c in range(m.ncols())],
    )


def intersection(a: fmpq_mat, b: fmpq_mat) -> fmpq_mat:
    """Columns spanning ``col a ∩ col b``: ``a x`` for the pairs ``a x = b y``."""
    both = null_space(beside(a, -b)) if a.ncols() + b.ncols() else fmpq_mat(0, 0)
    top = fmpq_mat(a.ncols(), both.ncols(), [both[r, c] for r in range(a.ncols()) for c in range(both.ncols())])
    return a * top


def same_span(a: fmpq_mat, b: fmpq_mat) -> bool:
    return a.rank() == b.rank() == beside(a, b).rank()


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_over_q_every_subspace_is_what_it_is_called(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most_layers=4, most=4)
    factors = integer_factors(random_barcode(widths, rng), rng)
    found = decompose(factors, exact=True)
    spaces, top = found.subspaces, len(factors)
    for i, j, k in combinations_with_replacement(range(top + 1), 3):
        image = product(factors, j, i, widths)
        kernel = null_space(product(factors, k + 1, j, widths))
        rows = product(factors, k, j, widths).transpose()
        left_null = null_space(product(factors, j, i - 1, widths).transpose()) if i else eye(widths[j])
        for basis, dimension, truth in (
            (spaces.A(k, j, i), spaces.dimension_A(k, j, i), intersection(kernel, image)),
            (spaces.B(k, j, i), spaces.dimension_B(k, j, i), intersection(rows, left_null)),
        ):
            assert basis.shape == (widths[j], dimension)
            assert to_flint(basis).rank() == dimension
            assert same_span(to_flint(basis), truth)
    for j in range(top + 1):
        for boxes in (spaces.boxes(j), spaces.dual_boxes(j)):
            assert sum(v.shape[1] for v in boxes.values()) == widths[j]
            assert to_flint(np.hstack(list(boxes.values()))).rank() == widths[j]
            assert {bar: v.shape[1] for bar, v in boxes.items()} == {
                (i, k): m for i, k, m in found.barcode.bars if i <= j <= k
            }
        for k in range(j, top + 1):
            assert same_span(to_flint(spaces.annihilated(j, k)), null_space(product(factors, k + 1, j, widths)))
            assert same_span(to_flint(spaces.heard(j, k)), product(factors, k, j, widths).transpose())
        for i in range(j + 1):
            assert same_span(to_flint(spaces.reached(j, i)), product(factors, j, i, widths))
            assert same_span(to_flint(spaces.idle(j, i)), null_space(product(factors, j, i, widths).transpose()))
        to_output, from_input = product(factors, top, j, widths), product(factors, j, 0, widths)
        unmoved = null_space(from_input.transpose())
        assert same_span(to_flint(spaces.could_carry(j)), intersection(to_output.transpose(), unmoved))
        unseen = null_space(to_output)
        assert same_span(to_flint(spaces.carried_in_vain(j)), intersection(unseen, from_input))
        reaching = to_flint(spaces.input_directions_reaching(j))
        assert same_span(reaching, from_input.transpose())
        assert same_span(to_flint(spaces.output_directions_reached_from(j)), to_output)
        lost = to_flint(spaces.information_lost_at(j))
        before, after = (null_space(product(factors, k, 0, widths)) for k in (j, j + 1))
        assert same_span(beside(lost, before), after)
        assert lost.transpose() * before == fmpq_mat(lost.ncols(), before.ncols())
        new = to_flint(spaces.output_directions_new_at(j))
        older = product(factors, top, j - 1, widths) if j else fmpq_mat(widths[-1], 1)
        assert same_span(beside(new, older), to_output)
        assert new.transpose() * older == fmpq_mat(new.ncols(), older.ncols())


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_in_floats_bases_are_orthonormal_and_products_vanish(seed):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(random_widths(rng, most=8), rng)
    factors = planted(barcode, rng)
    spaces, top = decompose(factors, tol=1e-10).subspaces, barcode.length

    def walk(vectors, j, k):
        for factor in factors[j:k]:
            vectors = factor @ vectors
        return vectors

    for i, j, k in combinations_with_replacement(range(top + 1), 3):
        vectors, covectors = spaces.A(k, j, i), spaces.B(k, j, i)
        assert vectors.shape == (barcode.widths[j], barcode.rank(j, i) - barcode.rank(k + 1, i))
        assert covectors.shape == (barcode.widths[j], barcode.rank(k, j) - barcode.rank(k, i - 1))
        for basis in (vectors, covectors):
            assert np.allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
        if k < top:
            assert np.allclose(walk(vectors, j, k + 1), 0, atol=1e-7)
        if i:
            assert np.allclose(covectors.T @ walk(np.eye(barcode.widths[i - 1]), i - 1, j), 0, atol=1e-7)
        idle = spaces.idle(j, i)
        assert np.allclose(idle.T @ spaces.reached(j, i), 0, atol=1e-7)
        both = np.hstack([idle, spaces.reached(j, i)])
        assert both.shape == (barcode.widths[j],) * 2
    for pieces in (
        [spaces.information_lost_at(k) for k in range(top + 1)],
        [spaces.output_directions_new_at(i) for i in range(top + 1)],
    ):
        both = np.hstack(pieces)
        assert np.allclose(both.T @ both, np.eye(both.shape[1]), atol=1e-7)
        assert both.shape[0] == both.shape[1]


def test_a_signal_written_to_a_free_direction_arrives():
    """What `could_carry` promises: a new connection from the input changes the product, by what was written."""
    rng = np.random.default_rng(0)
    factors = [np.diag([1.0, 0.0, 0.0]), np.diag([1.0, 1.0, 0.0]) @ np.linalg.qr(rng.standard_normal((3, 3)))[0]]
    spaces = decompose(factors).subspaces
    free = spaces.could_carry(1)
    assert free.shape[1] == spaces.flow.barcode.rank(2, 1) - spaces.flow.barcode.rank(2, 0)
    for direction in free.T:
        assert np.linalg.norm(factors[1] @ direction) > 0.1
        assert np.allclose(direction @ factors[0], 0)


@pytest.mark.parametrize(("k", "j", "i"), [(1, 2, 0), (2, 0, 1), (3, 1, 0), (2, 1, -1)])
def test_layers_out_of_order_are_refused(k, j, i):
    spaces = decompose([np.eye(2), np.eye(2)]).subspaces
    for ask in (spaces.A, spaces.B, spaces.a, spaces.b, spaces.dimension_A, spaces.dimension_B):
        with pytest.raises(InputError, match="layers"):
            ask(k, j, i)
    with pytest.raises(InputError, match="layers"):
        spaces.information_lost_at(5)
    with pytest.raises(InputError, match="layers"):
        spaces.idle(-1)
