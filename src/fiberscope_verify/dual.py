"""Bounds of hidden units from given multipliers: weak duality for the triangle relaxation of a chain of ReLUs.

A leaf is a box and, for some hidden units, a side: z <= 0 or z >= 0; the domain may be cut by rows A x <= b. There the
affine form of the last activations is bounded above by going back: a unit that bends lies below its chord, and above
alpha z for every alpha between its slope and 1; a unit on a known side gives beta |z| >= 0, the rows give
mu (b - A x) >= 0. What is left is affine in the inputs. Any multipliers in their ranges give a true bound; the best
give the value of the linear program (Wong and Kolter 2018; Wang et al. 2021, arXiv 2103.06624, for beta).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .bound import CHUNK, TINY, floats, leaves, outward, upper_end
from .chain import Chain
from .report import need
from .stable import Ends, middle, relax, slope

MOST_NUMBERS = 1 << 24
"""Forms of this many numbers are held at once."""


@dataclass(frozen=True)
class Rows:
    """The linear constraints of a domain: A x <= b, shapes [R, n] and [R]; R may be 0."""

    a: np.ndarray
    b: np.ndarray


@dataclass(frozen=True)
class Leaves:
    """N boxes ``lo, hi`` [N, n] and sides [N, H] of the hidden units of all earlier layers: 1, -1, or 0 for either."""

    lo: np.ndarray
    hi: np.ndarray
    sides: np.ndarray


def branches(lo: np.ndarray, hi: np.ndarray, hidden: int, axis, at, left, right) -> Leaves:
    """The leaves of a tree that cuts inputs and signs of hidden units.

    The sign of unit j is one more coordinate, ``n + j``, between -1 and 1: a cut at 0 separates its two sides.
    """
    need(len(axis) * (len(lo) + hidden) <= MOST_NUMBERS * 8, "the tree is too large")
    one = np.ones(hidden)
    low, high = leaves(np.concatenate([lo, -one]), np.concatenate([hi, one]), axis, at, left, right)
    n = len(lo)
    sides = np.where(low[:, n:] >= 0, 1, np.where(high[:, n:] <= 0, -1, 0))
    return Leaves(low[:, :n], high[:, :n], sides)


def least(
    chain: Chain,
    layer: int,
    units: np.ndarray,
    signs: np.ndarray,
    status: list[np.ndarray],
    ends: Ends,
    found: Leaves,
    rows: Rows,
    multipliers: np.ndarray,
    mu: np.ndarray,
) -> np.ndarray:
    """Rigorous lower bounds [N, m] of ``signs * z`` for m units of a hidden layer, on N leaves.

    ``multipliers`` [N, m, H] holds alpha of the units that bend and beta of those on a known side, ``mu`` [N, m, R].
    Reject unless 0 <= alpha <= 1, beta >= 0, mu >= 0.
    """
    widths = [len(b) for _, b in floats(chain)[:layer]]
    need(multipliers.shape == (len(found.lo), len(units), sum(widths)), "the multipliers have the wrong size")
    need(mu.shape == (len(found.lo), len(units), len(rows.b)), "the multipliers of the rows have the wrong size")
    need(bool(np.all(multipliers >= 0) and np.all(mu >= 0)), "a multiplier is negative")
    need(bool(np.all((multipliers <= 1) | (found.sides != 0)[:, None])), "the slope of a line is above 1")
    w, b = (v[units] for v in floats(chain)[layer])
    w, b = -signs[:, None] * w, -signs * b
    at = np.cumsum([0, *widths])
    out = np.empty((len(found.lo), len(units)))
    step = max(1, min(CHUNK, MOST_NUMBERS // (len(units) * max(chain.n_in, w.shape[1], *widths, 1))))
    with np.errstate(all="ignore"):
        for first in range(0, len(out), step):
            part = slice(first, first + step)
            mid, rad = middle(found.lo[part], found.hi[part])
            here = [found.sides[part, s:t] for s, t in pairwise(at)]
            near = [narrowed(*pair) for pair in zip(ends, here, strict=True)]
            relaxed, reach, _ = relax(chain, layer, status, mid, rad, near)
            shape = (len(mid), *w.shape)
            form, c = np.broadcast_to(w, shape), np.broadcast_to(b, shape[:2])
            lines = [multipliers[part, :, s:t] for s, t in pairwise(at)]
            form, c = backward(chain, form, c, relaxed, reach, here, lines)
            upper = highest(form, c, mid, rad, rows, mu[part])
            lost = ~np.all([np.isfinite(r).all(axis=1) for r in reach], axis=0)
            out[part] = np.where(np.isfinite(upper) & ~lost[:, None], -upper, -np.inf)
    return out


def narrowed(ends: tuple[np.ndarray, np.ndarray], sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of a layer [1, width] and the sides of a leaf [N, width] together."""
    return (
        np.maximum(ends[0], np.where(sides > 0, 0.0, -np.inf)),
        np.minimum(ends[1], np.where(sides < 0, 0.0, np.inf)),
    )


