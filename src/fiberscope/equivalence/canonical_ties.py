"""Units that sorting cannot tell apart: set one apart, refine, and keep the smallest of the outcomes.

As in graph canonisation: where the tied units are images of each other under a symmetry of the weights, every
choice gives the same result; where they are not, the choices are compared. The number of outcomes that are tried
is bounded, so that very symmetric weights (whose choices are mostly equivalent) stay cheap.
Reference: McKay and Piperno, "Practical graph isomorphism, II" (2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.equivalence.canonical_signs import finish_signs

if TYPE_CHECKING:
    from fiberscope.equivalence.canonical_order import Ordering

Array = NDArray[Any]

OUTCOMES = 32
"""At most this many complete orders are compared, shared out among the choices; a share of one takes the first."""


def break_ties(ordering: Ordering) -> None:
    """Refine an ordering until every unit has its place, and leave the smallest outcome in its workspace."""
    best = _smallest(ordering, OUTCOMES)
    ordering.space.weights, ordering.space.element = best.space.weights, best.space.element
    ordering.classes, ordering.unsigned = best.classes, best.unsigned


def _smallest(ordering: Ordering, outcomes: int) -> Ordering:
    """Return the smallest complete refinement of an ordering."""
    ordering.refine()
    choice = ordering.tied_class()
    if choice is None:
        finish_signs(ordering)
        return ordering
    key, members = choice
    best: Ordering | None = None
    for member in members[:outcomes]:
        attempt = ordering.copy()
        attempt.set_apart(key, member)
        outcome = _smallest(attempt, max(1, outcomes // len(members)))
        if best is None or _smaller(outcome, best):
            best = outcome
    assert best is not None
    return best


def _smaller(a: Ordering, b: Ordering) -> bool:
    """Compare two outcomes entry by entry; entries within the tolerance count as equal."""
    for name, x in a.space.weights.items():
        y = b.space.weights[name]
        size = max(float(np.abs(x).max(initial=0.0)), float(np.abs(y).max(initial=0.0)))
        apart = np.flatnonzero(np.abs(x - y) > a.tolerance * size)
        if apart.size:
            return bool(x.ravel()[apart[0]] < y.ravel()[apart[0]])
    return False
