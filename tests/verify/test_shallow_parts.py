"""The parts that certificates about one hidden layer rest on: exact products, boundaries, corners of activations."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope_verify.boundaries import group, leads, products_equal
from fiberscope_verify.hinge import hinge_of
from fiberscope_verify.product import product
from fiberscope_verify.report import Reject
from fiberscope_verify.trees import X

RELU = ("map", "relu", (), X)
wide = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=150, deadline=None)
@given(wide, wide, wide, wide, st.integers(-40, 40), st.booleans())
def test_products_are_compared_exactly(a, b, c, d, shift, related):
    if related:  # c d = a b, or one unit in the last place away
        with np.errstate(over="ignore", under="ignore"):
            c, d = float(np.ldexp(b, shift)), float(np.ldexp(a, -shift))
    with np.errstate(over="ignore"):
        near = float(np.nextafter(d, 1.0))
    for last in (d, near, -d):
        if np.isfinite([c, last]).all():
            truth = Fraction(a) * Fraction(b) == Fraction(c) * Fraction(last)
            assert bool(products_equal(*(np.array([v]) for v in (a, b, c, last)))[0]) == truth


def test_products_that_floats_confuse():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(1 << 52, 1 << 53, 4000).astype(float) for _ in range(2))
    c, d = a - 1, b + 1
    truth = [Fraction(p) * Fraction(q) == Fraction(r) * Fraction(s) for p, q, r, s in zip(a, b, c, d, strict=True)]
    assert products_equal(a, b, c, d).tolist() == truth
    assert products_equal(a, b, b, a).all()
    assert products_equal(a * 2.0**-1074, b, b * 2.0**-1074, a).all()


def test_rows_are_grouped_exactly():
    """Proportional rows with factors that are no powers of two, and rows one unit in the last place off."""
    rng = np.random.default_rng(1)
    base = rng.integers(-(1 << 20), 1 << 20, (40, 3)).astype(float)
    rows = np.concatenate([base, base * 3, base * -5, np.nextafter(base * 7, np.inf), base * 2.0**-700])
    rows = rows[rows[:, 0] != 0]
    label = group(rows, leads(rows))
    keys = [tuple(Fraction(v) / Fraction(row[0]) for v in row) for row in rows.tolist()]
    for i, j in itertools.combinations(range(len(rows)), 2):
        assert (label[i] == label[j]) == (keys[i] == keys[j])


def test_rows_with_the_same_rounded_quotients_are_kept_apart():
    third = np.array([[3.0, 1.0], [3.0 * 2**50 + 3, 2.0**50 + 1], [1.0, 1 / 3], [9.0, 3.0], [-1.0, -1 / 3]])
    label = group(third, leads(third)).tolist()
    assert label[0] == label[1] == label[3]
    assert label[2] == label[4] != label[0]


def test_products_of_matrices():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(2, 30)) * 2.0 ** rng.integers(-600, 300, (2, 30))
    b = rng.normal(size=(30, 3)) * 2.0 ** rng.integers(-400, 600, (30, 3))
    a[0, 3] = b[4, 1] = 0.0
    for r, c in itertools.product(range(2), range(3)):
        truth = sum((Fraction(p) * Fraction(q) for p, q in zip(a[r], b[:, c], strict=True)), Fraction(0))
        shown = product(a, b)[r, c]
        assert Fraction(int(shown.p), int(shown.q)) == truth


def lit(v):
    return ("lit", str(v))


@pytest.mark.parametrize(
    ("tree", "below", "above", "corner", "here"),
    [
        (RELU, 0, 1, 0, 0),
        (("map", "abs", (), X), -1, 1, 0, 0),
        (("map", "leaky_relu", ((0.25).hex(),), X), Fraction(1, 4), 1, 0, 0),
        (("max", ("mul", lit("1/3"), X), X), Fraction(1, 3), 1, 0, 0),
        (("where", ("compare", "greater", X, lit(0)), X, ("mul", lit("-2"), X)), -2, 1, 0, 0),
        (("add", lit(-1), ("mul", lit(2), ("map", "relu", (), ("add", lit("1/2"), X)))), 0, 2, Fraction(-1, 2), -1),
        (("add", X, ("map", "relu", (), ("map", "neg", (), ("add", lit(-3), X)))), 0, 1, 3, 3),
    ],
)
def test_corners(tree, below, above, corner, here):
    found = hinge_of(tree)
    assert [str(v) for v in (found.below, found.above, found.corner, found.value)] == [
        str(v) for v in (below, above, corner, here)
    ]


@pytest.mark.parametrize(
    "tree",
    [
        ("map", "gelu", (), X),
        ("map", "square", (), X),
        ("map", "clip", ((0.0).hex(), (6.0).hex()), X),
        ("add", RELU, ("map", "relu", (), ("add", lit(1), X))),
        ("mul", X, X),
        ("mul", RELU, X),
        ("max", X, lit(1)),
        ("map", "relu", (), ("add", lit(1), RELU)),
        ("where", ("compare", "greater", X, lit(1)), X, ("mul", lit(2), X)),
        ("where", X, X, ("map", "neg", (), X)),
        ("where", ("compare", "greater", X, lit(0)), ("add", lit(1), X), X),
        ("map", "heaviside", (), X),
    ],
)
def test_what_has_not_one_corner_is_refused(tree):
    with pytest.raises(Reject):
        hinge_of(tree)
