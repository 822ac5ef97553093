"""Linear forms in the text of a VNN-LIB constraint, kept as rationals, and the rows of floats that they become."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Variable = tuple[str, int]
MOST_BITS = 10_000
"""Longer rationals are no constraint that anybody wrote."""


@dataclass(frozen=True)
class Form:
    """``sum slopes[v] v + constant``; no slope is zero."""

    slopes: dict[Variable, Fraction]
    constant: Fraction

    def plus(self, other: Form) -> Form:
        """The sum of two forms."""
        slopes = {v: self.slopes.get(v, 0) + other.slopes.get(v, Fraction(0)) for v in {**self.slopes, **other.slopes}}
        return Form({v: Fraction(s) for v, s in slopes.items() if s}, self.constant + other.constant)

    def times(self, factor: Fraction) -> Form:
        """A multiple."""
        return Form({v: s * factor for v, s in self.slopes.items() if factor}, self.constant * factor)

    def size(self) -> int:
        """Bits of the longest number."""
        numbers = [self.constant, *self.slopes.values()]
        return max(v.numerator.bit_length() + v.denominator.bit_length() for v in numbers)

    def negated(self) -> Form:
        """The opposite form."""
        return self.times(Fraction(-1))

    def minus(self, other: Form) -> Form:
        """The difference of two forms."""
        return self.plus(other.negated())


def linear(
    expression: Any, variable: Callable[[Any], Variable | None], number: Callable[[Any], Fraction | None]
) -> Form | None:
    """The form of an expression in ``+ - * /``; None where it is anything else (a product of inputs, an output)."""
    value = number(expression)
    if value is not None:
        return Form({}, value)
    if isinstance(expression, str):
        name = variable(expression)
        return None if name is None else Form({name: Fraction(1)}, Fraction(0))
    if len(expression) < 2 or expression[0] not in ("+", "-", "*", "/"):
        return None
    parts = [linear(part, variable, number) for part in expression[1:]]
    first, *rest = parts
    if first is None or any(part is None for part in parts):
        return None
    if expression[0] == "-" and not rest:
        return first.negated()
    for part in rest:
        assert part is not None
        if max(first.size(), part.size()) > MOST_BITS:
            return None
        if expression[0] in "+-":
            first = first.plus(part) if expression[0] == "+" else first.minus(part)
        elif part.slopes and (first.slopes or expression[0] == "/"):
            return None
        elif expression[0] == "*":
            first = first.times(part.constant) if not part.slopes else part.times(first.constant)
        elif part.constant == 0:
            return None
        else:
            first = first.times(1 / part.constant)
    return first


def cut(form: Form, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, float]:
    """Floats ``(g, h)`` with ``g x <= h`` for all x of the box with ``form <= 0``; exact wherever whole numbers fit.

    >>> half = Fraction(1, 2)
    >>> cut(Form({("X", 0): half, ("X", 1): Fraction(1)}, -half), np.zeros(2), np.ones(2))
    (array([1., 2.]), 1.0)
    """
    numbers = [*form.slopes.values(), form.constant]
    common = math.lcm(*(v.denominator for v in numbers))
    if max(abs(v) for v in numbers) * common < 2**53:
        form = form.times(Fraction(common))
    g, limit = np.zeros(len(low)), -form.constant
    for (_, i), slope in form.slopes.items():
        g[i] += float(slope)
        reach = max(abs(Fraction(float(low[i]))), abs(Fraction(float(high[i]))))
        limit += abs(Fraction(float(slope)) - slope) * reach
    h = float(limit)
    return g, h if Fraction(h) >= limit else math.nextafter(h, math.inf)
