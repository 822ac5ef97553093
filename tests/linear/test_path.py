"""Paths in fibers: random pairs of points in random strata, their signs found by other means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.linear.strata import mu

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.base_change import group_path
from fiberscope.linear.order import up_moves
from fiberscope.linear.path import path
from fiberscope.linear.random_point import random_point


def random_pair(rng: np.random.Generator, length: int, most: int, hidden_least: bool = False):
    """Two points of one fiber in two random strata of it."""
    while True:
        widths = tuple(rng.integers(1, most + 1, length + 1).tolist())
        rank = int(rng.integers(0, min(widths) + 1))
        if not hidden_least or any(d == rank for d in widths[1:-1]):
            break
    w = rng.standard_normal((widths[-1], rank)) @ rng.standard_normal((rank, widths[0]))
    points = []
    for _ in range(2):
        barcode = least_barcode(widths, rank)
        for _ in range(int(rng.integers(0, 12))):
            moves = up_moves(barcode)
            if moves:
                barcode = moves[rng.integers(len(moves))].apply(barcode)
        points.append(random_point(barcode, seed=rng, product=w))
    return widths, rank, w, points


def signs(factors, w, widths, rank) -> dict[int, float]:
    """Independent: the sign of det(W_{j~0} X) for one basis X of the row space of W, at every hidden layer of width
    rank."""
    basis = np.linalg.svd(w)[2][:rank].T
    return {
        j: float(np.sign(np.linalg.det(np.linalg.multi_dot([*reversed(factors[:j]), basis] if j else [basis]))))
        for j in range(1, len(widths) - 1)
        if widths[j] == rank and rank > 0
    }


@pytest.mark.parametrize("seed", range(150))
def test_random_pairs(seed: int):
    rng = np.random.default_rng(seed)
    bottleneck = seed % 2 == 0
    widths, rank, w, (a, b) = random_pair(rng, int(rng.integers(1 + bottleneck, 6)), 5, bottleneck)
    one, two = signs(a, w, widths, rank), signs(b, w, widths, rank)
    found = path(a, b, 24)
    assert found.obstruction == tuple(j for j in one if one[j] != two[j])
    assert found.connected == (not found.obstruction)
    assert found.rank == rank
    if not found.connected:
        assert found.factors == []
        return
    assert [f.shape for f in found.factors] == [(24, *v.shape) for v in a]
    for l, stack in enumerate(found.factors):
        assert (stack[0] == a[l]).all() and (stack[-1] == b[l]).all()
    scale = max(np.prod([np.linalg.norm(v) for v in p]) for p in (a, b))
    drift = max(np.linalg.norm(mu([f[n] for f in found.factors]) - w) for n in range(24))
    assert drift <= 1e-13 * scale
    assert found.max_product_drift <= 1e-13


def test_neighbours_come_together():
    """The largest step of the polyline shrinks like 1/N, measured here and not taken from the result."""
    rng = np.random.default_rng(7)
    tried = 0
    while tried < 12:
        _, _, _, (a, b) = random_pair(rng, 3, 4)
        coarse = path(a, b, 50)
        if not coarse.connected:
            continue
        tried += 1
        fine = path(a, b, 800)
        steps = []
        for found in (coarse, fine):
            jumps = sum(((f[1:] - f[:-1]) ** 2).sum(axis=(1, 2)) for f in found.factors) ** 0.5
            assert found.longest_step == pytest.approx(jumps.max())
            steps.append(jumps.max())
        assert steps[1] <= steps[0] / 10  # 16 in the limit


def test_signs_stay_along_the_way():
    """At a hidden bottleneck the determinant keeps its sign and stays away from 0 along the polyline."""
    rng = np.random.default_rng(3)
    barcode = Barcode.from_bars(3, {(0, 3): 2, (0, 0): 1, (1, 1): 1, (3, 3): 2})
    w = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 3))
    seen = set()
    for _ in range(12):
        a, b = (random_point(barcode, seed=rng, product=w) for _ in range(2))
        one, two = (signs(p, w, barcode.widths, 2)[2] for p in (a, b))
        found = path(a, b, 60)
        assert found.connected == (one == two)
        seen.add(found.connected)
        if found.connected:
            along = [signs([f[n] for f in found.factors], w, barcode.widths, 2)[2] for n in range(60)]
            assert set(along) == {one}
    assert seen == {True, False}


def test_product_zero_and_zero_points():
    zero = [np.zeros((2, 2)), np.zeros((2, 2))]
    other = [np.diag([1.0, 0.0]), np.diag([0.0, 3.0])]
    found = path(zero, other, 9)
    assert found.connected and found.max_product_drift == 0.0 and found.rank == 0 and found.gap is None
    still = path(zero, zero, 3)
    assert still.connected and all((f == 0).all() for f in still.factors)


def test_two_points_are_the_ends():
    rng = np.random.default_rng(0)
    _, _, _, (a, b) = random_pair(rng, 2, 3)
    found = path(a, b, 2)
    assert found.connected and all((f[0] == v).all() for f, v in zip(found.factors, a, strict=True))
    assert all((f[1] == v).all() for f, v in zip(found.factors, b, strict=True))


def test_one_layer():
    w = np.arange(6.0).reshape(2, 3)
    found = path([w], [w], 4)
    assert found.connected and (found.factors[0] == w).all()


def test_ends_do_not_obstruct():
    """Width = rank at the input or the output only: connected whatever the signs (here all are free)."""
    for widths in [(2, 3, 4), (4, 3, 2), (2, 3, 3, 2)]:
        barcode = least_barcode(widths, 2)
        w = random_point(Barcode.from_bars(1, {(0, 1): 2, (0, 0): widths[0] - 2, (1, 1): widths[-1] - 2}), seed=0)[0]
        for seed in range(6):
            a, b = (random_point(barcode, seed=2 * seed + n, product=w) for n in range(2))
            assert path(a, b, 5).connected


def test_different_fibers_are_refused():
    a = random_point(least_barcode((3, 4, 3), 2), seed=0)
    with pytest.raises(InputError, match="products of the two points differ"):
        path(a, [a[0], 1.001 * a[1]], 10)
    with pytest.raises(InputError, match="products of the two points differ"):
        path(a, [a[0], (1 + 1e-7) * a[1]], 10)
    assert path(a, [a[0], (1 + 1e-15) * a[1]], 10).connected
    with pytest.raises(InputError, match="shapes"):
        path(a, random_point(least_barcode((3, 5, 3), 2), seed=0), 10)
    for steps in (1, 0, -3, True, 2.5):
        with pytest.raises(InputError, match="steps"):
            path(a, a, steps)  # type: ignore[arg-type]


def test_a_rank_that_cannot_be_told_is_not_decided():
    """Widths 2, 2, 2 and a product of condition 1e17: the sign of det W_1 hangs on a singular value below rounding."""
    a = [np.diag([1.0, 1e-9]), np.diag([1.0, 1e-9])]
    b = [np.diag([1.0, -1e-9]), np.diag([1.0, -1e-9])]
    with pytest.raises(InputError, match="cannot be told"):
        path(a, b, 10)
    assert path(a, b, 10, tol=1e-6).rank == 1  # with a tolerance: rank 1, and layer 1 is wider than that
    far = [np.diag([1.0, 1e-4]), np.diag([1.0, 1e-4])], [np.diag([1.0, -1e-4]), np.diag([1.0, -1e-4])]
    assert path(*far, 10).obstruction == (1,)


@settings(max_examples=60)
@given(st.integers(1, 7), st.integers(0, 10**9), st.sampled_from(["any", "orthogonal", "half turn", "near identity"]))
def test_group_path(size: int, seed: int, kind: str):
    """From I to g, invertible on the way, and inverse to its own inverse."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((size, size))
    if kind != "any":
        g = np.linalg.qr(g)[0]
    if kind == "half turn":
        g = g @ np.diag([-1.0] * (size - size % 2) + [1.0] * (size % 2)) @ np.linalg.inv(g)
    if kind == "near identity":
        g = np.eye(size) + 1e-9 * g
    if np.linalg.det(g) < 0:
        g[0] *= -1
    curve = group_path(g)
    assert np.abs(curve.apply(0.0, np.eye(size)) - np.eye(size)).max() < 1e-13
    assert np.abs(curve.apply(1.0, np.eye(size)) - g).max() < 1e-13 * max(1, np.abs(g).max())
    for s in (0.25, 0.5, 0.9):
        there = curve.apply(s, np.eye(size))
        assert np.linalg.det(there) > 0
        back = curve.apply_inverse(s, there)
        assert np.abs(back - np.eye(size)).max() < 1e-13 * np.linalg.cond(g)
    close = curve.apply(0.5, np.eye(size)) - curve.apply(0.5 + 1e-6, np.eye(size))
    assert np.abs(close).max() < 1e-4 * max(1, np.abs(g).max())


