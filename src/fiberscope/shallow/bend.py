"""Activations that are linear on both sides of 0, and what each side does.

    sigma(z) = mean z + jump |z| / 2,      sigma'(0+) = mean + jump / 2,   sigma'(0-) = mean - jump / 2.

ReLU has mean 1/2 and jump 1; leaky ReLU with slope a has (1 + a) / 2 and 1 - a; the absolute value has 0 and 2. For
all of them sigma(r z) = r sigma(z), r >= 0, and sigma(z) - sigma(-z) = 2 mean z (the reflection law).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fiberscope.activations.table import parse_activation
from fiberscope.errors import InputError, WeightError
from fiberscope.shallow.model import ShallowModel


@dataclass(frozen=True)
class Bend:
    """``sigma(z) = mean z + jump |z| / 2`` with exact rational ``mean`` and ``jump``."""

    mean: Fraction
    jump: Fraction

    def slope(self, side: int) -> Fraction:
        """The derivative on the positive side (+1), the negative side (-1), or their mean (0)."""
        return self.mean + side * self.jump / 2

    def __call__(self, z: Fraction) -> Fraction:
        """sigma(z), exactly."""
        return self.mean * z + self.jump * abs(z) / 2


def bend(activation: str) -> Bend:
    """The bend of an activation by name; a slope counts as the exact value of its float64.

    Errors: InputError for an activation that is not linear on both sides of 0.

    >>> bend("relu")
    Bend(mean=Fraction(1, 2), jump=Fraction(1, 1))
    >>> bend("leaky_relu(-0.5)").slope(-1)
    Fraction(-1, 2)
    """
    row, slope = parse_activation(activation)
    below = row.slope_below(slope)
    if below is None:
        raise InputError(
            f"activation {activation!r}: the normal form needs a function that is linear on both sides of 0; "
            "use relu, leaky_relu(slope), prelu(slope) or abs"
        )
    return Bend((1 + below) / 2, 1 - below)


def checked_model(model: ShallowModel) -> ShallowModel:
    """The model itself, once its shapes fit and its numbers are finite.

    Errors: WeightError naming the array.
    """
    from flint import fmpq

    for name, dimensions in (("W1", 2), ("b1", 1), ("W2", 2), ("b2", 1)):
        array = getattr(model, name)
        if not isinstance(array, np.ndarray) or array.ndim != dimensions:
            raise WeightError(f"{name}: expected a numpy array with {dimensions} axes, got {np.shape(array)}")
        if array.dtype != object and array.dtype != np.float64:
            raise WeightError(
                f"{name}: has dtype {array.dtype}; convert it with .astype(np.float64) or to exact rationals"
            )
        if array.dtype == object and not all(isinstance(v, fmpq) for v in array.ravel().tolist()):
            raise WeightError(f"{name}: an object array must hold rationals (flint.fmpq) only")
        if array.dtype != object and not np.isfinite(array).all():
            raise WeightError(f"{name}: holds NaN or infinity; every weight must be finite")
    (d, n), k = model.W1.shape, model.W2.shape[0]
    if model.b1.shape != (d,) or model.W2.shape != (k, d) or model.b2.shape != (k,):
        got = f"b1 {model.b1.shape}, W2 {model.W2.shape}, b2 {model.b2.shape}"
        raise WeightError(f"W1 is {d} x {n}, so b1 ({d},), W2 (k, {d}), b2 (k,) were expected; got {got}")
    if n == 0 or k == 0:
        raise WeightError(f"a model with {n} inputs and {k} outputs has no function; give at least one of each")
    return model
