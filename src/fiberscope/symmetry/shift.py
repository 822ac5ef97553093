r"""Shifts: biases that may be moved without a change of the function."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Shift:
    """A bias that may be shifted at ``entries``; ``absorbed_by`` = (weight, its axis, bias): b -= W t."""

    bias: str
    entries: Array = field(repr=False)
    absorbed_by: tuple[str, int, str] | None = None

    @property
    def dimension(self) -> int:
        """Number of free directions."""
        return len(self.entries)

    @property
    def kind(self) -> str:
        """``invisible`` (nothing else changes) or ``translation`` (another bias follows)."""
        return "invisible" if self.absorbed_by is None else "translation"

    def apply(self, weights: dict[str, Array], amount: Array) -> None:
        """Add ``amount`` (one number per entry) to the bias, and take its effect off the absorbing bias."""
        shifted = weights[self.bias].copy()
        shifted[self.entries] += amount
        weights[self.bias] = shifted
        if self.absorbed_by is None:
            return
        weight, axis, bias = self.absorbed_by
        rows = np.moveaxis(weights[weight], axis, 0)
        weights[bias] = weights[bias] - exact_combination(amount, rows)


def exact_combination(amount: Array, rows: Array) -> Array:
    """Return sum_i amount[i] * rows[i], rounded once: the same whatever the order of the terms."""
    products = amount[:, None] * rows
    return np.array([math.fsum(column) for column in products.T])