def backward(
    chain: Chain, form: np.ndarray, c: np.ndarray, relaxed: list, reach: list, sides: list, multipliers: list
) -> tuple[np.ndarray, np.ndarray]:
    """An affine upper bound in the inputs of form . h + c, h the last activation: as `bound.backward`, which says how
    rounding is accounted for, with a lower line of its own for every form, and sides."""
    weights = floats(chain)
    count, m, k = form.shape
    unit = outward(max([k, *(w.shape[1] for w, _ in weights[: len(relaxed)])]) + 8)
    c = c + unit * (((np.abs(form) + TINY) @ reach[-1][..., None])[..., 0] + np.abs(c)) + 1e-290
    for j in reversed(range(len(relaxed))):
        (w, b), (under, _, over, above), s = weights[j], relaxed[j], slope(chain, j)
        positive, negative = np.maximum(form, 0), np.minimum(form, 0)
        alpha = np.where((above > 0)[:, None], np.maximum(multipliers[j], s), under[:, None])
        beta = np.where(sides[j][:, None] != 0, multipliers[j], 0.0)
        c = c + (positive @ above[..., None])[..., 0]
        size = ((np.abs(form) + TINY) @ (above + TINY)[..., None])[..., 0]
        mass = positive * over[:, None] - negative * alpha + beta + TINY
        form = positive * over[:, None] + negative * alpha + beta * sides[j][:, None]
        c = c + form @ b
        weight = reach[j] @ (np.abs(w) + TINY).T + np.abs(b)
        size = size + (mass @ weight[..., None])[..., 0] + np.abs(c) + TINY * reach[j].sum(axis=1, keepdims=True)
        form = (form.reshape(count * m, -1) @ w).reshape(count, m, -1)
        c = c + unit * size + 1e-290
    return form, c


def highest(
    form: np.ndarray, c: np.ndarray, mid: np.ndarray, rad: np.ndarray, rows: Rows, mu: np.ndarray
) -> np.ndarray:
    """An upper bound of form x + c over boxes and A x <= b: of (form - mu A) x + c + mu b over the boxes.

    Shapes: form [N, m, n], c [N, m], mid and rad [N, n], mu [N, m, R] >= 0.
    """
    if len(rows.b):
        unit = outward(len(rows.b) + 8)
        size = ((np.abs(form) + mu @ np.abs(rows.a) + TINY) @ (np.abs(mid) + rad)[..., None])[..., 0]
        size = size + np.abs(c) + (mu + TINY) @ np.abs(rows.b)
        form = form - mu @ rows.a
        c = c + mu @ rows.b + unit * size + 1e-290
    return upper_end(form, c, mid, rad)


def tightened(lo: np.ndarray, hi: np.ndarray, rows: Rows, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A box that holds every x of [lo, hi] with A x <= b; ``mu`` [2 n, R] >= 0: upper ends first, then lower ones."""
    n = len(lo)
    need(mu.shape == (2 * n, len(rows.b)) and bool(np.all(mu >= 0)), "the multipliers of the box do not fit")
    mid, rad = middle(lo[None], hi[None])
    form = np.concatenate([np.eye(n), -np.eye(n)])[None]
    with np.errstate(all="ignore"):
        upper = highest(form, np.zeros((1, 2 * n)), mid, rad, rows, mu[None])[0]
    upper = np.where(np.isfinite(upper), upper, np.inf)
    high, low = np.minimum(hi, upper[:n]), np.maximum(lo, -upper[n:])
    need(bool(np.all(low <= high)), "no input fits the constraints")
    return low, high
