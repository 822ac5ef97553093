"""The exact value of a model with ReLU-like units at a point, through its affine piece there.

With s_i the sign of <w_i, x> + b_i and slope_i the derivative of sigma on that side,
f(x) = (sum_i slope_i q_i w_i^T) x + c + sum_i slope_i q_i b_i: signs and sums are exact, so the value is.
"""

from __future__ import annotations

import numpy as np

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.box import Box
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import exact_affine


def exact_value(model: ShallowModel, x: np.ndarray) -> np.ndarray:
    """f(x) over Q (object array of shape (k,)) at x (n,) of floats or rationals.

    >>> model = ShallowModel(np.array([[3.0]]), np.array([-1.0]), np.array([[0.5]]), np.array([0.0]))
    >>> [str(v) for v in exact_value(model, np.array([0.75]))]
    ['5/8']
    """
    linear, constant = exact_affine(model, Box(x, x).sides(model.W1, model.b1))
    return linear @ rationals(x) + constant
