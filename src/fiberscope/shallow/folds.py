"""Units on the same boundary joined into one fold, exactly or in floats.

A row (w, b) with weight q in R^k contributes q |<w, x> + b| / 2. With (w, b) = +- r (u, t), r > 0, rows of the same
boundary (u, t) add up to one fold with kink sum_i q_i r_i; a fold whose kink is 0 is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import products_equal, rationals
from fiberscope.numerics.tolerance import KINK_NOISE
from fiberscope.shallow.boundaries import Boundaries, boundaries
from fiberscope.shallow.clusters import clusters

EPSILON = 2.0**-52


@dataclass(frozen=True, eq=False)
class Folds:
    """``normals`` (m x n), ``offsets`` (m,), ``kinks`` (m x k) in the order of the rows, and the smallest ``gap`` met.

    ``gap``: how many times farther apart what was kept apart is than what was merged (None: nothing was decided).
    """

    normals: np.ndarray
    offsets: np.ndarray
    kinks: np.ndarray
    gap: float | None = None

    def ordered(self) -> Folds:
        """The same folds in lexicographic order of (normal, offset)."""
        rows = list(zip(self.normals.tolist(), self.offsets.tolist(), strict=True))
        order = sorted(range(len(rows)), key=lambda i: (*rows[i][0], rows[i][1]))
        return Folds(self.normals[order], self.offsets[order], self.kinks[order], self.gap)


def exact_folds(W: np.ndarray, b: np.ndarray, q: np.ndarray) -> Folds:
    """Folds of rows W (d x n, none 0), b (d,) with weights q (d x k), over Q: first nonzero entry of a normal 1."""
    found = boundaries(W, b)
    kept = kinked(found, q)
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    kinks = rationals(np.zeros((int(kept.sum()), q.shape[1])))
    rows = np.flatnonzero(kept[found.label])
    lead = rationals(found.lead[rows])
    for i, terms in zip(found.label[rows], rationals(q[rows]) * abs(lead)[:, None], strict=True):
        kinks[place[i]] += terms
    leader = found.leader[kept]
    lead = rationals(found.lead[leader])
    return Folds(rationals(W[leader]) / lead[:, None], rationals(b[leader]) / lead, kinks).ordered()


def kinked(found: Boundaries, q: np.ndarray) -> np.ndarray:
    """Whether sum_i q_i r_i over each boundary is not 0, exactly (booleans, one per boundary); q (d x k)."""
    out = np.zeros(found.count, dtype=bool)
    size = np.bincount(found.label, minlength=found.count)
    order = np.argsort(found.label, kind="stable")
    start = np.concatenate([[0], np.cumsum(size)])[:-1]
    ones = order[start[size == 1]]
    out[size == 1] = np.asarray(q[ones] != 0, dtype=bool).any(axis=1)
    several = size > 1
    if q.dtype != object and found.lead.dtype != object:
        pairs = size == 2
        i, j = order[start[pairs]], order[start[pairs] + 1]
        cancels = products_equal(q[i], abs(found.lead[i])[:, None], -q[j], abs(found.lead[j])[:, None])
        out[pairs] = ~cancels.all(axis=1)
        several = size > 2
    for h in np.flatnonzero(several):
        rows = order[start[h] : start[h] + size[h]]
        out[h] = bool((abs(rationals(found.lead[rows])) @ rationals(q[rows]) != 0).any())
    return out


def float_folds(W: np.ndarray, b: np.ndarray, q: np.ndarray) -> Folds:
    """The same in float64: normals of Euclidean length 1, near boundaries merged, near-zero kinks dropped."""
    largest = np.abs(W).max(axis=1)[:, None]  # twice, so that no square leaves the range
    with np.errstate(over="ignore"):
        length = np.linalg.norm(W / largest, axis=1) * largest[:, 0]
    lead = W[np.arange(len(W)), (W != 0).argmax(axis=1)]
    scale = np.where(lead < 0, -length, length)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        normals, offsets = W / scale[:, None] + 0.0, b / scale + 0.0
    if not (np.isfinite(length) & np.isfinite(offsets)).all():
        raise InputError("normal form: a unit's weights are too large or too small for floats; use exact=True")
    found = clusters(normals, offsets)
    m, k = len(found.leader), q.shape[1]
    terms = q * length[:, None]
    kinks = np.column_stack([np.bincount(found.label, weights=column, minlength=m) for column in terms.T])
    size = np.bincount(found.label, weights=np.abs(terms).sum(axis=1), minlength=m)
    relative = np.abs(kinks).sum(axis=1) / np.where(size > 0, size, 1.0)
    kept = relative > KINK_NOISE
    gaps = []
    if m > 1:
        gaps.append(found.apart / max(found.merged, EPSILON))
    if kept.any():
        gaps.append(float(relative[kept].min()) / max(float(relative[~kept].max(initial=0.0)), EPSILON))
    leader = found.leader[kept]
    return Folds(
        normals[leader], offsets[leader], kinks[kept].reshape(-1, k), float(min(gaps)) if gaps else None
    ).ordered()
