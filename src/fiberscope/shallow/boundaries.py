"""Which units of a layer share a boundary {x: <w, x> + b = 0}, decided exactly.

Two rows v = (w, b) have the same boundary iff they are proportional. Dividing a row by its first nonzero entry in
float64 gives the same floats for proportional rows, because division rounds the exact quotient; so equal quotients are
necessary, and v_i[c] v_j[lead] = v_j[c] v_i[lead] for all c, in exact arithmetic, decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.exact import products_equal

_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Boundaries:
    """``label[i]``: the boundary of row i, numbered by first appearance; ``leader[h]``: the first row on boundary h;
    ``lead[i]``: the first nonzero entry of w_i (so that row i = lead[i] times the normalised row)."""

    label: np.ndarray
    leader: np.ndarray
    lead: np.ndarray

    @property
    def count(self) -> int:
        return len(self.leader)


def boundaries(W: np.ndarray, b: np.ndarray) -> Boundaries:
    """Group the rows of (W, b), W (d x n) without zero rows, floats or rationals, by boundary.

    >>> boundaries(np.array([[1.0], [2.0], [-3.0]]), np.array([1.0, 2.0, -3.0])).label
    array([0, 0, 0])
    """
    if W.dtype != object and b.dtype != object:
        return _float_boundaries(W, b)
    from fiberscope.numerics.exact import rationals

    W, b = rationals(W), rationals(b)
    found: dict[tuple, int] = {}
    label = np.empty(len(W), dtype=np.int64)
    lead = np.empty(len(W), dtype=object)
    leader = []
    for i, (row, offset) in enumerate(zip(W.tolist(), b.tolist(), strict=True)):
        lead[i] = next(v for v in row if v != 0)
        label[i] = found.setdefault(tuple(v / lead[i] for v in (*row, offset)), len(found))
        if label[i] == len(leader):
            leader.append(i)
    return Boundaries(label, np.array(leader, dtype=np.int64), lead)


def _float_boundaries(W: np.ndarray, b: np.ndarray) -> Boundaries:
    d = len(W)
    lead = W[np.arange(d), (W != 0).argmax(axis=1)] if d else np.zeros(0)
    candidate = _equal_quotients(W, b, lead)
    label = np.full(d, -1, dtype=np.int64)
    open_rows, count = np.arange(d), 0
    while open_rows.size:  # each round settles the rows that agree exactly with the first open row of their group
        _, first, group = np.unique(candidate[open_rows], return_index=True, return_inverse=True)
        head = open_rows[first[group]]
        same = _proportional(W, b, lead, open_rows, head)
        label[open_rows[same]] = count + group[same]
        count += len(first)
        open_rows = open_rows[~same]
    _, first, group = np.unique(label, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Boundaries(rank[group], first[order], lead)


def _equal_quotients(W: np.ndarray, b: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """A 64-bit number per row, equal for rows whose rounded quotients are equal (and, rarely, for others)."""
    odd = np.random.default_rng(0).integers(0, 2**63, W.shape[1] + 1, dtype=np.uint64) * 2 + 1
    out = np.empty(len(W), dtype=np.uint64)
    step = max(1, _CHUNK // (W.shape[1] + 1))
    for start in range(0, len(W), step):
        part = slice(start, start + step)
        with np.errstate(over="ignore", under="ignore"):
            quotient = np.column_stack([W[part], b[part]]) / lead[part, None] + 0.0  # + 0.0: one zero only
        bits = quotient.view(np.uint64)
        bits = (bits ^ (bits >> np.uint64(32))) * odd
        out[part] = (bits ^ (bits >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
    return out


def _proportional(W: np.ndarray, b: np.ndarray, lead: np.ndarray, rows: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Whether row i and row h are proportional, exactly, for every pair (i, h)."""
    same = rows == heads
    others = np.flatnonzero(~same)
    step = max(1, _CHUNK // (W.shape[1] + 1))
    for start in range(0, len(others), step):
        part = others[start : start + step]
        i, h = rows[part], heads[part]
        left = np.column_stack([W[i], b[i]])
        right = np.column_stack([W[h], b[h]])
        same[part] = products_equal(left, lead[h][:, None], right, lead[i][:, None]).all(axis=1)
    return same
