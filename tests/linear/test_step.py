"""Moves up, down and along a stratum: ranks by brute force over Q, the product unchanged to the last digit."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.linear.strata import barcodes, exact_ranks, mu

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.climb import climb
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.descent import descend, descend_to_least
from fiberscope.linear.order import BarMove, leq, up_moves
from fiberscope.linear.random_point import random_point
from fiberscope.linear.stay import change_basis, one_matrix_move, two_matrix_move
from fiberscope.linear.step import apply_move

SEEDS = st.integers(0, 10**9)


def float_distance(a, b) -> float:
    return math.hypot(*(float(np.linalg.norm((x - y).astype(float))) for x, y in zip(a, b, strict=True)))


def to_float(factors):
    return [np.array([[int(v.p) / int(v.q) for v in row] for row in w]) for w in factors]


@settings(max_examples=40)
@given(barcodes(), SEEDS, st.sampled_from([Fraction(1, 1000), Fraction(1, 10**9), Fraction(3)]))
def test_every_up_move_exactly(barcode: Barcode, seed: int, epsilon: Fraction):
    """Ranks after the move are the move's, the product is the same, one matrix moved by epsilon and by rank one."""
    factors = random_point(barcode, seed=seed, exact=True)
    here = decompose(factors, exact=True)
    assert here.barcode == barcode
    before = mu(factors)
    for move in up_moves(barcode):
        step = apply_move(here, move, epsilon)
        assert (mu(step.factors) == before).all()
        assert exact_ranks(step.factors) == move.apply(barcode).ranks == step.barcode.ranks
        assert step.product_change == 0.0
        changed = [j for j, (a, b) in enumerate(zip(factors, step.factors, strict=True)) if (a != b).any()]
        assert changed == [move.first[1]]
        assert math.isclose(step.size, float(epsilon), rel_tol=1e-14)
        assert float_distance(to_float(step.factors), to_float(factors)) == pytest.approx(float(epsilon), rel=1e-6)


@settings(max_examples=40)
@given(barcodes(), SEEDS, st.sampled_from([(1e-2, 1e-11), (1e-6, 1e-8)]))
def test_every_up_move_in_floats(barcode: Barcode, seed: int, sizes: tuple[float, float]):
    """Rounding turns a direction that a step of size e opens by about 1e-16/e, so the ranks are read with that
    margin."""
    epsilon, tol = sizes
    here = decompose(random_point(barcode, seed=seed))
    before = mu(here.factors)
    scale = np.prod([np.linalg.norm(w) for w in here.factors])
    for move in up_moves(barcode):
        step = apply_move(here, move, epsilon)
        after = np.prod([np.linalg.norm(w) for w in step.factors])
        assert np.linalg.norm(mu(step.factors) - before) <= 1e-14 * max(scale, after)
        assert step.product_change <= 1e-15
        assert math.isclose(step.size, epsilon, rel_tol=1e-8)
        assert decompose(step.factors, tol=tol).barcode == move.apply(barcode)


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, None, "1e-3", True, Fraction(0), fmpq(-1, 2)])
def test_steps_that_are_none_are_refused(bad):
    here = decompose(random_point(least_barcode((2, 2, 2), 0), seed=0))
    with pytest.raises(InputError, match="epsilon"):
        apply_move(here, BarMove((0, 0), (1, 1)), bad)
    with pytest.raises(InputError, match="epsilon"):
        climb(here, here.barcode, bad)


def test_steps_lost_in_rounding_are_refused():
    """Beside weights of size 1 a step of 1e-17 leaves no trace; over Q, and beside zeros, it is taken."""
    barcode = Barcode.from_bars(2, {(0, 1): 1, (0, 0): 1, (1, 1): 1, (2, 2): 1})
    target = BarMove((0, 0), (1, 1)).apply(barcode)
    here = decompose(random_point(barcode, seed=0))
    for call in (lambda e: apply_move(here, BarMove((0, 0), (1, 1)), e), lambda e: climb(here, target, e)):
        with pytest.raises(InputError, match="lost in the rounding"):
            call(1e-17)
        assert call(1e-9).barcode == target
    exact = decompose(random_point(barcode, seed=0, exact=True), exact=True)
    assert exact_ranks(apply_move(exact, BarMove((0, 0), (1, 1)), Fraction(1, 10**400)).factors) == target.ranks
    zero = decompose([np.zeros((2, 2)), np.zeros((1, 2))])
    assert apply_move(zero, BarMove((0, 0), (1, 1)), 1e-200).size == pytest.approx(1e-200)


