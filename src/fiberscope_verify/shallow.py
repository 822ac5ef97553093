"""The difference of two networks with one hidden layer of units linear on both sides of 0, exactly.

f_a - f_b = linear x + constant + sum_h kink_h |l_h(x)| / 2, over different boundaries l_h = 0, kinks nonzero.

On R^n, or on a box with interior and with the boundaries that meet it, this is 0 as a function iff every part is 0:
near a point of one boundary that lies on no other, all other terms are affine. (Petzka, Trimmel, Sminchisescu 2020;
Dereich, Kassing 2022.) Units of both networks are taken together, those of b with negative weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from .boundaries import group, leads, products_equal
from .chain import Chain
from .exact import MAX_EXACT, exact, rational
from .hinge import Hinge, hinge_of
from .product import product
from .report import need

ZERO = fmpq(0)


@dataclass
class Units:
    """Hidden units of both networks: rows (w, b) [d, n+1], weights q [d, k], slopes, and the two output biases."""

    rows: np.ndarray
    q: np.ndarray
    hinges: tuple[Hinge, Hinge]
    second: np.ndarray
    constant: np.ndarray


@dataclass
class Difference:
    """`rows` (w, b) and `kinks` [h, k] of the terms kink |<w, x> + b| / 2; linear [k, n], constant [k]; rationals."""

    rows: np.ndarray
    kinks: np.ndarray
    linear: np.ndarray
    constant: np.ndarray

    @property
    def zero(self) -> bool:
        return not len(self.kinks) and not np.any(self.linear != 0) and not np.any(self.constant != 0)

    def at(self, x: list[fmpq]) -> np.ndarray:
        """f_a(x) - f_b(x) in rationals."""
        point = np.array([*x, fmpq(1)], dtype=object)
        value = self.linear @ point[:-1] + self.constant
        if len(self.rows):
            need(self.rows.size <= MAX_EXACT, "too much exact arithmetic")
            value = value + (abs(exact(self.rows) @ point) @ self.kinks) / 2
        return value


def pieces(chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray, Hinge]:
    """Rows (w, b), weights q [d, k], output bias and hinge; an affine network has no units."""
    need(len(chain.layers) <= 2, "more than one hidden layer")
    last = chain.layers[-1]
    if len(chain.layers) == 2:
        first = chain.layers[0]
        hinge, bias, constant = hinge_of(first.activation), first.bias, last.bias
        if hinge.corner != 0:
            bias = exact(bias) - hinge.corner
        if hinge.value != 0:
            constant = exact(constant) + exact(last.weight).sum(axis=1) * hinge.value
        return joined(first.weight, bias[:, None], 1), last.weight.T, constant, Hinge(hinge.below, hinge.above)
    n, k = chain.n_in, chain.n_out  # z = max(z, 0) - max(-z, 0), one input direction at a time
    need(n * n <= MAX_EXACT, "an affine network of too many inputs")
    both = np.concatenate([np.eye(n), -np.eye(n)])
    rows = np.concatenate([both, np.zeros((2 * n, 1))], axis=1)
    q = np.concatenate([last.weight.T, last.weight.T * -1])
    need(q.shape == (2 * n, k), "an affine network of odd shape")
    return rows, q, last.bias, Hinge(fmpq(0), fmpq(1))


def joined(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Concatenated, in rationals if one of them is."""
    if x.dtype != y.dtype:
        x, y = exact(x), exact(y)
    return np.concatenate([x, y], axis=axis)


def units_of(a: Chain, b: Chain) -> Units:
    need((a.n_in, a.n_out) == (b.n_in, b.n_out), "the networks have different inputs or outputs")
    (rows, q, c, hinge), (rows_b, q_b, c_b, hinge_b) = pieces(a), pieces(b)
    second = np.arange(len(rows) + len(rows_b)) >= len(rows)
    rows, q = joined(rows, rows_b, 0), joined(q, q_b * -1, 0)
    return Units(rows, q, (hinge, hinge_b), second, exact(c) - exact(c_b))


def restricted(units: Units, lo: np.ndarray, hi: np.ndarray) -> tuple[Units, np.ndarray]:
    """Inputs that are constant on the box go into the biases; the box of the others."""
    free = lo < hi
    if free.all():
        return units, free
    rows = exact(units.rows)
    shift = rows[:, :-1][:, ~free] @ exact(lo[~free])
    rows = np.concatenate([rows[:, :-1][:, free], (rows[:, -1] + shift)[:, None]], axis=1)
    return Units(rows, units.q, units.hinges, units.second, units.constant), free


