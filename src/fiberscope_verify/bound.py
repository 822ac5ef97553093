"""Method "bound": max |a - b| <= e on a box, by a bisection tree and linear bounds on every leaf.

On a leaf each unit has affine bounds in the inputs, L(x) <= unit(x) <= U(x), found by going back through linear
relaxations of the activations (Zhang et al. 2018, arXiv 1811.00866). At the outputs U_a - L_b is one affine form, so
what both networks share in the inputs cancels. All forms are float64; the rounding error of each step is bounded by
gamma_n times the sizes of its terms and added to the constants, so the float forms are true bounds.
"""

from __future__ import annotations

import numpy as np

from .certificate import Certificate, fields
from .chain import Chain
from .exact import to_float
from .report import Reject, need
from .trees import Tree, X

U = 2.0**-53
TINY = 1e-300
"""Added to sizes: a product below the normal numbers is off by up to 2^-1075, whatever its own size."""
CHUNK = 256
MAX_NODES = 1_000_000


def outward(n: int) -> float:
    """A relative error bound for sums of n products of rounded numbers, with room."""
    return 4 * (n + 8) * U


def floats(chain: Chain) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases as float64: stored numbers exactly, computed ones with a relative error of at most 2^-52."""
    if "float" not in chain.cache:
        out = []
        for layer in chain.layers:
            pair = to_float(layer.weight), to_float(layer.bias)
            for exact, rounded in zip((layer.weight, layer.bias), pair, strict=True):
                small = np.asarray(exact != 0, dtype=bool) & (np.abs(rounded) < 2.0**-1022)
                need(exact.dtype != object or not small.any(), "a computed number is too small for float64")
            out.append(pair)
        chain.cache["float"] = out
    return chain.cache["float"]


class Forms:
    """Affine bounds of m units on N boxes: lower c x + d and upper c x + d; c [N, m, n], d [N, m]."""

    def __init__(self, lc: np.ndarray, ld: np.ndarray, uc: np.ndarray, ud: np.ndarray):
        self.lc, self.ld, self.uc, self.ud = lc, ld, uc, ud


def upper_end(c: np.ndarray, d: np.ndarray, mid: np.ndarray, rad: np.ndarray) -> np.ndarray:
    """An upper bound of c x + d over |x - mid| <= rad; shapes [N, m, n], [N, m], [N, n]."""
    value = (c @ mid[..., None] + np.abs(c) @ rad[..., None])[..., 0] + d
    size = (np.abs(c) @ (np.abs(mid) + rad)[..., None])[..., 0] + np.abs(d)
    return value + outward(c.shape[-1]) * size + 1e-290


def relu_lines(lo: np.ndarray, hi: np.ndarray, slope: float) -> tuple:
    """Lines (k, t) with k z + t below and above max(z, slope z) on [lo, hi]; 0 <= slope <= 1."""
    crossing = (lo < 0) & (hi > 0)
    width = np.where(crossing, hi - lo, 1.0)
    chord = np.where(crossing, (hi - slope * lo) / width, np.where(lo >= 0, 1.0, slope))
    chord = np.clip(chord, slope, 1.0)
    # any chord slope in [slope, 1] is sound with the offset that covers both ends
    over = np.maximum(np.maximum(hi - chord * hi, slope * lo - chord * lo), 0.0)
    over = np.where(crossing, over * (1 + 16 * U) + 8 * U * (np.abs(lo) + np.abs(hi)), 0.0)
    under = np.where(crossing, np.where(hi > -lo, 1.0, slope), chord)
    return under, np.zeros_like(lo), chord, over


def rising_lines(rule, lo: np.ndarray, hi: np.ndarray) -> tuple:
    """rho(lo) <= rho(z) <= rho(hi) for a rising rho with values in [-1, 1]; numpy's tanh is trusted to 8 ulp."""
    low, high = rule(lo), rule(hi)
    zero = np.zeros_like(lo)
    return zero, low - 16 * U * (np.abs(low) + 1e-290) - 4 * U, zero, high + 16 * U * (np.abs(high) + 1e-290) + 4 * U


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * z))


