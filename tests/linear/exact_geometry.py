"""Dimensions at a point by exact ranks over Q: no flow basis, no pairs of bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpz_mat

from fiberscope.linear.barcode import Barcode


def unimodular(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random integer matrix of determinant 1, and its inverse."""
    matrix, inverse = np.eye(size, dtype=object), np.eye(size, dtype=object)
    for _ in range(2 * size * (size > 1)):
        a, b = rng.choice(size, 2, replace=False)
        c = int(rng.integers(-2, 3))
        matrix[a] = matrix[a] + c * matrix[b]
        inverse[:, b] = inverse[:, b] - c * inverse[:, a]
    return matrix, inverse


def integer_point(barcode: Barcode, rng: np.random.Generator) -> list[np.ndarray]:
    """Integer factors with this barcode: 0/1 matrices that pass bars on, in random bases."""
    bars = [(i, k) for i, k, m in barcode.bars for _ in range(m)]
    alive = [[s for s, (i, k) in enumerate(bars) if i <= j <= k] for j in range(barcode.length + 1)]
    bases = [unimodular(len(numbers), rng) for numbers in alive]
    return [
        bases[j][0] @ np.array([[int(s == t) for t in alive[j - 1]] for s in alive[j]], dtype=object) @ bases[j - 1][1]
        for j in range(1, barcode.length + 1)
    ]


def rank(rows: Sequence[np.ndarray]) -> int:
    """The rank over Q of integer vectors."""
    if not len(rows) or not len(rows[0]):
        return 0
    return int(fmpz_mat([[int(v) for v in row] for row in rows]).rank())


def products(factors: list[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    """``W_{k~i}`` for all i <= k."""
    widths = [factors[0].shape[1], *(w.shape[0] for w in factors)]
    out: dict[tuple[int, int], Any] = {}
    for i, d in enumerate(widths):
        out[i, i] = np.eye(d, dtype=object)
        for k in range(i + 1, len(widths)):
            out[k, i] = factors[k - 1] @ out[k - 1, i]
    return out


def units(rows: int, columns: int) -> list[np.ndarray]:
    """The matrices with one 1."""
    out = []
    for a in range(rows):
        for b in range(columns):
            unit = np.zeros((rows, columns), dtype=object)
            unit[a, b] = 1
            out.append(unit)
    return out


def differential(factors: list[np.ndarray]) -> list[np.ndarray]:
    """One row per weight: the derivative of the product in that direction, flattened."""
    p, top = products(factors), len(factors)
    return [
        (p[top, j] @ unit @ p[j - 1, 0]).ravel() for j in range(1, top + 1) for unit in units(*factors[j - 1].shape)
    ]


def orbit_dimension(factors: list[np.ndarray], *, ends: bool) -> int:
    """The rank of ``X -> (X_j W_j - W_j X_{j-1})``, ends fixed or with ``X_L W = W X_0``."""
    top = len(factors)
    widths = [factors[0].shape[1], *(w.shape[0] for w in factors)]
    product = products(factors)[top, 0]
    rows, kept = [], []
    for layer in range(0 if ends else 1, top + 1 if ends else top):
        for unit in units(widths[layer], widths[layer]):
            change = [np.zeros(w.shape, dtype=object) for w in factors]
            if layer >= 1:
                change[layer - 1] = unit @ factors[layer - 1]
            if layer < top:
                change[layer] = change[layer] - factors[layer] @ unit
            moved = unit @ product if layer == top else -(product @ unit) if layer == 0 else 0 * product
            rows.append(np.concatenate([c.ravel() for c in change]))
            kept.append(moved.ravel())
    if not rows:
        return 0
    # image of {X : moved(X) = 0} = rank of (change, moved) - rank of moved, since moved depends linearly on change
    both = [np.concatenate([r, m]) for r, m in zip(rows, kept, strict=True)]
    return rank(both) - rank(kept)


def tangent_upper_bound(factors: list[np.ndarray]) -> int:
    """Changes that keep the product and all ranks to first order: ``left null . d W_{k~i} . right null = 0``."""
    p, top = products(factors), len(factors)
    weights = [(j, unit) for j in range(1, top + 1) for unit in units(*factors[j - 1].shape)]
    columns = []
    nulls = {}
    for (k, i), w in p.items():
        if k > i:
            right, nullity = fmpz_mat([[int(v) for v in row] for row in w]).nullspace()
            left, left_nullity = fmpz_mat([[int(v) for v in row] for row in w.T]).nullspace()
            nulls[k, i] = (
                np.array([[int(v) for v in row] for row in left.transpose().tolist()], dtype=object)[:left_nullity],
                np.array([[int(v) for v in row] for row in right.tolist()], dtype=object)[:, :nullity],
            )
    for j, unit in weights:
        parts = [(p[top, j] @ unit @ p[j - 1, 0]).ravel()]
        for (k, i), (left, right) in nulls.items():
            change = p[k, j] @ unit @ p[j - 1, i] if i < j <= k else np.zeros(p[k, i].shape, dtype=object)
            parts.append((left @ change @ right).ravel())
        columns.append(np.concatenate(parts))
    return len(weights) - rank(columns)
