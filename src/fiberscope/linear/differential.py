"""The differential of the product map ``mu(W_1, ..., W_L) = W_L ... W_1``.

d mu (dW) = sum_j W_{L~j} dW_j W_{j-1~0}                        its transpose:  Y -> (W_{L~j}^T Y W_{j-1~0}^T)_j
rank d mu = sum_{j=1..L} r_{L~j} r_{j-1~0} - sum_{j=1..L-1} r_{L~j} r_{j~0}
          = number of ordered pairs (A, B) of bars with touch(A, B): A from the input, B to the output, in reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.exact import from_flint, is_exact, to_flint


def rank_of_differential(barcode: Barcode) -> int:
    """The rank of ``d mu`` at every point with this barcode; d_0 d_L where ``mu`` is a submersion.

    >>> rank_of_differential(Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 1): 1, (2, 2): 1}))
    3
    """
    top, r = barcode.length, barcode.rank
    ends = sum(r(top, j) * r(j - 1, 0) for j in range(1, top + 1))
    return ends - sum(r(top, j) * r(j, 0) for j in range(1, top))


def differential(factors: Sequence[np.ndarray], change: Sequence[np.ndarray]) -> np.ndarray:
    """``sum_j W_{L~j} dW_j W_{j-1~0}`` (d_L x d_0) for a change ``(dW_1, ..., dW_L)``; O(sum of d^3).

    >>> differential([np.array([[2.0]]), np.array([[3.0]])], [np.array([[1.0]]), np.array([[10.0]])]).tolist()
    [[23.0]]
    """
    exact = is_exact(np.asarray(factors[0]))
    read: Any = to_flint if exact else np.asarray
    times: Any = (lambda a, b: a * b) if exact else np.matmul
    product, moved = read(factors[0]), read(change[0])
    for factor, step in zip(factors[1:], change[1:], strict=True):
        product, moved = times(read(factor), product), times(read(factor), moved) + times(read(step), product)
    return from_flint(moved) if exact else moved


def transposed_differential(factors: Sequence[np.ndarray], output: np.ndarray) -> tuple[np.ndarray, ...]:
    """``(W_{L~j}^T Y W_{j-1~0}^T)_j``: the gradient of ``<Y, W_L ... W_1>`` in every factor; Y is d_L x d_0."""
    before = list(accumulate(factors[:-1], lambda product, factor: factor @ product))
    pulled, out = output, []
    for factor, first in zip(reversed(factors), reversed([None, *before]), strict=True):
        out.append(pulled if first is None else pulled @ first.T)
        pulled = factor.T @ pulled
    return tuple(reversed(out))
