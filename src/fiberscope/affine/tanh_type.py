"""Activations of tanh type with a prescribed affine symmetry.

    rho(t) = C + sum_k c_k tanh(pi (t - k a) / b),      sum |c_k| finite.

Write c(X) = sum c_k X^k. Since tanh is odd,

    sum_s alpha_s rho(t - s a) + sum_s alpha'_s rho(-t - s a)
        = C (sum alpha_s + sum alpha'_s) + sum_m ([alpha c]_m - [alpha' c]_(-m)) tanh(pi (t - m a) / b),

so the left side is constant if (and, translates of tanh being independent, only if) alpha(X) c(X) = alpha'(1/X) c(1/X).
Any real polynomial P without zeros on |X| = 1 gives c = 1/P with alpha = alpha' = P: 2 (deg P + 1) terms. A finite c
gives sum c_k (rho(t + k a) + rho(-t + k a)) = 2 C sum c_k. Both identities are polynomial ones and are decided over Q.
Reference: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376 (2021).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from fiberscope.activations.expression import PI, Expr, X, function, number
from fiberscope.affine.activation import Activation, checked
from fiberscope.affine.laurent import Laurent, annulus, coefficients, trimmed
from fiberscope.affine.relation import Relation
from fiberscope.errors import InputError


@dataclass(frozen=True)
class TanhType:
    """``c = numerator / P`` as exact rationals: ``numerator`` {k: c_k} sorted, ``denominator`` P_0 .. P_n (or (1,)).

    >>> rho = geometric([1, Fraction(-1, 2)])
    >>> print(rho.symmetry)
    rho(t) + rho(-t) - (1/2)*rho(t - 1) - (1/2)*rho(-t - 1) = 0
    >>> rho.proves(rho.symmetry), rho.proves(Relation.of([(1, 1, 0), (1, -1, 0)]))
    (True, False)
    """

    numerator: tuple[tuple[int, Fraction], ...]
    denominator: tuple[Fraction, ...] = (Fraction(1),)
    step: Fraction = Fraction(1)
    width: Fraction = Fraction(3)
    constant: Fraction = Fraction(0)

    @property
    def symmetry(self) -> Relation:
        """The symmetry that the construction prescribes, proved by the polynomial identity."""
        if len(self.denominator) > 1:
            rows = [(p, sign, -s * self.step) for s, p in enumerate(self.denominator) if p for sign in (1, -1)]
        else:
            rows = [(c, sign, k * self.step) for k, c in self.numerator for sign in (1, -1)]
        total = sum((row[0] for row in rows), Fraction(0))
        relation = Relation.of(rows, constant=self.constant * total)
        assert self.proves(relation)
        return Relation(relation.terms, relation.constant, relation.linear, proved=True)

    def proves(self, relation: Relation) -> bool:
        """Whether a relation follows from alpha(X) c(X) = alpha'(1/X) c(1/X), decided over Q.

        False proves nothing: the relation may have other scales, or shifts outside the lattice of the step.
        """
        forward, backward = {}, {}
        total = Fraction(0)
        for alpha, beta, gamma in relation.terms:
            a, b, g = alpha.number, beta.number, gamma.number
            if a is None or g is None or b not in (1, -1) or (g / self.step).denominator != 1:
                return False
            side, s = (forward if b == 1 else backward), int(-g / self.step)
            side[s] = side.get(s, Fraction(0)) + a
            total += a
        if relation.linear.number != 0 or relation.constant.number != self.constant * total:
            return False
        n, p = Laurent.of(dict(self.numerator)), Laurent.of(dict(enumerate(self.denominator)))
        left = Laurent.of(forward) * n * p.mirrored()
        right = Laurent.of(backward).mirrored() * n.mirrored() * p
        return left == right

    def ball(self, t: Any) -> Any:
        """An enclosure of rho(t) in flint's current precision, with the tail of the series in its radius.

        With x_k = exp(2 pi (t - k a)/b) the k-th tanh is 1 - 2/(1 + x_k) left of t and -1 + 2 x_k/(1 + x_k) right
        of it; only the corrections of the k nearest to t are summed, the signs' sums are known.
        """
        from flint import arb, ctx

        table = self.table(ctx.prec)
        e = (2 * arb.pi() * t / _arb(self.width)).exp()
        split = bisect_right(table.places, float(t) / float(self.step))
        total = _arb(self.constant) + table.before[split] - (table.before[-1] - table.before[split])
        first, last = max(0, split - table.reach), min(len(table.places), split + table.reach)
        for c, q in table.terms[first:split]:
            total -= 2 * c / (1 + e * q)
        for c, q in table.terms[split:last]:
            x = e * q
            total += 2 * c * x / (1 + x)
        return total + arb(0, table.error)

    def value(self, t: np.ndarray) -> np.ndarray:
        """rho elementwise in float64."""
        constant, rows = self.expansion()
        return constant + sum((c * np.tanh(p * t + q) for c, p, q in rows), np.zeros_like(t))

    def table(self, bits: int) -> _Table:
        """The terms and what is left out, for one precision."""
        return _table(self.numerator, self.denominator, self.step / self.width, bits)

    @property
    def expression(self) -> Expr | None:
        """rho as a finite expression where the series is finite."""
        if len(self.denominator) > 1:
            return None
        out = number(self.constant)
        for k, c in self.numerator:
            out = out + number(c) * function("tanh", PI * (X - k * self.step) / self.width)
        return out

    def expansion(self, digits: int = 18) -> tuple[float, tuple[tuple[float, float, float], ...]]:
        """``(C, ((c, p, q), ...))`` in float64 with rho(t) = C + sum c tanh(p t + q) up to about 10^-digits."""
        import math

        from flint import ctx

        with ctx.workdps(digits):
            terms, _ = coefficients(self.numerator, self.denominator, ctx.prec)
        p = math.pi / float(self.width)
        return float(self.constant), tuple((float(c), p, -k * float(self.step) * p) for k, c in terms)

    def activation(self, name: str = "tanh_type") -> Activation:
        """The function as an activation; its relations are proved by the polynomial identity."""
        if self.expression is not None:
            return checked(Activation(name, self.expression, prover=self.proves))
        return checked(Activation(name, None, self.ball, prover=self.proves, floats=self.value))


@dataclass(frozen=True)
class _Table:
    """``terms`` (c_k, exp(-2 pi k a/b)) at ``places`` k, sums of the first c_k, how far corrections reach, the rest."""

    places: tuple[int, ...]
    terms: tuple[tuple[Any, Any], ...]
    before: tuple[Any, ...]
    reach: int
    error: Any


@lru_cache(maxsize=16)
def _table(
    numerator: tuple[tuple[int, Fraction], ...], polynomial: tuple[Fraction, ...], ratio: Fraction, bits: int
) -> _Table:
    from math import ceil, log, pi

    from flint import arb

    found, rest = coefficients(numerator, polynomial, bits)
    decay = 2 * arb.pi() * _arb(ratio)
    before = [arb(0)]
    for _, c in found:
        before.append(before[-1] + c)
    reach = ceil((bits + 20) * log(2) / (2 * pi * float(ratio))) + 2
    # a correction at distance d (in steps) is at most 2 |c_k| exp(-decay d); those at d >= reach - 1 are left out
    size = sum((abs(c) for _, c in found), arb(0))
    left = 2 * size * (-decay * (reach - 1)).exp() + rest
    terms = tuple((c, (-decay * k).exp()) for k, c in found)
    return _Table(tuple(k for k, _ in found), terms, tuple(before), reach, left.abs_upper())


def finite(coefficients: Mapping[int, Any], *, step: Any = 1, width: Any = 3, constant: Any = 0) -> TanhType:
    """rho = C + a finite sum of c_k tanh(pi (t - k a)/b), from {k: c_k}.

    Errors: `InputError` for no nonzero coefficient, or a step or width that is not positive.

    >>> print(finite({0: 1, 1: 2, 2: Fraction(-1, 2)}, constant=Fraction(1, 2)).symmetry)
    rho(t) + rho(-t) + 2*rho(t + 1) + 2*rho(-t + 1) - (1/2)*rho(t + 2) - (1/2)*rho(-t + 2) = 5/2
    """
    rows = tuple(sorted((int(k), Fraction(c)) for k, c in coefficients.items() if Fraction(c)))
    if not rows:
        raise InputError("tanh type: every coefficient is 0; give at least one c_k that is not")
    return TanhType(rows, (Fraction(1),), *positive(step, width), Fraction(constant))


def geometric(polynomial: Sequence[Any], *, step: Any = 1, width: Any = 3, constant: Any = 0) -> TanhType:
    """rho with c = 1/P for a polynomial P_0 + P_1 X + ..., whose coefficients become those of a symmetry.

    Errors: `InputError` if P is constant, P_0 = 0, or P has a zero on the unit circle (or too near to sum the series).

    >>> geometric([1, -1])
    Traceback (most recent call last):
    fiberscope.errors.InputError: tanh type: P has a zero of absolute value 1 (or nearly), where 1/P has no series
    """
    p = trimmed([Fraction(c) for c in polynomial])
    if len(p) < 2 or not p[0]:
        raise InputError("tanh type: P needs degree 1 or more and a constant term that is not 0")
    annulus(p)
    return TanhType(((0, Fraction(1)),), p, *positive(step, width), Fraction(constant))


def positive(step: Any, width: Any) -> tuple[Fraction, Fraction]:
    a, b = Fraction(step), Fraction(width)
    if a <= 0 or b <= 0:
        raise InputError(f"tanh type: step {a} and width {b} have to be positive")
    return a, b


def _arb(q: Fraction) -> Any:
    from fiberscope.activations.evaluation import ball

    return ball(q)
