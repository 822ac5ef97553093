"""How far a compressed chain b can be from a on boxes where some units of a are known to be linear.

Write h for b's values after a hidden layer. Going forward, ``z = P h + p`` recovers the pre-activations of a's next
layer, for its units that are alive. A free unit of a is ``scale`` times one unit of b; the linear units of a reach the
next layer through b's carriers (units of b that are active wherever the claim is made): ``lift`` reads them.
With a negative scale the unit is turned round: rho(y) = |scale| rho(y / scale) + (1 + slope) y, and its second part is
read like a linear unit. Free units on one boundary whose weights |scale| v add up to zero need no unit of b at all.

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
    """How a's hidden layer is read off b's: see the module. ``lift`` has a row per unit of a's next layer alive.

    ``unit``: a unit of b; -1 for linear units; -2 - r for units that cancel with the r-th alive one, which has scale 1.
    """

    alive: np.ndarray
    unit: np.ndarray
    scale: np.ndarray
    lift: np.ndarray
    offset: np.ndarray


@dataclass
class Slip:
    """Errors of one layer as affine functions of the sizes of b's values: free units, and a's next pre-activations."""

    free: np.ndarray  # units of a that are not known to be linear
    standing: np.ndarray  # those that stand for units of b
    twin: np.ndarray  # these units of b
    turn: np.ndarray  # -1 for the ones turned round, else 1
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
        need(bool(np.all(unit < len(bias)) and np.all(unit >= -1 - len(units))), f"{name}: no such unit of b")
        stands, linear, cancels = unit >= 0, unit == -1, unit < -1
        need(np.array_equal(~linear, here == FREE), f"{name}: free units, and only these, stand for units of b")
        need(bool(np.all(scale != 0) and np.all(scale[linear] == 1)), f"{name}: a scale is not allowed")
        twin, head = unit[stands], -2 - unit[cancels]
        need(bool(np.all(unit[head] == unit[cancels]) and np.all(scale[head] == 1)), f"{name}: units cancel wrongly")
        turned = scale < 0
        carriers = np.setdiff1d(np.arange(len(bias)), twin)
        need(bool(np.all(self.status_b[l][carriers] == ACTIVE)), f"{name}: a carrier is not active on the box")
        need(relation.lift.shape == (len(after), len(carriers)), f"{name}: the lift has the wrong size")
        lift = relation.lift
        # free units: a's pre-activation against scale times that of b's unit, or of the one it cancels with
        order = np.concatenate([np.flatnonzero(stands), np.flatnonzero(cancels)])
        model, model_constant = np.concatenate([w[twin], P[head]]), np.concatenate([bias[twin], p[head]])
        ours, ours_constant = scale[order, None] * model, scale[order] * model_constant
        free_rows = np.abs(P[order] - ours) + 16 * U * (np.abs(P[order]) + np.abs(ours) + TINY)
        free_constant = np.abs(p[order] - ours_constant) + 16 * U * (np.abs(p[order]) + np.abs(ours_constant) + TINY)
        if self.exact:
            one = np.abs(scale[order]) == 1
            free_rows[(P[order] == ours) & one[:, None]] = 0.0
            free_constant[(p[order] == ours_constant) & one] = 0.0
        twice = np.where(turned[order], (2.0 + s) * (1 + 8 * U), 1.0)  # such an error counts in both parts
        free_rows, free_constant = free_rows * twice[:, None], free_constant * twice
        # linear units: what a's next layer reads of them, against the carriers
        read = linear | turned
        v = w_next[np.ix_(after, units[read])] * np.where(turned, 1.0 + s, np.where(here == ACTIVE, 1.0, s))[read]
        terms = len(units) + len(bias) + 8
        gamma = 8 * terms * U
        size = (np.abs(v) + TINY) @ (np.abs(P[read]) + TINY) + (np.abs(lift) + TINY) @ (np.abs(w[carriers]) + TINY)
        if read.any() or len(carriers):
            size = size + TINY
        next_rows = np.abs(v @ P[read] - lift @ w[carriers]) + gamma * size
        shift = v @ p[read] + b_next[after] - lift @ bias[carriers] - offset
        size = (np.abs(v) + TINY) @ np.abs(p[read]) + np.abs(b_next[after]) + np.abs(lift) @ np.abs(bias[carriers])
        next_constant = np.abs(shift) + gamma * (size + np.abs(offset))
        if self.exact and not read.any() and not len(carriers):
            next_constant[b_next[after] == offset] = 0.0
        for r in np.unique(head):  # what is left of their bend
            group = np.flatnonzero(unit == -2 - r)
            bend = w_next[np.ix_(after, units[group])] * np.abs(scale[group])
            left = np.abs(bend.sum(axis=1)) + gamma * (np.abs(bend) + TINY).sum(axis=1)
            next_rows = next_rows + left[:, None] * (np.abs(P[r]) + TINY)
            next_constant = next_constant + left * (np.abs(p[r]) + TINY)
        # P for the next layer
        columns = np.zeros((len(after), len(bias)))
        read = w_next[np.ix_(after, units[stands])] * np.abs(scale[stands])
        np.add.at(columns.T, twin, read.T)
        columns[:, carriers] = lift
        after_rows = None
        if np.any(scale[stands] != 1) or len(np.unique(twin)) < len(twin):
            after_rows = np.zeros_like(columns)
            np.add.at(after_rows.T, twin, gamma * (np.abs(read) + TINY).T)
        self.slips.append(
            Slip(
                units[order],
                units[stands],
                twin,
                np.where(turned[stands], -1, 1),
                free_rows,
                free_constant,
                next_rows,
                next_constant,
                after_rows,
                after,
            )
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
                ours, theirs = side_a[l][:, slip.standing], slip.turn * side_b[l][:, slip.twin]
                here[:, slip.standing] = np.where(ours == theirs, ours, FREE)  # linear here in both, or treated as free
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
