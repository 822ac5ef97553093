"""Critical points of the square loss of a linear network: pure or spurious, strict or not, and a way down.

For ``f(theta) = 1/2 |W_L .. W_1 - T|^2``, ``G = mu(theta) - T``, ``r = rank mu(theta)``:

    critical   W_{L~j}^T G W_{j-1~0}^T = 0 for all j
    pure       W = mu(theta) is critical for 1/2 |W - T|^2 on the matrices of rank <= min d: r = min d, or G = 0
    spurious   critical for the parameters only; never a local minimum (Trager, Kohn and Bruna 2020)
    strict     the Hessian has a negative eigenvalue (`saddle` has the exact test, valid for any T)
    non-strict no negative eigenvalue, yet no local minimum: r < min d and G != 0
    none       no saddle: a global minimum (a local minimum that is none does not exist)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.decomposition import Decomposition, decompose
from fiberscope.linear.escape import higher_order_escape, step_down
from fiberscope.linear.exact import is_exact
from fiberscope.linear.factors import checked_factors
from fiberscope.linear.flow import Flow
from fiberscope.linear.products import as_float, as_floats
from fiberscope.linear.saddle_verdict import (
    Kind,
    Saddle,
    SaddleVerdict,
    exact_verdict,
    float_verdict,
    gradient_norm,
    in_floats,
)
from fiberscope.linear.square_loss import SquareLoss
from fiberscope.linear.step import with_duals
from fiberscope.numerics.tolerance import CRITICAL_TOLERANCE, MAX_EXACT_CRITICAL


@dataclass(frozen=True, eq=False, repr=False)
class CriticalPoint:
    """What kind of critical point a point is for the square loss.

    ``kind`` and ``saddle`` are None where it is not critical. They are also None where floats cannot tell; then
    ``undecided`` says what is too close to call. ``escape``: float64 arrays shaped as the factors; at ``theta +
    escape`` the loss is lower by ``decrease``. At a strict saddle it points along a direction of negative curvature,
    whose second derivative per unit of length is ``curvature``; at a non-strict one it is of higher order, and small
    multiples of it may rise first where no straight line goes down. None at a minimum. ``exact``: the verdict was
    reached in rational arithmetic. Otherwise it is about the nearest point with the barcode that `decompose` found,
    ``backward_error`` away, and quantities up to ``tolerance`` of their natural size count as zero.
    """

    critical: bool
    kind: Kind | None
    saddle: Saddle | None
    loss: float
    gradient_norm: float
    escape: list[np.ndarray] | None
    decrease: float
    curvature: float | None
    rank: int
    undecided: str | None
    exact: bool
    backward_error: float
    tolerance: float

    def __repr__(self) -> str:
        if not self.critical:
            return f"CriticalPoint(not critical: gradient norm {self.gradient_norm:.3g}, loss {self.loss:.6g})"
        what = {"none": "global minimum", None: f"undecided: {self.undecided}"}.get(
            self.saddle, f"{self.saddle} saddle"
        )
        return f"CriticalPoint({self.kind}, {what}, rank {self.rank}, loss {self.loss:.6g})"

    def to_json(self) -> dict[str, Any]:
        """All but the escape direction."""
        names = ("critical", "kind", "saddle", "loss", "gradient_norm", "decrease", "curvature", "rank", "undecided")
        more = ("exact", "backward_error", "tolerance")
        return {name: getattr(self, name) for name in names + more}


def critical(factors: Sequence[Any], target: Any, tol: float | None = None, exact: bool = False) -> CriticalPoint:
    """Tell the kind of critical point of ``1/2 |W_L .. W_1 - T|_F^2`` that the factors are.

    ``target`` is T (d_L x d_0). With ``exact`` all tests are rational and decide every case. In floats, ``tol`` is
    the rank tolerance of `decompose` and what counts as zero relative to its natural size (default: 1e-12 and 1e-9);
    where that leaves the answer open, a point whose gradient is exactly 0 is decided exactly. `InputError` for a
    target of the wrong shape, `WeightError` for NaN or infinity.

    >>> critical([[[0.0]], [[0.0]]], [[1.0]])
    CriticalPoint(spurious, strict saddle, rank 0, loss 0.5)
    >>> critical([[[0.0]], [[0.0]], [[0.0]]], [[1.0]], exact=True)
    CriticalPoint(spurious, non-strict saddle, rank 0, loss 0.5)
    """
    checked = checked_factors(factors, exact=exact)
    (goal,) = checked_factors([target], exact=exact)
    shape = (checked[-1].shape[0], checked[0].shape[1])
    if goal.shape != shape:
        raise InputError(
            f"target: its shape is {goal.shape}, expected {shape}, the shape of the product of the factors"
        )
    if exact:
        if tol is not None:
            raise InputError(f"tol = {tol}: exact arithmetic takes no tolerance; leave it out")
        there, loss = decompose(checked, exact=True), SquareLoss(checked, goal)
        return _result(there, loss, exact_verdict(loss, there.barcode), 0.0)
    here = decompose(factors, tol=tol)
    zero = CRITICAL_TOLERANCE if tol is None else float(tol)
    verdict = float_verdict(SquareLoss(here.nearest, goal), here.barcode, zero)
    if verdict.undecided and sum(w.size for w in checked) <= MAX_EXACT_CRITICAL:
        loss = SquareLoss(checked_factors(checked, exact=True), checked_factors([goal], exact=True)[0])
        if not any(g.any() for g in loss.gradient):
            there = decompose(loss.factors, exact=True)
            if there.barcode == here.barcode:
                return _result(there, loss, exact_verdict(loss, there.barcode), 0.0)
    return _result(here, SquareLoss(here.factors, goal), verdict, zero)


def _result(here: Decomposition, loss: SquareLoss, verdict: SaddleVerdict, tol: float) -> CriticalPoint:
    """The verdict with a step down, searched in floats; its curvature and decrease are those at the factors as
    given."""
    rough = in_floats(loss)
    exact = is_exact(loss.target)
    escape = curvature = None
    if rough is not None and verdict.direction is not None:
        bend = loss.curvature(checked_factors(verdict.direction, exact=exact))
        curvature = as_float(bend) if bend < 0 else None
        escape = step_down(rough, verdict.direction, max(float(np.linalg.norm(w)) for w in rough.factors) or 1.0)
    elif rough is not None and verdict.saddle == "non-strict":
        curvature = 0.0
        escape = higher_order_escape(_float_flow(here.flow), rough)
    decrease = 0.0
    if escape is not None:
        gain = loss.decrease(checked_factors(escape, exact=exact))
        escape, decrease = (escape, as_float(gain)) if gain > 0 else (None, 0.0)
    return CriticalPoint(
        critical=verdict.critical,
        kind=verdict.kind,
        saddle=verdict.saddle,
        loss=as_float(loss.value),
        gradient_norm=gradient_norm(loss),
        escape=escape,
        decrease=decrease,
        curvature=curvature,
        rank=here.barcode.full,
        undecided=verdict.undecided,
        exact=exact,
        backward_error=here.backward_error,
        tolerance=tol,
    )


def _float_flow(flow: Flow) -> Flow:
    if not is_exact(flow.bases[0]):
        return flow
    return with_duals(flow.bars, flow.columns, as_floats(flow.bases), as_floats(flow.duals))
