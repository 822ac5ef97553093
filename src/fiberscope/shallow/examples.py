"""Small networks whose equivalent weights are known in full: the examples of the literature, and what they leave out.

The first four follow Carroll, "DSLT 3: Neural Networks are Singular" (2023), with constants that make the stated K
right: E f^2 for f(x) = relu(x) and x uniform on [-a, a] is a^2 / 6, so K(w, q) = (w q - theta)^2 / 2 belongs to
a = sqrt 6, and a = sqrt 3 gives (w q - theta)^2 / 4. The last two are functions with more equivalent weights than
reversals of zero-sum sets and units on folds account for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.model import ShallowModel


@dataclass(frozen=True)
class Example:
    """Two weights of one architecture, or of two, and the box on which inputs are uniform."""

    model: ShallowModel
    truth: ShallowModel
    box: tuple[float, float]


def network(
    W1: Sequence[Sequence[float]], b1: Sequence[float], W2: Sequence[Sequence[float]], b2: Sequence[float] = (0.0,)
) -> ShallowModel:
    """The ReLU network with these numbers, as float64 arrays."""
    arrays = [np.array(values, dtype=np.float64) for values in (W1, b1, W2, b2)]
    return ShallowModel(arrays[0], arrays[1], arrays[2], arrays[3])


def four_hyperplanes() -> ShallowModel:
    """Example 3.1: relu(x1 - 1) + relu(x2 - 1) + relu(-x1 - 1) + relu(-x2 - 1), four units around a flat square.

    >>> four_hyperplanes().units
    4
    """
    return network([[1, 0], [0, 1], [-1, 0], [0, -1]], [-1, -1, -1, -1], [[1, 1, 1, 1]])


def scaling(w: float = 1.0, q: float = 2.0, theta: float = 2.0, *, half_width: float = math.sqrt(6.0)) -> Example:
    """Example 3.2: q relu(w x) against theta relu(x), w > 0, one unit whose scaling is its only symmetry.

    K(w, q) = a^2 (w q - theta)^2 / 12 for x uniform on [-a, a]: (w q - theta)^2 / 2 for the default a = sqrt 6.

    Errors: InputError unless w > 0 and the half width is positive.
    """
    if not w > 0 or not half_width > 0:
        raise InputError(f"w = {w}, half_width = {half_width}: both must be positive")
    box = (-half_width, half_width)
    return Example(network([[w]], [0], [[q]]), network([[1]], [0], [[theta]]), box)


def reversed_pair() -> Example:
    """Example 3.3: relu(x - 1) + relu(-x - 1) = relu(-x + 1) + relu(x + 1) - 2, one function with two orientations.

    The weights 1 and -1 of the two units add up to zero, so both units may be reversed together.
    """
    inward = network([[1], [-1]], [-1, -1], [[1, 1]])
    outward = network([[-1], [1]], [1, 1], [[1, 1]], [-2])
    return Example(outward, inward, (-2.0, 2.0))


def shared_boundary(w1: float = 1 / 3, w2: float | None = None) -> Example:
    """Example 3.4: relu(w1 x) + relu(w2 x) against relu(x), by default w2 = 1 - w1, on [-sqrt 6, sqrt 6].

    The functions are equal for 0 <= w1 <= 1 only: beyond, one unit has turned round and the active side of the truth
    has slope w1 instead of 1. K = ((p - 1)^2 + r^2) / 2 with p, r the sums of the positive and the negative weights.
    """
    other = 1.0 - w1 if w2 is None else w2
    a = math.sqrt(6.0)
    return Example(network([[w1], [other]], [0, 0], [[1, 1]]), network([[1]], [0], [[1]]), (-a, a))


def reversal_without_annihilation() -> Example:
    """relu(x) + relu(x - 1) = 2 relu(x) - relu(-x) + relu(1 - x) - 1: a unit turns round although no weights cancel.

    The weights 1 and 1 of the minimal network have no zero-sum subset; the spare unit on the fold at 0 pays for it.
    """
    truth = network([[1], [1]], [0, -1], [[1, 1]])
    return Example(network([[1], [-1], [-1]], [0, 0, 1], [[2, -1, 1]], [-1]), truth, (-2.0, 3.0))


def boundary_off_the_folds() -> Example:
    """relu(x1) = relu(-x1) + relu(x1 + 5) - relu(-x1 - 5) - 5: units on x1 = -5, where the function has no fold.

    The two units there have kinks that cancel; together they are the linear function x1 + 5.
    """
    truth = network([[1, 0]], [0], [[1]])
    model = network([[-1, 0], [1, 0], [-1, 0]], [0, 5, -5], [[1, 1, -1]], [-5])
    return Example(model, truth, (-6.0, 2.0))


def m_symmetric(m: int, bias: float = -1 / 3) -> ShallowModel:
    """The network sum_j relu(<g^j e, x> + bias) of the m-th roots of unity g^j in two inputs.

    w_j = (cos 2 pi j / m, sin 2 pi j / m), correctly rounded; zeros and opposite weights come out exact. Which sets of
    weights sum to zero is decided exactly by :func:`cyclotomic_weights`, for floats within a tolerance only.

    Errors: InputError for m < 1.

    >>> m_symmetric(4).W1.tolist()
    [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]
    """
    from flint import arb, fmpq

    _check_order(m)
    turns = [fmpq(2 * j, m) for j in range(m)]
    W1 = [[float(arb.cos_pi_fmpq(t)) + 0.0, float(arb.sin_pi_fmpq(t)) + 0.0] for t in turns]
    return network(W1, [bias] * m, [[1.0] * m])


def cyclotomic_weights(m: int) -> np.ndarray:
    """The m-th roots of unity in the basis 1, z, ..., z^{phi(m) - 1} of Z[z]: integers, shape (m, phi(m)).

    z^j reduced modulo the cyclotomic polynomial Phi_m. A set of roots sums to zero iff these rows do, exactly
    (Lam and Leung, "On vanishing sums of roots of unity", 2000).

    >>> cyclotomic_weights(4).tolist()
    [[1, 0], [0, 1], [-1, 0], [0, -1]]
    """
    from flint import fmpz_poly

    _check_order(m)
    phi = fmpz_poly.cyclotomic(m)
    out = np.zeros((m, phi.degree()), dtype=np.int64)
    power = fmpz_poly([1]) % phi
    for j in range(m):
        for c, value in enumerate(power.coeffs()):
            out[j, c] = int(value)
        power = (power * fmpz_poly([0, 1])) % phi
    return out


def _check_order(m: int) -> None:
    if isinstance(m, bool) or not isinstance(m, (int, np.integer)) or m < 1:
        raise InputError(f"m = {m!r}: expected a positive integer, the number of units")
