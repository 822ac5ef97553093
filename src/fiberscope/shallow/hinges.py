"""The difference of two networks of one hidden layer as hinges over the unit cube.

    f(x) - f0(x) = A y + sum_t p_t relu(<row_t, y>),     x = low + (high - low) * y_1..n,   y = (y_1, ..., y_n, 1).

A unit q sigma(<w, x> + b) with slope ``below`` left of 0 and ``below + jump`` right of it gives below q (w, b) to A and
the hinge p = jump q. The truth's hinges come with the opposite sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import nearest_floats, rational, rationals
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.box import Box
from fiberscope.shallow.model import ShallowModel


@dataclass(frozen=True, eq=False)
class Hinges:
    """``rows`` (N x n + 1), ``weights`` (N x k), ``affine`` (k x n + 1), floats or rationals; the first ``units`` rows
    are the model's, whose activation has the slopes ``below``, ``below + jump``; ``low``, ``width`` (n,) of the box."""

    rows: np.ndarray
    weights: np.ndarray
    affine: np.ndarray
    units: int
    below: Any
    jump: Any
    low: np.ndarray
    width: np.ndarray

    @property
    def inputs(self) -> int:
        return self.rows.shape[1] - 1

    def to_x(self, covectors: np.ndarray) -> np.ndarray:
        """E[g y^T] (any x n + 1) -> E[g x^T], x = (x_1, ..., x_n, 1): the change of variables on the right."""
        last = covectors[..., -1:]
        return np.concatenate([covectors[..., :-1] * self.width + last * self.low, last], axis=-1)


def checked_pair(model: ShallowModel, truth: ShallowModel) -> None:
    """Both models are sound, piecewise linear and of the same sizes; InputError or WeightError otherwise."""
    for net in (model, truth):
        bend(checked_model(net).activation)
    if (model.inputs, model.outputs) != (truth.inputs, truth.outputs):
        raise InputError(
            f"the model maps {model.inputs} inputs to {model.outputs} outputs, the truth {truth.inputs} to "
            f"{truth.outputs}; both must agree"
        )


def hinges(model: ShallowModel, truth: ShallowModel, box: Box, *, exact: bool) -> Hinges:
    """The hinges of model - truth on ``box``, in rationals if ``exact``, else in floats (rounded).

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> pair = reversed_pair()
    >>> hinges(pair.model, pair.truth, Box.of((-2, 2), 1), exact=False).rows.tolist()
    [[-4.0, 3.0], [4.0, -1.0], [4.0, -3.0], [-4.0, 1.0]]
    """
    low, high = (_numbers(a, exact) for a in (box.low, box.high))
    width = high - low
    rows, weights, affine = [], [], None
    for net, sign in ((model, 1), (truth, -1)):
        W, b, Q, c = (_numbers(a, exact) for a in (net.W1, net.b1, net.W2, net.b2))
        law = bend(net.activation)
        slope, jump = (rational(v) if exact else float(v) for v in (law.slope(-1), law.jump))
        local = np.column_stack([W * width, W @ low + b])
        part = (Q @ local) * slope if net.units else np.column_stack([c[:, None] * (width * 0), c * 0])
        part[:, -1] += c
        affine = part if affine is None else affine - part
        rows.append(local)
        weights.append(Q.T * (jump * sign))
    law = bend(model.activation)
    below, jump = (rational(v) if exact else float(v) for v in (law.slope(-1), law.jump))
    assert affine is not None
    return Hinges(np.vstack(rows), np.vstack(weights), affine, model.units, below, jump, low, width)


def as_floats(array: np.ndarray) -> np.ndarray:
    """The array itself, or the nearest floats of rationals."""
    return nearest_floats(array)[0] if array.dtype == object else array


def _numbers(array: np.ndarray, exact: bool) -> np.ndarray:
    return rationals(array) if exact else as_floats(array)
