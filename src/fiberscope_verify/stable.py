"""Bounds of hidden units on boxes, given what is already known of earlier layers.

A unit of a ReLU-like layer (slope s on the negative side, 0 <= s <= 1) is active on a box when its pre-activation is
nowhere negative, inactive when it is nowhere positive. There it is linear, so later layers lose nothing by it: the
relaxation of an active unit is the identity, that of an inactive one the line s z. Bounds are those of `bound`,
with every rounding error added.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .bound import CHUNK, TINY, U, backward, floats, lines, outward, upper_end
from .chain import Chain
from .report import need
from .trees import X

FREE, ACTIVE, INACTIVE = 0, 1, -1
MOST_EXACT = 2_000
Ends = list[tuple[np.ndarray, np.ndarray]]
"""Per layer lower and upper bounds of its pre-activations, [1, width] or [N, width], that hold on the whole domain."""


def slope(chain: Chain, layer: int) -> float:
    """The slope on the negative side of the activation after ``layer``; Reject unless it is ReLU or a leaky ReLU."""
    tree = chain.layers[layer].activation
    if tree == ("map", "relu", (), X):
        return 0.0
    need(tree is not None and tree[0] == "map" and tree[1] == "leaky_relu" and tree[3] == X, "not a layer of ReLUs")
    assert tree is not None
    value = float.fromhex(tree[2][0])
    need(0.0 <= value <= 1.0, "the slope of a leaky ReLU must lie between 0 and 1")
    return value


def middle(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and radii that cover the boxes ``[lo, hi]``."""
    mid = lo * 0.5 + hi * 0.5
    return mid, np.maximum(hi - mid, mid - lo) * (1 + 4 * U) + 1e-300


def relax(
    chain: Chain, depth: int, status: list[np.ndarray], mid: np.ndarray, rad: np.ndarray, known: Ends | None = None
) -> tuple[list, list, tuple[np.ndarray, np.ndarray]]:
    """Lines around every unit of the first ``depth`` layers on N boxes, bounds of their sizes (input first), and lower
    and upper bounds of the last of these layers. ``known``: ends of units that hold besides."""
    weights, relaxed, reach = floats(chain), [], [np.abs(mid) + rad]
    ends_of_h = (mid - rad, mid + rad)
    for l in range(depth):
        w, b = weights[l]
        free = np.flatnonzero(status[l] == FREE)
        shape = (len(mid), len(b))
        size = reach[-1] @ (np.abs(w) + TINY).T * (1 + outward(w.shape[1])) + np.abs(b) * (1 + 8 * U) + 1e-290
        ends = np.empty((len(mid), 2 * len(free)))
        if len(free):
            rows = np.broadcast_to(np.concatenate([w[free], -w[free]]), (len(mid), 2 * len(free), w.shape[1]))
            c = np.broadcast_to(np.concatenate([b[free], -b[free]]), (len(mid), 2 * len(free)))
            rows, c = backward(rows, c, weights, relaxed, reach)
            ends = upper_end(rows, c, mid, rad)
        ends = np.where(np.isfinite(ends), ends, np.nan)  # an overflow must not vanish in a comparison
        lo, hi = -ends[:, len(free) :], ends[:, : len(free)]
        if known is not None:
            lo, hi = np.maximum(lo, known[l][0][:, free]), np.minimum(hi, known[l][1][:, free])
        tree = chain.layers[l].activation
        assert tree is not None
        lost = (lo + hi) * 0
        below, above = -size, size.copy()
        s = slope(chain, l)
        below[:, free], above[:, free] = bent(lo, s, -1.0) + lost, bent(hi, s, 1.0) + lost
        at_zero = status[l] == ACTIVE
        below[:, at_zero] = 0.0
        at_zero = status[l] == INACTIVE
        above[:, at_zero] = 0.0
        if s == 0.0:
            below[:, at_zero] = 0.0
        ends_of_h = (below, above)
        found = [v + lost for v in lines(tree, lo, hi)]
        fixed = np.where(status[l] == ACTIVE, 1.0, s)
        whole = [np.broadcast_to(v, shape).copy() for v in (fixed, np.zeros(shape[1]), fixed, np.zeros(shape[1]))]
        for target, value in zip(whole, found, strict=True):
            target[:, free] = value
        size[:, free] = np.maximum(np.abs(lo), np.abs(hi))
        relaxed.append(tuple(whole))
        reach.append(size)
    return relaxed, reach, ends_of_h


def bent(z: np.ndarray, s: float, side: float) -> np.ndarray:
    """max(z, s z) rounded downward (side -1) or upward (side 1), zero only where it is zero or the bound stays true."""
    if s == 0.0:
        return np.maximum(z, 0.0)
    low = s * z
    low = np.where(np.abs(low) < 1e-290, -2e-290 if side < 0 else 0.0, low * (1.0 - side * 4 * U))
    return np.where(z < 0, low, z)


