"""The point of view of one point: ranks, bars and a flow basis of given factors, with a certificate of nearness."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.backward_sweep import does_not_fit, flow_of
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.exact_staircase import ExactStaircase, exact_barcode, exact_flow, exact_staircase
from fiberscope.linear.factors import checked_factors, storage_eps
from fiberscope.linear.flow import Flow
from fiberscope.linear.staircase import Staircase, staircase
from fiberscope.linear.subspaces import Subspaces
from fiberscope.numerics.tolerance import LINEAR_RANK_TOLERANCE, STORED_RANK_EPS

__all__ = ["Decomposition", "checked_factors", "decompose"]


_LARGEST_EXPONENT = 900  # powers of two that a flow basis may span on either side


@dataclass(frozen=True, eq=False, repr=False)
class Decomposition:
    """Factors, the barcode of the matrices `nearest` close to them, and how close.

    ``factors`` are float64, or rationals (object arrays of ``flint.fmpq``) when ``exact``. ``tolerance`` is relative to
    the largest Frobenius norm of a factor, ``cut`` their product. ``backward_error`` is the Frobenius norm of
    ``nearest - factors`` (all layers together). ``gap`` is ``smallest_kept / largest dropped pivot``, more than
    1; it is None when nothing was dropped: no entry at all, or only exact zeros, which need no decision.
    """

    factors: tuple[np.ndarray, ...]
    barcode: Barcode
    exact: bool
    tolerance: float
    cut: float
    backward_error: float
    smallest_kept: float | None
    gap: float | None
    _stairs: Any = field(default=None)
    _exponent: int = 0

    @property
    def widths(self) -> tuple[int, ...]:
        """``(d_0, ..., d_L)``."""
        return (self.factors[0].shape[1], *(w.shape[0] for w in self.factors))

    @property
    def length(self) -> int:
        """``L``, the number of factors."""
        return len(self.factors)

    @property
    def rank(self) -> int:
        """``rank(W_L ... W_1)``."""
        return self.barcode.full

    @cached_property
    def stairs(self) -> Staircase | ExactStaircase:
        """The staircase: orthogonal for floats, of reduced echelon forms for rationals."""
        return exact_staircase(self.factors) if self._stairs is None else self._stairs

    @cached_property
    def flow(self) -> Flow:
        """A flow basis of `nearest`: ``W_j F_{j-1} = F_j P_j``; over Q without any error when ``exact``."""
        stairs = self.stairs
        if isinstance(stairs, ExactStaircase):
            return exact_flow(stairs)
        flow = flow_of(stairs)
        if not self._exponent:
            return flow
        if abs(self._exponent) * (self.length // 2 + 1) > _LARGEST_EXPONENT:
            raise does_not_fit()
        bases = (np.ldexp(basis, self._exponent * (j - self.length // 2)) for j, basis in enumerate(flow.bases))
        return Flow(flow.bars, flow.columns, tuple(bases))

    @cached_property
    def subspaces(self) -> Subspaces:
        """What each layer receives, loses, and leaves idle, as bases; see `Subspaces`."""
        return Subspaces(self.flow)

    @cached_property
    def nearest(self) -> tuple[np.ndarray, ...]:
        """Factors with exactly this rank list (up to rounding), `backward_error` away; those given, if nothing was."""
        stairs = self.stairs
        if isinstance(stairs, ExactStaircase):
            return self.factors
        return tuple(
            np.ldexp(stairs.nearest(j), self._exponent) if step.dropped_norm else factor
            for j, (factor, step) in enumerate(zip(self.factors, stairs.steps, strict=True), start=1)
        )

    @cached_property
    def residual(self) -> float:
        """Largest ``|W_j f - P f| / (|W_j| |f| + |P f|)`` over the flow's vectors f, W of `nearest`; 0 when exact."""
        if self.exact:
            return 0.0
        worst = 0.0
        bases = self.flow.bases
        for j, factor in enumerate(self.nearest, start=1):
            target = bases[j] @ self.flow.pattern(j)
            size = np.linalg.norm(factor) * np.linalg.norm(bases[j - 1], axis=0) + np.linalg.norm(target, axis=0)
            error = np.linalg.norm(factor @ bases[j - 1] - target, axis=0)
            worst = max(worst, float((error / np.where(size > 0, size, 1.0)).max()))
        return worst

    def __repr__(self) -> str:
        how = (
            "exact over Q"
            if self.exact
            else f"backward error {self.backward_error:.2g}, gap " + ("none" if self.gap is None else f"{self.gap:.2g}")
        )
        return f"Decomposition(widths {self.widths}, rank {self.rank}, {how})\n  {self.barcode!r}"

    def to_json(self) -> dict[str, Any]:
        """Widths, rank, barcode ``[[i, k, multiplicity]]``, ranks ``[[k, i, rank]]`` and the certificate."""
        return {
            "widths": list(self.widths),
            "rank": self.rank,
            "barcode": self.barcode.to_json(),
            "ranks": [[k, i, r] for (k, i), r in sorted(self.barcode.ranks.items())],
            "exact": self.exact,
            "tolerance": self.tolerance,
            "backward_error": self.backward_error,
            "smallest_kept": self.smallest_kept,
            "gap": self.gap,
        }


