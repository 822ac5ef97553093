"""Charges behave as exponents of numbers and signs do."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.symmetry.charge import NEUTRAL, Charge

exponents = st.fractions(min_value=-3, max_value=3, max_denominator=4)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    total = NEUTRAL
    for base in draw(st.lists(st.integers(0, 3), max_size=4)):
        total = total + Charge.variable(base).power(draw(exponents), draw(st.booleans()))
    return total


def value(charge: Charge, seed: int = 0) -> tuple[float, int]:
    """The factor exp(sum q log(lambda)) and the sign that a charge stands for."""
    rng = np.random.default_rng(seed)
    names = sorted({v for v, _ in charge.log} | set(charge.sign) | {(b, ()) for b in range(4)})
    fields = {v: rng.uniform(0.5, 2.0) for v in sorted({(b, ()) for b in range(4)} | set(names))}
    signs = {v: int(rng.choice([-1, 1])) for v in fields}
    return (
        float(np.prod([fields[v] ** float(q) for v, q in charge.log])),
        int(np.prod([signs[v] for v in charge.sign])),
    )


def same(a: tuple[float, int], b: tuple[float, int]) -> bool:
    return bool(np.isclose(a[0], b[0])) and a[1] == b[1]


@given(charges(), charges())
def test_sums_are_products_of_factors(a: Charge, b: Charge):
    (x, s), (y, t) = value(a), value(b)
    assert same(value(a + b), (x * y, s * t))
    assert same(value(a - b), (x / y, s * t))
    assert a + b == b + a and (a + b) - b == a


@given(charges(), exponents, st.booleans())
def test_powers(a: Charge, q: Fraction, odd: bool):
    x, s = value(a)
    assert same(value(a.power(q, odd)), (x ** float(q), s if odd else 1))


@given(charges())
def test_trivial_means_no_factor(a: Charge):
    assert (a - a).trivial and (a == NEUTRAL) == a.trivial


@given(charges(), charges(), st.integers(0, 3))
def test_parts_carry_their_own_variables(a: Charge, b: Charge, i: int):
    assert (a + b).at(i) == a.at(i) + b.at(i)
    if not a.trivial:
        assert a.at(i) != a.at(i + 1) and a.at(i) != a
