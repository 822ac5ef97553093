"""Every spelling of a function that is linear on both sides of 0, and nothing else, is read as one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from fiberscope.network.cones import cone, ends
from fiberscope.network.elementwise import recognise

ORDER = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
PLAIN = {
    "relu": lambda v: max(v, 0.0),
    "abs": lambda v: abs(v),
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "maximum": lambda p, q: max(p, q),
    "minimum": lambda p, q: min(p, q),
    "leaky_relu": lambda v, s: v if v > 0 else s * v,
}


def value(expression: Any, x: float) -> float:
    if expression == "x":
        return x
    if not isinstance(expression, tuple):
        return expression
    op, *arguments = expression
    if op == "where":
        (kind, left, right), yes, no = arguments
        return value(yes if ORDER[kind](value(left, x), value(right, x)) else no, x)
    if op == "clamp":
        v, low, high = value(arguments[0], x), *arguments[1:]
        return min(max(v, -np.inf if low is None else low), np.inf if high is None else high)
    return PLAIN[op](*(value(part, x) for part in arguments))


def grown(rng: np.random.Generator, depth: int) -> Any:
    """A random expression with dyadic numbers, most of them homogeneous."""
    if depth == 0 or rng.random() < 0.15:
        return ["x", "x", "x", 0, 1, -0.5][rng.integers(6)]
    op = str(
        rng.choice(["relu", "abs", "add", "sub", "mul", "div", "maximum", "minimum", "where", "clamp", "leaky_relu"])
    )
    first = grown(rng, depth - 1)
    if op in ("relu", "abs"):
        return op, first
    if op in ("mul", "div", "leaky_relu"):
        return op, first, float(rng.choice([0.5, -2.0, -1.0, 4.0]))
    if op == "clamp":
        return op, first, *[(0, None), (None, 0), (-1, 1)][rng.integers(3)]
    if op == "where":
        return op, (str(rng.choice(list(ORDER))), first, grown(rng, depth - 1)), *(grown(rng, depth - 1) for _ in "ab")
    return op, first, grown(rng, depth - 1)


def applied(steps: list[tuple[str, float]], z: float) -> float:
    for op, number in steps:
        z = PLAIN[op](z, number)
    return z


def test_random_expressions_are_what_they_are_read_as():
    rng, read = np.random.default_rng(0), 0
    for _ in range(4000):
        expression = grown(rng, int(rng.integers(1, 5)))
        found = recognise(expression)
        if found is None or (found.activation or "relu").split("(")[0] not in ("relu", "abs", "leaky_relu"):
            continue
        read += 1
        for x in (-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 4.0):
            z = applied(found.inner, x)
            name, _, slope = (found.activation or "").rstrip(")").partition("(")
            z = PLAIN[name](z, *([float(slope)] if slope else [])) if name else z
            assert applied(found.outer, z) == value(expression, x), (expression, found, x)
    assert read > 1500


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        (("where", ("gt", "x", 0), "x", ("mul", "x", 0.25)), (1.0, "leaky_relu(0.25)", 1.0)),
        (("where", ("lt", "x", 0), ("mul", "x", 3.0), "x"), (1.0, "leaky_relu(3.0)", 1.0)),
        (("maximum", "x", ("mul", "x", 0.1)), (1.0, "leaky_relu(0.1)", 1.0)),
        (("minimum", "x", 0), (-1.0, "relu", -1.0)),
        (("add", ("relu", "x"), ("mul", "x", 0.5)), (-1.0, "leaky_relu(3.0)", -0.5)),
        (("relu", ("relu", "x")), (1.0, "relu", 1.0)),
        (("sub", "x", ("mul", "x", 0.75)), (1.0, None, 0.25)),
    ],
)
def test_spellings(expression, read):
    assert cone(expression) == read


@pytest.mark.parametrize(
    "expression",
    [
        ("where", ("gt", "x", 1), "x", 0),
        ("relu", ("add", "x", 1)),
        ("mul", "x", "x"),
        ("clamp", "x", 0, 6),
        ("tanh", "x"),
        ("mul", "x", float("inf")),
        ("div", "x", 0),
        ("where", ("ne", "x", 0), "x", 0),
        "y",
        1.0,
    ],
)
def test_what_is_not_homogeneous_is_not_read(expression):
    assert ends(expression) is None and cone(expression) is None


def test_a_slope_that_no_float_holds_is_not_read():
    assert cone(("add", ("relu", "x"), ("mul", ("relu", ("mul", "x", -1)), 1 / 3))) is not None
    assert cone(("add", ("mul", ("relu", "x"), 3.0), ("mul", ("abs", "x"), 0.1))) is None
