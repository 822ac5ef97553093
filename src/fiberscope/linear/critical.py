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

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.decomposition import Decomposition, decompose
from fiberscope.linear.escape import higher_order_escape, step_down
from fiberscope.linear.exact import is_exact
from fiberscope.linear.factors import checked_factors
from fiberscope.linear.flow import Flow
from fiberscope.linear.products import as_floats, frobenius
from fiberscope.linear.saddle import Pair, pair_direction, pairs, rotation_direction
from fiberscope.linear.singular_order import compare_least_with_largest
from fiberscope.linear.square_loss import SquareLoss
from fiberscope.numerics.tolerance import CRITICAL_TOLERANCE, CRITICAL_UNSURE, EVALUATION_NOISE, MAX_EXACT_CRITICAL

Saddle = Literal["strict", "non-strict", "none"]


@dataclass(frozen=True, eq=False, repr=False)
class CriticalPoint:
    """What kind of critical point a point is for the square loss.

    ``kind`` and ``saddle`` are None where it is not critical. ``saddle`` is also None where floats cannot tell; then
    ``undecided`` says what is too close to call. ``escape``: float64 arrays shaped as the factors; at ``theta +
    escape`` the loss is lower by ``decrease``. At a strict saddle it points along a direction of negative curvature,
    whose second derivative per unit of length is ``curvature``; at a non-strict one it is of higher order. None at a
    minimum. ``exact``: the verdict was reached in rational arithmetic. Otherwise it is about the nearest point with
    the barcode that `decompose` found, ``backward_error`` away, and quantities up to ``tolerance`` of their natural
    size count as zero.
    """

    critical: bool
    kind: Literal["pure", "spurious"] | None
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
    a point whose gradient is exactly 0 is decided exactly also then. `InputError` for a target of the wrong shape,
    `WeightError` for NaN or infinity.

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
        return _exactly(decompose(factors, exact=True), goal)
    here = decompose(factors, tol=tol)
    verdict = _inas_floats(here, goal, CRITICAL_TOLERANCE if tol is None else tol)
    if verdict.undecided and sum(w.size for w in checked) <= MAX_EXACT_CRITICAL:
        rational = SquareLoss(checked_factors(checked, exact=True), checked_factors([goal], exact=True)[0])
        if not any(g.any() for g in rational.gradient):
            there = decompose(rational.factors, exact=True)
            if there.barcode == here.barcode:
                return _exactly(there, rational.target)
    return verdict


def _gradient_norm(loss: SquareLoss) -> float:
    return math.hypot(*(frobenius(g) for g in loss.gradient))


def _exactly(here: Decomposition, goal: np.ndarray) -> CriticalPoint:
    loss = SquareLoss(here.factors, goal)
    if any(g.any() for g in loss.gradient):
        return _verdict(here, loss, False)
    barcode = here.barcode
    rank, least_width = barcode.full, min(barcode.widths)
    if not loss.slope.any():
        return _verdict(here, loss, True, "pure", "none")
    kind: Literal["pure", "spurious"] = "pure" if rank == least_width else "spurious"
    rough = SquareLoss(as_floats(here.factors), as_floats([goal])[0])
    open_pairs = [p for p in pairs(rough, barcode) if loss.corner(p.i, p.j).any()]
    turns = rank > 0 and compare_least_with_largest(loss.product, loss.slope) < 0
    if open_pairs or turns:
        return _verdict(here, loss, True, kind, "strict", _steepest(rough, barcode, open_pairs, turns))
    return _verdict(here, loss, True, kind, "none" if kind == "pure" else "non-strict")


