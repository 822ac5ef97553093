"""Affine maps of one layer's outputs, and sums and products of numbers that stay verbatim where nothing is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .exact import MAX_EXACT, exact
from .report import need
from .trees import Tree


@dataclass(eq=False)
class Affine:
    """z.flat[i] = sum_j A[i, j] h_j + c[i]; `pick` stands for a 0/1 matrix (z.flat[i] = h[pick[i]])."""

    layer: int
    shape: tuple[int, ...]
    pick: np.ndarray | None
    a: np.ndarray | None
    c: np.ndarray
    ua: np.ndarray | None
    uc: np.ndarray

    def matrix(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """A and its ulps, dense."""
        if self.a is not None and self.ua is not None:
            return self.a, self.ua
        assert self.pick is not None
        need(len(self.pick) * width <= MAX_EXACT, "the affine map is too large to write out")
        dense = np.zeros((len(self.pick), width))
        dense[np.arange(len(self.pick)), self.pick] = 1.0
        return dense, np.zeros_like(dense)


@dataclass(eq=False)
class Expression:
    """An elementwise tree of an affine base."""

    tree: Tree
    base: Affine
    size: int = 1


@dataclass(eq=False)
class Constant:
    """Numbers that depend on no input, with the ulps of those that are verbatim weights."""

    value: np.ndarray
    ulp: np.ndarray


def plus(x, ux, y, uy):
    """x + y without rounding: numbers stay verbatim where the other is zero."""
    x, y, ux, uy = np.broadcast_arrays(x, y, ux, uy)
    both = (x != 0) & (y != 0)
    if not both.any():
        keep = x != 0
        kind = object if object in (x.dtype, y.dtype) else np.float64
        return np.where(keep, x, y).astype(kind), np.where(keep, ux, uy)
    return exact(x) + exact(y), np.where(both, 0.0, np.where(x != 0, ux, uy))


def times(x, ux, y, uy):
    """x * y without rounding: numbers stay verbatim where the other is one."""
    x, y, ux, uy = np.broadcast_arrays(x, y, ux, uy)
    easy = (x == 1) | (y == 1) | (x == 0) | (y == 0) | (x == -1) | (y == -1)
    ulp = np.where((y == 1) | (y == -1), ux, np.where((x == 1) | (x == -1), uy, 0.0))
    if easy.all() and object not in (x.dtype, y.dtype):
        return x * y, ulp
    return exact(x) * exact(y), ulp


def dot(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Matrix product without rounding."""
    if not np.any(x != 0) or not np.any(y != 0):
        return np.zeros((*x.shape[:-1], y.shape[-1]))
    need(math.prod(x.shape) * y.shape[-1] <= MAX_EXACT, "too much exact arithmetic")
    return np.dot(exact(x), exact(y))
