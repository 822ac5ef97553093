"""The verdict on a point of the square loss: critical or not, pure or spurious, strict or not; exact, or with a
tolerance.
 Every decision is one of five: is the gradient 0, is ``G = mu - T`` 0, is a corner ``C`` 0, is the least singular
value of W below the largest of G, and the ranks. In rationals each is decided; in floats each is compared with what
counts as zero, and what is neither zero nor plainly more is reported as undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.products import as_floats, frobenius
from fiberscope.linear.saddle import Direction, measured_pair, open_layers, steepest
from fiberscope.linear.singular_order import compare_least_with_largest
from fiberscope.linear.square_loss import SquareLoss
from fiberscope.numerics.tolerance import CRITICAL_UNSURE, EVALUATION_NOISE

_LARGE = 1e100  # the loss squares products of this size; far below the largest float64

Kind = Literal["pure", "spurious"]
Saddle = Literal["strict", "non-strict", "none"]


@dataclass(frozen=True, eq=False)
class SaddleVerdict:
    """What was found; ``direction`` (norm 1, floats) has negative curvature where ``saddle`` is strict."""

    critical: bool
    kind: Kind | None = None
    saddle: Saddle | None = None
    direction: Direction | None = None
    undecided: str | None = None


def exact_verdict(loss: SquareLoss, barcode: Barcode) -> SaddleVerdict:
    """For rational factors and target; always decided."""
    if any(g.any() for g in loss.gradient):
        return SaddleVerdict(False)
    if not loss.slope.any():
        return SaddleVerdict(True, "pure", "none")
    kind: Kind = "pure" if barcode.full == min(barcode.widths) else "spurious"
    layers = [(i, j) for i, j in open_layers(barcode) if loss.corner(i, j).any()]
    turns = barcode.full > 0 and compare_least_with_largest(loss.product, loss.slope) < 0
    if not layers and not turns:
        return SaddleVerdict(True, kind, "none" if kind == "pure" else "non-strict")
    rough = in_floats(loss)
    if rough is None:
        return SaddleVerdict(True, kind, "strict")
    found = [measured_pair(rough, i, j) for i, j in layers]
    return SaddleVerdict(True, kind, "strict", steepest(rough, barcode, found, turns))


def float_verdict(loss: SquareLoss, barcode: Barcode, tol: float) -> SaddleVerdict:
    """For floats whose ranks are those of ``barcode``: ``tol`` times the natural size of a quantity counts as zero."""
    norms = [float(np.linalg.norm(w, 2)) for w in loss.factors]
    others = max(math.prod(norms[:j] + norms[j + 1 :]) for j in range(len(norms)))
    rounding = 8 * len(norms) * max(barcode.widths) * 2.0**-52 * math.prod(norms)
    zero = tol * float(np.linalg.norm(loss.product, 2) + np.linalg.norm(loss.target, 2)) + rounding
    if not gradient_norm(loss) <= zero * others:
        return SaddleVerdict(False)
    gap = float(np.linalg.norm(loss.slope, 2))
    if gap <= zero:
        return SaddleVerdict(True, "pure", "none")
    kind: Kind = "pure" if barcode.full == min(barcode.widths) else "spurious"
    if gap <= CRITICAL_UNSURE * zero:
        why = f"|W - T| = {gap:.2g} is too near to 0 ({zero:.2g} counts as 0)"
        return SaddleVerdict(True, kind if kind == "pure" else None, undecided=why)
    return _with_gap(loss, barcode, tol, kind, gap, EVALUATION_NOISE * _natural_curvature(norms, gap))


def _with_gap(loss: SquareLoss, barcode: Barcode, tol: float, kind: Kind, gap: float, flat: float) -> SaddleVerdict:
    """The verdict where W is not T, ``gap = |G|_2``; curvatures down to ``-flat`` may be rounding."""
    allowed = [measured_pair(loss, i, j) for i, j in open_layers(barcode)]
    plain = [pair for pair in allowed if pair.alignment > CRITICAL_UNSURE * tol]
    sizes = np.linalg.svd(loss.product, compute_uv=False)
    least = float(sizes[barcode.full - 1]) if barcode.full else math.inf
    turns = gap - least > tol * gap
    if plain or turns:
        direction = steepest(loss, barcode, plain, turns)
        bend = loss.curvature(direction)
        if bend < -flat:
            return SaddleVerdict(True, kind, "strict", direction)
        return SaddleVerdict(True, kind, undecided=f"the best direction has the second derivative {bend:.2g}, near 0")
    unsure = max((pair.alignment for pair in allowed), default=0.0)
    if unsure > tol:
        why = f"an alignment is {unsure:.2g}, between 0 ({tol:.2g}) and not 0 ({CRITICAL_UNSURE * tol:.2g})"
        return SaddleVerdict(True, kind, undecided=why)
    if least - gap <= tol * gap:
        why = f"the least singular value of W, {least:.9g}, and the largest of W - T agree up to {abs(least - gap):.2g}"
        return SaddleVerdict(True, kind, undecided=why)
    return SaddleVerdict(True, kind, "none" if kind == "pure" else "non-strict")


def in_floats(loss: SquareLoss) -> SquareLoss | None:
    """The loss at the nearest floats; None for rationals so large that floats could not multiply them."""
    factors, (target,) = as_floats(loss.factors), as_floats([loss.target])
    sizes = [float(np.abs(m).max()) for m in (*factors, target)]
    return SquareLoss(factors, target) if math.prod(max(s, 1.0) for s in sizes) < _LARGE else None


def gradient_norm(loss: SquareLoss) -> float:
    """``|grad f|`` over all layers, a float also for rationals."""
    return math.hypot(*(frobenius(g) for g in loss.gradient))


def _natural_curvature(norms: list[float], gap: float) -> float:
    """What second derivatives are made of: ``max_j (prod_{l != j} |W_l|)^2 + |G| max_{i != j} prod_{l != i, j}
    |W_l|``."""
    one = max(math.prod(norms[:j] + norms[j + 1 :]) for j in range(len(norms)))
    two = max(
        (math.prod(n for l, n in enumerate(norms) if l not in (i, j)) for i in range(len(norms)) for j in range(i)),
        default=0.0,
    )
    return one**2 + gap * two
