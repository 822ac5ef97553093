"""One-unit laws with a free parameter, guessed from values and proved with the parameter as a symbol.

linear          rho(b t + g) = b rho(t) + mu(b, g)
homogeneous     rho(b t + (1 - b) c) = b^p rho(t) + (1 - b^p) d    for b > 0: positive homogeneity about (c, d)
exponential     rho(t + g) = e^(s g) rho(t) + (1 - e^(s g)) d      for every g
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fiberscope.activations.evaluation import ball
from fiberscope.activations.expression import Expr, X, expr, function, number, parameter
from fiberscope.activations.normal_form import vanishes
from fiberscope.activations.pieces import Unsplittable, polynomial
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.nullspace import NEGLIGIBLE, magnitude
from fiberscope.affine.discovery.recognise import recognised
from fiberscope.affine.relation import OneUnit

B, G = parameter("b"), parameter("g")


@dataclass(frozen=True)
class Family:
    """A proved family: ``kind``, the laws as printed, and where it is centred."""

    kind: str
    law: OneUnit
    centre: Fraction = Fraction(0)

    def covers(self, beta: Expr, gamma: Expr) -> bool:
        """Whether one discrete law is a member."""
        if self.kind == "linear":
            return True
        if self.kind == "exponential":
            return beta.number == 1
        b, g = beta.number, gamma.number
        signs = self.law.condition == "b != 0"
        return b is not None and g is not None and (b > 0 or signs) and g == (1 - b) * self.centre


def families(rho: Activation, flip: tuple[Fraction, Any] | None) -> list[Family]:
    """Every family that holds for sure; ``flip``: (gamma, lambda) of a proved rho(-t + gamma) = lambda rho(t) + mu."""
    if rho.expression is None or rho.pieces is None:
        return []
    out = [linear(rho), homogeneous(rho, flip), exponential(rho)]
    found = [family for family in out if family is not None]
    return found[:1] if found and found[0].kind == "linear" else found


def linear(rho: Activation) -> Family | None:
    """rho(t) = s t + c."""
    assert rho.pieces is not None
    if len(rho.pieces) != 1:
        return None
    try:
        p = polynomial(rho.pieces[0].expression)
    except Unsplittable:
        return None
    if p.degree() != 1:
        return None
    c, s = (number(Fraction(int(q.p), int(q.q))) for q in p.coeffs())
    shift = s * G + c * (1 - B) if c.number else s * G
    return Family("linear", OneUnit(B, G, B, shift, "b != 0", proved=True))


def homogeneous(rho: Activation, flip: tuple[Fraction, Any] | None) -> Family | None:
    """Positive homogeneity about the only breakpoint, or about the centre of a polynomial, or about 0."""
    for centre in centres(rho):
        p = degree(rho, centre)
        if p is None:
            continue
        d = number(0) if p == 0 else constant_at(rho, centre)
        if d is None or not scales(rho, centre, p, d):
            continue
        sign = flip[1] if flip is not None and flip[0] == 2 * centre else None
        power = B**p
        if sign is not None:
            whole = p.denominator == 1 and (int(p) % 2 == 1) == (sign == -1)
            size = power if whole else abs(B) ** p if p else number(1)
            power = size if whole or sign == 1 else function("sign", B) * size
        shift = number(0) if d.number == 0 else (1 - power) * d
        gamma = number(0) if centre == 0 else (1 - B) * centre
        condition = "b > 0" if sign is None else "b != 0"
        return Family("homogeneous", OneUnit(B, gamma, power, shift, condition, proved=True), centre)
    return None


def centres(rho: Activation) -> list[Fraction]:
    assert rho.pieces is not None
    if len(rho.breakpoints) == 1:
        return list(rho.breakpoints)
    if rho.breakpoints:
        return []
    try:
        p = polynomial(rho.pieces[0].expression)
    except Unsplittable:
        return [Fraction(0)]
    if p.degree() < 2:
        return []
    top, next_ = p.coeffs()[-1], p.coeffs()[-2]
    c = -next_ / (top * p.degree())
    return [Fraction(int(c.p), int(c.q))]


def degree(rho: Activation, centre: Fraction) -> Fraction | None:
    """The p of rho(centre + 2 s) - d = 2^p (rho(centre + s) - d), from values."""
    from flint import ctx

    with ctx.workdps(80):
        for side in (1, -1):
            near, mid, far = (rho.ball(centre + side * s) for s in (1, 2, 4))
            if (mid - near).contains(0):
                continue
            ratio = (far - mid) / (mid - near)
            p = recognised((ratio.log() / ball(2).log()).mid()) if ratio > 0 else None
            return None if p is None or p.number is None or p.number.denominator > 4 else p.number
    return Fraction(0) if len(rho.breakpoints) == 1 else None


def constant_at(rho: Activation, centre: Fraction) -> Expr | None:
    """rho(centre) as a rational constant."""
    value = rho.exact(centre)
    return None if value is None else number(value)


def scales(rho: Activation, centre: Fraction, p: Fraction, d: Expr) -> bool:
    """The proof, piece by piece, with b > 0 as a symbol: t -> b t + (1 - b) c keeps each piece and fixes c."""
    assert rho.pieces is not None
    return all(
        vanishes((e.at(B * (X - centre) + centre) - d) - B**p * (e - d))
        for e in (piece.expression for piece in rho.pieces)
    )


def exponential(rho: Activation) -> Family | None:
    """rho(t) = c e^(s t) + d."""
    from flint import ctx

    assert rho.pieces is not None and rho.expression is not None
    if len(rho.pieces) != 1:
        return None
    with ctx.workdps(80):
        at = [rho.ball(x) for x in (0, 1, 2, 3)]
        steps = [b - a for a, b in pairwise(at)]
        if any(step.contains(0) for step in steps):
            return None
        ratio = steps[1] / steps[0]
        if magnitude(ratio - steps[2] / steps[1]) > NEGLIGIBLE or not ratio > 0:
            return None
        s = recognised(ratio.log().mid())
        d = recognised(((at[1] - ratio * at[0]) / (1 - ratio)).mid()) if magnitude(ratio - 1) > NEGLIGIBLE else None
    if s is None or d is None:
        return None
    factor = function("exp", s * G)
    shift = number(0) if d.number == 0 else d * (1 - factor)
    if not vanishes(rho.expression.at(X + G) - factor * rho.expression - expr(shift)):
        return None
    return Family("exponential", OneUnit(number(1), G, factor, shift, "every g", proved=True))
