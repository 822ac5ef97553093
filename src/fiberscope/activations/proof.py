"""Proofs that an expression is the zero function: piece by piece, and at every breakpoint."""

from __future__ import annotations

from fractions import Fraction

from fiberscope.activations.expression import Expr
from fiberscope.activations.normal_form import vanishes
from fiberscope.activations.pieces import Unsplittable, at_point, pieces


def zero_except(e: Expr) -> tuple[Fraction, ...] | None:
    """The breakpoints at which an expression differs from 0 although it is proved to be 0 on every piece between them.

    The empty tuple proves that it is the zero function; None proves nothing.

    >>> from fiberscope.activations.parser import parse
    >>> zero_except(parse("relu(x) - relu(-x) - x")), zero_except(parse("heaviside(x) + heaviside(-x) - 1"))
    ((), (Fraction(0, 1),))
    """
    parts = pieces(e)
    if parts is None or not all(vanishes(p.expression) for p in parts):
        return None
    try:
        ends = [p.high for p in parts if p.high is not None]
        return tuple(x for x in ends if not vanishes(at_point(e, x)))
    except (Unsplittable, ZeroDivisionError):
        return None


def is_zero(e: Expr) -> bool:
    """Whether an expression is proved to be the zero function.

    Polynomial pieces are compared exactly over Q; the others by the normal form of elementary functions.

    >>> from fiberscope.activations.parser import parse
    >>> is_zero(parse("hardtanh(2*x + 1) + hardtanh(2*x - 1) - 2*hardtanh(x)")), is_zero(parse("relu(x) - x"))
    (True, False)
    """
    return zero_except(e) == ()
