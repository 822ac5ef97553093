"""The table of op rules: one small rule per ATen op, found by the op's name."""

from __future__ import annotations

from fiberscope.symmetry.rules import contraction, elementwise, movement, normalisation, reduction, slicing, views
from fiberscope.symmetry.rules.call import Rule

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **contraction.RULES,
    **views.RULES,
    **slicing.RULES,
    **movement.RULES,
    **normalisation.RULES,
    **reduction.RULES,
}
