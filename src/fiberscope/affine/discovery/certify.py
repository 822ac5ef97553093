"""What is known of a relation once it is written down: a proof, or a bound at fresh points, or a refutation."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from fiberscope.activations.evaluation import ball
from fiberscope.activations.proof import zero_except
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.sampling import cells, points
from fiberscope.affine.relation import Relation

DIGITS = 120
FRESH = 60
REFUTED = 1e-40
"""A relation whose error at some fresh point is certainly above this is no relation."""


def certified(rho: Activation, relation: Relation, seed: int) -> Relation | None:
    """The relation with its proof and its error bound, or None where a fresh point refutes it.

    The bound is an upper bound, in ball arithmetic, of |left - right| / max(1, sum of |terms|) at points in every cell
    between breakpoints, at the breakpoints, and far away. Without rigorous enclosures there is no bound.
    """
    bound = error_bound(rho, relation, seed)
    failing = failing_points(rho, relation)
    if failing == () and bound is not None and bound <= REFUTED:
        return replace(relation, proved=True, error_bound=bound if rho.rigorous else None)
    if bound is None or bound > REFUTED:
        return None
    return replace(relation, error_bound=bound if rho.rigorous else None, except_at=failing or ())


def failing_points(rho: Activation, relation: Relation) -> tuple[Fraction, ...] | None:
    """() where the relation is proved, the breakpoints where it fails though it holds elsewhere, None without proof."""
    if rho.prover is not None and rho.prover(relation):
        return ()
    return None if rho.expression is None else zero_except(relation.residual(rho.expression))


def error_bound(rho: Activation, relation: Relation, seed: int) -> float | None:
    """The largest upper bound over the fresh points; None where a value is not finite."""
    from flint import arb, ctx

    with ctx.workdps(DIGITS):
        pairs = [(b.number, g.number) for _, b, g in relation.terms]
        exact = [(b, g) for b, g in pairs if b is not None and g is not None]
        ends = cells(rho.breakpoints, exact)
        worst = arb(0)
        for x in points(ends, FRESH, seed):
            total, size = relation.balls(rho.ball, ball(x))
            error = abs(total) / size.max(arb(1))
            if not error.is_finite():
                return None
            worst = worst.max(error.abs_upper())
        return upper(worst)


def upper(x: Any) -> float:
    """A float at or above a ball."""
    number = float(x.abs_upper())
    return math.nextafter(number, math.inf) if number else 0.0
