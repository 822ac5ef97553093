"""Plain rational arithmetic for the tests of one-hidden-layer networks; shares nothing with the package."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np

from fiberscope.shallow.model import ShallowModel


def model(W, b, q, c, activation="relu") -> ShallowModel:
    """A float64 model from nested lists."""
    return ShallowModel(*(np.array(a, dtype=np.float64) for a in (W, b, q, c)), activation=activation)


def frac(value) -> Fraction:
    """A Fraction of a float, an int, or a rational with p and q."""
    return Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else Fraction(value)


def slope_below(activation: str) -> Fraction:
    """sigma'(0-) of an activation with sigma'(0+) = 1."""
    if activation == "relu":
        return Fraction(0)
    if activation == "abs":
        return Fraction(-1)
    return Fraction(float(activation.split("(")[1][:-1]))


def evaluate(net: ShallowModel, x) -> list[Fraction]:
    """f(x) by the definition."""
    below, point = slope_below(net.activation), [frac(v) for v in x]
    hidden = []
    for row, b in zip(net.W1.tolist(), net.b1.tolist(), strict=True):
        z = frac(b) + sum((frac(w) * v for w, v in zip(row, point, strict=True)), Fraction(0))
        hidden.append(z if z > 0 else below * z)
    return [
        frac(c) + sum((frac(q) * h for q, h in zip(row, hidden, strict=True)), Fraction(0))
        for row, c in zip(net.W2.tolist(), net.b2.tolist(), strict=True)
    ]


def same_on_line(a: ShallowModel, b: ShallowModel, low=None, high=None) -> bool:
    """Equality for one input: both are affine between breakpoints, so their values there and beyond decide."""
    breaks = {
        -frac(t) / frac(w) for net in (a, b) for (w,), t in zip(net.W1.tolist(), net.b1.tolist(), strict=True) if w
    }
    if low is None:
        ends = sorted(breaks) or [Fraction(0)]
        points = {ends[0] - 2, ends[0] - 1, ends[-1] + 1, ends[-1] + 2} | breaks
    else:
        points = {t for t in breaks if low <= t <= high} | {Fraction(low), Fraction(high)}  # pyright: ignore[reportArgumentType, reportCallIssue, reportOperatorIssue]
    return all(evaluate(a, [x]) == evaluate(b, [x]) for x in points)


def row_rank(rows: list[list[Fraction]]) -> int:
    """Rank by elimination."""
    rows, rank = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [v - factor * w for v, w in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def subsets(count: int):
    """All subsets of range(count)."""
    for size in range(count + 1):
        yield from combinations(range(count), size)
