"""A path between any two points of a fiber, or the sign that forbids it.

Both points shrink to minimal points along straight segments (`minimal_point`); those are joined by paths of base
changes of the hidden layers (`base_change`). The fiber of W, rank r, over the reals has ``2^b`` connected components,
b = number of hidden layers of width r (Trager, Kohn and Bruna, "Pure and Spurious Critical Points", 2020): at such a
layer ``X_j = W_j ... W_1 X_0`` is square and invertible, and the sign of its determinant cannot change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.base_change import connecting_matrix, group_path
from fiberscope.linear.decomposition import decompose
from fiberscope.linear.factors import checked_factors, storage_eps
from fiberscope.linear.minimal_point import MinimalPoint, minimal_point
from fiberscope.linear.products import distance, frobenius, product, product_of_norms
from fiberscope.numerics.tolerance import LINEAR_RANK_TOLERANCE, PRODUCTS_AGREE, STORED_RANK_EPS

Point = tuple[np.ndarray, ...]
_SAMPLES = 33


@dataclass(frozen=True, repr=False)
class FiberPath:
    """Whether two points are joined, and the polyline that joins them.

    ``factors[l]`` has shape (N, d_{l+1}, d_l): N points, the first and last those given, all with the same product up
    to ``max_product_drift``, relative to the larger product of the layers' Frobenius norms at the two ends (0 when
    that is 0). Where ``connected`` is False, ``factors`` is empty and ``obstruction`` names the hidden layers whose
    sign differs. ``rank`` is the rank of the product that the answer rests on; ``gap`` the last singular value kept
    over the first one dropped or, if none was, over the size of rounding (None if the rank is 0).
    """

    connected: bool
    factors: list[np.ndarray]
    max_product_drift: float
    obstruction: tuple[int, ...]
    rank: int
    gap: float | None
    longest_step: float

    def __repr__(self) -> str:
        if not self.connected:
            layers = ", ".join(map(str, self.obstruction))
            return f"FiberPath(not connected: the determinant's sign differs at hidden layer {layers})"
        return f"FiberPath({len(self.factors[0])} points, product drift {self.max_product_drift:.1g})"

    def to_json(self) -> dict[str, Any]:
        return {
            "connected": self.connected,
            "points": len(self.factors[0]) if self.connected else 0,
            "max_product_drift": self.max_product_drift,
            "obstruction": list(self.obstruction),
            "rank": self.rank,
            "gap": self.gap,
            "longest_step": self.longest_step,
        }


def path(a: Sequence[Any], b: Sequence[Any], steps: int = 100, *, tol: float | None = None) -> FiberPath:
    """Join two points of one fiber by ``steps`` points, or say which signs forbid it.

    The largest distance of neighbours goes to 0 like 1/steps. ``tol`` (default 1e-12) is what counts
    as zero when ranks are taken, relative to the norm of each layer. Errors:
    `InputError` for different shapes, for products that differ by more than 1e-9 of their size (plus rounding), for
    fewer than 2 points, and where the answer hangs on a rank that float64 cannot tell.

    >>> p = path([[[1.0]], [[2.0]]], [[[4.0]], [[0.5]]], 5)
    >>> p.connected, p.factors[0][:, 0, 0].tolist()[0], p.factors[0][:, 0, 0].tolist()[-1]
    (True, 1.0, 4.0)
    >>> path([[[1.0]], [[2.0]]], [[[-1.0]], [[-2.0]]], 5).obstruction
    (1,)
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 2:
        raise InputError(f"steps = {steps}: expected a whole number of points, at least 2 (both ends)")
    start, end = checked_factors(a), checked_factors(b)
    if [w.shape for w in start] != [w.shape for w in end]:
        shapes = [" ".join("x".join(map(str, w.shape)) for w in point) for point in (start, end)]
        raise InputError(f"path: the factors are {shapes[0]} and {shapes[1]}; expected the same shapes for both points")
    eps = max(storage_eps(a), storage_eps(b))
    tol = max(LINEAR_RANK_TOLERANCE, STORED_RANK_EPS * eps) if tol is None else tol
    one, two = decompose(_normalised(start), tol=tol), decompose(_normalised(end), tol=tol)
    rounding = max(_rounding(start, eps), _rounding(end, eps))
    w, difference = _common_product(start, end, rounding)
    left, sizes, right = np.linalg.svd(w, full_matrices=False)
    dropped = max(d.backward_error * _spectral(p) for d, p in ((one, start), (two, end))) * math.sqrt(len(start))
    noise = difference + rounding + dropped
    rank = int((sizes > noise).sum())
    _check_rank(rank, one.widths, (one.rank, two.rank))
    gap = _gap(sizes, rank, noise)
    frame = left[:, :rank], sizes[:rank], right[:rank]
    low, high = minimal_point(start, *frame), minimal_point(end, *frame)
    hidden = range(1, len(start))
    changes = {j: connecting_matrix(low, high, j) for j in hidden} if rank else {}
    missing = tuple(j for j in hidden if rank and changes[j] is None)
    if missing:
        return FiberPath(False, [], 0.0, missing, rank, gap, 0.0)
    groups = {j: group_path(g) for j, g in changes.items() if g is not None}
    bottom, top = low.factors, high.factors
    legs: list[Callable[[float], Point]] = [
        lambda t: _mix(start, bottom, t),
        lambda t: _moved(low, groups, t),
        lambda t: _mix(top, end, t),
    ]
    still = all((x == y).all() for x, y in zip(start, end, strict=True))
    points = [start] * steps if still else [start, *_sample(legs, steps)[1:-1], end]
    drift = max(frobenius(product(p) - w) for p in points)
    scale = max(product_of_norms(start), product_of_norms(end))
    return FiberPath(
        True,
        [np.stack([p[l] for p in points]) for l in range(len(start))],
        drift / scale if scale else 0.0,
        (),
        rank,
        gap,
        max(distance(p, q) for p, q in pairwise(points)),
    )


