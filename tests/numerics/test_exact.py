"""Exact arithmetic on float arrays against Python's Fraction."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.numerics import exact
from fiberscope.numerics.ulp import FORMATS, eps, ulp, ulp_error

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite, finite, finite)
def test_products_are_compared_exactly(a: float, b: float, c: float, d: float):
    found = bool(exact.products_equal(*(np.array([v]) for v in (a, b, c, d)))[0])
    assert found == (Fraction(a) * Fraction(b) == Fraction(c) * Fraction(d))


@given(st.floats(-1e100, 1e100), st.floats(2.0**-100, 2.0**100), st.integers(-40, 40))
def test_a_product_and_its_rescaled_factors_are_equal(a: float, b: float, k: int):
    equal = exact.products_equal(np.array([a]), np.array([b]), np.array([a * 2.0**k]), np.array([b * 2.0**-k]))
    assert bool(equal[0]) == (Fraction(a) * Fraction(b) == Fraction(a * 2.0**k) * Fraction(b * 2.0**-k))


def test_one_ulp_of_difference_is_seen():
    a = np.array([0.1, 3.0, 1e-30])
    assert exact.products_equal(a, np.array(3.0), a, np.array(3.0)).all()
    assert not exact.products_equal(np.nextafter(a, 9.0), np.array(3.0), a, np.array(3.0)).any()


@given(st.lists(finite, min_size=1, max_size=5), st.lists(finite, min_size=1, max_size=5))
def test_sums_and_products_do_not_round(left: list[float], right: list[float]):
    n = min(len(left), len(right))
    a, b = np.array(left[:n]), np.array(right[:n])
    for found, op in ((exact.add(a, b), Fraction.__add__), (exact.multiply(a, b), Fraction.__mul__)):
        assert [exact.fraction(v) for v in found] == [op(Fraction(x), Fraction(y)) for x, y in zip(a, b, strict=True)]


def test_matmul_is_exact():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)) * 1e-30
    found = exact.matmul(a, b)
    for i in range(3):
        for j in range(2):
            assert exact.fraction(found[i, j]) == sum(Fraction(a[i, k]) * Fraction(b[k, j]) for k in range(4))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_ulp_agrees_with_spacing(dtype: str):
    kind = np.dtype(dtype).type
    numbers = [1.0, 1.5, 0.1, 3e-5, 6.1e-5, 0.0, -7.0, float(np.finfo(dtype).tiny)]
    values = np.array([kind(v) for v in numbers])
    expected = np.spacing(np.abs(values)).astype(float)
    assert np.array_equal(ulp(values.astype(np.float64), dtype)[:-1], expected[:-1])


def test_bfloat16_has_eight_bits():
    assert float(ulp(np.array(1.0), "bfloat16")) == 2.0**-7
    assert eps("bfloat16") == 2.0**-8
    assert set(FORMATS) == {"float64", "float32", "float16", "bfloat16"}


def test_ulp_error_counts_steps():
    x = np.float32(0.3)
    up = np.nextafter(np.nextafter(x, np.float32(1)), np.float32(1))
    assert ulp_error(Fraction(float(up)), Fraction(float(x)), "float32") == 2
