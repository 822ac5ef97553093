r"""Proof of an affine symmetry in rational arithmetic: ``sum_s alpha_s rho(beta_s t + gamma_s) = zeta + kappa t``.

Three kinds of argument, each enough on its own:

* copies: every term is brought to a standard argument (positive slope; slope 1 for a homogeneous core) by
  ``core(-t) = -+core(t)``, by the reflection law ``rho(t) - rho(-t) = L t``, or by ``core(s t) = s^k core(t)``;
  the coefficients of each standard argument must cancel, and what is left over is affine;
* a finite sum of copies of another activation is written out first;
* piecewise linear functions: all jumps of the slope must cancel; an affine function is known by two values.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fiberscope.affine.scalar import Exact, exact, text
from fiberscope.affine.unit_law import UnitLaw, unit_law
from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction

Term = tuple[Exact, Exact, Exact]


@dataclass(frozen=True)
class AffineSymmetry:
    """``sum alpha rho(beta t + gamma) = constant + linear t`` with ``terms = ((alpha, beta, gamma), ...)``.

    >>> AffineSymmetry.of([(1, 1, 0), (1, -1, 0)])
    AffineSymmetry(terms=((1.0, 1.0, 0.0), (1.0, -1.0, 0.0)), constant=0.0, linear=0.0)
    """

    terms: tuple[Term, ...]
    constant: Exact = 0.0
    linear: Exact = 0.0

    @classmethod
    def of(cls, terms: Any, constant: Any = 0, linear: Any = 0) -> AffineSymmetry:
        """From any numbers; `InputError` for fewer than two terms or a zero alpha or beta."""
        made = tuple((exact(a), exact(b), exact(c)) for a, b, c in terms)
        if len(made) < 2 or any(a == 0 or b == 0 for a, b, _ in made):
            raise InputError("an affine symmetry needs at least two terms, none with alpha = 0 or beta = 0")
        if len({(text(b), text(c)) for _, b, c in made}) < len(made):
            raise InputError("an affine symmetry needs different (beta, gamma) in all its terms")
        return cls(made, exact(constant), exact(linear))


def holds(law: UnitLaw, symmetry: AffineSymmetry) -> bool:
    """Whether the identity is proved here; False means that it is wrong or that none of the arguments fits.

    >>> from fiberscope.affine.unit_law import unit_law
    >>> holds(unit_law("hardtanh"), AffineSymmetry.of([(1, 2, 1), (1, 2, -1), (-2, 1, 0)]))
    True
    >>> holds(unit_law("tanh"), AffineSymmetry.of([(1, 1, 0), (1, -1, 1)]))
    False
    """
    if law.prover is not None and law.prover(symmetry):
        return True
    terms = [tuple(fraction(v) for v in term) for term in symmetry.terms]
    constant, linear = fraction(symmetry.constant), fraction(symmetry.linear)
    if law.expansion is not None:
        offset, base, parts = law.expansion
        constant -= sum((a for a, _, _ in terms), Fraction(0)) * fraction(offset)
        numbers = [tuple(fraction(v) for v in part) for part in parts]
        terms = [(a * c, p * b, p * g + q) for a, b, g in terms for c, p, q in numbers]
        law = unit_law(base)
    return _copies(law, terms, constant, linear) or _pieces(law, terms, constant, linear)


def _copies(law: UnitLaw, terms: list[Any], constant: Fraction, linear: Fraction) -> bool:
    beta, gamma, lam, mu = (fraction(v) for v in (law.beta, law.gamma, law.lam, law.mu))
    found: dict[tuple[Fraction, Fraction], Fraction] = {}
    for a, b, g in terms:
        constant -= a * mu
        a, b, g = a * lam, beta * b, beta * g + gamma
        if b < 0 and law.parity is not None:
            a, b, g = (-a if law.parity == "odd" else a), -b, -g
        elif b < 0 and law.linear is not None:
            slope = fraction(law.linear)
            constant, linear = constant - a * slope * g, linear - a * slope * b
            b, g = -b, -g
        if law.degree is not None:
            size = abs(b)
            a, b, g = a * size**law.degree, b / size, g / size
        found[b, g] = found.get((b, g), Fraction(0)) + a
    return not any(found.values()) and constant == 0 and linear == 0


def _pieces(law: UnitLaw, terms: list[Any], constant: Fraction, linear: Fraction) -> bool:
    if law.pieces is None:
        return False
    points, left, right = law.pieces
    places = [(fraction(t), fraction(v)) for t, v in points]
    slopes = [fraction(left)]
    slopes += [(w - v) / (u - t) for (t, v), (u, w) in pairwise(places)]
    slopes.append(fraction(right))
    jumps = [(t, slopes[i + 1] - slopes[i]) for i, (t, _) in enumerate(places)]

    def value(t: Fraction) -> Fraction:
        if t <= places[0][0]:
            return places[0][1] + slopes[0] * (t - places[0][0])
        i = max(i for i, (at, _) in enumerate(places) if at < t)
        return places[i][1] + slopes[i + 1] * (t - places[i][0])

    total: dict[Fraction, Fraction] = {}
    for a, b, g in terms:
        for t, jump in jumps:
            at = (t - g) / b
            total[at] = total.get(at, Fraction(0)) + a * abs(b) * jump
    if any(total.values()):
        return False
    ends = (Fraction(0), Fraction(1))
    return all(sum(a * value(b * t + g) for a, b, g in terms) == constant + linear * t for t in ends)
