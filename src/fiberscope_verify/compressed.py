"""How far a compressed chain b can be from a on boxes where some units of a are known to be linear.

Write h for b's values after a hidden layer. Going forward, ``z = P h + p`` recovers the pre-activations of a's next
layer, for its units that are alive. A free unit of a is ``scale`` times one unit of b; the linear units of a reach the
next layer through b's carriers (units of b that are active wherever the claim is made): ``lift`` reads them.

On a leaf of the box, let A' be a with every unit made linear everywhere that is linear on this leaf in a (and, when it
stands for a unit of b, on the same side there): it is a on the leaf. T_l computes b up to layer l, then ``P h + p``,
then the rest of A'. T_0 is A', the last T differs from b only in the output map. In T_l and T_{l+1} layer l has b's own
values; a unit that A' made linear meets a unit of b that is linear too. So neighbours differ by an error that is
bounded by the sizes of b's values on the leaf (all of it rounding, or a mistake), and it travels to the outputs through
difference quotients of A': a linear unit multiplies by its slope, any other by a number in [slope, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bound import TINY, U, floats
from .chain import Chain
from .report import need
from .stable import ACTIVE, FREE, INACTIVE, local, slope


@dataclass
class Relation:
    """How a's hidden layer is read off b's: see the module. ``lift`` has a row per unit of a's next layer alive."""

    alive: np.ndarray
    unit: np.ndarray
    scale: np.ndarray
    lift: np.ndarray
    offset: np.ndarray


@dataclass
class Slip:
    """Errors of one layer as affine functions of the sizes of b's values: free units, and a's next pre-activations."""

    free: np.ndarray  # units of a that stand for units of b
    twin: np.ndarray  # those units of b
    free_rows: np.ndarray
    free_constant: np.ndarray
    next_rows: np.ndarray
    next_constant: np.ndarray
    after_rows: np.ndarray | None  # rounding of P itself, in the sizes after the layer
    after: np.ndarray


def up(x: np.ndarray, n: int) -> np.ndarray:
    """A nonnegative number computed with up to n roundings, rounded up."""
    return x * (1 + 4 * (n + 8) * U) + 1e-290


def plain(chain: Chain) -> bool:
    """Whether every weight and bias is a stored number, so that float64 holds it exactly."""
    return all(layer.weight.dtype != object and layer.bias.dtype != object for layer in chain.layers)


