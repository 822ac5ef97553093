"""A network with one hidden layer, as four arrays.

f(x) = c + sum_i q_i sigma(<w_i, x> + b_i),      x in R^n, q_i and c in R^k, d hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShallowModel:
    """Weights of one hidden layer: ``W1`` (d, n), ``b1`` (d,), ``W2`` (k, d), ``b2`` (k,).

    Entries are float64, each an exact dyadic rational, or exact rationals (object arrays of ``flint.fmpq``).
    ``activation`` is a lower-case name as in torch.nn.functional, possibly with a slope: "leaky_relu(0.1)".
    """

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    activation: str = "relu"

    @property
    def inputs(self) -> int:
        """n, the dimension of the input."""
        return self.W1.shape[1]

    @property
    def units(self) -> int:
        """d, the number of hidden units."""
        return self.W1.shape[0]

    @property
    def outputs(self) -> int:
        """k, the dimension of the output."""
        return self.W2.shape[0]
