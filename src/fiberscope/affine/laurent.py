"""Laurent polynomials over Q, and the Laurent series of 1/P on the unit circle with rigorous tails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from fiberscope.errors import InputError

MOST_TERMS = 40_000
"""Longest series that is summed; beyond it a zero of P is too near the unit circle."""


@dataclass(frozen=True)
class Laurent:
    """``sum c_k X^k`` as sorted pairs (k, c_k), zeros left out.

    >>> x = Laurent.of({1: 1})
    >>> (x * x.mirrored()).terms
    ((0, Fraction(1, 1)),)
    """

    terms: tuple[tuple[int, Fraction], ...]

    @classmethod
    def of(cls, coefficients: Mapping[int, Any]) -> Laurent:
        return cls(tuple(sorted((k, Fraction(c)) for k, c in coefficients.items() if c)))

    def __mul__(self, other: Laurent) -> Laurent:
        out: dict[int, Fraction] = {}
        for i, a in self.terms:
            for j, b in other.terms:
                out[i + j] = out.get(i + j, Fraction(0)) + a * b
        return Laurent.of(out)

    def mirrored(self) -> Laurent:
        """1/X in place of X."""
        return Laurent.of({-k: c for k, c in self.terms})


def trimmed(polynomial: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Without leading zeros at the top."""
    top = max((i for i, c in enumerate(polynomial) if c), default=-1)
    return tuple(polynomial[: top + 1])


@lru_cache(maxsize=64)
def annulus(polynomial: tuple[Fraction, ...]) -> tuple[Any, Any, Any, Any]:
    """Radii r < 1 < R between which P has no zero, and lower bounds of |P| on them, as balls.

    By Cauchy |c_k| <= R^-k / min |P| on |X| = R for k > 0, and likewise with r for k < 0.
    """
    from flint import arb, ctx, fmpq, fmpq_poly

    with ctx.workdps(40):
        p = fmpq_poly([fmpq(c.numerator, c.denominator) for c in polynomial])
        zeros = [(abs(z), m) for z, m in zeros_of(p)]
        sizes = [z for z, _ in zeros]
        if any(not (z > 1.05 or z < 0.95) for z in sizes):
            raise InputError("tanh type: P has a zero of absolute value 1 (or nearly), where 1/P has no series")
        outer = min((z.lower() for z in sizes if z > 1), key=float, default=arb(16)).min(arb(16))
        inner = max((z.upper() for z in sizes if z < 1), key=float, default=arb(0)).max(arb("0.0625"))
        lead = abs(arb(p.coeffs()[-1]))
        bounds = []
        radii = outer ** arb("0.9"), inner ** arb("0.9")
        for radius in radii:
            low = lead
            for z, m in zeros:
                low = low * abs(z - radius) ** m
            bounds.append(low.lower())
        return radii[1], radii[0], bounds[1], bounds[0]


@lru_cache(maxsize=64)
def coefficients(
    numerator: tuple[tuple[int, Fraction], ...], polynomial: tuple[Fraction, ...], bits: int
) -> tuple[tuple[tuple[int, Any], ...], Any]:
    """The terms (k, c_k) of numerator/P that matter at so many bits, as balls, and a bound of the sum of the others."""
    from flint import arb, ctx, fmpq

    if len(polynomial) == 1:
        return tuple((k, arb(fmpq(c.numerator, c.denominator)) / _arb(polynomial[0])) for k, c in numerator), arb(0)
    r, big, low_r, low_big = annulus(polynomial)
    with ctx.workprec(bits + 40):
        up = length(arb(1) / big, low_big, bits) if outside(polynomial) else 0
        down = length(r, low_r, bits) if outside(polynomial) < len(polynomial) - 1 else 0
        inverse = by_residues(polynomial, down, up) or by_means(
            polynomial, down, up, (r, low_r), (arb(1) / big, low_big)
        )
        out: dict[int, Any] = {}
        for j, c in numerator:
            for k, v in inverse.items():
                out[j + k] = out.get(j + k, arb(0)) + _arb(c) * v
        size = sum((abs(c) for _, c in numerator), Fraction(0))
        rest = _arb(size) * (
            (tail(arb(1) / big, low_big, up + 1) if up else 0) + (tail(r, low_r, down + 1) if down else 0)
        )
        return tuple(sorted(out.items())), rest.abs_upper()