def test_impossible_moves_are_refused():
    here = decompose(random_point(least_barcode((2, 2, 2), 0), seed=0))
    with pytest.raises(InputError, match="no bar"):
        apply_move(here, BarMove((0, 1), (2, 2)), 1e-3)
    one = decompose(random_point(Barcode.from_bars(2, {(0, 0): 1, (0, 1): 1, (2, 2): 1}), seed=0))
    with pytest.raises(InputError, match="rank of the product"):
        apply_move(one, BarMove((0, 1), (2, 2)), 1e-3)


def walk_up(barcode: Barcode, rng: np.random.Generator, steps: int) -> Barcode:
    for _ in range(steps):
        moves = up_moves(barcode)
        if not moves:
            break
        barcode = moves[rng.integers(len(moves))].apply(barcode)
    return barcode


@settings(max_examples=60)
@given(barcodes(), SEEDS, st.sampled_from([(Fraction(1, 100), 1e-2), (fmpq(1, 10**8), 1e-8), (2, 2.0)]))
def test_climb_exactly(barcode: Barcode, seed: int, sizes):
    epsilon, rounded = sizes
    factors = random_point(barcode, seed=seed, exact=True)
    target = walk_up(barcode, np.random.default_rng(seed), 6)
    up = climb(decompose(factors, exact=True), target, epsilon)
    assert exact_ranks(up.factors) == target.ranks
    assert (mu(up.factors) == mu(factors)).all()
    assert up.size <= rounded * (1 + 1e-12)
    assert up.step * len(up.moves) == pytest.approx(rounded if up.moves else 0.0)
    assert (up.size > 0) == (target != barcode)


@settings(max_examples=60)
@given(barcodes(), SEEDS)
def test_climb_in_floats(barcode: Barcode, seed: int):
    here = decompose(random_point(barcode, seed=seed))
    target = walk_up(barcode, np.random.default_rng(seed), 3)
    up = climb(here, target, 1e-2)
    scale = np.prod([np.linalg.norm(w) for w in here.factors])
    scale = max(scale, np.prod([np.linalg.norm(w) for w in up.factors]))
    assert np.linalg.norm(mu(up.factors) - mu(here.factors)) <= 1e-14 * scale
    assert up.size <= 1e-2 * (1 + 1e-9)
    if len(up.moves) <= 2:  # further up, several small steps multiply
        assert decompose(up.factors, tol=1e-9).barcode == target


def test_climb_only_goes_up():
    low, high = least_barcode((2, 2, 2), 0), Barcode.from_bars(2, {(0, 1): 2, (2, 2): 2})
    assert leq(low, high)
    with pytest.raises(InputError, match="closure"):
        climb(decompose(random_point(high, seed=0)), low, 1e-3)


@settings(max_examples=60)
@given(barcodes(), SEEDS)
def test_descend_exactly(barcode: Barcode, seed: int):
    """Vertices lie in the strata named, the inside of every segment in the stratum it starts from."""
    top = walk_up(barcode, np.random.default_rng(seed), 5)
    factors = random_point(top, seed=seed, exact=True)
    down = descend(decompose(factors, exact=True), barcode)
    assert down.barcode == barcode and down.barcodes[0] == top
    for stratum, point in zip(down.barcodes, down.points, strict=True):
        assert exact_ranks(point) == stratum.ranks
        assert (mu(point) == mu(factors)).all()
    for n in range(len(down.points) - 1):
        for s in (fmpq(1, 2), fmpq(1, 10**6), fmpq(999, 1000)):
            inside = [s * a + (1 - s) * b for a, b in zip(down.points[n], down.points[n + 1], strict=True)]
            assert exact_ranks(inside) == down.barcodes[n].ranks
            assert (mu(inside) == mu(factors)).all()


@settings(max_examples=60)
@given(barcodes(), SEEDS)
def test_descend_to_least_exactly(barcode: Barcode, seed: int):
    factors = random_point(barcode, seed=seed, exact=True)
    down = descend_to_least(decompose(factors, exact=True))
    assert exact_ranks(down.factors) == least_barcode(barcode.widths, barcode.full).ranks
    inside = [(a + 2 * b) / 3 for a, b in zip(factors, down.factors, strict=True)]
    assert exact_ranks(inside) == barcode.ranks
    assert (mu(inside) == mu(factors)).all() and (mu(down.factors) == mu(factors)).all()