def test_layers_of_different_units():
    """Scaling layers by factors with product 1 stays in the fiber, however unequal: ranks and signs do not change."""
    rng = np.random.default_rng(4)
    for seed in range(20):
        _, rank, w, (a, b) = random_pair(rng, 3, 4, seed % 2 == 0)
        c = [1e9, 1e-5, 1e-4]
        one, two = path(a, b, 12), path([s * v for s, v in zip(c, a, strict=True)], b, 12)
        assert one.rank == two.rank == rank and one.obstruction == two.obstruction
        if two.connected:
            drift = max(np.linalg.norm(mu([f[n] for f in two.factors]) - w) for n in range(12))
            assert drift <= 1e-13 * max(np.prod([np.linalg.norm(v) for v in p]) for p in (a, b))
    assert path([[[1e8]], [[1e-8]]], [[[-1e8]], [[-1e-8]]], 5).obstruction == (1,)


def test_float32_points():
    """Equal products up to the rounding of the stored type."""
    rng = np.random.default_rng(4)
    _, _, _, (a, b) = random_pair(rng, 3, 4)
    small = [[v.astype(np.float32) for v in p] for p in (a, b)]
    found = path(small[0], small[1], 12)
    assert found.connected and found.max_product_drift < 1e-5
    assert all((f[0] == v).all() for f, v in zip(found.factors, small[0], strict=True))
