"""Activations of tanh type: the prescribed symmetry holds and is found from the function alone; near misses are not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope.affine.discovery.dictionary import Dictionary
from fiberscope.affine.discovery.search import discover
from fiberscope.affine.relation import Relation
from fiberscope.affine.tanh_type import TanhType, finite, geometric
from fiberscope.errors import InputError

LATTICE = Dictionary((Fraction(1), Fraction(-1)), tuple(Fraction(k) for k in (0, 1, -1, 2, -2, 3, -3)))


def direct(c: dict[int, float], t: np.ndarray, a: float, b: float, constant: float) -> np.ndarray:
    """The defining sum."""
    return constant + sum((v * np.tanh(np.pi * (t - k * a) / b) for k, v in c.items()), np.zeros_like(t))


def series(p: list[float], terms: int = 400) -> dict[int, float]:
    """1/P around the unit circle, by the discrete Fourier transform."""
    x = np.exp(2j * np.pi * np.arange(terms) / terms)
    c = np.fft.fft(1 / np.polyval(p[::-1], x)) / terms
    return {k if k < terms // 2 else k - terms: float(v.real) for k, v in enumerate(c)}


@pytest.mark.parametrize("p", [[1, -0.5], [3, 1, 0.5], [1, 2.5, 1], [0.25, 1, 0.125], [1, -3.5, 1.75, 0.5]])
def test_values_are_the_defining_sum(p: list[float]):
    rho = geometric([Fraction(v) for v in p], step=Fraction(3, 4), width=Fraction(5, 2), constant=Fraction(1, 3))
    t = np.linspace(-15, 15, 31) + 0.01
    expected = direct(series(p), t, 0.75, 2.5, 1 / 3)
    assert np.allclose(rho.value(t), expected, atol=1e-12)
    with ctx.workdps(30):
        assert np.allclose([float(rho.ball(arb(float(x))).mid()) for x in t], expected, atol=1e-12)


def test_a_double_zero_is_summed_too():
    rho = geometric([1, -1, Fraction(1, 4)])  # (1 - X/2)^2: c_k = (k + 1)/2^k
    with ctx.workdps(50):
        x = arb(1) / 3
        whole = sum((arb(k + 1) / arb(2) ** k * (arb.pi() * (x - k) / 3).tanh() for k in range(400)), arb(0))
        found = rho.ball(x)
        assert found.overlaps(whole) and float(found.rad()) < 1e-45


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.fractions(-3, 3, max_denominator=6), min_size=2, max_size=4),
    st.fractions(Fraction(1, 2), 2, max_denominator=7),
    st.fractions(-2, 2, max_denominator=5),
)
def test_the_prescribed_symmetry_holds_in_ball_arithmetic(p: list[Fraction], step: Fraction, constant: Fraction):
    try:
        rho = geometric(p, step=step, constant=constant)
    except InputError:
        return
    assert rho.symmetry.proved
    with ctx.workdps(50):
        for x in (-7.3, 0.1, 2.9):
            total, size = rho.symmetry.balls(rho.ball, arb(x))
            assert total.contains(0) and float(total.abs_upper()) < 1e-40 * max(1.0, float(size.mid()))


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(-3, 3), st.fractions(-3, 3, max_denominator=6), min_size=1, max_size=4))
def test_the_prescribed_symmetry_of_a_finite_sum(c: dict[int, Fraction]):
    try:
        rho = finite(c, constant=Fraction(1, 2))
    except InputError:
        assert not any(c.values())
        return
    assert rho.symmetry.proved
    with ctx.workdps(50):
        total, _ = rho.symmetry.balls(rho.activation().ball, arb("1.37"))
        assert total.contains(0)


def test_near_misses_are_not_proved():
    rho = geometric([3, 1, Fraction(1, 2)], constant=Fraction(1, 2))
    terms, constant = rho.symmetry.terms, rho.symmetry.constant
    assert rho.proves(Relation(terms, constant))
    assert not rho.proves(Relation(terms, constant + Fraction(1, 10**20)))
    assert not rho.proves(Relation(terms[:-1], constant))
    moved = ((terms[0][0] + Fraction(1, 10**20), *terms[0][1:]), *terms[1:])
    assert not rho.proves(Relation(moved, constant))
    assert not rho.proves(Relation.of([(1, 2, 0), (1, -2, 0)]))


def random_polynomial(seed: int) -> TanhType:
    """A polynomial of degree 2 or 3 with zeros off the unit circle, and not symmetric."""
    rng = np.random.default_rng(seed)
    while True:
        p = [Fraction(int(v), 4) for v in rng.integers(-12, 13, int(rng.integers(3, 5)))]
        if p[0] and p[-1] and abs(p[0]) != abs(p[-1]):
            sizes = np.abs(np.roots([float(v) for v in p[::-1]]))
            if np.all(np.abs(np.log(sizes)) > 0.25):
                return geometric(p, constant=Fraction(int(rng.integers(-3, 4)), 2))


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_the_symmetry_of_a_random_polynomial_is_discovered_from_the_function_alone(seed: int):
    rho = random_polynomial(seed)
    found = discover(rho.activation(), LATTICE)
    assert found.one_unit == () and len(found.symmetries) == 1
    (relation,) = found.symmetries
    ratio = {a.number / b.number for a, b in zip(by_shift(relation), by_shift(rho.symmetry), strict=True)}
    assert len(ratio) == 1 and relation.proved


def by_shift(relation: Relation) -> list:
    return [a for a, b, g in sorted(relation.terms, key=lambda row: (row[1].number, row[2].number))]


def test_the_function_alone_means_without_its_prover():
    """The same values behind a plain function of balls: found, with a bound, and not claimed as proved."""
    from fiberscope.affine.activation import Activation

    rho = random_polynomial(4)
    bare = Activation("bare", None, rho.ball, floats=rho.value)
    (relation,) = discover(bare, LATTICE).symmetries
    assert not relation.proved and relation.error_bound is not None and relation.error_bound < 1e-100
    assert rho.proves(relation)


@pytest.mark.slow
def test_a_lattice_of_unknown_step_is_found():
    found = geometric([1, Fraction(-1, 3)], step=Fraction(7, 10)).activation().findings
    assert [str(r) for r in found.symmetries] == ["3*rho(t) + 3*rho(-t) - rho(t - 7/10) - rho(-t - 7/10) = 0"]
    found = finite({0: 1, 1: 3}, step=Fraction(13, 10)).activation().findings
    assert len(found.symmetries) == 1 and len(found.symmetries[0].terms) == 4 and found.symmetries[0].proved


def test_the_six_term_example():
    rho = finite({0: 1, 1: 2, 2: Fraction(-1, 2)}, constant=Fraction(1, 2))
    found = discover(rho.activation(), LATTICE)
    assert [len(r.terms) for r in found.symmetries] == [6] and found.symmetries[0].proved
    assert len(rho.expansion()[1]) == 3


@pytest.mark.parametrize("p", [[1], [0, 1], [1, -1], [1, 0, 1], [1, Fraction(101, 100)], [Fraction(21, 20), 1, 1], []])
def test_polynomials_without_a_series_are_refused(p: list):
    with pytest.raises(InputError, match="tanh type"):
        geometric(p)


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="positive"):
        geometric([2, 1], step=0)
    with pytest.raises(InputError, match="coefficient"):
        finite({0: 0})
