"""Constants that occur when constant units are folded: rational combinations of values such as tanh(1/3).

A `Combination` is ``q + sum_i c_i S_i`` with rational q, c_i and symbols ``S_i = core(argument)``, the argument being a
combination itself. Equal combinations are equal numbers. The converse holds for first-order tanh constants: the values
tanh(r) at distinct positive rationals r are linearly independent over Q together with 1 (with r = n/N and
y = exp(2/N), transcendental by Lindemann, tanh(r) = (y^n - 1)/(y^n + 1), whose poles a root of y^n = -1 tells apart).
In general it may fail (2 arctan(1/2) + arctan(3/4) = 2 arctan(1)), so two combinations that are written differently are
shown to be different numbers only by their enclosures.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fiberscope.affine.scalar import Exact, exact, nearest, plus, text, times
from fiberscope.affine.unit_law import UnitLaw


@dataclass(frozen=True)
class Symbol:
    """``core(argument)`` for a core without a rational value there."""

    core: str
    argument: Combination
    law: UnitLaw = field(compare=False, repr=False)

    @cached_property
    def text(self) -> str:
        """One text per symbol."""
        return f"{self.core}({self.argument.text})"


@dataclass(frozen=True)
class Combination:
    """``rational + sum of coefficient * symbol``, symbols in the order of their texts."""

    rational: Exact = 0.0
    symbols: tuple[tuple[Symbol, Exact], ...] = ()

    @cached_property
    def text(self) -> str:
        """One text per combination; long ones are shortened by their hash."""
        words = " ".join([text(self.rational), *(f"{text(c)}*{s.text}" for s, c in self.symbols)])
        return words if len(words) < 4096 else hashlib.sha256(words.encode()).hexdigest()

    @property
    def is_zero(self) -> bool:
        """Whether it is written as 0."""
        return not self.symbols and self.rational == 0

    def __add__(self, other: Combination) -> Combination:
        if not other.symbols:
            return Combination(plus(self.rational, other.rational), self.symbols)
        if not self.symbols:
            return Combination(plus(self.rational, other.rational), other.symbols)
        found = dict(self.symbols)
        for symbol, c in other.symbols:
            found[symbol] = plus(found.get(symbol, 0.0), c)
        kept = sorted(((s, c) for s, c in found.items() if c != 0), key=lambda pair: pair[0].text)
        return Combination(plus(self.rational, other.rational), tuple(kept))

    def times(self, factor: Exact) -> Combination:
        """The combination times a rational."""
        if factor == 0:
            return Combination()
        return Combination(times(self.rational, factor), tuple((s, times(c, factor)) for s, c in self.symbols))

    @property
    def leading_sign(self) -> int:
        """The sign of the first coefficient that is not 0 (0 for the zero combination)."""
        for c in (self.rational, *(c for _, c in self.symbols)):
            if c != 0:
                return 1 if c > 0 else -1
        return 0

    def enclose(self, bits: int = 128) -> Any:
        """A python-flint ball that holds the number; None where a symbol has no rigorous evaluation."""
        from flint import arb, ctx

        old, ctx.prec = ctx.prec, bits
        try:
            total = ball(self.rational)
            for symbol, c in self.symbols:
                inner = symbol.argument.enclose(bits)
                value = None if inner is None else ball_value(symbol.core, inner)
                if value is None:
                    return None
                total = total + ball(c) * value
            return arb(total)
        finally:
            ctx.prec = old

    def nearest(self) -> float:
        """The nearest float64 (up to one unit in the last place where no ball is available)."""
        if not self.symbols:
            return nearest(self.rational)
        enclosed = self.enclose(192)
        if enclosed is not None:
            return float(enclosed.mid())
        values = (nearest(c) * symbol.law.core_at(symbol.argument.nearest()) for symbol, c in self.symbols)
        return nearest(self.rational) + sum(values)


def number(value: Any) -> Combination:
    """A rational as a combination."""
    return Combination(exact(value))


def value_at(law: UnitLaw, argument: Combination) -> Combination:
    """``rho(argument)``: ``mu + lam core(beta argument + gamma)``, the sign of an odd or even core's argument fixed."""
    inner = argument.times(law.beta) + Combination(law.gamma)
    return Combination(law.mu) + core_at(law, inner).times(law.lam)


def core_at(law: UnitLaw, inner: Combination) -> Combination:
    """``core(inner)`` as a combination: rational where it is known to be, else one symbol."""
    if not inner.symbols:
        known = law.core_value(inner.rational)
        if known is not None:
            return Combination(known)
    sign = 1.0
    if law.parity is not None and inner.leading_sign < 0:
        inner, sign = inner.times(-1.0), -1.0 if law.parity == "odd" else 1.0
    return Combination(0.0, ((Symbol(law.core_name, inner, law), sign),))


def ball(value: Exact) -> Any:
    """A ball around a rational, at the current precision."""
    from flint import arb, fmpq

    return arb(value) if isinstance(value, float) else arb(fmpq(value))


def ball_value(name: str, t: Any) -> Any:
    """An activation at a python-flint ball, or None where there is no rigorous evaluation here."""
    from flint import arb

    if name in ("tanh", "erf", "exp", "sin", "cos"):
        return getattr(t, name)()
    if name == "arctan":
        return t.atan()
    if name == "sigmoid":
        return ((t / 2).tanh() + 1) / 2
    if name == "softsign":
        return t / (1 + abs(t))
    if name == "identity":
        return t
    if name == "relu":
        return (t + abs(t)) / 2
    if name == "abs":
        return abs(t)
    if name in ("clamp1", "clamp3"):
        reach = int(name[-1])
        return (abs(t + reach) - abs(t - reach)) / 2
    if name == "gaussian":
        return (-t * t).exp()
    if name in ("square", "cube"):
        return t ** (2 if name == "square" else 3)
    if name == "gelu":
        return t * (1 + (t / arb(2).sqrt()).erf()) / 2
    if name == "silu":
        return t * ((t / 2).tanh() + 1) / 2
    if name == "softplus":
        return t.exp().log1p()
    return None
