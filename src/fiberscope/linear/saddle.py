"""Directions of negative curvature at a critical point of the square loss, and the exact test for their absence.
 At a critical point of ``f = 1/2 |mu - T|^2`` the rows and columns of ``G = mu - T`` are orthogonal to those of ``W =
mu`` (rank r), so W consists of r singular triples of T and G of the others, with opposite sign. There is a direction
of negative curvature iff one of these holds:
 1. rotation: the least singular value s of W is less than the largest, g, of G. Turning the one triple (u, v) towards
the
   other (p, q) in the outer matrices, ``V_L = (p u^T - u p^T) W_L``, ``V_1 = -W_1 (q v^T - v q^T)``, has the second
   derivative ``-2 s (g - s)``, where ``G q = -g p``;
2. pair: for some ``i > j``: ``rank W_{i-1~j} > r`` and ``C = W_{L~i}^T G W_{j-1~0}^T != 0``. Then ``V_i = p y^T`` and
   ``V_j = x q^T`` with ``y^T W_{i-1~j} x != 0``, ``p^T C q != 0`` and ``y^T W_{i-1~0} = 0`` or ``W_{L~j} x = 0`` (one
   of them is possible, for a bar alive from j to i-1 is not full).
 Conversely, if neither holds, ``<G, B> = sum_{i>j} <G, A_i W^+ A_j>`` with ``A_i = W_{L~i} V_i W_{i-1~0}``: terms
whose middle rank is r factor through ``W^+``, the others vanish, and so do those with ``i <= j`` since the point is
critical. In blocks along W that is ``<G_22, P S^{-1} R>`` with ``P, R`` off-diagonal blocks of ``A = sum A_i``, at
most ``(g/s) |P| |R| <= (|P|^2 + |R|^2) / 2 <= |A|^2 / 2``. So repeated or vanishing singular values of T make no
difference. (Rank conditions: Achour, Malgouyres and Gerchinovitz 2024; singular triples: Baldi and Hornik 1989,
Kawaguchi 2016.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.products import product
from fiberscope.linear.square_loss import SquareLoss

Direction = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Pair:
    """``i > j`` with ``rank W_{i-1~j} > r`` and ``C`` (d_i x d_{j-1}); ``alignment = |C|_2 / (|W_{L~i}| |G|
    |W_{j-1~0}|)``."""

    i: int
    j: int
    corner: np.ndarray
    alignment: float


def open_layers(barcode: Barcode) -> Iterator[tuple[int, int]]:
    """All ``i > j`` for which the ranks allow ``C != 0`` and ``rank W_{i-1~j}`` is more than r."""
    length, full = barcode.length, barcode.full
    for i in range(2, length + 1):
        for j in range(1, i):
            if barcode.rank(i - 1, j) > full and barcode.rank(length, i) and barcode.rank(j - 1, 0):
                yield i, j


def measured_pair(loss: SquareLoss, i: int, j: int) -> Pair:
    """The pair of layers with its corner C, in floats."""
    corner = loss.corner(i, j)
    size = math.prod(float(np.linalg.norm(m, 2)) for m in (loss.tails[i], loss.slope, loss.heads[j - 1]))
    return Pair(i, j, corner, float(np.linalg.norm(corner, 2)) / size if size else 0.0)


def pair_direction(loss: SquareLoss, barcode: Barcode, pair: Pair) -> Direction:
    """The direction of the pair, of norm 1, with the ratio of its two parts that bends the loss most."""
    i, j, top = pair.i, pair.j, barcode.length
    middle = np.eye(barcode.widths[j]) if i - 1 == j else product(loss.factors[j : i - 1])  # W_{i-1~j}
    left, _, right = np.linalg.svd(pair.corner)
    p, q = left[:, 0], right[0]
    choices: list[tuple[float, np.ndarray, np.ndarray]] = []
    unseen = np.linalg.svd(loss.heads[i - 1])[0][:, barcode.rank(i - 1, 0) :]  # y with y^T W_{i-1~0} = 0
    if barcode.rank(i - 1, j) > barcode.rank(i - 1, 0):
        u, sizes, v = np.linalg.svd(unseen.T @ middle)
        choices.append((float(sizes[0]), unseen @ u[:, 0], v[0]))
    dead = np.linalg.svd(loss.tails[j])[2][barcode.rank(top, j) :].T  # x with W_{L~j} x = 0
    if barcode.rank(i - 1, j) > barcode.rank(top, j):
        u, sizes, v = np.linalg.svd(middle @ dead)
        choices.append((float(sizes[0]), u[:, 0], dead @ v[0]))
    _, y, x = max(choices, key=lambda choice: choice[0])
    first, second = np.outer(p, y), -np.outer(x, q)
    zero = [np.zeros_like(w) for w in loss.factors]
    one, other = list(zero), list(zero)
    one[i - 1], other[j - 1] = first, second
    both = [a + b for a, b in zip(one, other, strict=True)]
    # the quadratic form on the plane of the two directions, and its lowest axis
    a, b = float(loss.curvature(one)), float(loss.curvature(other))
    cross = (float(loss.curvature(both)) - a - b) / 2
    c, s = np.linalg.eigh(np.array([[a, cross], [cross, b]]))[1][:, 0]
    return [c * v + s * u for v, u in zip(one, other, strict=True)]


def rotation_direction(loss: SquareLoss, rank: int) -> Direction:
    """The rotation of the least triple of W towards the largest of -G, of norm 1; at least two layers, 0 < r."""
    w_left, _, w_right = np.linalg.svd(loss.product)
    g_left, _, g_right = np.linalg.svd(-loss.slope)
    u, v, p, q = w_left[:, rank - 1], w_right[rank - 1], g_left[:, 0], g_right[0]
    out = [np.zeros_like(f) for f in loss.factors]
    out[-1] = (np.outer(p, u) - np.outer(u, p)) @ loss.factors[-1]
    out[0] = -loss.factors[0] @ (np.outer(q, v) - np.outer(v, q))
    size = math.hypot(*(float(np.linalg.norm(part)) for part in out))
    return [part / size for part in out]


def steepest(loss: SquareLoss, barcode: Barcode, pairs: Sequence[Pair], turns: bool) -> Direction:
    """Of the directions that the test offers, the one of most negative curvature; ``turns``: the rotation is one."""
    found = [pair_direction(loss, barcode, pair) for pair in pairs]
    if turns:
        found.append(rotation_direction(loss, barcode.full))
    return min(found, key=lambda v: float(loss.curvature(v)))