def ends_of_units(
    chain: Chain,
    layer: int,
    units: np.ndarray,
    status: list[np.ndarray],
    lo: np.ndarray,
    hi: np.ndarray,
    ends: Ends | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rigorous bounds of the pre-activations of ``units`` of hidden layer ``layer`` (0-based) on N boxes.

    ``status[l]`` holds FREE, ACTIVE or INACTIVE per unit of each earlier layer, ``ends[l]`` bounds ([1, width]) that
    hold on all boxes. Returns lower and upper bounds [N, m] and how much each input adds to their distance [N, m, n].
    """
    low, high, spread = [], [], []
    w, b = (v[units] for v in floats(chain)[layer])
    m = len(units)
    with np.errstate(all="ignore"):
        for start in range(0, len(lo), CHUNK):
            mid, rad = middle(lo[start : start + CHUNK], hi[start : start + CHUNK])
            relaxed, reach, known = relax(chain, layer, status, mid, rad, ends)
            if layer == 0:
                known = (lo[start : start + CHUNK], hi[start : start + CHUNK])
            rows = np.broadcast_to(np.concatenate([w, -w]), (len(mid), 2 * m, w.shape[1]))
            c = np.broadcast_to(np.concatenate([b, -b]), (len(mid), 2 * m))
            rows, c = backward(rows, c, floats(chain), relaxed, reach)
            upper = upper_end(rows, c, mid, rad)
            upper = np.where(np.isfinite(upper), upper, np.inf)
            lost = ~np.all([np.isfinite(r).all(axis=1) for r in reach], axis=0)  # an overflow on the way
            upper[lost] = np.inf
            least, most = interval(w, b, *known)
            least[lost], most[lost] = -np.inf, np.inf
            if layer == 0 and plain(chain, 0):
                touching(w, b, *known, least, most)
            low.append(np.maximum(-upper[:, m:], least))
            high.append(np.minimum(upper[:, :m], most))
            spread.append((np.abs(rows[:, :m]) + np.abs(rows[:, m:])) * rad[:, None, :])
    return np.concatenate(low), np.concatenate(high), np.concatenate(spread)


def plain(chain: Chain, layer: int) -> bool:
    """Whether the weights and biases of a layer are stored numbers, so that float64 holds them exactly."""
    return chain.layers[layer].weight.dtype != object and chain.layers[layer].bias.dtype != object


def interval(w: np.ndarray, b: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of ``w h + b`` for h in boxes [N, n]; a sum of terms of one sign keeps that sign."""
    up, down = np.maximum(w, 0.0).T, np.minimum(w, 0.0).T
    unit = outward(w.shape[1])
    out = []
    for near, far, sign in ((lo, hi, 1.0), (hi, lo, -1.0)):
        value = near @ up + far @ down + b
        terms = np.abs(near) @ up - np.abs(far) @ down + np.abs(b)
        bound = value - sign * (unit * terms + 1e-290)
        kept = (sign * near >= 0).astype(float) @ (up > 0) + (sign * far <= 0).astype(float) @ (down < 0)
        one_sided = (kept == (w != 0).sum(axis=1)) & (sign * b >= 0)  # no term of the other sign
        bound = np.where(one_sided, sign * np.maximum(sign * bound, 0.0), bound)
        out.append(np.where(np.isfinite(bound), bound, -sign * np.inf))
    return out[0], out[1]


def touching(w: np.ndarray, b: np.ndarray, lo: np.ndarray, hi: np.ndarray, least: np.ndarray, most: np.ndarray) -> None:
    """Bounds of the first layer that are zero up to rounding are decided in rationals (an end of exactly 0 counts)."""
    size = np.maximum(np.abs(lo), np.abs(hi)) @ np.abs(w).T + np.abs(b)
    for sign, ends in ((1, least), (-1, most)):
        near = np.argwhere((sign * ends < 0) & (np.abs(ends) <= 64 * w.shape[1] * U * size))
        for box, unit in near[:MOST_EXACT]:
            total = Fraction(float(b[unit]))
            for weight, x, y in zip(w[unit].tolist(), lo[box].tolist(), hi[box].tolist(), strict=True):
                total += Fraction(weight) * Fraction(x if (weight > 0) == (sign > 0) else y)
            if sign * total >= 0:
                ends[box, unit] = 0.0


def local(
    chain: Chain, status: list[np.ndarray], lo: np.ndarray, hi: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """On each of N boxes: which hidden units are linear (FREE, ACTIVE, INACTIVE), and upper bounds of |input|, |h|.

    What ``status`` says of the whole domain holds; shapes [N, width] per layer, the input's sizes first.
    """
    sides, reach = [], [np.maximum(np.abs(lo), np.abs(hi))]
    for l, layer in enumerate(chain.layers[:-1]):
        low, high, _ = ends_of_units(chain, l, np.arange(len(layer.bias)), status[:l], lo, hi)
        s = slope(chain, l)
        here = np.where(low >= 0, ACTIVE, np.where(high <= 0, INACTIVE, FREE))
        here = np.where(status[l] == FREE, here, status[l])
        both = np.maximum(np.abs(low), np.abs(high))
        size = np.maximum(np.abs(np.maximum(high, s * high)), np.abs(np.maximum(low, s * low)))
        size = np.where(here == ACTIVE, both, np.where(here == INACTIVE, s * both, size))
        sides.append(here)
        reach.append(size * (1 + 64 * U) + 1e-290)
    need(all(np.isfinite(r).all() for r in reach), "a bound of a hidden unit is not finite")
    return sides, reach
