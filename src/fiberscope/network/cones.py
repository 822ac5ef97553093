"""Recognise a function that is linear on both sides of 0 from any elementwise expression that spells it.

Sums, multiples, extremes, choices and (leaky) ReLUs of positively homogeneous functions of one variable are positively
homogeneous, and such a function is known by its values at -1 and 1: every rule below is the operation itself, twice.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

Ends = tuple[Fraction, Fraction]
_ORDER: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


class Cone(NamedTuple):
    """``after * activation(before * x)``; activation None: ``after * x``."""

    before: float
    activation: str | None
    after: float


def ends(expression: Any) -> Ends | None:
    """The values at -1 and 1 of an expression that is positively homogeneous in ``"x"``; None if it may not be.

    >>> ends(("where", ("gt", "x", 0), "x", ("mul", "x", 0.25)))
    (Fraction(-1, 4), Fraction(1, 1))
    """
    if expression == "x":
        return Fraction(-1), Fraction(1)
    if isinstance(expression, (int, float)) and not isinstance(expression, bool):
        return (Fraction(0), Fraction(0)) if expression == 0 else None
    if not isinstance(expression, tuple):
        return None
    op, *arguments = expression
    if op in ("mul", "div") and len(arguments) == 2:
        factor, inner = _number(arguments[1]), ends(arguments[0])
        if factor is None or inner is None or (op == "div" and factor == 0):
            return None
        return _both(lambda v: v * factor if op == "mul" else v / factor, inner)
    if op == "leaky_relu":
        slope, inner = _number(arguments[1]), ends(arguments[0])
        return None if slope is None or inner is None else _both(lambda v: v if v > 0 else slope * v, inner)
    if op == "clamp":
        inner, low, high = ends(arguments[0]), *arguments[1:]
        if inner is None or (low not in (0, None)) or (high not in (0, None)):
            return None
        return _both(lambda v: _clamped(v, low, high), inner)
    if op == "where" and isinstance(arguments[0], tuple) and arguments[0][0] in _ORDER:
        order = _ORDER[arguments[0][0]]
        parts = [ends(part) for part in (*arguments[0][1:], *arguments[1:])]
        if any(part is None for part in parts):
            return None
        return _both(lambda p, q, yes, no: yes if order(p, q) else no, *parts)  # at 0 all are 0
    rule = _RULES.get(op)
    parts = [ends(part) for part in arguments]
    return None if rule is None or any(part is None for part in parts) else _both(rule, *parts)


def cone(expression: Any) -> Cone | None:
    """ReLU, leaky ReLU or the absolute value between two factors, where floats hold all numbers; else None.

    >>> cone(("sub", ("relu", "x"), ("mul", ("relu", ("mul", "x", -1)), 0.5)))
    Cone(before=1.0, activation='leaky_relu(0.5)', after=1.0)
    >>> cone(("minimum", "x", 0))
    Cone(before=-1.0, activation='relu', after=-1.0)
    """
    found = ends(expression)
    if found is None:
        return None
    below, above = -found[0], found[1]
    if below == above:
        return _held(Fraction(1), None, above)
    return _leaning(Fraction(1), below, above) or _leaning(Fraction(-1), -above, -below)


def _leaning(before: Fraction, below: Fraction, above: Fraction) -> Cone | None:
    """With ``above`` divided out, if it is not 0 and the other slope is then a float."""
    if above == 0:
        return None
    slope = below / above
    short = _float(slope)
    if short is None or Fraction(short) != slope:
        return None
    return _held(before, "relu" if slope == 0 else "abs" if slope == -1 else f"leaky_relu({short!r})", above)


def _held(before: Fraction, activation: str | None, after: Fraction) -> Cone | None:
    factor = _float(after)
    return None if factor is None or Fraction(factor) != after else Cone(float(before), activation, factor)


def _float(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _number(value: Any) -> Fraction | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return Fraction(value) if known else None


def _clamped(value: Fraction, low: float | None, high: float | None) -> Fraction:
    value = value if low is None else max(value, Fraction(0))
    return value if high is None else min(value, Fraction(0))


def _both(rule: Callable[..., Fraction], *parts: Ends | None) -> Ends:
    left, right = zip(*(part for part in parts if part is not None), strict=True)
    return rule(*left), rule(*right)


_RULES: dict[str, Callable[..., Fraction]] = {
    "relu": lambda v: max(v, Fraction(0)),
    "abs": lambda v: abs(v),
    "add": operator.add,
    "sub": operator.sub,
    "maximum": lambda p, q: max(p, q),
    "minimum": lambda p, q: min(p, q),
}
