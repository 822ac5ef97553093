"""Directions in the space of all weights as sums of few rank-one changes, each of one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.linear.exact import is_exact


@dataclass(frozen=True, eq=False)
class RankOne:
    """``dW_layer = column row`` (outer product), every other matrix unchanged; column of length d_layer."""

    layer: int  # 1 .. L
    column: np.ndarray
    row: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """The sum of `terms`, for the ordered pair of single bars ``first`` (led into) ``second``.

    Memory O(d) for each term; the vectors are views of the flow. Inner products are those of Frobenius, over all
    layers together, and never form a matrix.
    """

    first: int
    second: int
    terms: tuple[RankOne, ...]

    def inner(self, weights: Sequence[np.ndarray]) -> Any:
        """``sum_j <dW_j, G_j>`` with matrices ``G_1, ..., G_L`` of the shapes of the factors."""
        return sum(t.column @ weights[t.layer - 1] @ t.row for t in self.terms)

    def dot(self, other: Direction) -> Any:
        """The inner product with another direction: ``(c . c') (r . r')`` for terms of the same layer."""
        pairs = ((a, b) for a in self.terms for b in other.terms if a.layer == b.layer)
        return sum(((a.column @ b.column) * (a.row @ b.row) for a, b in pairs), start=0 * self.terms[0].column[0])

    def dense(self, widths: Sequence[int]) -> tuple[np.ndarray, ...]:
        """The direction as L matrices of shapes ``d_j x d_{j-1}``."""
        zero = 0 * self.terms[0].column[0]
        dtype = object if is_exact(self.terms[0].column) else np.float64
        out = tuple(np.full((widths[j], widths[j - 1]), zero, dtype=dtype) for j in range(1, len(widths)))
        for t in self.terms:
            out[t.layer - 1][:] += np.outer(t.column, t.row)
        return out

    def __repr__(self) -> str:
        layers = ", ".join(f"W{t.layer}" for t in self.terms)
        return f"Direction(bar {self.first} into bar {self.second}: rank-one changes of {layers})"
