"""Every method for sum_j s_j a_j = t against trying all signs."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shallow.oracle import frac, row_rank

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.integer_signs import integer_signs, subset_sum
from fiberscope.shallow.lattice_signs import lattice_signs
from fiberscope.shallow.low_rank import low_rank_signs
from fiberscope.shallow.meeting import PRIME, meet_in_the_middle, restricted_meeting
from fiberscope.shallow.rational_solve import null_space, rank, reduced, solve
from fiberscope.shallow.sign_equation import components, solve_signs
from fiberscope.shallow.sign_programs import milp_signs, outside_zonotope


def all_signs(m: int) -> np.ndarray:
    return np.array(list(product((-1, 1), repeat=m)), dtype=np.int64).reshape(-1, m)


def draw(rng: np.random.Generator, m_max: int = 10) -> tuple[np.ndarray, np.ndarray, bool]:
    """A small integer equation of full rank, planted half the time, and whether it has a solution."""
    r, m, size = int(rng.integers(1, 4)), int(rng.integers(1, m_max)), int(rng.integers(1, 7))
    a = rng.integers(-size, size + 1, (min(r, m), m))
    t = a @ rng.choice([-1, 1], m) if rng.random() < 0.5 else rng.integers(-size, size + 1, len(a))
    return a, t, bool((all_signs(m) @ a.T == t).all(axis=1).any())


@given(seed=st.integers(0, 2**32))
def test_solve_signs_agrees_with_trying_all(seed):
    a, t, truth = draw(np.random.default_rng(seed))
    answer = solve_signs(a.astype(float) / 8, t.astype(float) / 8)
    assert answer.found is truth
    if truth:
        assert (a @ answer.signs == t).all() and set(answer.signs.tolist()) <= {-1, 1}  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("method", [meet_in_the_middle, lattice_signs])
def test_deciding_methods_one_by_one(method):
    rng = np.random.default_rng(1)
    decided = {True: 0, False: 0}
    for _ in range(400):
        a, t, truth = draw(rng)
        if np.linalg.matrix_rank(a) < len(a):
            continue
        signs = method(a.tolist(), t.tolist())
        if isinstance(signs, str):
            continue
        assert (signs is not None) == truth
        assert signs is None or (a @ signs == t).all()
        decided[truth] += 1
    assert min(decided.values()) > 50


def test_proposing_methods_one_by_one():
    rng = np.random.default_rng(2)
    refuted = found = 0
    for _ in range(100):
        a, t, truth = draw(rng)
        outside = outside_zonotope(a.tolist(), t.tolist())
        assert not (outside and truth)
        refuted += outside
        signs = milp_signs(a.tolist(), t.tolist(), 5.0)
        if signs is not None and (a @ signs == t).all():
            assert truth
            found += 1
        if len(a) == 1:
            signs = subset_sum(a[0].tolist(), int(t[0]))
            assert (signs is not None) == truth and (signs is None or int(a[0] @ signs) == t[0])
        far = (3 * t).tolist() if t.any() else [40] * len(a)
        truth = bool((all_signs(a.shape[1]) @ a.T == far).all(axis=1).any())
        outside = outside_zonotope(a.tolist(), far)
        assert not (outside and truth)
        refuted += outside
    assert refuted > 30 and found > 30


def test_a_collision_of_hashes_is_not_a_solution():
    """Numbers that differ by the prime of the hash."""
    assert meet_in_the_middle([[2 * PRIME, 2]], [2 * PRIME + 2]).tolist() == [1, 1]  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    assert meet_in_the_middle([[2 * PRIME + 2, 0]], [2]) is None
    assert meet_in_the_middle([[4 * PRIME]], [0]) is None


def test_planted_signs_are_found_in_many_unknowns():
    rng = np.random.default_rng(3)
    for m, r, size in ((60, 3, 1000), (80, 3, 20), (44, 2, 10**6), (200, 1, 10**4)):
        a = rng.integers(-size, size + 1, (r, m))
        t = a @ rng.choice([-1, 1], m)
        answer = solve_signs(a.astype(float), t.astype(float), time.monotonic() + 60)
        assert answer.found and (a @ answer.signs == t).all()  # pyright: ignore[reportOperatorIssue]


def test_generic_floats_are_settled_by_lattices():
    """53 bits each: the planted signs are the only ones, and one unit in the last place away there are none."""
    rng = np.random.default_rng(4)
    a = rng.standard_normal((5, 50))
    s = rng.choice([-1, 1], 50)
    t = rationals(a) @ rationals(s.astype(float))
    answer = solve_signs(a, t, time.monotonic() + 60)
    assert answer.found and answer.method == "lattice" and (answer.signs == s).all()
    t[0] = t[0] + rationals(np.array([2.0**-50]))[0]
    assert solve_signs(a, t, time.monotonic() + 60).found is False


def test_components_split_direct_sums():
    rng = np.random.default_rng(5)
    blocks = [rng.integers(1, 5, (1, 3)), rng.integers(1, 5, (1, 4)), np.array([[3]])]
    a = np.zeros((3, 8))
    at = 0
    for i, block in enumerate(blocks):
        a[i, at : at + block.shape[1]] = block
        at += block.shape[1]
    mix = np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]])
    order = rng.permutation(8)
    a = (mix @ a)[:, order]
    rows, pivots = reduced(a)
    parts = {frozenset(order[part].tolist()) for _, part in components(rows, pivots)}
    assert parts == {frozenset({0, 1, 2}), frozenset({3, 4, 5, 6}), frozenset({7})}


def test_no_time_means_no_answer():
    rng = np.random.default_rng(6)
    a = rng.integers(-(10**9), 10**9, (3, 46))
    answer = solve_signs(a.astype(float), (a @ rng.choice([-1, 1], 46)).astype(float), time.monotonic() - 1)
    assert answer.found is None and answer.signs is None
    part = integer_signs(rationals(a.astype(float)), rationals(np.zeros(3)), time.monotonic() - 1)
    assert part.found is not True
    assert restricted_meeting(a.tolist(), [0, 0, 0], time.monotonic() - 1) is None


@given(seed=st.integers(0, 2**32))
def test_low_rank_signs_agree_with_trying_all(seed):
    rng = np.random.default_rng(seed)
    k, n, m = (int(v) for v in rng.integers(2, 4, 3))
    M = [np.outer(rng.integers(-2, 3, k), rng.integers(-2, 3, n)) for _ in range(m + 2)]
    T = rng.integers(-2, 3, (k, n))
    if rng.random() < 0.7:
        T = sum((int(s) * matrix for s, matrix in zip(rng.choice([-1, 1], m + 2), M, strict=True)), T * 0)
        T = T + np.outer(rng.integers(-1, 2, k), rng.integers(-1, 2, n))
    for r in (1, 2):
        residuals = [T - sum(s * x for s, x in zip(signs, M, strict=True)) for signs in product((-1, 1), repeat=m + 2)]
        truth = any(row_rank([[frac(int(v)) for v in row] for row in left]) <= r for left in residuals)
        found, signs = low_rank_signs(rationals(T / 4), [rationals(x / 4) for x in M], r)
        assert found is truth
        if signs is not None:
            left = T - sum(int(s) * x for s, x in zip(signs, M, strict=True))
            assert np.linalg.matrix_rank(left) <= r


def test_low_rank_gives_up_on_too_many_sums():
    rng = np.random.default_rng(7)
    M = [rationals(np.outer(rng.standard_normal(3), rng.standard_normal(3))) for _ in range(25)]
    assert low_rank_signs(rationals(np.eye(3)), M, 1) == (None, None)


@given(seed=st.integers(0, 2**32))
def test_rational_linear_algebra(seed):
    rng = np.random.default_rng(seed)
    r, c = (int(v) for v in rng.integers(1, 5, 2))
    A = rng.integers(-2, 3, (r, c)) / 2
    assert rank(A) == row_rank([[frac(v) for v in row] for row in A]) == np.linalg.matrix_rank(A)
    N = null_space(A)
    assert N.shape == (c, c - rank(A)) and not (rationals(A) @ N != 0).any()
    x = rationals(rng.integers(-3, 4, (c, 2)).astype(float))
    y = rationals(A) @ x
    z = solve(A, y)
    assert z is not None and (rationals(A) @ z == y).all()
    outside = rng.integers(-3, 4, r).astype(float)
    solvable = np.linalg.matrix_rank(np.column_stack([A, outside])) == rank(A)
    assert (solve(A, outside) is not None) == solvable
