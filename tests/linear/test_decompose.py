"""What `decompose` takes, refuses and reports."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import fmpq
from tests.linear.planted import integer_factors, planted, random_barcode, ranks_by_brute_force

from fiberscope.errors import InputError, WeightError
from fiberscope.linear.decomposition import decompose


def chain(seed: int = 0):
    rng = np.random.default_rng(seed)
    barcode = random_barcode((4, 5, 3, 4), rng)
    return barcode, integer_factors(barcode, rng)


@pytest.mark.parametrize(
    "convert",
    [
        lambda w: w,
        lambda w: w.astype(np.float32),
        lambda w: w.tolist(),
        lambda w: torch.tensor(w, dtype=torch.float32, requires_grad=True),
        lambda w: torch.tensor(w),
        lambda w: [[Fraction(int(v), 3) for v in row] for row in w],
        lambda w: [[fmpq(int(v), 3) for v in row] for row in w],
        lambda w: w[::-1, ::-1][::-1, ::-1],
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_every_kind_of_matrix_is_taken(convert, exact):
    barcode, factors = chain()
    assert decompose([convert(w) for w in factors], exact=exact).barcode == barcode


def test_coarse_types_are_judged_by_their_own_rounding():
    rng = np.random.default_rng(5)
    barcode = random_barcode((6, 6, 6), rng, death=0.5)
    factors = planted(barcode, rng)
    for dtype in (torch.float32, torch.bfloat16):
        assert decompose([torch.tensor(w).to(dtype) for w in factors]).barcode == barcode
    stored = [w.astype(np.float32) for w in factors]
    assert decompose(stored).barcode == barcode
    assert decompose([w.astype(np.float64) for w in stored]).barcode != barcode  # float64 would have been exact


@pytest.mark.parametrize(
    ("factors", "error", "words"),
    [
        ([], InputError, "empty"),
        ([np.eye(2), np.ones((3, 3))], InputError, "W2 is 3x3 but W1 is 2x2"),
        ([np.eye(2), np.eye(2), np.ones((2, 5))], InputError, "W3 is 2x5 but W2 is 2x2"),
        ([np.eye(2), np.ones(2)], WeightError, "W2: expected a matrix"),
        (np.eye(2), WeightError, "W1: expected a matrix"),
        ([np.ones((2, 0))], WeightError, "W1 is 2x0"),
        ([[[1.0, np.nan]]], WeightError, "W1 holds NaN"),
        ([[[1.0]], [[np.inf]]], WeightError, "W2 holds NaN or infinity"),
        ([[[1.0, 2.0], [3.0]]], WeightError, "W1: expected a matrix"),
        ([[["a"]]], WeightError, "W1: expected real numbers"),
        ([[[1j]]], WeightError, "W1: expected real numbers"),
        ([[[None]]], WeightError, "W1 holds None"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_bad_factors_are_refused_in_one_line(factors, error, words, exact):
    with pytest.raises(error, match=words) as caught:
        decompose(factors, exact=exact)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tol", [-1e-3, float("nan"), float("inf")])
def test_bad_tolerances_are_refused(tol):
    with pytest.raises(InputError, match="tol"):
        decompose([np.eye(2)], tol=tol)


def test_exact_takes_no_tolerance():
    with pytest.raises(InputError, match="exact"):
        decompose([np.eye(2)], tol=1e-3, exact=True)


def test_nothing_dropped_has_no_gap():
    for factors in ([np.eye(3)], [np.zeros((2, 3)), np.zeros((2, 2))], [np.diag([1.0, 0.0])]):
        found = decompose(factors)
        assert (found.backward_error, found.gap) == (0.0, None)
        assert found.nearest == found.factors
    assert decompose([np.zeros((2, 2))]).smallest_kept is None
    assert decompose([np.diag([3.0, 0.0])]).smallest_kept == pytest.approx(3.0)


def test_gap_is_kept_over_dropped():
    found = decompose([np.diag([2.0, 1e-3, 1e-7])], tol=1e-5)
    assert found.gap == pytest.approx(1e4)
    assert found.smallest_kept == pytest.approx(1e-3)
    assert found.backward_error == pytest.approx(1e-7)


def test_a_tolerance_of_one_drops_everything():
    found = decompose([np.eye(2), np.eye(2)], tol=1.0)
    assert found.barcode.bars == ((0, 0, 2), (1, 1, 2), (2, 2, 2))
    assert (found.backward_error, found.gap, found.smallest_kept) == (pytest.approx(2.0), None, None)


@pytest.mark.parametrize("power", [-900, -400, 0, 400, 900])
def test_scale_does_not_matter(power):
    barcode, factors = chain(1)
    scaled = [np.ldexp(w.astype(float), power) for w in factors]
    found = decompose(scaled)
    assert found.barcode == barcode
    plain = decompose([w.astype(float) for w in factors])
    assert found.smallest_kept == pytest.approx(np.ldexp(plain.smallest_kept or 0.0, power))
    if abs(power) <= 400:
        bases = found.flow.bases
        for j, w in enumerate(scaled, start=1):
            target = bases[j] @ found.flow.pattern(j)
            size = np.abs(target).max(initial=1e-300)
            assert np.allclose(w @ bases[j - 1] / size, target / size)
    else:
        with pytest.raises(WeightError, match="does not fit float64"):
            _ = found.flow


def test_a_single_bar_of_numbers():
    found = decompose([[[3.0]], [[0.0]], [[2.0]]])
    assert found.barcode.bars == ((0, 1, 1), (2, 3, 1))
    assert found.widths == (1, 1, 1, 1)


def test_results_are_plain_json_and_short_text():
    _, factors = chain(2)
    for exact in (False, True):
        found = decompose(factors, exact=exact)
        data = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert {(k, i): r for k, i, r in data["ranks"]} == ranks_by_brute_force(factors)
        assert data["rank"] == found.rank
        assert len(repr(found).splitlines()) <= 3


def test_inputs_are_not_changed_and_not_shared():
    _, factors = chain(3)
    factors = [np.asfortranarray(w, dtype=np.float64) for w in factors]
    copies = [w.copy() for w in factors]
    found = decompose(factors)
    _ = found.flow, found.nearest
    assert all(np.array_equal(a, b) for a, b in zip(factors, copies, strict=True))
    factors[0][:] = 7.0
    assert np.array_equal(found.factors[0], copies[0])


def test_deep_chains_of_many_births():
    rng = np.random.default_rng(6)
    barcode = random_barcode((3,) * 60, rng)
    found = decompose(planted(barcode, rng))
    assert found.barcode == barcode
    assert found.residual < 1e-12


def test_numbers_at_the_ends_of_float64():
    tiny = 5e-324
    found = decompose([[[1.7e308, tiny], [0.0, tiny]], [[1.0, 1.0]]])
    assert found.barcode.bars == ((0, 0, 1), (0, 1, 1), (1, 1, 1), (2, 2, 1))  # beside 1e308, 1 is nothing
    assert json.dumps(found.to_json(), allow_nan=False)
    assert decompose([[[tiny]], [[tiny]]]).rank == 1
    assert decompose([[[tiny]], [[1.0]]]).rank == 0
    assert decompose([[[tiny]], [[1.0]]], exact=True).rank == 1


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_deep_chains_whose_vectors_leave_float64_have_a_barcode_and_no_flow(size):
    rng = np.random.default_rng(7)
    rotations = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(120)]
    for deficient in (False, True):
        shape = np.diag([1.0, 1.0, 0.0]) if deficient else np.eye(3)
        found = decompose([size * q @ shape for q in rotations])
        assert found.barcode.widths == (3,) * 121
        with pytest.raises(WeightError, match="does not fit float64"):
            _ = found.flow
    assert decompose(rotations).residual < 1e-13
