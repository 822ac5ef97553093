"""The search for the affine symmetries of one activation, from values and expression alone.

1. Sample 1, t and rho(beta t + gamma) over a dictionary to 260 digits, in every cell between breakpoints and far away.
2. Columns that agree up to scale and constant are one-unit laws; families with a parameter are guessed and proved.
3. The null space of the others, in order of simplicity, gives minimal symmetries without and with t.
4. Shifts on no grid (periods, centres of symmetry, lattices) are found in float64 and refined by Newton's method.
5. Numbers get closed forms; each relation is checked at fresh points in ball arithmetic, and proved where the
   expression allows it: piece by piece over Q, or by the normal form of elementary functions.

Reference for the notion: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability (2021).
"""

from __future__ import annotations

from fractions import Fraction

from fiberscope.affine.activation import Activation
from fiberscope.affine.completeness import Theorem, theorem
from fiberscope.affine.discovery.certify import certified
from fiberscope.affine.discovery.circuits import Found, closed, search
from fiberscope.affine.discovery.columns import sampled
from fiberscope.affine.discovery.dictionary import Dictionary
from fiberscope.affine.discovery.findings import Findings
from fiberscope.affine.discovery.lattice import lattice
from fiberscope.affine.discovery.nullspace import DIGITS, NEGLIGIBLE, magnitude
from fiberscope.affine.discovery.one_unit import OneUnitLaws, one_unit_laws
from fiberscope.affine.relation import Relation

PAIRS = "sum a_i (rho(b_i t + g_i) - rho(-b_i t - g_i)) = L sum a_i g_i whenever sum a_i b_i = 0"
"""What the reflection law says about any number of pairs."""


def discover(rho: Activation, dictionary: Dictionary | None = None, *, seed: int = 0) -> Findings:
    """The affine symmetries of an activation that a search over a dictionary finds.

    Returns `Findings`; ``complete`` is True only for functions about which a theorem is recorded.

    >>> from fiberscope.affine.activation import activation
    >>> found = discover(activation("softsign"))
    >>> [str(law) for law in found.one_unit], found.symmetries, found.complete
    (['rho(-t) = -rho(t)'], (), True)
    """
    from flint import ctx

    chosen = dictionary or Dictionary.around(rho.breakpoints)
    with ctx.workdps(DIGITS):
        columns = sampled(rho, chosen, seed)
        laws = one_unit_laws(rho, columns, seed + 1)
        pure, sloped = (search(rho, columns, linear, seed + 2) for linear in (False, True))
        if dictionary is None and not (laws.laws or pure.relations or sloped.relations or rho.breakpoints):
            other = lattice(rho)
            if other is not None:
                chosen = other
                columns = sampled(rho, chosen, seed)
                pure, sloped = (search(rho, columns, linear, seed + 2) for linear in (False, True))
        reflection = reflection_of(rho, seed + 3)
    return assembled(rho, chosen, laws, pure, sloped, reflection, theorem(rho))


def assembled(
    rho: Activation,
    dictionary: Dictionary,
    laws: OneUnitLaws,
    pure: Found,
    sloped: Found,
    reflection: Relation | None,
    known: Theorem,
) -> Findings:
    """All results on one page."""
    linear = "linear" in laws.kinds
    uneven = reflection is not None and reflection.linear.number != 0  # an even function needs no pairs
    pairs = (PAIRS,) if uneven and not linear else ()
    return Findings(
        name=rho.name,
        expression=None if rho.expression is None else str(rho.expression),
        mixing="general_linear" if linear else "permutation",
        scaling=laws.scaling,
        one_unit=laws.laws,
        symmetries=(*pure.relations, *sloped.relations),
        reflection=reflection,
        almost_everywhere=(*laws.almost_everywhere, *pure.almost_everywhere, *sloped.almost_everywhere),
        dictionary=dictionary,
        counts=pure.sizes,
        gap=min(pure.smallest, sloped.smallest),
        refuted=pure.refuted + sloped.refuted,
        omitted=pure.omitted + sloped.omitted,
        complete=known.complete,
        theorem=known.text,
        families=(*known.families, *pairs),
        source=known.source,
        same_as=known.same_as,
    )


def reflection_of(rho: Activation, seed: int) -> Relation | None:
    """The law rho(t) - rho(-t) = L t with L read off at t = 1 and checked, or None."""
    slope = (rho.ball(1) - rho.ball(-1)).mid()
    if magnitude((rho.ball(Fraction(3, 7)) - rho.ball(Fraction(-3, 7))) - slope * 3 / 7) > NEGLIGIBLE:
        return None
    relation = certified(rho, Relation.of([(1, 1, 0), (-1, -1, 0)], linear=closed(slope, [])), seed)
    return None if relation is None or relation.except_at else relation