def lines(tree: Tree, lo: np.ndarray, hi: np.ndarray) -> tuple:
    """The relaxation of an activation on [lo, hi]."""
    if tree[0] == "map" and tree[3] == X:
        if tree[1] == "relu":
            return relu_lines(lo, hi, 0.0)
        slope = float.fromhex(tree[2][0]) if tree[1] == "leaky_relu" else 2.0
        if 0 <= slope <= 1:
            return relu_lines(lo, hi, slope)
        if tree[1] == "tanh":
            return rising_lines(np.tanh, lo, hi)
        if tree[1] == "sigmoid":
            return rising_lines(sigmoid, lo, hi)
    raise Reject("bounds know relu, leaky_relu (slope 0 to 1), tanh and sigmoid only")


def largest(tree: Tree, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """A bound of |rho(z)| on [lo, hi]: |rho(z)| <= |z| for all functions here but the sigmoid, which is at most 1."""
    return np.ones_like(lo) * (1 + 1e-9) if tree[1] == "sigmoid" else np.maximum(np.abs(lo), np.abs(hi))


def backward(rows: np.ndarray, c: np.ndarray, weights: list, relaxed: list, reach: list[np.ndarray]) -> tuple:
    """An affine upper bound in the inputs of rows . h + c, h the last activation: (coefficients [N, r, n], constants).

    Going back one layer replaces h = rho(z) by its lines and z by W h' + b. The computed forms differ from the exact
    ones by at most gamma * (sizes of all terms); sum_j |coefficient| |W| max|h'| bounds these, and is added.
    """
    count, r, k = rows.shape
    unit = outward(max([k, *(w.shape[1] for w, _ in weights[: len(relaxed)])]) + 8)
    c = c + unit * (((np.abs(rows) + TINY) @ reach[-1][..., None])[..., 0] + np.abs(c)) + 1e-290
    for j in reversed(range(len(relaxed))):
        (w, b), (under, under_t, over, over_t) = weights[j], relaxed[j]
        positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
        c = c + (positive @ over_t[..., None] + negative @ under_t[..., None])[..., 0]
        size = ((np.abs(rows) + TINY) @ (np.abs(over_t) + np.abs(under_t) + TINY)[..., None])[..., 0]
        rows = positive * over[:, None, :] + negative * under[:, None, :]
        c = c + rows @ b
        weight = reach[j] @ (np.abs(w) + TINY).T + np.abs(b)
        size = size + ((np.abs(rows) + TINY) @ weight[..., None])[..., 0] + np.abs(c)
        size = size + TINY * reach[j].sum(axis=1, keepdims=True)
        rows = (rows.reshape(count * r, -1) @ w).reshape(count, r, -1)
        c = c + unit * size + 1e-290
    return rows, c


def output_forms(chain: Chain, mid: np.ndarray, rad: np.ndarray) -> Forms:
    """Affine bounds of all outputs on N boxes, with every hidden layer bounded the same way before it is relaxed."""
    weights, relaxed, reach = floats(chain), [], [np.abs(mid) + rad]
    for layer, (w, b) in zip(chain.layers, weights, strict=True):
        m = len(b)
        rows = np.broadcast_to(np.concatenate([w, -w]), (len(mid), 2 * m, w.shape[1]))
        c = np.broadcast_to(np.concatenate([b, -b]), (len(mid), 2 * m))
        rows, c = backward(rows, c, weights, relaxed, reach)
        if layer.activation is None:
            break
        ends = upper_end(rows, c, mid, rad)
        ends = np.where(np.isfinite(ends), ends, np.nan)  # an overflow must not vanish in a comparison
        lo, hi = -ends[:, m:], ends[:, :m]
        lost = (lo + hi) * 0
        relaxed.append(tuple(v + lost for v in lines(layer.activation, lo, hi)))
        reach.append(largest(layer.activation, lo, hi))
    return Forms(-rows[:, m:], -c[:, m:], rows[:, :m], c[:, :m])


def difference_bound(a: Chain, b: Chain, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Rigorous upper bounds of max over x in [lo, hi] and outputs of |a(x) - b(x)|; lo, hi [N, n] -> [N]."""
    lo, hi = np.atleast_2d(np.asarray(lo, dtype=np.float64)), np.atleast_2d(np.asarray(hi, dtype=np.float64))
    need((a.n_in, a.n_out) == (b.n_in, b.n_out) and lo.shape == hi.shape, "the chains have different inputs or outputs")
    need(lo.shape[1] == a.n_in and np.all(lo <= hi), "the boxes do not fit")
    out = np.empty(len(lo))
    with np.errstate(all="ignore"):
        for start in range(0, len(lo), CHUNK):
            part = slice(start, start + CHUNK)
            low, high = lo[part], hi[part]
            mid = low * 0.5 + high * 0.5
            rad = np.maximum(high - mid, mid - low) * (1 + 4 * U) + 1e-300
            reach = np.abs(mid) + rad
            p, q = (output_forms(c, mid, rad) for c in (a, b))
            ends = []
            for uc, ud, lc, ld in ((p.uc, p.ud, q.lc, q.ld), (q.uc, q.ud, p.lc, p.ld)):
                size = sum((np.abs(c) @ reach[..., None])[..., 0] + np.abs(d) for c, d in ((uc, ud), (lc, ld)))
                ends.append(upper_end(uc - lc, ud - ld, mid, rad) + outward(4) * size)
            worst = np.maximum(*ends).max(axis=1, initial=0.0)
            out[part] = np.where(np.isnan(worst), np.inf, worst)
    return out


def leaves(lo: np.ndarray, hi: np.ndarray, axis, at, left, right) -> tuple[np.ndarray, np.ndarray]:
    """The leaf boxes of a bisection tree: they cover the box, since each cut splits a box into two that cover it."""
    count = len(axis)
    need(len(at) == len(left) == len(right) == count <= MAX_NODES, "the tree's arrays have different lengths")
    if count == 0:
        return lo[None], hi[None]
    n = len(lo)
    lows, highs = np.empty((count, n)), np.empty((count, n))
    lows[0], highs[0] = lo, hi
    reached = np.zeros(count, dtype=bool)
    reached[0] = True
    out_lo, out_hi = [], []
    for i in range(count):
        need(reached[i], f"node {i} of the tree is not reached")
        k, cut = int(axis[i]), at[i]
        need(0 <= k < n and lows[i, k] <= cut <= highs[i, k], f"node {i} of the tree cuts outside its box")
        for child, upper in ((int(left[i]), False), (int(right[i]), True)):
            low, high = lows[i].copy(), highs[i].copy()
            (low if upper else high)[k] = cut
            if child < 0:
                out_lo.append(low)
                out_hi.append(high)
                continue
            need(i < child < count and not reached[child], f"node {i} of the tree has an impossible child")
            lows[child], highs[child], reached[child] = low, high, True
    return np.array(out_lo), np.array(out_hi)


def check_bound(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """Every leaf's own bound is at most the claimed error."""
    need(len(certificate.steps) == 1, "a bound certificate has one step")
    axis, at, left, right = fields(certificate.steps[0], "tree", "axis", "at", "left", "right")
    box = certificate.box(a.n_in)
    if box is None or certificate.error_bound is None:
        raise Reject("a bound needs a box as its domain")
    arrays = (
        certificate.array(axis, "i"),
        certificate.array(at, "f"),
        certificate.array(left, "i"),
        certificate.array(right, "i"),
    )
    lo, hi = leaves(*box, *arrays)
    worst = difference_bound(a, b, lo, hi).max(initial=0.0)
    need(
        worst <= certificate.error_bound,
        f"a leaf has the bound {worst:.6g}, the claim is {certificate.error_bound:.6g}",
    )
    checked.append(f"{len(lo)} leaves cover the box; each bounds the difference by {certificate.error_bound:.6g}")
