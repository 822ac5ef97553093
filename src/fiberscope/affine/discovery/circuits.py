"""Minimal symmetries with any number of terms, from the null space of the columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import Any

from fiberscope.activations.evaluation import ball
from fiberscope.activations.expression import Expr, number
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.certify import REFUTED, certified, error_bound
from fiberscope.affine.discovery.columns import Columns
from fiberscope.affine.discovery.dictionary import Pair, height, simplicity
from fiberscope.affine.discovery.nullspace import NEGLIGIBLE, Elimination, magnitude
from fiberscope.affine.discovery.recognise import LARGEST, decimal, fraction, recognised
from fiberscope.affine.discovery.span import Span, Sparse, substituted
from fiberscope.affine.relation import Relation

Circuit = tuple[list[tuple[Any, Pair]], Any, Any]
"""Terms (alpha, (beta, gamma)), constant, linear, with alphas as high-precision numbers."""

MOST_LISTED = 12
MOST_LEADS = 8


@dataclass
class Found:
    """Relations that hold, the simplest first, and what else the search saw."""

    relations: list[Relation] = field(default_factory=list)
    almost_everywhere: list[Relation] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    refuted: int = 0
    omitted: int = 0
    smallest: int = 0


def circuits(columns: Columns, linear: bool) -> tuple[list[Circuit], int]:
    """All fundamental circuits over 1, (t,) and the kept columns; and the smallest independent rest (power of ten)."""
    elimination = Elimination()
    fixed: list[list[Any]] = [[ball(1)] * len(columns.points)]
    if linear:
        fixed.append(columns.lines)
    for column in fixed:
        elimination.add(column)
    basis: list[Pair] = []
    out: list[Circuit] = []
    for pair, column in zip(columns.kept, columns.values, strict=True):
        coefficients = elimination.add(column)
        if coefficients is None:
            basis.append(pair)
            continue
        free = coefficients[: len(fixed)]
        used = zip(coefficients[len(fixed) :], basis, strict=True)
        terms = [(-c, p) for c, p in used if magnitude(c) > NEGLIGIBLE]
        constant, slope = (zeroed(c) for c in (*free, ball(0))[:2])
        out.append(([*terms, (ball(1), pair)], constant, slope))
    return out, elimination.smallest


def zeroed(c: Any) -> Any:
    return ball(0) if magnitude(c) <= NEGLIGIBLE else c


def search(rho: Activation, columns: Columns, linear: bool, seed: int) -> Found:
    """The circuits up to substitution and combination, written with closed forms and checked.

    With ``linear`` only those that need t are looked at.
    """
    found = Found()
    candidates, found.smallest = circuits(columns, linear)
    candidates = [c for c in candidates if not linear or magnitude(c[2]) > NEGLIGIBLE]
    if not candidates:
        return found
    span = Span(columns)
    forms = sorted(((simplest(upright(c, columns)), c) for c in candidates), key=lambda pair: weight(pair[0]))
    for form, given in forms:
        found.sizes[len(form[0])] = found.sizes.get(len(form[0]), 0) + 1
        if span.follows(floats(given)):
            continue
        if len(found.relations) == MOST_LISTED:
            found.omitted += 1
            continue
        error = error_bound(rho, plainly(form), seed)
        relation = None if error is None or error > REFUTED else certified(rho, written(form), seed)
        if relation is None:
            found.refuted += 1
            continue
        span.accept(floats(given))
        (found.almost_everywhere if relation.except_at else found.relations).append(relation)
    return found


def floats(circuit: Circuit) -> Sparse:
    terms, constant, linear = circuit
    return [(float(a), p) for a, p in terms], float(constant), float(linear)


def weight(circuit: Circuit) -> tuple[Any, ...]:
    """Few terms first, then small numbers."""
    terms, _, _ = circuit
    numbers = sorted((height(b) + height(g), height(b), b < 0, g < 0) for _, (b, g) in terms)
    broken = sum(b.denominator > 1 or g.denominator > 1 for _, (b, g) in terms)
    return len(terms), broken, sum(n[0] for n in numbers), numbers


def upright(circuit: Circuit, columns: Columns) -> Circuit:
    """The circuit with every negative beta made positive, where rho(-t + g) = lambda rho(t) + mu allows it."""
    flips = [(p[1], lam, mu) for p, lam, mu in columns.images_of_one() if p[0] == -1]
    if not flips:
        return circuit
    g, lam, mu = flips[0]
    terms, constant, linear = circuit
    out = []
    for alpha, (beta, gamma) in terms:
        if beta > 0:
            out.append((alpha, (beta, gamma)))
        else:  # rho(-s + g) with s = -(beta t + gamma) + g
            out.append(((alpha * lam).mid(), (-beta, g - gamma)))
            constant = (constant - alpha * mu).mid()
    return out, constant, linear


def simplest(circuit: Circuit) -> Circuit:
    """The circuit after the substitution that turns one of its terms into rho(t) and makes the rest simplest."""
    terms, constant, linear = circuit
    best: Circuit | None = None
    for _, (beta, gamma) in terms:
        b, g = 1 / beta, -gamma / beta
        moved = sorted(((a, substituted(p, b, g)) for a, p in terms), key=lambda term: simplicity(term[1]))
        image = moved, (constant + linear * ball(g)).mid(), (linear * ball(b)).mid()
        if best is None or weight(image) < weight(best):
            best = image
    assert best is not None
    return best


def plainly(circuit: Circuit) -> Relation:
    """The circuit with its numbers as they are."""
    terms, constant, linear = circuit
    rows = tuple((number(fraction(a)), number(b), number(g)) for a, (b, g) in terms)
    return Relation(rows, number(fraction(constant)), number(fraction(linear)))


def written(circuit: Circuit) -> Relation:
    """The circuit with closed forms: primitive integers where all numbers are rational, else some coefficient is 1."""
    terms, constant, linear = circuit
    arguments = [g for _, (_, g) in terms] + [b for _, (b, _) in terms]
    arguments += [g - h for _, (_, g) in terms for _, (_, h) in terms]
    best: list[Expr] = []
    for lead, _ in terms if len(terms) <= MOST_LEADS else terms[:1]:
        scaled = [closed((a / lead).mid(), arguments) for a in [*(a for a, _ in terms), constant, linear]]
        if not best or rationals(scaled) > rationals(best):
            best = scaled
        if rationals(best) == len(best):
            whole = Fraction(lcm(*(c.number.denominator for c in best[: len(terms)] if c.number is not None)))
            best = [number(c.number * whole) for c in best if c.number is not None]
            break
    rows = tuple((a, number(b), number(g)) for a, (_, (b, g)) in zip(best, terms, strict=False))
    return Relation(rows, best[-2], best[-1])


def rationals(numbers: list[Expr]) -> int:
    """How many are rational, decimals for want of a closed form not counted."""
    return sum(c.number is not None and c.number.denominator <= LARGEST for c in numbers)


def closed(x: Any, arguments: list[Fraction]) -> Expr:
    """The closed form, or the decimal where none is recognised."""
    if magnitude(x) <= NEGLIGIBLE:
        return number(0)
    form = recognised(x, arguments)
    return decimal(x) if form is None else form