class Comparison:
    """All that does not depend on the box: the matrices P, and what they leave unmatched."""

    def __init__(self, a: Chain, b: Chain, status_a: list, status_b: list, relations: list[Relation]):
        self.a, self.b, self.status_a, self.status_b = a, b, status_a, status_b
        hidden = len(a.layers) - 1
        need((a.n_in, a.n_out, hidden) == (b.n_in, b.n_out, len(b.layers) - 1), "the chains have different shapes")
        need(len(relations) == hidden, "there must be one relation per hidden layer")
        for l in range(hidden):
            need(a.layers[l].activation == b.layers[l].activation, f"layer {l + 1} has different activations")
            slope(a, l)
        alive = [check_units(r.alive, len(a.layers[l].bias), l) for l, r in enumerate(relations)]
        self.alive = [*alive, np.arange(a.n_out)]
        self.exact = plain(a) and plain(b)
        self.slips: list[Slip] = []
        w, bias = floats(a)[0]
        P, p = w[self.alive[0]], bias[self.alive[0]]
        for l, relation in enumerate(relations):
            P, p = self.layer(l, relation, P, p)
        w, bias = floats(b)[-1]
        self.last_rows = np.abs(P - w) + 16 * U * (np.abs(P) + np.abs(w))
        self.last_constant = np.abs(p - bias) + 16 * U * (np.abs(p) + np.abs(bias))
        if self.exact:
            self.last_rows[w == P] = 0.0
            self.last_constant[p == bias] = 0.0

    def layer(self, l: int, relation: Relation, P: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Checks one relation, keeps what it leaves unmatched, and returns the next P and p."""
        units, after, name = self.alive[l], self.alive[l + 1], f"layer {l + 1}"
        unit, scale, offset = relation.unit, relation.scale, relation.offset
        here, s = self.status_a[l][units], slope(self.a, l)
        (w, bias), (w_next, b_next) = floats(self.b)[l], floats(self.a)[l + 1]
        need(len(unit) == len(scale) == len(units) and len(offset) == len(after), f"{name}: lengths differ")
        gone = np.setdiff1d(np.arange(len(self.status_a[l])), units)
        if s == 0.0:
            gone = gone[self.status_a[l][gone] != INACTIVE]
        need(not np.any(w_next[np.ix_(after, gone)]), f"{name}: a unit that is read was left out")
        need(bool(np.all(unit < len(bias)) and np.all(unit >= -1)), f"{name}: no such unit of b")
        free, linear = unit >= 0, unit < 0
        need(np.array_equal(free, here == FREE), f"{name}: free units, and only these, stand for units of b")
        need(bool(np.all(scale > 0)), f"{name}: a scale is not positive")
        twin = unit[free]
        carriers = np.setdiff1d(np.arange(len(bias)), twin)
        need(bool(np.all(self.status_b[l][carriers] == ACTIVE)), f"{name}: a carrier is not active on the box")
        need(relation.lift.shape == (len(after), len(carriers)), f"{name}: the lift has the wrong size")
        lift = relation.lift
        # free units: a's pre-activation against scale times that of b's unit
        ours, ours_constant = scale[free, None] * w[twin], scale[free] * bias[twin]
        free_rows = np.abs(P[free] - ours) + 16 * U * (np.abs(P[free]) + np.abs(ours) + TINY)
        free_constant = np.abs(p[free] - ours_constant) + 16 * U * (np.abs(p[free]) + np.abs(ours_constant) + TINY)
        if self.exact:
            one = scale[free] == 1
            free_rows[(P[free] == ours) & one[:, None]] = 0.0
            free_constant[(p[free] == ours_constant) & one] = 0.0
        # linear units: what a's next layer reads of them, against the carriers
        v = w_next[np.ix_(after, units[linear])] * np.where(here[linear] == ACTIVE, 1.0, s)
        terms = len(units) + len(bias) + 8
        gamma = 8 * terms * U
        size = (np.abs(v) + TINY) @ (np.abs(P[linear]) + TINY) + (np.abs(lift) + TINY) @ (np.abs(w[carriers]) + TINY)
        if linear.any() or len(carriers):
            size = size + TINY
        next_rows = np.abs(v @ P[linear] - lift @ w[carriers]) + gamma * size
        shift = v @ p[linear] + b_next[after] - lift @ bias[carriers] - offset
        size = (np.abs(v) + TINY) @ np.abs(p[linear]) + np.abs(b_next[after]) + np.abs(lift) @ np.abs(bias[carriers])
        next_constant = np.abs(shift) + gamma * (size + np.abs(offset))
        if self.exact and not linear.any() and not len(carriers):
            next_constant[b_next[after] == offset] = 0.0
        # P for the next layer
        columns = np.zeros((len(after), len(bias)))
        read = w_next[np.ix_(after, units[free])] * scale[free]
        np.add.at(columns.T, twin, read.T)
        columns[:, carriers] = lift
        after_rows = None
        if np.any(scale[free] != 1) or len(np.unique(twin)) < len(twin):
            after_rows = np.zeros_like(columns)
            np.add.at(after_rows.T, twin, gamma * (np.abs(read) + TINY).T)
        self.slips.append(
            Slip(units[free], twin, free_rows, free_constant, next_rows, next_constant, after_rows, after)
        )
        return columns, offset

    def bound(self, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
        """Upper bounds of max over x in the boxes [lo, hi] (each [N, n]) and outputs of |a(x) - b(x)|: [N]."""
        if not any(np.any(part) for part in self.unmatched()):
            return np.zeros(len(lo))
        with np.errstate(all="ignore"):
            side_a, _ = local(self.a, self.status_a, lo, hi)
            side_b, reach = local(self.b, self.status_b, lo, hi)
            sides = []
            for l, slip in enumerate(self.slips):
                here = np.broadcast_to(self.status_a[l], (len(lo), len(self.status_a[l]))).copy()
                agreed = np.where(side_a[l][:, slip.free] == side_b[l][:, slip.twin], side_b[l][:, slip.twin], FREE)
                here[:, slip.free] = agreed  # linear on this box in both networks, or treated as free
                sides.append(here)
            jacobians = self.jacobians(sides)
            total = up(reach[-1] @ self.last_rows.T + self.last_constant, self.last_rows.shape[1])
            for l, slip in enumerate(self.slips):
                terms = self.b.layers[l].weight.size + 64
                w_next = np.abs(floats(self.a)[l + 1][0][np.ix_(slip.after, slip.free)])
                free = up(reach[l] @ slip.free_rows.T + slip.free_constant, terms)
                error = free @ w_next.T + reach[l] @ slip.next_rows.T + slip.next_constant
                if slip.after_rows is not None:
                    error = error + reach[l + 1] @ slip.after_rows.T
                error = up(error, terms)
                total = total + up((jacobians[l + 1][:, :, slip.after] @ error[:, :, None])[..., 0], terms)
            worst = up(total, 64 + 4 * len(self.slips)).max(axis=1, initial=0.0)
        return np.where(np.isfinite(worst), worst, np.inf)

    def unmatched(self) -> list[np.ndarray]:
        """Everything that is not exactly alike."""
        out = [self.last_rows, self.last_constant]
        for slip in self.slips:
            out += [slip.free_rows, slip.free_constant, slip.next_rows, slip.next_constant]
            out += [] if slip.after_rows is None else [slip.after_rows]
        return out

    def jacobians(self, sides: list[np.ndarray]) -> list[np.ndarray]:
        """``out[l]`` [N, n_out, width]: bounds of |difference quotient of an output by a pre-activation| of layer l."""
        weights, count, n_out = floats(self.a), len(sides[0]) if sides else 1, self.a.n_out
        mid = np.broadcast_to(np.eye(n_out), (count, n_out, n_out))
        rad = np.zeros_like(mid)
        out = [np.abs(mid)]
        for l in reversed(range(len(sides))):
            w = weights[l + 1][0]
            rad = up(rad @ np.abs(w) + 8 * (len(w) + 8) * U * ((np.abs(mid) + rad) @ np.abs(w)), len(w))
            mid = mid @ w
            s, side = slope(self.a, l), sides[l][:, None, :]
            low, high = mid - rad, mid + rad
            k = np.where(side == ACTIVE, 1.0, s)
            free = side == FREE
            low = np.where(free, np.minimum(low, s * low), k * low)
            high = np.where(free, np.maximum(high, s * high), k * high)
            mid = 0.5 * low + 0.5 * high
            rad = up(np.maximum(high - mid, mid - low) + 8 * U * (np.abs(low) + np.abs(high)), 4)
            out.append(up(np.abs(mid) + rad, 1))
        return out[::-1]


def check_units(units: np.ndarray, count: int, layer: int) -> np.ndarray:
    """Distinct unit numbers of a layer."""
    good = len(np.unique(units)) == len(units) and bool(np.all((units >= 0) & (units < count)))
    need(good, f"layer {layer + 1}: no such unit of a, or one twice")
    return units
