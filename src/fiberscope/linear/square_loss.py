"""The square loss of a linear network and its derivatives of first and second order, in floats or rationals.

f(theta) = 1/2 |mu(theta) - T|_F^2,       G = mu(theta) - T
grad_j f = W_{L~j}^T G W_{j-1~0}^T        (W_{L~j} = W_L .. W_{j+1}, W_{j-1~0} = W_{j-1} .. W_1)
d^2/dt^2 f(theta + t V) = |A|^2 + 2 <G, B>   at t = 0,   mu(theta + t V) = mu + t A + t^2 B + ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.linear.products import heads, tails


@dataclass(frozen=True, eq=False)
class SquareLoss:
    """The loss at the point ``factors`` for the ``target`` T (d_L x d_0), both in one arithmetic.

    >>> loss = SquareLoss((np.array([[2.0]]), np.array([[3.0]])), np.array([[5.0]]))
    >>> float(loss.value), [g.tolist() for g in loss.gradient]
    (0.5, [[[3.0]], [[2.0]]])
    """

    factors: tuple[np.ndarray, ...]
    target: np.ndarray

    @cached_property
    def heads(self) -> list[np.ndarray]:
        """``W_{j~0}``, j = 0 .. L."""
        return heads(self.factors)

    @cached_property
    def tails(self) -> list[np.ndarray]:
        """``W_{L~j}``, j = 0 .. L."""
        return tails(self.factors)

    @property
    def product(self) -> np.ndarray:
        return self.heads[-1]

    @cached_property
    def slope(self) -> np.ndarray:
        """``G = mu(theta) - T``, the gradient of the loss with respect to the product."""
        return self.product - self.target

    @property
    def value(self) -> Any:
        """``f(theta)``."""
        return inner(self.slope, self.slope) / 2

    @cached_property
    def gradient(self) -> list[np.ndarray]:
        """``grad_j f`` for j = 1 .. L, shaped as ``W_j``."""
        return [self.corner(j, j) for j in range(1, len(self.factors) + 1)]

    def corner(self, i: int, j: int) -> np.ndarray:
        """``W_{L~i}^T G W_{j-1~0}^T`` (d_i x d_{j-1}): how the loss sees a map from layer j-1 to layer i."""
        return self.tails[i].T @ self.slope @ self.heads[j - 1].T

    def curvature(self, direction: Sequence[np.ndarray]) -> Any:
        """The second derivative of ``f(theta + t V)`` at t = 0 (not divided by ``|V|^2``)."""
        first = second = None
        for j, (w, v) in enumerate(zip(self.factors, direction, strict=True)):
            here = v @ self.heads[j]
            if first is None or second is None:
                first, second = here, here - here
            else:
                first, second = w @ first + here, w @ second + v @ first
        assert first is not None and second is not None
        return inner(first, first) + 2 * inner(self.slope, second)

    def decrease(self, change: Sequence[np.ndarray]) -> Any:
        """``f(theta) - f(theta + V) = -<G, D> - |D|^2 / 2`` with ``D = mu(theta + V) - mu(theta)``, without
        cancellation."""
        moved = self.slope - self.slope
        for j, (w, v) in enumerate(zip(self.factors, change, strict=True)):
            here = v @ self.heads[j]
            moved = here if j == 0 else (w + v) @ moved + here
        return -inner(self.slope, moved) - inner(moved, moved) / 2


def inner(a: np.ndarray, b: np.ndarray) -> Any:
    """``<a, b> = sum a_ij b_ij``."""
    return (a * b).sum()
