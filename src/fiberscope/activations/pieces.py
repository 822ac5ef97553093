"""The pieces of an expression: where its switches (abs, sign, heaviside, max, min) turn, and what it is in between.

The argument of each switch has to be, on each piece, a polynomial over Q whose real roots are rational; then the pieces
are exact. Otherwise nothing is said (None), and nothing about the expression is proved piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fiberscope.activations.evaluation import rational_value
from fiberscope.activations.expression import SWITCHES, Expr, number, rebuild


@dataclass(frozen=True)
class Piece:
    """An open interval (None: unbounded) and the expression without switches that holds on it."""

    low: Fraction | None
    high: Fraction | None
    expression: Expr

    @property
    def inside(self) -> Fraction:
        """A point of the interval."""
        return inside(self.low, self.high)


def inside(low: Fraction | None, high: Fraction | None) -> Fraction:
    """A rational point of an open interval."""
    if low is None:
        return Fraction(0) if high is None else high - 1
    return low + 1 if high is None else (low + high) / 2


def pieces(e: Expr) -> list[Piece] | None:
    """The pieces from left to right, or None where a switch turns at a point that is not known exactly.

    >>> from fiberscope.activations.parser import parse
    >>> [(p.high, str(p.expression)) for p in pieces(parse("hardtanh(x)"))]
    [(Fraction(-1, 1), '-1'), (Fraction(1, 1), 'x'), (None, '1')]
    """
    try:
        return _merged(e, _split(e, None, None))
    except Unsplittable:
        return None


def breakpoints(e: Expr) -> tuple[Fraction, ...] | None:
    """The ends of the pieces; None as in `pieces`."""
    found = pieces(e)
    return None if found is None else tuple(p.high for p in found if p.high is not None)


class Unsplittable(Exception):
    """A switch's turning points are not known exactly."""


def _split(e: Expr, low: Fraction | None, high: Fraction | None) -> list[Piece]:
    """Pieces of an expression inside one interval."""
    if not e.args or (e.constant and e.op not in SWITCHES):
        return [Piece(low, high, e)]
    rows: list[tuple[Fraction | None, Fraction | None, tuple[Expr, ...]]] = [(low, high, ())]
    for argument in e.args:  # refine interval by interval
        rows = [
            (part.low, part.high, (*args, part.expression))
            for lo, hi, args in rows
            for part in _split(argument, lo, hi)
        ]
    out: list[Piece] = []
    for lo, hi, args in rows:
        out += _switch(e, args, lo, hi) if e.op in SWITCHES else [Piece(lo, hi, rebuild(e, args))]
    return out


def _switch(e: Expr, args: tuple[Expr, ...], low: Fraction | None, high: Fraction | None) -> list[Piece]:
    u = args[0] - args[1] if len(args) == 2 else args[0]
    roots = sorted(r for r in rational_roots(u) if (low is None or r > low) and (high is None or r < high))
    ends = [low, *roots, high]
    out = []
    for lo, hi in pairwise(ends):
        value = polynomial_at(u, inside(lo, hi))
        out.append(Piece(lo, hi, _chosen(e.op, args, (value > 0) - (value < 0))))
    return out


def _chosen(op: str, args: tuple[Expr, ...], sign: int) -> Expr:
    if op == "abs":
        return number(sign) * args[0]
    if op in ("sign", "heaviside"):
        return number(sign if op == "sign" else max(sign, 0))
    first = sign >= 0 if op == "max" else sign <= 0
    return args[0] if first else args[1]


def polynomial(e: Expr) -> Any:
    """A switch-free expression as a ``flint.fmpq_poly``; `Unsplittable` where it is none."""
    from flint import fmpq, fmpq_poly

    if e.op == "x":
        return fmpq_poly([0, 1])
    if e.number is not None:
        return fmpq_poly([fmpq(e.number.numerator, e.number.denominator)])
    if e.op in ("add", "mul"):
        a, b = (polynomial(a) for a in e.args)
        return a + b if e.op == "add" else a * b
    if e.op == "pow" and isinstance(e.value, Fraction) and e.value.denominator == 1 and e.value > 0:
        return polynomial(e.args[0]) ** int(e.value)
    raise Unsplittable


def polynomial_at(e: Expr, x: Fraction) -> Fraction:
    """The exact value of a polynomial expression."""
    from flint import fmpq

    value = polynomial(e)(fmpq(x.numerator, x.denominator))
    return Fraction(int(value.p), int(value.q))


def rational_roots(e: Expr) -> list[Fraction]:
    """All real roots, without multiplicity; `Unsplittable` if one is irrational."""
    from flint import fmpz_poly

    p = polynomial(e)
    if p.degree() < 1:
        return []
    roots = []
    for factor, _ in fmpz_poly(p.numer().coeffs()).factor()[1]:
        if factor.degree() == 1:
            b, a = (int(c) for c in factor.coeffs())
            roots.append(Fraction(-b, a))
        elif not all(_not_real(root) for root in factor.complex_roots()):
            raise Unsplittable
    return roots


def _not_real(root: Any) -> bool:
    """Whether a root (an enclosure with its multiplicity) lies off the real line for sure."""
    return not root[0].imag.contains(0)


def _merged(e: Expr, found: list[Piece]) -> list[Piece]:
    """Polynomial pieces expanded; neighbours that hold the same one become one, unless ``e`` jumps there."""
    out: list[Piece] = []
    for piece in map(_folded, found):
        last = out[-1] if out else None
        if last is not None and last.high is not None and last.expression == piece.expression:
            value = rational_value(e, last.high)
            if value is not None and value == rational_value(piece.expression, last.high):
                out[-1] = Piece(last.low, piece.high, piece.expression)
                continue
        out.append(piece)
    return out


def _folded(piece: Piece) -> Piece:
    try:
        return Piece(piece.low, piece.high, from_polynomial(polynomial(piece.expression)))
    except Unsplittable:
        return piece


def from_polynomial(p: Any) -> Expr:
    """The expression of a ``flint.fmpq_poly``, highest power first."""
    from fiberscope.activations.expression import X

    out = number(0)
    for k, c in reversed(list(enumerate(p.coeffs()))):
        out = out + number(Fraction(int(c.p), int(c.q))) * (X**k if k else number(1))
    return out


def switches(e: Expr) -> bool:
    """Whether any switch occurs."""
    return e.op in SWITCHES or any(switches(a) for a in e.args)


def at_point(e: Expr, x: Fraction) -> Expr:
    """The value at a rational point as a constant expression without switches; `Unsplittable` if one is undecided."""
    if e.op == "x":
        return number(x)
    if not e.args:
        return e
    args = tuple(at_point(a, x) for a in e.args)
    if e.op not in SWITCHES:
        return rebuild(e, args)
    value = polynomial_at(args[0] - args[1] if len(args) == 2 else args[0], x)
    return _chosen(e.op, args, (value > 0) - (value < 0))
