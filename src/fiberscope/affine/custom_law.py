"""Any activation object as the law of a unit: values, enclosures, a proved parity, and proofs of its symmetries."""

from __future__ import annotations

from typing import Literal

from fiberscope.affine.activation import Activation
from fiberscope.affine.identity_proof import AffineSymmetry
from fiberscope.affine.relation import Relation
from fiberscope.affine.unit_law import UnitLaw
from fiberscope.numerics.exact import fraction


def law_of(rho: Activation) -> UnitLaw:
    """The law under which a network on a graph can use an activation of the user's own.

    Give it as ``DagNetwork(..., laws={rho.name: law_of(rho)})``. Identities are proved by the activation itself.

    >>> from fiberscope.affine.activation import from_expression
    >>> law = law_of(from_expression("tanh(x)*abs(x)", "mine"))
    >>> law.parity, law.prover(AffineSymmetry.of([(1, 2, 1), (1, -2, -1)]))
    ('odd', True)
    """

    def proves(relation: Relation) -> bool:
        from fiberscope.activations.proof import is_zero

        if rho.prover is not None:
            return rho.prover(relation)
        return rho.expression is not None and is_zero(relation.residual(rho.expression))

    def prover(symmetry: AffineSymmetry) -> bool:
        rows = [tuple(fraction(v) for v in term) for term in symmetry.terms]
        return proves(Relation.of(rows, fraction(symmetry.constant), fraction(symmetry.linear)))

    parity: Literal["odd", "even"] | None = None
    if proves(Relation.of([(1, 1, 0), (1, -1, 0)])):
        parity = "odd"
    elif proves(Relation.of([(1, 1, 0), (-1, -1, 0)])):
        parity = "even"
    enclose = rho.ball if rho.expression is not None or rho.rigorous else None
    return UnitLaw(rho.name, f"activation {rho.name}", parity, function=rho.value, prover=prover, enclose=enclose)