def _common_product(a: Point, b: Point, rounding: float) -> tuple[np.ndarray, float]:
    """``mu(a)`` and the largest singular value of ``mu(a) - mu(b)``; `InputError` if they differ."""
    w, other = product(a), product(b)
    difference = float(np.linalg.norm(w - other))
    size = max(frobenius(w), frobenius(other))
    if not difference <= PRODUCTS_AGREE * size + rounding:
        relative = difference / size if size else math.inf
        raise InputError(f"path: the products of the two points differ by {relative:.2g} of their size; expected none")
    return w, float(np.linalg.norm(w - other, 2))


def _normalised(point: Point) -> Point:
    """Every layer at spectral norm 1: one scale for all, whatever the units of the layers; ranks do not change."""
    norms = [float(np.linalg.norm(w, 2)) for w in point]
    return tuple(w / n if n > 0 else w for w, n in zip(point, norms, strict=True))


def _spectral(point: Point) -> float:
    """``prod_l |W_l|_2``."""
    return math.prod(float(np.linalg.norm(w, 2)) for w in point)


def _rounding(point: Point, eps: float) -> float:
    """What rounding of the stored weights and of their product may add to the product: ``4 L sqrt(d) eps prod
    |W_l|_2``."""
    widest = max(max(w.shape) for w in point)
    return 4 * len(point) * math.sqrt(widest) * eps * _spectral(point)


def _check_rank(rank: int, widths: tuple[int, ...], seen: tuple[int, int]) -> None:
    """`InputError` if the hidden bottlenecks depend on whose rank is right, the product's or that of the pivots."""
    for other in seen:
        if any(d in (rank, other) for d in widths[1:-1]) and other != rank:
            raise InputError(
                f"path: the product's rank is {rank} by its singular values above rounding, {other} by the pivots of "
                "the factors; a hidden layer is as narrow as one of these, so that the sign cannot be told; give tol"
            )


def _gap(sizes: np.ndarray, rank: int, noise: float) -> float | None:
    if not rank:
        return None
    below = max(float(sizes[rank]) if rank < len(sizes) else 0.0, noise)
    return float(sizes[rank - 1]) / below if below else math.inf


def _mix(a: Point, b: Point, t: float) -> Point:
    """``(1 - t) a + t b``."""
    return tuple((1 - t) * x + t * y for x, y in zip(a, b, strict=True))


def _moved(point: MinimalPoint, groups: dict[int, Any], s: float) -> Point:
    """The minimal point after the base changes ``g_j(s)``: ``W_j = g_j X_j Y_{j-1} g_{j-1}^{-1}``."""
    columns, rows = list(point.columns), list(point.rows)
    for j, group in groups.items():
        columns[j] = group.apply(s, columns[j])
        rows[j] = group.apply_inverse(s, rows[j])
    return tuple(x @ y for x, y in zip(columns[1:], rows, strict=False))


def _sample(legs: list[Callable[[float], Point]], count: int) -> list[Point]:
    """``count`` points spread evenly by length over the legs laid end to end (lengths measured at 33 places each)."""
    marks = np.linspace(0.0, 1.0, _SAMPLES)
    lengths = [0.0]
    where: list[float] = [0.0]
    for number, leg in enumerate(legs):
        before = leg(0.0)
        for t in marks[1:].tolist():
            here = leg(t)
            lengths.append(lengths[-1] + distance(before, here))
            where.append(number + t)
            before = here
    if lengths[-1] == 0.0:
        return [legs[0](0.0)] * count
    places = np.interp(np.linspace(0.0, lengths[-1], count), lengths, where)
    return [legs[min(int(u), len(legs) - 1)](u - min(int(u), len(legs) - 1)) for u in places.tolist()]
