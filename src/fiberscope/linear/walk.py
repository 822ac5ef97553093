"""A random walk in one stratum of one fiber, by the group that acts on it.

The changes of basis of all layers that leave the product alone,

    theta -> (g_j W_j g_{j-1}^{-1})_j,      g_L W = W g_0   (W = mu(theta)),

act transitively on the real stratum up to its connected components: the ranks stay whatever they are, with no rounding
decision. In bases of R^{d_0} and R^{d_L} adapted to ``W = U S V^T`` of rank r (first r directions: row space and image)
the condition reads ``g_0 = [[A, 0], [B, C]]``, ``g_L = [[S A S^{-1}, D], [0, E]]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.products import as_floats, frobenius, product, product_of_norms
from fiberscope.linear.random_point import Seed

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition

_REACH = 10.0
"""No base change of the walk has a larger condition number: it neither runs away nor nears the strata below."""


@dataclass(frozen=True, eq=False, repr=False)
class Walk:
    """``factors[l]`` of shape (steps + 1, d_{l+1}, d_l): the start and the points after every step, all in the stratum
    ``barcode``, with the same product up to ``max_product_drift`` (relative to the product of the layers' norms at the
    start; 0 where that vanishes). ``accepted`` of the steps moved; the others would have gone too far away and stay."""

    factors: list[np.ndarray]
    barcode: Barcode
    max_product_drift: float
    accepted: int

    def __repr__(self) -> str:
        return f"Walk({len(self.factors[0])} points, product drift {self.max_product_drift:.1g}, in {self.barcode!r})"

    def to_json(self) -> dict[str, Any]:
        return {
            "points": len(self.factors[0]),
            "barcode": self.barcode.to_json(),
            "max_product_drift": self.max_product_drift,
            "accepted": self.accepted,
        }


def walk(decomposition: Decomposition, steps: int, *, seed: Seed, size: float = 0.1) -> Walk:
    """Walk at random in the stratum of a point (in floats), the product kept.

    Each step multiplies every ``g_j`` by ``exp(size X)`` with X Gaussian of expected norm about 1, and stays put
    where that gives some ``g_j`` a condition number above 10. `InputError` for ``steps < 0`` or a ``size`` that is
    not positive.

    >>> from fiberscope.linear.decomposition import decompose
    >>> w = walk(decompose([[[1.0, 2.0]], [[3.0], [1.0]]]), 5, seed=0)
    >>> [f.shape for f in w.factors], w.max_product_drift < 1e-14
    ([(6, 1, 2), (6, 2, 1)], True)
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InputError(f"steps = {steps}: expected a whole number, at least 0")
    if not 0 < size < float("inf"):
        raise InputError(f"size = {size}: expected a positive number, the length of a step in the group")
    rng = np.random.default_rng(seed)
    start = as_floats(decomposition.factors)
    rank, widths = decomposition.barcode.full, decomposition.widths
    left, sizes, right = np.linalg.svd(product(start))
    group = [np.eye(d) for d in widths]  # the ends in the coordinates of the singular vectors
    points, accepted = [start], 0
    for _ in range(steps):
        proposal = [g @ h for g, h in zip(_near_identity(widths, rank, sizes[:rank], size, rng), group, strict=True)]
        if max(np.linalg.cond(g) for g in proposal) > _REACH:
            points.append(points[-1])
            continue
        group, accepted = proposal, accepted + 1
        there = [right.T @ group[0] @ right, *group[1:-1], left @ group[-1] @ left.T]
        back = [np.linalg.inv(g) for g in there]
        points.append(tuple(there[j] @ w @ back[j - 1] for j, w in enumerate(start, start=1)))
    scale = product_of_norms(start)
    drift = max(frobenius(product(p) - product(start)) for p in points)
    stacks = [np.stack([p[l] for p in points]) for l in range(len(start))]
    return Walk(stacks, decomposition.barcode, drift / scale if scale else 0.0, accepted)


def _near_identity(
    widths: tuple[int, ...], rank: int, sizes: np.ndarray, step: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """``exp(step X_j)``, the ends with ``g_L S = S g_0`` in adapted coordinates."""
    from scipy.linalg import expm

    algebra = [rng.standard_normal((d, d)) / d for d in widths]
    first, last = algebra[0], algebra[-1]
    first[:rank, rank:] = 0.0
    last[rank:, :rank] = 0.0
    ratio = np.sqrt(sizes[:, None] / sizes[None, :])
    shared = first[
        :rank, :rank
    ].copy()  # A = S^{-1/2} X S^{1/2} and S A S^{-1} = S^{1/2} X S^{-1/2}: neither end preferred
    first[:rank, :rank], last[:rank, :rank] = shared / ratio, shared * ratio
    return [expm(step * x) for x in algebra]
