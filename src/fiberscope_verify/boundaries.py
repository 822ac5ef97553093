"""Which units have the same boundary {x: <w, x> + b = 0}: rows (w, b) that are proportional, decided exactly."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .exact import rational
from .report import need

CHUNK = 1 << 21


def products_equal(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Entrywise a b == c d without rounding, for any finite float64 (arrays broadcast).

    Write a = f 2^e with 1/2 <= |f| < 1, and m = |f| 2^53, an integer. P = m_a m_b lies in [2^104, 2^106), so equal
    products have exponents e_a + e_b and e_c + e_d that differ by at most 1; with the larger side doubled both are
    integers on one scale. If their float64 values agree they differ by less than 2^56, and if they agree modulo 2^64
    too, they are equal.
    """
    (fa, ea), (fb, eb), (fc, ec), (fd, ed) = (np.frexp(v) for v in (a, b, c, d))
    left, right = fa * fb, fc * fd
    shift = ea.astype(np.int64) + eb - ec - ed
    up, down = shift == 1, shift == -1
    same = (left * np.where(up, 2.0, 1.0) == right * np.where(down, 2.0, 1.0)) & (np.abs(shift) <= 1)
    integers = [np.abs(np.ldexp(f, 53)).astype(np.uint64) for f in (fa, fb, fc, fd)]
    with np.errstate(over="ignore"):
        p, q = integers[0] * integers[1], integers[2] * integers[3]
        same &= np.where(up, p << np.uint64(1), p) == np.where(down, q << np.uint64(1), q)
    return np.where((left == 0) | (right == 0), (left == 0) & (right == 0), same)


def leads(rows: np.ndarray) -> np.ndarray:
    """The first nonzero entry of w in every row (w, b)."""
    if not len(rows):
        return rows[:, -1]
    nonzero = np.asarray(rows[:, :-1] != 0, dtype=bool)
    need(bool(nonzero.any(axis=1).all()), "a unit without a boundary")
    return rows[np.arange(len(rows)), nonzero.argmax(axis=1)]


def group(rows: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """A number per row (w, b), w != 0, equal for rows that are proportional and for no others.

    Division rounds the exact quotient, so proportional rows divided by their leads give the same floats: rows with
    other quotients are apart. Rows with the same quotients are compared with the first of them by exact products.
    """
    if rows.dtype == object:
        return exact_group(rows, lead)
    count = len(rows)
    if not count:
        return np.zeros(0, dtype=np.int64)
    step = max(1, CHUNK // rows.shape[1])
    keys = np.empty(count, dtype=np.int64)
    for at in range(0, count, step):
        with np.errstate(all="ignore"):
            quotient = rows[at : at + step] / lead[at : at + step, None] + 0.0
        keys[at : at + step] = [hash(row.tobytes()) for row in quotient]
    _, first, label = np.unique(keys, return_index=True, return_inverse=True)
    head = first[label]
    others = np.flatnonzero(head != np.arange(count))
    stray = []
    for at in range(0, len(others), step):
        i = others[at : at + step]
        fits = products_equal(rows[i], lead[head[i], None], rows[head[i]], lead[i, None]).all(axis=1)
        stray.append(i[~fits])
    apart = np.concatenate(stray) if stray else np.zeros(0, dtype=np.int64)
    if len(apart):  # same floats without being proportional: all rows with these floats are sorted out exactly
        open_rows = np.flatnonzero(np.isin(label, label[apart]))
        label = label.astype(np.int64)
        label[open_rows] = count + exact_group(rows[open_rows], lead[open_rows])
    return np.unique(label, return_inverse=True)[1]


def exact_group(rows: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """The same by rational quotients."""
    found: dict[tuple[fmpq, ...], int] = {}
    out = np.empty(len(rows), dtype=np.int64)
    for i, row in enumerate(rows.tolist()):
        scale = rational(lead[i])
        out[i] = found.setdefault(tuple(rational(v) / scale for v in row), len(found))
    return out
