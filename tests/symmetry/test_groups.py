"""The lattice of mixing groups against matrices."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fiberscope.symmetry.groups import Mixing

N = 4  # even: complex scalars act on pairs


def generic(mixing: Mixing, seed: int) -> np.ndarray:
    """A generic element of the group, as a matrix."""
    rng = np.random.default_rng(seed)
    if mixing is Mixing.none:
        return np.eye(N)
    if mixing is Mixing.permutation:
        return np.eye(N)[np.roll(np.arange(N), 1)]
    if mixing is Mixing.complex_scalar:
        a, b = rng.standard_normal((2, N // 2))
        return np.block([[np.diag(a), -np.diag(b)], [np.diag(b), np.diag(a)]])
    if mixing is Mixing.orthogonal_fixing_ones:
        frame = np.linalg.qr(np.column_stack([np.ones(N), rng.standard_normal((N, N - 1))]))[0]
        inner = np.eye(N)
        inner[1:, 1:] = np.linalg.qr(rng.standard_normal((N - 1, N - 1)))[0]
        return frame @ inner @ frame.T
    if mixing is Mixing.orthogonal:
        return np.linalg.qr(rng.standard_normal((N, N)))[0]
    return rng.standard_normal((N, N))


def contains(mixing: Mixing, m: np.ndarray) -> bool:
    """Whether a matrix belongs to the group."""
    orthogonal = np.allclose(m @ m.T, np.eye(N))
    fixes = np.allclose(np.abs(m @ np.ones(N)), 1) and np.ptp(m @ np.ones(N)) < 1e-9
    binary = np.isclose(m, 0) | np.isclose(m, 1)
    h = N // 2
    complex_like = np.allclose(m[:h, :h], m[h:, h:]) and np.allclose(m[:h, h:], -m[h:, :h])
    diagonal_blocks = all(np.allclose(b, np.diag(np.diag(b))) for b in (m[:h, :h], m[h:, :h]))
    return {
        Mixing.none: np.allclose(m, np.eye(N)),
        Mixing.permutation: bool(binary.all()) and orthogonal,
        Mixing.complex_scalar: complex_like and diagonal_blocks,
        Mixing.orthogonal_fixing_ones: orthogonal and fixes,
        Mixing.orthogonal: orthogonal,
        Mixing.general_linear: abs(np.linalg.det(m)) > 1e-9,
    }[mixing]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(Mixing, Mixing)))
def test_the_meet_lies_in_both(a: Mixing, b: Mixing):
    met = a.meet(b)
    assert met is b.meet(a)
    for seed in range(3):
        m = generic(met, seed)
        assert contains(a, m) and contains(b, m), f"{a.name} and {b.name} do not both contain {met.name}"


@pytest.mark.parametrize("a", list(Mixing))
def test_meet_with_itself_and_the_ends(a: Mixing):
    assert a.meet(a) is a
    assert a.meet(Mixing.general_linear) is a
    assert a.meet(Mixing.none) is Mixing.none


@pytest.mark.parametrize(("a", "b", "c"), list(itertools.product(Mixing, Mixing, Mixing)))
def test_meet_is_associative(a: Mixing, b: Mixing, c: Mixing):
    assert a.meet(b).meet(c) is a.meet(b.meet(c))


@pytest.mark.parametrize("mixing", list(Mixing))
def test_dimension_is_that_of_the_tangent_space(mixing: Mixing):
    """Rank of the linear conditions that cut the Lie algebra out of all matrices."""
    basis = np.eye(N * N).reshape(N * N, N, N)
    h = N // 2

    def conditions(x: np.ndarray) -> np.ndarray:
        skew = (x + x.T).ravel()
        blocks = np.concatenate(
            [
                (x[:h, :h] - x[h:, h:]).ravel(),
                (x[:h, h:] + x[h:, :h]).ravel(),
                (x[:h, :h] - np.diag(np.diag(x[:h, :h]))).ravel(),
                (x[h:, :h] - np.diag(np.diag(x[h:, :h]))).ravel(),
            ]
        )
        return {
            Mixing.none: x.ravel(),
            Mixing.permutation: x.ravel(),
            Mixing.complex_scalar: blocks,
            Mixing.orthogonal_fixing_ones: np.concatenate([skew, x @ np.ones(N)]),
            Mixing.orthogonal: skew,
            Mixing.general_linear: np.zeros(1),
        }[mixing]

    rank = np.linalg.matrix_rank(np.array([conditions(x) for x in basis]))
    assert mixing.dimension(N) == N * N - rank


def test_components():
    assert Mixing.permutation.log10_components(5) == pytest.approx(math.log10(120))
    assert Mixing.general_linear.log10_components(5) == pytest.approx(math.log10(2))
    assert Mixing.none.log10_components(5) == 0
