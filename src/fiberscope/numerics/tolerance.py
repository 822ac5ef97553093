"""Every threshold that a decision of this package depends on, in one place, each with its reason.

Nothing here makes a verdict: a threshold only steers the search (which units may correspond, which
points are worth an exact evaluation). Verdicts rest on exact arithmetic or on rigorous enclosures.
"""

from __future__ import annotations

DEFAULT_ULP = 8
"""Largest backward error per weight, in units in its last place, that strength "rounding" accepts by default."""

MEANINGFUL_ULP = 2.0**20
"""A backward error beyond this is no rounding of anything and is not reported."""

SCALE_SNAP_ULP = 4
"""A measured unit scale this close to a power of two (in ulps of the stored dtype) is also tried as that power."""

ROW_NOISE_ULP = 16
"""Normalised rows that differ by less than this many ulps of the stored dtype may belong to the same unit."""

DOT_NOISE = 1e-13
"""One minus the cosine of two float64 unit vectors is only known up to this much (sum of about 10^3 roundings)."""

BOUND_SLACK = 1e-9
"""Relative slack added to every bound computed in plain float64, far above its accumulated rounding (about 1e-13)."""

EVALUATION_NOISE = 1e-12
"""A float64 difference of two networks below this fraction of the outputs' size may be rounding alone."""

MAX_EXACT_PRODUCTS = 30_000_000
"""Largest number of exact rational multiplications spent on composing two affine maps."""
