"""The rank of a given product: by its singular values and a stated tolerance, or exactly over the rationals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import InputError, WeightError
from fiberscope.linear.exact import to_flint
from fiberscope.linear.factors import checked_factors
from fiberscope.numerics.tolerance import PRODUCT_RANK


@dataclass(frozen=True)
class RankDecision:
    """A rank, and what it rests on.

    ``tolerance``: singular values up to ``tolerance`` times the largest count as zero; None for an exact rank.
    ``smallest_kept``, ``largest_dropped``: singular values, None where there is none.
    """

    rank: int
    tolerance: float | None = None
    smallest_kept: float | None = None
    largest_dropped: float | None = None

    @property
    def gap(self) -> float | None:
        """``smallest_kept / largest_dropped``; None when nothing was decided (no such pair, or exact zeros)."""
        if self.smallest_kept is None or not self.largest_dropped:
            return None
        return self.smallest_kept / self.largest_dropped


def product_rank(matrix: Any, *, tol: float | None = None, exact: bool = False) -> RankDecision:
    """The rank of a matrix of floats (by singular values), of integers or rationals (exactly).

    ``exact`` takes floats for the dyadic rationals that they are. The least singular value of a product of long
    chains can be tiny without being zero: where the factors are known, `decompose` them instead. `WeightError` for
    a matrix that is empty, not two-dimensional or not finite; `InputError` for a tolerance that is not in [0, 1).

    >>> product_rank(np.diag([3.0, 1.0, 1e-14])).rank, product_rank([[1, 2], [2, 4]]).rank
    (2, 1)
    """
    if tol is not None and not 0 <= tol < 1:
        raise InputError(f"tolerance {tol!r}: expected a number from 0 to 1, a part of the largest singular value")
    plain = matrix.detach().cpu() if hasattr(matrix, "detach") else matrix
    exact = exact or (not hasattr(matrix, "detach") and np.asarray(plain).dtype.kind in "biuO")
    try:
        (checked,) = checked_factors([matrix], exact=exact)
    except WeightError as error:
        raise WeightError(f"the product {str(error).replace('W1', 'W', 1)}") from error
    if exact:
        return RankDecision(to_flint(checked).rank())
    scale = float(np.abs(checked).max())
    if scale == 0.0:
        return RankDecision(0, PRODUCT_RANK if tol is None else tol)
    exponent = int(np.frexp(scale)[1])  # squares of huge or tiny entries neither overflow nor underflow
    sizes = np.ldexp(np.linalg.svd(np.ldexp(checked, -exponent), compute_uv=False), exponent)
    tolerance = PRODUCT_RANK if tol is None else tol
    rank = int((sizes > tolerance * sizes[0]).sum())
    return RankDecision(
        rank, tolerance, float(sizes[rank - 1]) if rank else None, float(sizes[rank]) if rank < len(sizes) else None
    )
