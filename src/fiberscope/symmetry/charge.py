"""Charges: how an axis of a tensor scales with the units of the space it indexes.

A charge is a pair (log, sign): entry i of the axis is multiplied by
prod_v lambda_v[i]**log[v] * prod_{v in sign} sigma_v[i], where the lambda_v > 0 and
sigma_v = +-1 are unknown fields on the space. Variables carry a path, so that
they follow their atom when it is taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

Variable = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Charge:
    """A linear expression in field variables: rational exponents and a parity set."""

    log: tuple[tuple[Variable, Fraction], ...] = ()
    sign: frozenset[Variable] = field(default_factory=frozenset)

    @staticmethod
    def variable(base: int) -> Charge:
        """Return the charge that is one fresh unknown field."""
        v: Variable = (base, ())
        return Charge(((v, Fraction(1)),), frozenset({v}))

    @property
    def trivial(self) -> bool:
        """True when the axis does not scale at all."""
        return not self.log and not self.sign

    def __add__(self, other: Charge) -> Charge:
        total = dict(self.log)
        for v, q in other.log:
            total[v] = total.get(v, Fraction(0)) + q
        log = tuple(sorted((v, q) for v, q in total.items() if q))
        return Charge(log, self.sign ^ other.sign)

    def __neg__(self) -> Charge:
        return Charge(tuple((v, -q) for v, q in self.log), self.sign)

    def __sub__(self, other: Charge) -> Charge:
        return self + (-other)

    def power(self, log: Fraction, odd: bool) -> Charge:
        """Return the charge of the value raised to ``log``, keeping the sign only when ``odd``."""
        scaled = tuple((v, q * log) for v, q in self.log) if log else ()
        return Charge(scaled, self.sign if odd else frozenset())

    def at(self, index: int) -> Charge:
        """Return the charge on part ``index`` of an atom that was taken apart."""
        if self.trivial:
            return self
        log = tuple(((b, (*p, index)), q) for (b, p), q in self.log)
        return Charge(log, frozenset((b, (*p, index)) for b, p in self.sign))


NEUTRAL = Charge()
