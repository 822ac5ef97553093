"""How degenerate the weights of a network are: the rank of its Fisher information, and why it is not full.

For regression with Gaussian noise the Fisher information is E[J(x)^T J(x)], J = df/d(weights); its null space consists
of the directions in which f does not change to the first order anywhere on the domain, whatever the (positive) density
of the inputs. Its rank is the functional dimension at these weights (Grigsby, Lindsey, Meyerhoff and Wu, 2022), and no
dimension of a set of weights with the same function near this point exceeds the nullity.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from fiberscope.shallow.active import active
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.null_vectors import NullVector, null_vectors


@dataclass(frozen=True)
class Fisher:
    """``parameters`` = ``rank`` + ``nullity``; ``null_vectors``: a basis of the null space, each with its cause.

    ``gap``: in floats, the least number that was not taken for zero (inf if none was near); None over the rationals.
    """

    parameters: int
    rank: int
    null_vectors: tuple[NullVector, ...]
    gap: float | None

    @property
    def nullity(self) -> int:
        return self.parameters - self.rank

    @property
    def functional_dimension(self) -> int:
        """The dimension of the set of functions that small changes of the weights reach: the rank."""
        return self.rank

    @property
    def causes(self) -> dict[str, int]:
        """How many null vectors have which cause."""
        return dict(Counter(v.kind for v in self.null_vectors))

    def __repr__(self) -> str:
        causes = ", ".join(f"{count} {kind}" for kind, count in self.causes.items()) or "none"
        return f"Fisher(rank {self.rank} of {self.parameters}; null vectors: {causes})"

    def to_json(self) -> dict[str, Any]:
        """Plain types; units count from 0, an infinite gap is null."""
        return {
            "parameters": self.parameters,
            "rank": self.rank,
            "nullity": self.nullity,
            "null_vectors": [{"kind": v.kind, "units": list(v.units)} for v in self.null_vectors],
            "causes": self.causes,
            "gap": self.gap if self.gap is not None and math.isfinite(self.gap) else None,
            "exact": self.gap is None,
        }


def fisher(model: ShallowModel, box: Any = None, *, exact: bool = False) -> Fisher:
    """Rank and null vectors of the Fisher information of ``model`` for inputs everywhere, or with support on ``box``.

    Decided over the rationals if ``exact`` (or if the model holds rationals), else boundaries and dependences that
    agree up to rounding count, and the gap tells how clear that was.

    Errors: InputError for an activation that is not linear on both sides of 0; WeightError for a unit with w = 0, b = 0
    and an output weight, where there is no derivative.

    >>> from fiberscope.shallow.examples import four_hyperplanes, reversal_without_annihilation
    >>> fisher(four_hyperplanes())
    Fisher(rank 13 of 17; null vectors: 4 scaling)
    >>> fisher(reversal_without_annihilation().model, exact=True).causes
    {'scaling': 3, 'affine': 1}
    """
    exact = exact or any(a.dtype == object for a in (model.W1, model.b1, model.W2, model.b2))
    units = active(model, box, exact=exact)
    found, kept = null_vectors(units)
    total = model.units * (model.inputs + 1 + model.outputs) + model.outputs
    return Fisher(total, total - len(found), tuple(found), None if exact else min(kept, units.gap))
