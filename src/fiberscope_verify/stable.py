"""Bounds of hidden units on boxes, given what is already known of earlier layers.

A unit of a ReLU-like layer (slope s on the negative side, 0 <= s <= 1) is active on a box when its pre-activation is
nowhere negative, inactive when it is nowhere positive. There it is linear, so later layers lose nothing by it: the
relaxation of an active unit is the identity, that of an inactive one the line s z. Bounds are those of `bound`,
with every rounding error added.
"""

from __future__ import annotations

import numpy as np

from .bound import CHUNK, U, backward, lines, outward, upper_end
from .chain import Chain
from .exact import to_float
from .report import need
from .trees import X

FREE, ACTIVE, INACTIVE = 0, 1, -1


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


def floats(chain: Chain) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases as float64, relative error at most 2^-52."""
    if "float" not in chain.cache:
        chain.cache["float"] = [(to_float(layer.weight), to_float(layer.bias)) for layer in chain.layers]
    return chain.cache["float"]


def middle(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and radii that cover the boxes ``[lo, hi]``."""
    mid = lo * 0.5 + hi * 0.5
    return mid, np.maximum(hi - mid, mid - lo) * (1 + 4 * U) + 1e-300


def relax(chain: Chain, depth: int, status: list[np.ndarray], mid: np.ndarray, rad: np.ndarray) -> tuple[list, list]:
    """Lines around every unit of the first ``depth`` layers on N boxes, and bounds of their sizes (input first)."""
    weights, relaxed, reach = floats(chain), [], [np.abs(mid) + rad]
    for l in range(depth):
        w, b = weights[l]
        free = np.flatnonzero(status[l] == FREE)
        shape = (len(mid), len(b))
        size = reach[-1] @ np.abs(w).T * (1 + outward(w.shape[1])) + np.abs(b) * (1 + 8 * U) + 1e-290
        ends = np.empty((len(mid), 2 * len(free)))
        if len(free):
            rows = np.broadcast_to(np.concatenate([w[free], -w[free]]), (len(mid), 2 * len(free), w.shape[1]))
            c = np.broadcast_to(np.concatenate([b[free], -b[free]]), (len(mid), 2 * len(free)))
            rows, c = backward(rows, c, weights, relaxed, reach)
            ends = upper_end(rows, c, mid, rad)
        ends = np.where(np.isfinite(ends), ends, np.nan)  # an overflow must not vanish in a comparison
        lo, hi = -ends[:, len(free) :], ends[:, : len(free)]
        tree = chain.layers[l].activation
        assert tree is not None
        lost = (lo + hi) * 0
        found = [v + lost for v in lines(tree, lo, hi)]
        fixed = np.where(status[l] == ACTIVE, 1.0, slope(chain, l) if len(free) < shape[1] else 0.0)
        whole = [np.broadcast_to(v, shape).copy() for v in (fixed, np.zeros(shape[1]), fixed, np.zeros(shape[1]))]
        for target, value in zip(whole, found, strict=True):
            target[:, free] = value
        size[:, free] = np.maximum(np.abs(lo), np.abs(hi))
        relaxed.append(tuple(whole))
        reach.append(size)
    return relaxed, reach


def ends_of_units(
    chain: Chain, layer: int, units: np.ndarray, status: list[np.ndarray], lo: np.ndarray, hi: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rigorous bounds of the pre-activations of ``units`` of hidden layer ``layer`` (0-based) on N boxes.

    ``status[l]`` holds FREE, ACTIVE or INACTIVE per unit of each earlier layer. Returns lower and upper bounds
    [N, m] and how much each input adds to their distance [N, m, n].
    """
    low, high, spread = [], [], []
    w, b = (v[units] for v in floats(chain)[layer])
    m = len(units)
    with np.errstate(all="ignore"):
        for start in range(0, len(lo), CHUNK):
            mid, rad = middle(lo[start : start + CHUNK], hi[start : start + CHUNK])
            relaxed, reach = relax(chain, layer, status, mid, rad)
            rows = np.broadcast_to(np.concatenate([w, -w]), (len(mid), 2 * m, w.shape[1]))
            c = np.broadcast_to(np.concatenate([b, -b]), (len(mid), 2 * m))
            rows, c = backward(rows, c, floats(chain), relaxed, reach)
            ends = upper_end(rows, c, mid, rad)
            ends = np.where(np.isfinite(ends), ends, np.inf)
            low.append(-ends[:, m:])
            high.append(ends[:, :m])
            spread.append((np.abs(rows[:, :m]) + np.abs(rows[:, m:])) * rad[:, None, :])
    return np.concatenate(low), np.concatenate(high), np.concatenate(spread)


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