def decompose(factors: Sequence[Any], *, tol: float | None = None, exact: bool = False) -> Decomposition:
    """Split a chain of matrices into bars: the rank of every product ``W_k ... W_{i+1}``, and a flow basis.

    In floats, pivots up to ``tol`` times the largest Frobenius norm of a factor count as zero, on one scale for all
    layers. By default ``tol`` is 1e-12, or 4 machine epsilons of the coarsest type that a factor is stored in, if that
    is more. With ``exact`` floats are the dyadic rationals that they are, and ranks and flow are those over Q.

    Parameters: ``factors``, ``W_j`` of shape d_j x d_{j-1}, from the input to the output, as arrays, torch tensors or
    lists. Errors: `InputError` for shapes that do not chain or a bad ``tol``, `WeightError` for NaN or infinity.
    Source: Bhattacharya and Shewchuk, "Factoring Matrices into Linear Neural Networks" (the rank list and the flow);
    Van Dooren (1979) for the staircase.

    >>> d = decompose([[[1.0, 0.0], [1e-15, 0.0]], [[1.0, 1.0]]])
    >>> d.barcode.bars, d.backward_error
    (((0, 0, 1), (0, 2, 1), (1, 1, 1)), 0.0)
    """
    checked = checked_factors(factors, exact=exact)
    if exact:
        if tol is not None and tol != 0:
            raise InputError(f"tol = {tol}: exact arithmetic takes no tolerance; leave it out")
        return Decomposition(checked, exact_barcode(checked), True, 0.0, 0.0, 0.0, None, None)
    if tol is None:
        tol = max(LINEAR_RANK_TOLERANCE, STORED_RANK_EPS * storage_eps(factors))
    if not 0 <= tol < float("inf"):
        raise InputError(f"tol = {tol}: expected a number of at least 0, relative to the largest norm of a factor")
    exponent = _exponent(checked)
    scaled = tuple(np.ldexp(w, -exponent) for w in checked) if exponent else checked
    cut = float(tol) * max(float(np.linalg.norm(w)) for w in scaled)
    stairs = staircase(scaled, cut)
    unit = 2.0**exponent
    dropped = max(step.dropped_pivot for step in stairs.steps)
    kept = min(step.kept for step in stairs.steps)
    return Decomposition(
        factors=checked,
        barcode=stairs.barcode,
        exact=False,
        tolerance=float(tol),
        cut=cut * unit,
        backward_error=float(np.linalg.norm([step.dropped_norm for step in stairs.steps])) * unit,
        smallest_kept=kept * unit if kept < np.inf else None,
        gap=min(kept / dropped, sys.float_info.max) if dropped > 0 and kept < np.inf else None,
        _stairs=stairs,
        _exponent=exponent,
    )


def _exponent(factors: Sequence[np.ndarray]) -> int:
    """0, or the power of two to divide by so that squares of entries neither overflow nor all vanish."""
    largest = max(float(np.abs(w).max()) for w in factors)
    power = int(np.frexp(largest)[1]) - 1
    return power if largest > 0 and abs(power) > 300 else 0