def by_residues(polynomial: tuple[Fraction, ...], down: int, up: int) -> dict[int, Any] | None:
    """Coefficients of 1/P from -down to up where every zero z is simple, else None:

    c_k = - sum over |z| > 1 of z^(-k-1) / P'(z) for k >= 0, and + the same over |z| < 1 for k < 0.
    """
    from flint import acb, acb_poly, fmpq, fmpq_poly

    p = fmpq_poly([fmpq(c.numerator, c.denominator) for c in polynomial])
    zeros = zeros_of(p)
    if any(m > 1 for _, m in zeros):
        return None
    slope = acb_poly(p.derivative())
    out: dict[int, Any] = {}
    for z, _ in zeros:
        far = bool(abs(z) > 1)
        weight = -1 / slope(z) if far else 1 / slope(z)
        for k in (
            range(up + 1) if far else range(-down, 0)
        ):  # powers one by one: repeated products would swell the balls
            out[k] = out.get(k, acb(0)) + weight * z ** (-k - 1)
    return {k: c.real for k, c in out.items()}


def by_means(polynomial: tuple[Fraction, ...], down: int, up: int, inner: Any, outer: Any) -> dict[int, Any]:
    """The same for any zeros: c_k is the mean of X^-k / P(X) over the N-th roots of unity, up to the sum of

    c_(k + m N), m != 0, which the Cauchy bounds enclose.
    """
    from flint import acb, acb_poly, arb

    n = 2 * max(up, down) + 2
    p = acb_poly([acb(_arb(c)) for c in polynomial])
    angles = [arb(2 * j) / n for j in range(n)]
    roots = [acb(a.cos_pi(), a.sin_pi()) for a in angles]
    values = [1 / p(x) for x in roots]
    alias = tail(outer[0], outer[1], n - up) + tail(inner[0], inner[1], n - down)
    return {
        k: sum((values[j] * roots[(-j * k) % n] for j in range(n)), acb(0)).real / n + arb(0, alias)
        for k in range(-down, up + 1)
    }


@lru_cache(maxsize=64)
def outside(polynomial: tuple[Fraction, ...]) -> int:
    """How many zeros, with multiplicity, lie outside the unit circle."""
    from flint import fmpq, fmpq_poly

    p = fmpq_poly([fmpq(c.numerator, c.denominator) for c in polynomial])
    return sum(m for z, m in zeros_of(p) if abs(z) > 1)


def zeros_of(p: Any) -> list[tuple[Any, int]]:
    """Enclosures of all complex zeros of a ``flint.fmpq_poly``, with multiplicities."""
    from flint import fmpz_poly

    found: list[Any] = fmpz_poly(p.numer().coeffs()).complex_roots()
    return [(z, int(m)) for z, m in found]


def length(q: Any, low: Any, bits: int) -> int:
    """How many terms until the tail of sum q^k / low falls below 2^-bits."""
    from math import ceil, log

    n = ceil((bits * log(2) - log(float(low)) - log(1 - float(q))) / -log(float(q))) + 1
    if n > MOST_TERMS:
        raise InputError("tanh type: P has a zero so near the unit circle that the series is too long to sum")
    return max(n, 1)


def tail(q: Any, low: Any, first: int) -> Any:
    """An upper bound of the sum of q^k / low over k >= first."""
    return (q**first / ((1 - q) * low)).abs_upper()


def _arb(q: Fraction) -> Any:
    from fiberscope.activations.evaluation import ball

    return ball(q)
