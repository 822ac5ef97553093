"""The staircase over Q and modulo primes against ranks of products, every product formed."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from flint import nmod_mat
from hypothesis import given, settings
from tests.linear.planted import integer_factors, random_barcode, random_widths, ranks_by_brute_force, seeds

from fiberscope.linear import exact_staircase as module
from fiberscope.linear.counting import count_strata
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.exact import to_flint
from fiberscope.linear.exact_staircase import exact_barcode, exact_flow, exact_staircase
from fiberscope.linear.modular import generic_barcode, modular_barcode, residues


def assert_flow(flow, factors):
    """``W_j F_{j-1} = F_j P_j`` with invertible ``F_j``, without any error."""
    for j, factor in enumerate(factors, start=1):
        passed = to_flint(np.asarray(factor)) * to_flint(flow.bases[j - 1])
        assert passed == to_flint(flow.bases[j]) * to_flint(flow.pattern(j))
    assert all(to_flint(basis).rank() == len(basis) for basis in flow.bases)
    assert list(flow.bars) == sorted(flow.bars, key=lambda bar: (bar[0], -bar[1]))


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_planted_integer_chains(seed):
    rng = np.random.default_rng(seed)
    barcode = random_barcode(random_widths(rng), rng)
    factors = integer_factors(barcode, rng)
    stairs = exact_staircase(factors)
    assert stairs.barcode == exact_barcode(factors) == barcode
    flow = exact_flow(stairs)
    assert flow.barcode == barcode
    assert_flow(flow, factors)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_small_random_entries_have_the_ranks_of_their_products(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most=5)
    factors = [rng.integers(-1, 2, (b, a)) * rng.integers(0, 2, (b, a)) for a, b in pairwise(widths)]
    found = decompose([[[Fraction(int(v), 7) for v in row] for row in w] for w in factors], exact=True)
    assert found.barcode.ranks == ranks_by_brute_force(factors)
    assert_flow(found.flow, found.factors)
    assert (found.backward_error, found.gap, found.residual, found.tolerance) == (0.0, None, 0.0, 0.0)
    assert found.nearest == found.factors


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_modulo_a_prime_ranks_are_lower_bounds(seed):
    rng = np.random.default_rng(seed)
    widths = random_widths(rng, most=4)
    factors = [rng.integers(-3, 4, (b, a)) for a, b in pairwise(widths)]
    truth = ranks_by_brute_force(factors)
    for prime in (2, 3, 5, 2**31 - 1, 2**61 - 1):
        found = modular_barcode(factors, prime)
        assert found.widths == widths
        for i in range(len(factors)):
            total = None
            for k in range(i + 1, len(widths)):
                rows, columns = factors[k - 1].shape
                matrix = nmod_mat(rows, columns, [int(v) % prime for v in factors[k - 1].ravel()], prime)
                total = matrix if total is None else matrix * total
                assert found.rank(k, i) == total.rank() <= truth[k, i]
    assert modular_barcode(factors).ranks == truth  # entries far below the prime: equal in practice


def over_two(matrix: np.ndarray) -> nmod_mat:
    return nmod_mat(len(matrix), matrix.shape[1], [int(v) % 2 for v in matrix.ravel()], 2)


def test_every_chain_over_the_field_of_two_elements():
    """All 2^8 chains of both widths have the ranks of their products, and every barcode occurs."""
    for widths in ((2, 2, 2), (1, 2, 2, 1)):
        sizes = [a * b for a, b in pairwise(widths)]
        seen = set()
        for bits in product((0, 1), repeat=sum(sizes)):
            cut = np.split(np.array(bits), np.cumsum(sizes)[:-1])
            factors = [c.reshape(b, a) for c, (a, b) in zip(cut, pairwise(widths), strict=True)]
            found = modular_barcode(factors, 2)
            seen.add(found.bars)
            whole = factors[0]
            for factor in factors[1:]:
                whole = factor @ whole
            assert found.full == over_two(whole).rank()
            assert found.rank(1, 0) == over_two(factors[0]).rank()
        assert len(seen) == sum(count_strata(widths, rank) for rank in range(min(widths) + 1))


def test_floats_are_the_dyadic_rationals_that_they_are():
    doubled = [np.array([[0.1, 0.3], [0.2, 0.6]])]
    tripled = [np.array([[0.1, 0.1], [0.3, 0.1 + 0.1 + 0.1]])]
    assert decompose(doubled, exact=True).rank == 1
    assert decompose(tripled, exact=True).rank == 2
    assert decompose(tripled).rank == 1
    huge = [np.array([[1e300, 1e-300], [1.0, 0.0]]), np.array([[0.0, 5e-324]])]
    assert decompose(huge, exact=True).barcode == generic_barcode((2, 2, 1))


def test_residues_are_those_of_the_integers():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((4, 5)) * 10.0 ** rng.integers(-20, 20, (4, 5))
    matrix[0, 0] = 0.0
    fractions = [Fraction(v) for v in matrix.ravel().tolist()]
    for prime in (3, 2**31 - 1):
        got = residues(matrix, prime)
        # the same numbers up to one common power of two, which is a unit modulo an odd prime
        scale = got[1] * pow(_mod(fractions[1], prime), -1, prime) % prime
        assert scale in {pow(2, n, prime) for n in range(-400, 400)}
        assert got == [_mod(v, prime) * scale % prime for v in fractions]


def _mod(value: Fraction, prime: int) -> int:
    return value.numerator * pow(value.denominator, -1, prime) % prime


def test_random_floats_need_no_rationals(monkeypatch):
    """Their ranks modulo a prime are the largest possible, which proves them."""

    def refuse(_):
        raise AssertionError("the staircase over Q was built")

    monkeypatch.setattr(module, "exact_staircase", refuse)
    rng = np.random.default_rng(1)
    widths = (40, 60, 50, 50)
    factors = [rng.standard_normal((b, a)) for a, b in pairwise(widths)]
    assert exact_barcode(factors) == generic_barcode(widths)
    with pytest.raises(AssertionError):
        exact_barcode([np.zeros((2, 2))])


def test_a_prime_that_divides_is_no_proof():
    """Modulo 2^31 - 1 the rank is 0; the rationals decide."""
    factors = [np.array([[float(2**31 - 1)]]), np.array([[1.0]])]
    assert modular_barcode([np.array([[2**31 - 1]])]).rank(1, 0) == 0
    assert exact_barcode([np.array([[2**31 - 1]], dtype=object), np.array([[1]], dtype=object)]).full == 1
    assert exact_barcode(factors).full == 1