def _inas_floats(here: Decomposition, goal: np.ndarray, tol: float) -> CriticalPoint:
    loss = SquareLoss(here.nearest, goal)
    norms = [float(np.linalg.norm(w, 2)) for w in here.nearest]
    others = max(math.prod(norms[:j] + norms[j + 1 :]) for j in range(len(norms)))
    rounding = 8 * len(norms) * max(here.widths) * 2.0**-52 * math.prod(norms) + here.backward_error * others
    zero = tol * float(np.linalg.norm(loss.product, 2) + np.linalg.norm(goal, 2)) + rounding
    if _gradient_norm(loss) > zero * others:
        return _verdict(here, loss, False, tol=tol)
    barcode = here.barcode
    rank = barcode.full
    gap = float(np.linalg.norm(loss.slope, 2))
    kind: Literal["pure", "spurious"] = "pure" if rank == min(barcode.widths) or gap <= zero else "spurious"
    if gap <= zero:
        return _verdict(here, loss, True, kind, "none", tol=tol)
    if gap <= CRITICAL_UNSURE * zero:
        why = f"|W - T| = {gap:.2g} is too near to 0 ({zero:.2g} counts as 0)"
        return _verdict(here, loss, True, kind if kind == "pure" else None, None, undecided=why, tol=tol)
    allowed = list(pairs(loss, barcode))
    open_pairs = [p for p in allowed if p.alignment > CRITICAL_UNSURE * tol]
    least = float(np.linalg.svd(loss.product, compute_uv=False)[rank - 1]) if rank else math.inf
    turns = gap - least > tol * gap
    if open_pairs or turns:
        direction = _steepest(loss, barcode, open_pairs, turns)
        bend = loss.curvature(direction)
        if bend < -EVALUATION_NOISE * _natural_curvature(norms, gap):
            return _verdict(here, loss, True, kind, "strict", direction, tol=tol)
        why = f"the second derivative along the best direction is {bend:.2g}, too near to 0"
        return _verdict(here, loss, True, kind, None, undecided=why, tol=tol)
    unsure = max((p.alignment for p in allowed), default=0.0)
    if unsure > tol:
        why = f"an alignment is {unsure:.2g}, between 0 ({tol:.2g}) and not 0 ({CRITICAL_UNSURE * tol:.2g})"
        return _verdict(here, loss, True, kind, None, undecided=why, tol=tol)
    if least - gap <= tol * gap:
        why = f"the least singular value of W, {least:.9g}, and the largest of W - T agree up to {abs(least - gap):.2g}"
        return _verdict(here, loss, True, kind, None, undecided=why, tol=tol)
    return _verdict(here, loss, True, kind, "none" if kind == "pure" else "non-strict", tol=tol)


def _natural_curvature(norms: list[float], gap: float) -> float:
    """``max_j (prod_{l != j} |W_l|)^2 + |G| max_{i != j} prod_{l != i, j} |W_l|``: what second derivatives are made
    of."""
    one = max(math.prod(norms[:j] + norms[j + 1 :]) for j in range(len(norms)))
    two = max(
        (math.prod(n for l, n in enumerate(norms) if l not in (i, j)) for i in range(len(norms)) for j in range(i)),
        default=0.0,
    )
    return one**2 + gap * two


def _steepest(loss: SquareLoss, barcode: Barcode, open_pairs: list[Pair], turns: bool) -> list[np.ndarray]:
    """Of the directions that the test offers, the one of most negative curvature."""
    found = [pair_direction(loss, barcode, pair) for pair in open_pairs]
    if turns:
        found.append(rotation_direction(loss, barcode.full))
    return min(found, key=lambda v: float(loss.curvature(v)))


def _verdict(
    here: Decomposition,
    loss: SquareLoss,
    is_critical: bool,
    kind: Literal["pure", "spurious"] | None = None,
    saddle: Saddle | None = None,
    direction: list[np.ndarray] | None = None,
    undecided: str | None = None,
    tol: float = 0.0,
) -> CriticalPoint:
    """The result, with a step down searched in floats and its decrease evaluated at the factors as given."""
    given = SquareLoss(here.factors, loss.target)
    rough = SquareLoss(as_floats(here.factors), as_floats([loss.target])[0])
    escape = curvature = None
    if saddle == "strict" and direction is not None:
        escape = step_down(rough, direction, max(float(np.linalg.norm(w)) for w in rough.factors) or 1.0)
        curvature = float(rough.curvature(direction))
    elif saddle == "non-strict":
        escape, curvature = higher_order_escape(_float_flow(here.flow), rough), 0.0
    decrease = 0.0
    if escape is not None:
        decrease = _as_float(given.decrease(checked_factors(escape, exact=is_exact(given.slope))))
        if not decrease > 0:
            escape, decrease = None, 0.0
    value, gradient_norm = _as_float(given.value), _gradient_norm(given)
    return CriticalPoint(
        is_critical,
        kind,
        saddle,
        value,
        gradient_norm,
        escape,
        decrease,
        curvature,
        here.barcode.full,
        undecided,
        here.exact,
        here.backward_error,
        tol,
    )


def _as_float(value: Any) -> float:
    from fiberscope.numerics.exact import fraction

    return float(fraction(value)) if hasattr(value, "p") else float(value)


def _float_flow(flow: Flow) -> Flow:
    if not is_exact(flow.bases[0]):
        return flow
    out = Flow(flow.bars, flow.columns, as_floats(flow.bases))
    out.__dict__["duals"] = as_floats(flow.duals)
    return out