def test_descend_in_floats():
    top = Barcode.from_bars(3, {(0, 3): 2, (0, 2): 1, (1, 3): 2, (1, 2): 1, (0, 1): 1, (2, 2): 1})
    low = least_barcode(top.widths, 2)
    down = descend(decompose(random_point(top, seed=1)), low)
    assert decompose(down.factors).barcode == low
    assert down.product_change <= 1e-14
    assert all(decompose(p).barcode == b for p, b in zip(down.points, down.barcodes, strict=True))
    with pytest.raises(InputError, match="closure"):
        descend(decompose(down.factors), top)


@settings(max_examples=40)
@given(
    barcodes(longest=3, most=5),
    SEEDS,
    st.sampled_from([Fraction(-1), Fraction(-2, 3), Fraction(10**6), Fraction(1, 7)]),
)
def test_moves_that_stay_exactly(barcode: Barcode, seed: int, t: Fraction):
    """Every pair of bars and every layer: either refused, or the ranks and the product stay."""
    factors = random_point(barcode, seed=seed, exact=True)
    here = decompose(factors, exact=True)
    length, single = barcode.length, here.flow.bars
    for a, (i, k) in enumerate(single):
        for b, (other_i, other_k) in enumerate(single):
            for j in range(1, length + 1):
                meet = i <= j - 1 <= k and other_i <= j <= other_k
                stays = meet and not (i < other_i <= k + 1 <= other_k) and not (a == b and t == -1)
                stays = stays and not (i == 0 and other_k == length)
                if not stays:
                    with pytest.raises(InputError):
                        one_matrix_move(here, a, b, j, t)
                    continue
                moved = one_matrix_move(here, a, b, j, t)
                assert exact_ranks(moved.factors) == barcode.ranks
                assert (mu(moved.factors) == mu(factors)).all()
            for j in range(1, length):
                if not (i <= j <= k and other_i <= j <= other_k) or (a == b and t == -1):
                    with pytest.raises(InputError):
                        two_matrix_move(here, a, b, j, t)
                    continue
                moved = two_matrix_move(here, a, b, j, t)
                assert exact_ranks(moved.factors) == barcode.ranks
                assert (mu(moved.factors) == mu(factors)).all()
    with pytest.raises(InputError, match="single bars"):
        one_matrix_move(here, len(single), 0, 1, t)


def test_refused_one_matrix_lines_do_leave():
    """A refused pair with a nonzero change leaves the stratum or changes the product: the refusal is not idle."""
    barcode = Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (0, 1): 1, (1, 1): 1, (1, 2): 1, (2, 2): 1})
    factors = random_point(barcode, seed=3, exact=True)
    flow = decompose(factors, exact=True).flow
    refused = 0
    for a, (i, k) in enumerate(flow.bars):
        for b, (other_i, other_k) in enumerate(flow.bars):
            for j in (1, 2):
                if not (i <= j - 1 <= k and other_i <= j <= other_k):
                    continue
                try:
                    one_matrix_move(decompose(factors, exact=True), a, b, j, 2)
                except InputError:
                    refused += 1
                    change = np.outer(flow.vector(b, j), flow.dual(a, j - 1)) * 2
                    moved = [w + change if n == j else w for n, w in enumerate(factors, start=1)]
                    assert exact_ranks(moved) != barcode.ranks or (mu(moved) != mu(factors)).any()
    assert refused > 5


def test_change_of_basis():
    barcode = Barcode.from_bars(3, {(0, 3): 1, (0, 1): 1, (1, 2): 1, (2, 3): 1})
    exact = random_point(barcode, seed=0, exact=True)
    here = decompose(exact, exact=True)
    moved = change_basis(here, 1, np.array([[2.0, 1.0, 0.5], [0.0, 1.0, 0.0], [0.25, 0.0, 3.0]]))
    assert exact_ranks(moved.factors) == barcode.ranks and (mu(moved.factors) == mu(exact)).all()
    assert (moved.factors[2] == exact[2]).all() and moved.size > 0
    with pytest.raises(InputError, match="singular"):
        change_basis(here, 1, np.zeros((3, 3)))
    with pytest.raises(InputError, match="hidden"):
        change_basis(here, 3, np.eye(2))
    floats = change_basis(decompose(random_point(barcode, seed=0)), 2, np.diag([2.0, -3.0, 1.0]))
    assert floats.product_change < 1e-14
