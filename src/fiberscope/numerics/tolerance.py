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

FOLD_MERGE = 1e-9
"""Boundaries of hidden units this close (direction, relative offset) are one in a float normal form, with its gap."""

KINK_NOISE = 1e-12
"""A kink below this fraction of the terms that it sums counts as cancelled in a float normal form (10^4 roundings)."""

LINEAR_RANK_TOLERANCE = 1e-12
"""Pivots of a linear chain below this times the largest Frobenius norm of a layer count as zero: rounding in building a
matrix of lower rank through bases of condition 1e3 stays below it, the least singular value of a random square layer of
width 4096 (about 4096**-1.5 = 4e-6 of the norm) far above."""

STORED_RANK_EPS = 4
"""For factors stored in float32 or less the same cut is this many machine epsilons of that type: storing moves a layer
by at most half an epsilon of its norm, and column pivoting enlarges what is left of that a few times at most."""

PLAIN_QR_MARGIN = 10.0
"""Plain QR is enough for a block whose triangle has its (estimated) least singular value this far above the cut."""

ZERO_SUM = 1e-12
"""A sum of float vectors below this fraction of the sum of their lengths counts as zero (about 10^3 roundings)."""

DEPENDENCE = 1e-9
"""Pivots and coefficients below this fraction of the columns' size are zero when float dependences are looked for."""

PRODUCT_RANK = 1e-9
"""Singular values of a given product below this part of the largest are taken for zeros when a point is made for it."""

PRODUCTS_AGREE = 1e-9
"""Two points belong to one fiber if their products differ by at most this part of their size, beside rounding."""

FOLD_RANK = 1e-13
"""Rows of unit length that depend on others up to this much are folded into them; what is left over is bounded."""

PROJECTION_RESIDUAL = 1e-13
"""A projection is accepted when the inner product of what is left with each spanning direction is below this times both
norms: some hundred roundings of float64."""

CRITICAL_TOLERANCE = 1e-9
"""At a critical point of a linear network, gradients, gaps and alignments up to this part of their size are zero."""

CRITICAL_UNSURE = 100.0
"""What is more than zero but less than so many times the tolerance for zero is reported as undecided."""

MAX_EXACT_CRITICAL = 4096
"""Number of weights up to which a case that floats leave open is decided in rationals, if the gradient is exactly 0."""

COMPRESSION_ERROR = 1e-4
"""A bound of a compressed file's error above this part of the output scale is brought down by splitting layers."""

COMPRESSION_LOOSE = 1e-2
"""A compression whose error bound is above this part of the output scale is not made: what holds exactly is."""

SPECTRUM = 1e-11
"""Eigenvalues of a float Fisher matrix (unit diagonal) below this fraction of the largest count as zero."""

SAME_FUNCTION = 1e-10
"""Two float64 runs of one function through different graphs differ by rounding only: far above 2^-52 times the depth
of any network here, far below what a unit that matters changes."""

STORED_ROUNDING = 1e-4
"""Folding a batch norm rounds float32 weights once more (6e-8 each); a mistake changes outputs by their own size."""
