"""What has been proved of the hidden units of a chain on a domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.bisection import Claim
from fiberscope.equivalence.compression.dual import DualClaim

FREE, ACTIVE, INACTIVE = 0, 1, -1


@dataclass(frozen=True, eq=False)
class Region:
    """A box that holds the domain, and the rows ``G x <= h`` that cut it (none for a box).

    ``mu``: multipliers of the rows that lead from the domain's own box to this one, None when it is the same.
    """

    lo: np.ndarray
    hi: np.ndarray
    G: np.ndarray
    h: np.ndarray
    mu: np.ndarray | None = None

    @property
    def rows(self) -> Any:
        """The rows as the checker takes them."""
        from fiberscope_verify.dual import Rows

        return Rows(self.G, self.h)


@dataclass(eq=False)
class Stable:
    """``status[l]``: FREE, ACTIVE or INACTIVE per unit; ``ends[l]``: lower and upper bounds [1, width];
    ``open[l]``: units neither refuted by a sample nor proved; ``claims`` in the order in which they rest on each other.
    """

    status: list[np.ndarray] = field(default_factory=list)
    ends: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    open: list[np.ndarray] = field(default_factory=list)
    claims: list[Claim | DualClaim] = field(default_factory=list)

    def begin(self, width: int) -> None:
        """A new layer, of which nothing is known."""
        self.status.append(np.zeros(width, dtype=np.int64))
        self.ends.append((np.full((1, width), -np.inf), np.full((1, width), np.inf)))

    def learn(self, claim: Claim | DualClaim) -> None:
        """Keep a claim about the newest layer."""
        self.claims.append(claim)
        ends = np.zeros(len(claim.units)) if isinstance(claim, Claim) else claim.ends
        low, high = self.ends[-1]
        up, down, linear = claim.signs > 0, claim.signs < 0, ends >= 0
        low[0, claim.units[up]] = np.maximum(low[0, claim.units[up]], ends[up])
        high[0, claim.units[down]] = np.minimum(high[0, claim.units[down]], -ends[down])
        self.status[-1][claim.units[linear]] = claim.signs[linear]


def region_of(box: tuple[np.ndarray, np.ndarray], polytope: Any) -> Region:
    """The region of a domain, its box shrunk to what the rows leave of it."""
    lo, hi = box
    if polytope is None:
        return Region(lo, hi, np.zeros((0, len(lo))), np.zeros(0))
    from fiberscope_verify.dual import Rows, tightened

    mu = polytope.bounding()
    lo, hi = tightened(lo, hi, Rows(polytope.G, polytope.h), mu)
    return Region(lo, hi, polytope.G, polytope.h, mu)