def sides(rows: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Per row: 1 or -1 if <w, x> + b >= 0 or <= 0 on the whole box, 0 if both signs occur inside."""
    out = np.zeros(len(rows), dtype=np.int64)
    unsure = np.arange(len(rows))
    if rows.dtype != object:
        with np.errstate(all="ignore"):
            w, b = rows[:, :-1], rows[:, -1]
            up, down = np.maximum(w, 0.0), np.minimum(w, 0.0)
            top, bottom = up @ hi + down @ lo + b, up @ lo + down @ hi + b
            size = np.abs(w) @ np.maximum(np.abs(lo), np.abs(hi)) + np.abs(b)
            error = size * ((rows.shape[1] + 8) * 2.0**-51) + 1e-290
            out = np.where(bottom > error, 1, np.where(top < -error, -1, 0))
            sure = np.isfinite(size) & (size < 1e300) & ((out != 0) | ((top > error) & (bottom < -error)))
        unsure = np.flatnonzero(~sure)
    need(len(unsure) * rows.shape[1] <= MAX_EXACT, "too much exact arithmetic")
    low, high = exact(lo).tolist(), exact(hi).tolist()
    for i in unsure:
        *w, b = (rational(v) for v in rows[i].tolist())
        top = sum((v * (h if v > 0 else l) for v, l, h in zip(w, low, high, strict=True)), b)
        bottom = sum((v * (l if v > 0 else h) for v, l, h in zip(w, low, high, strict=True)), b)
        out[i] = -1 if top <= 0 else 1 if bottom >= 0 else 0
    return out


def difference(a: Chain, b: Chain, box: tuple[np.ndarray, np.ndarray] | None = None) -> Difference:
    """f_a - f_b on R^n or on a box; `linear` then counts the inputs that vary on the box."""
    units = units_of(a, b)
    if box is not None:
        units, free = restricted(units, *box)
        box = box[0][free], box[1][free]
    rows, q = units.rows, units.q
    flat = ~np.asarray(rows[:, :-1] != 0, dtype=bool).any(axis=1)
    lead = rows[:, -1].copy()
    lead[~flat] = leads(rows[~flat])
    label = np.full(len(rows), -1, dtype=np.int64)
    label[~flat] = group(rows[~flat], lead[~flat])
    live, bent = unsettled(units, label, lead)
    side = np.where(np.asarray(rows[:, -1] > 0, dtype=bool), 1, -1)
    boundary = live & ~flat
    side[boundary] = 0 if box is None else sides(rows[boundary], *box)
    total = np.full((q.shape[1], rows.shape[1]), ZERO, dtype=object)
    for which, hinge in enumerate(units.hinges):
        for s in (-1, 0, 1):
            part = live & (units.second == bool(which)) & (side == s)
            if part.any() and hinge.slope(s) != 0:
                total = total + product(q[part].T, rows[part]) * hinge.slope(s)
    heads, kinks = kinks_of(units, np.flatnonzero(bent & (side == 0)), label, lead)
    return Difference(rows[heads], kinks, total[:, :-1], total[:, -1] + units.constant)


def unsettled(units: Units, label: np.ndarray, lead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units whose affine part counts, and units whose kink does.

    Two units alone on a boundary, with one activation and q_i |lead_i| + q_j |lead_j| = 0, have no kink together; if
    their leads have one sign, they cancel altogether.
    """
    live = np.ones(len(label), dtype=bool)
    bent = label >= 0
    if object in (units.rows.dtype, units.q.dtype) or units.hinges[0] != units.hinges[1] or not bent.any():
        return live, bent
    order = np.argsort(label, kind="stable")
    order = order[label[order] >= 0]
    start = np.flatnonzero(np.diff(label[order], prepend=-1))
    size = np.diff(np.append(start, len(order)))
    pair = start[size == 2]
    i, j = order[pair], order[pair + 1]
    flat = products_equal(units.q[i], np.abs(lead[i])[:, None], -units.q[j], np.abs(lead[j])[:, None]).all(axis=1)
    i, j = i[flat], j[flat]
    bent[i] = bent[j] = False
    gone = (lead[i] > 0) == (lead[j] > 0)
    live[i[gone]] = live[j[gone]] = False
    return live, bent


def kinks_of(units: Units, members: np.ndarray, label: np.ndarray, lead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first unit of every boundary with a kink, and sum_i jump_i q_i |lead_i| / |lead of the first|, [h, k]."""
    need(len(members) * units.q.shape[1] <= MAX_EXACT, "too much exact arithmetic")
    first: dict[int, int] = {}
    sums: dict[int, np.ndarray] = {}
    jumps = [hinge.jump for hinge in units.hinges]
    for i in members.tolist():
        h = int(label[i])
        term = exact(units.q[i]) * (jumps[int(units.second[i])] * abs(rational(lead[i])))
        first.setdefault(h, i)
        sums[h] = sums[h] + term if h in sums else term
    kept = [h for h, kink in sums.items() if np.any(kink != 0)]
    kinks = np.full((len(kept), units.q.shape[1]), ZERO, dtype=object)
    for at, h in enumerate(kept):
        kinks[at] = sums[h] / abs(rational(lead[first[h]]))
    return np.array([first[h] for h in kept], dtype=np.int64), kinks
