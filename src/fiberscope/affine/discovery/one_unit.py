"""One-unit laws rho(beta t + gamma) = lambda rho(t) + mu: families, and the discrete ones that no family covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fiberscope.activations.expression import Expr, number, parameter
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.certify import certified
from fiberscope.affine.discovery.circuits import closed
from fiberscope.affine.discovery.columns import Columns
from fiberscope.affine.discovery.families import Family, families
from fiberscope.affine.discovery.offgrid import shifts
from fiberscope.affine.relation import OneUnit, Relation, value

K = parameter("k")


@dataclass(frozen=True)
class OneUnitLaws:
    """``laws`` generate; ``almost_everywhere`` fail at single points; ``kinds`` names the families among them."""

    laws: tuple[OneUnit, ...]
    almost_everywhere: tuple[Relation, ...]
    kinds: tuple[str, ...]

    @property
    def scaling(self) -> str:
        """The scalings that a layer of such units admits without biases: one, sign, positive or nonzero."""
        from fiberscope.activations.table import scaling_name

        pure = [law for law in self.laws if law.gamma.number == 0 and law.shift.number == 0 and law.proved]
        signs = any(law.beta.number == -1 or law.condition == "b != 0" for law in pure)
        return scaling_name(any(law.condition in ("b > 0", "b != 0") for law in pure), signs)


def one_unit_laws(rho: Activation, columns: Columns, seed: int) -> OneUnitLaws:
    """All laws that the dictionary and the search off the grid find, each checked, families proved."""
    candidates = [(number(b), number(g), lam, mu) for (b, g), lam, mu in columns.images_of_one()]
    turned = next((c for c in candidates if c[0].number == -1), None)
    flip = None if turned is None else law_of(rho, *turned, seed)
    members = families(rho, flip_of(flip) if flip is not None and flip.proved else None)
    known: list[OneUnit] = []
    broken: list[Relation] = []
    for beta, gamma, lam, mu in candidates:
        if any(f.covers(beta, gamma) for f in members):
            continue
        relation = law_of(rho, beta, gamma, lam, mu, seed)
        if relation is not None and relation.except_at:
            broken.append(relation)
        elif relation is not None:
            known.append(law_from(relation))
    laws = [family.law for family in members] + known
    if not members:
        laws = generators(rho, laws, [law for law in off_grid(rho, seed) if law is not None])
    return OneUnitLaws(tuple(laws), tuple(minimal(broken, members)), tuple(f.kind for f in members))


def law_of(rho: Activation, beta: Expr, gamma: Expr, lam: Any, mu: Any, seed: int) -> Relation | None:
    """One candidate with closed forms for lambda and mu, checked."""
    arguments = [q for q in (beta.number, gamma.number) if q is not None]
    terms = ((number(1), beta, gamma), (-closed(lam, arguments), number(1), number(0)))
    return certified(rho, Relation(terms, closed(mu, arguments)), seed)


def flip_of(relation: Relation) -> tuple[Fraction, Any]:
    gamma = relation.terms[0][2].number
    assert gamma is not None
    return gamma, (-relation.terms[1][0]).number


def law_from(relation: Relation) -> OneUnit:
    (_, beta, gamma), (minus, _, _) = relation.terms
    return OneUnit(beta, gamma, -minus, relation.constant, proved=relation.proved)


def minimal(broken: list[Relation], members: Sequence[Family]) -> list[Relation]:
    """The simplest law that fails at single points; with a family of scales its multiples go without saying."""
    return broken[:1] if members else broken


def off_grid(rho: Activation, seed: int) -> list[OneUnit | None]:
    """Laws rho(+-t + gamma) with gamma on no grid."""
    out: list[OneUnit | None] = []
    for beta, gamma, lam, mu in shifts(rho):
        relation = law_of(rho, number(beta), gamma, lam, mu, seed)
        out.append(None if relation is None or relation.except_at else law_from(relation))
    return out


def generators(rho: Activation, grid: list[OneUnit], off: list[OneUnit]) -> list[OneUnit]:
    """A few laws from which the others follow: one flip, and one translation written as a family."""
    flips = [law for law in [*grid, *off] if law.beta.number == -1]
    moves = [law for law in [*grid, *off] if law.beta.number == 1]
    rest = [law for law in grid if law.beta.number not in (1, -1)]
    out = flips[:1]
    if moves:
        out.append(period(min(moves, key=lambda law: abs(float(value(law.gamma))))))
    return out + rest


def period(law: OneUnit) -> OneUnit:
    """rho(t + k gamma) = lambda^k rho(t), for a translation with lambda = +-1; else the law itself."""
    factor = law.factor.number if isinstance(law.factor, Expr) else None
    if law.shift.number != 0 or factor not in (1, -1):
        return law
    power = number(1) if factor == 1 else "(-1)^k"
    return OneUnit(number(1), K * law.gamma, power, law.shift, "k a whole number", proved=law.proved)
