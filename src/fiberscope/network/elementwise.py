"""Recognise an activation from the elementwise operations that a traced graph spells it with.

An expression is a nested tuple over the letter ``"x"``: ``("mul", "x", ("sigmoid", "x"))`` is SiLU. Expressions are
simplified a little, then looked up; an expression that is not in the table is not an activation we know.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fiberscope.network.cones import cone

Expression = Any

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def simplify(expression: Expression) -> Expression:
    """Drop ``* 1``, ``/ 1`` and ``+ 0``, join clamps, sort the factors of a product."""
    if not isinstance(expression, tuple):
        return expression
    op, *arguments = (simplify(part) for part in expression)
    if op in ("mul", "div") and len(arguments) == 2 and arguments[1] == 1:
        return arguments[0]
    if op == "add" and arguments[1] == 0:
        return arguments[0]
    if op == "clamp":
        inner, low, high = arguments
        if isinstance(inner, tuple) and inner[0] == "clamp":
            _, core, low0, high0 = inner
            lows, highs = [v for v in (low, low0) if v is not None], [v for v in (high, high0) if v is not None]
            if not lows or not highs or max(lows) <= min(highs):
                return ("clamp", core, max(lows, default=None), min(highs, default=None))
        return ("clamp", inner, low, high)
    if op in ("mul", "add", "maximum", "minimum") and len(arguments) == 2:
        arguments.sort(key=lambda part: (isinstance(part, (int, float)), repr(part)))
    return (op, *arguments)


_SOFTPLUS = ("where", ("gt", "x", 20), "x", ("log1p", ("exp", "x")))
_TABLE: list[tuple[str, Expression]] = [
    ("relu", ("relu", "x")),
    ("relu", ("clamp", "x", 0, None)),
    ("relu", ("maximum", "x", 0)),
    ("relu", ("where", ("le", "x", 0), 0, "x")),
    ("relu", ("where", ("gt", "x", 0), "x", 0)),
    ("abs", ("abs", "x")),
    ("square", ("pow", "x", 2)),
    ("square", ("mul", "x", "x")),
    ("cube", ("pow", "x", 3)),
    ("cube", ("mul", ("mul", "x", "x"), "x")),
    ("cube", ("mul", ("pow", "x", 2), "x")),
    ("sign", ("sign", "x")),
    ("heaviside", ("gt", "x", 0)),
    *((name, (name, "x")) for name in ("tanh", "erf", "sin", "cos", "exp", "sigmoid", "gelu", "gelu_tanh", "silu")),
    *((name, (name, "x")) for name in ("softplus", "mish", "hardswish", "hardsigmoid", "softsign", "logsigmoid")),
    ("arctan", ("atan", "x")),
    ("gaussian", ("exp", ("mul", ("mul", "x", -1), "x"))),
    ("gaussian", ("exp", ("mul", ("mul", "x", "x"), -1))),
    ("gaussian", ("exp", ("mul", ("pow", "x", 2), -1))),
    ("hardtanh", ("clamp", "x", -1, 1)),
    ("relu6", ("clamp", "x", 0, 6)),
    ("selu", ("elu", "x", SELU_ALPHA, SELU_SCALE, 1)),
    ("celu(1.0)", ("where", ("gt", "x", 0), "x", ("expm1", "x"))),
    ("silu", ("mul", "x", ("sigmoid", "x"))),
    ("softplus", _SOFTPLUS),
    ("softplus", ("log1p", ("exp", "x"))),
    ("mish", ("mul", "x", ("tanh", _SOFTPLUS))),
    ("hardswish", ("div", ("mul", "x", ("clamp", ("add", "x", 3), 0, 6)), 6)),
    ("hardsigmoid", ("div", ("clamp", ("add", "x", 3), 0, 6), 6)),
    ("logsigmoid", ("sub", ("minimum", "x", 0), ("log1p", ("exp", ("mul", ("abs", "x"), -1))))),
    ("softsign", ("div", "x", ("add", ("abs", "x"), 1))),
    ("tanhshrink", ("sub", "x", ("tanh", "x"))),
    ("hardshrink", ("where", ("le", ("abs", "x"), 0.5), 0, "x")),
    (
        "softshrink",
        ("where", ("gt", ("abs", "x"), 0.5), ("sub", "x", ("mul", ("sign", "x"), 0.5)), ("mul", "x", 0)),
    ),
]
TABLE: dict[Expression, str] = {simplify(expression): name for name, expression in _TABLE}


def named(expression: Expression) -> str | None:
    """The activation that a simplified expression is, or None (also for a slope that is no finite number)."""
    if not isinstance(expression, tuple):
        return None
    op, *arguments = expression
    if (op == "leaky_relu" and arguments[0] == "x") or (
        op == "elu" and arguments[0] == "x" and arguments[2:] == [1, 1]
    ):
        slope = float(arguments[1])
        return f"{op}({slope!r})" if math.isfinite(slope) else None
    return TABLE.get(expression)


class Recognised(NamedTuple):
    """``outer o activation o inner``: lists of ``(op, constant)`` with op in add, mul, div, applied in order."""

    inner: list[tuple[str, float]]
    activation: str | None
    outer: list[tuple[str, float]]


def affine_steps(expression: Expression) -> list[tuple[str, float]] | None:
    """The additions, products and quotients by constants that make ``expression`` from ``x``, else None."""
    steps: list[tuple[str, float]] = []
    while expression != "x":
        if not isinstance(expression, tuple) or expression[0] not in ("add", "mul", "div") or len(expression) != 3:
            return None
        op, inner, number = expression
        if not isinstance(number, (int, float)):
            return None
        steps.append((op, float(number)))
        expression = inner
    return steps[::-1]


def recognise(expression: Expression) -> Recognised | None:
    """Split an expression into affine map, one activation, affine map; None when that is not what it is.

    >>> recognise(("mul", "x", ("sigmoid", "x"))).activation
    'silu'
    """
    expression = simplify(expression)
    steps = affine_steps(expression)
    if steps is not None:
        return Recognised(steps, None, [])
    outer: list[tuple[str, float]] = []
    while True:
        for part in _affine_parts(expression):
            name = named(_substitute(expression, part))
            if name is not None:
                return Recognised(affine_steps(part) or [], name, outer[::-1])
        for part in _affine_parts(expression):  # other spellings of a function that is linear on both sides of 0
            found = cone(_substitute(expression, part))
            if found is not None:
                before, after = ([] if factor == 1 else [("mul", factor)] for factor in (found.before, found.after))
                steps, after = [*(affine_steps(part) or []), *before], [*after, *outer[::-1]]
                if found.activation is None:
                    return Recognised(steps + after, None, [])
                return Recognised(steps, found.activation, after)
        op, *arguments = expression if isinstance(expression, tuple) else ("x",)
        if op not in ("add", "mul", "div") or len(arguments) != 2 or not isinstance(arguments[1], (int, float)):
            return None
        outer.append((op, float(arguments[1])))
        expression = arguments[0]


def _affine_parts(expression: Expression) -> list[Expression]:
    """``x`` and the larger parts that are affine in it."""
    found: list[Expression] = ["x"]

    def visit(part: Expression) -> None:
        if isinstance(part, tuple):
            if affine_steps(part) is not None and part not in found:
                found.append(part)
            for argument in part[1:]:
                visit(argument)

    visit(expression)
    return found


def _substitute(expression: Expression, part: Expression) -> Expression:
    """``expression`` with ``part`` read as x; a bare x that is left over becomes the letter ``y``."""
    if expression == part:
        return "x"
    if expression == "x":
        return "y"
    if isinstance(expression, tuple):
        return (expression[0], *(_substitute(argument, part) for argument in expression[1:]))
    return expression
