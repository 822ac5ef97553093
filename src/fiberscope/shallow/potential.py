"""K(w) = E|f(x, w) - f0(x)|^2 / 2 for x uniform on a box, and its gradient.

With f - f0 = sum_t p_t relu(l_t), l_0 = 1 for the affine part, and the moments M_st of the half-spaces l_s, l_t > 0:

    V_t = E[(f - f0) y^T 1{l_t > 0}] = sum_s p_s l_s^T M_st,         K = sum_t <p_t l_t^T, V_t> / 2,
    dK/d(w_i, b_i) = q_i^T (below V_0 + jump V_i),   dK/dq_i = (below V_0 + jump V_i)(w_i, b_i),   dK/dc = V_0 e_last.

Where a unit has w = 0 and b = 0, f has no derivative; its slope is then taken as ``below``. K is the potential of
singular learning theory (Watanabe, Algebraic Geometry and Statistical Learning Theory, 2009) for Gaussian noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction, rationals
from fiberscope.shallow.box import Box
from fiberscope.shallow.hinges import Hinges, checked_pair, hinges
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.moments import MAX_INPUTS, CubeMoments
from fiberscope.shallow.sweep import sweep

PRECISION = 256
"""Bits of the ball arithmetic that adds the exact pieces up."""


@dataclass(frozen=True, eq=False)
class Potential:
    """``k`` with |k - K| <= ``error_bound``; ``gradient`` {"W1", "b1", "W2", "b2"} in the model's shapes, each entry
    within ``gradient_error``; rationals and zero errors if computed exactly. ``method``: "exact", "balls",
    "cubature"."""

    k: Any
    error_bound: float
    gradient: dict[str, np.ndarray]
    gradient_error: float
    method: str

    def __repr__(self) -> str:
        return f"Potential(k={float(fraction(self.k)):.12g} +- {self.error_bound:.1g}, {self.method})"

    def to_json(self) -> dict[str, Any]:
        """Plain types: numbers, or strings such as "1/3" for rationals."""
        exact = not isinstance(self.k, float)
        gradient = {name: (_strings(a) if exact else a).tolist() for name, a in self.gradient.items()}
        return {
            "k": str(self.k) if exact else self.k,
            "error_bound": self.error_bound,
            "gradient": gradient,
            "gradient_error": self.gradient_error,
            "method": self.method,
        }


def _strings(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, dtype=object)
    for place, value in np.ndenumerate(array):
        out[place] = str(value)
    return out


def potential(model: ShallowModel, truth: ShallowModel, box: Any, *, exact: bool = False) -> Potential:
    """K and its gradient at the weights of ``model``, for inputs uniform on ``box`` (LO, HI: numbers or lists).

    Pieces are cut exactly over the rationals. They are added up in 256-bit balls, or as rationals if ``exact``. Beyond
    five inputs read by one pair of units, an adaptive cubature gives K and its gradient with rigorous bounds instead.

    Errors: InputError for activations that are not piecewise linear, models that do not fit together, a flat box.

    >>> from fiberscope.shallow.examples import scaling, reversed_pair
    >>> potential(*(lambda e: (e.model, e.truth, (-2, 2)))(reversed_pair()), exact=True).k
    0
    >>> e = scaling(w=1.0, q=3.0, theta=2.0)
    >>> potential(e.model, e.truth, (-1, 1), exact=True).k
    1/12
    """
    checked_pair(model, truth)
    region = checked_box(box, model.inputs)
    form = hinges(model, truth, region, exact=True)
    rows = [*form.rows.tolist()]
    if reads_too_much(rows, form.inputs):
        from fiberscope.shallow.cubature import cubature

        if exact:
            raise InputError(f"exact: a pair of units reads more than {MAX_INPUTS} inputs; leave it out to get bounds")
        return cubature(model, truth, region)
    weights = [rationals(a) for a in (model.W1, model.b1, model.W2)]
    if exact:
        k, moved = integrals(form, CubeMoments(rows, inputs=form.inputs, exact=True))
        return Potential(k, 0.0, gradient(form, moved, *weights), 0.0, "exact")
    from flint import ctx

    with ctx.workprec(PRECISION):
        k, moved = integrals(form, CubeMoments(rows, inputs=form.inputs, exact=True, balls=True))
        slopes = gradient(in_balls(form), moved, *(balls(a) for a in weights))
        value, error = _rounded(np.array([k], dtype=object))
        rounded = {name: _rounded(a) for name, a in slopes.items()}
    worst = max(e for _, e in rounded.values())
    return Potential(max(float(value[0]), 0.0), error, {name: a for name, (a, _) in rounded.items()}, worst, "balls")


def checked_box(box: Any, inputs: int) -> Box:
    """The box, once it has an interior; InputError otherwise."""
    region = Box.of(box, inputs)
    if region.fixed.any():
        i = int(np.flatnonzero(region.fixed)[0])
        raise InputError(f"box: input {i} has LO equal to HI; inputs uniform on a box need an interior")
    return region


def reads_too_much(rows: list[list[Any]], inputs: int) -> bool:
    """Whether some pair of rows that cross the cube reads more inputs than the simplices can handle."""
    if inputs <= MAX_INPUTS:
        return False
    found = CubeMoments(rows, inputs=inputs, exact=not all(isinstance(v, float) for row in rows for v in row))
    crossing = [i for i in range(len(rows)) if not found.side(i)]
    return any(found.reads(i, j) > MAX_INPUTS for i in crossing for j in crossing)


def integrals(form: Hinges, moments: CubeMoments) -> tuple[Any, list[np.ndarray]]:
    """``(K, [V_0, ..., V_N])`` in the numbers of ``moments``: by one sweep for one input, by pairs of rows for more."""
    if form.inputs == 1:
        return sweep(form, balls if moments.balls else np.asarray)
    form = in_balls(form) if moments.balls else form
    count = len(form.rows)
    moved = [form.affine * 0 for _ in range(count + 1)]
    for s in range(count + 1):
        for t in range(s, count + 1):
            M = moments.pair(s - 1 if s else None, t - 1 if t else None)
            if M is None:
                continue
            moved[t] = moved[t] + _coefficients(form, s, M)
            if s != t:
                moved[s] = moved[s] + _coefficients(form, t, M)
    k = (form.affine * moved[0]).sum()
    for t in range(count):
        k = k + form.weights[t] @ (moved[t + 1] @ form.rows[t])
    return k / 2, moved


def gradient(
    form: Hinges, moved: list[np.ndarray], W1: np.ndarray, b1: np.ndarray, W2: np.ndarray
) -> dict[str, np.ndarray]:
    """The gradient by the model's weights from the integrals V_t."""
    n, always = form.inputs, form.to_x(moved[0])
    zero = always.ravel()[0] * 0
    out = {name: np.full(a.shape, zero, dtype=always.dtype) for name, a in (("W1", W1), ("b1", b1), ("W2", W2))}
    for i in range(form.units):
        side = always * form.below + form.to_x(moved[i + 1]) * form.jump
        motion = W2[:, i] @ side
        out["W1"][i], out["b1"][i] = motion[:n], motion[n]
        out["W2"][:, i] = side[:, :n] @ W1[i] + side[:, n] * b1[i]
    return {**out, "b2": always[:, n]}


def _coefficients(form: Hinges, s: int, M: np.ndarray) -> np.ndarray:
    """p_s l_s^T M, or A M for s = 0."""
    return form.affine @ M if s == 0 else np.outer(form.weights[s - 1], form.rows[s - 1] @ M)


def in_balls(form: Hinges) -> Hinges:
    """The same hinges in balls of the working precision."""
    arrays = {name: balls(getattr(form, name)) for name in ("rows", "weights", "affine", "low", "width")}
    below, jump = balls(np.array([form.below, form.jump], dtype=object))
    return replace(form, **arrays, below=below, jump=jump)


def balls(array: np.ndarray) -> np.ndarray:
    """Every entry as a ball of the working precision."""
    from flint import arb

    out = np.empty(array.shape, dtype=object)
    for place, value in np.ndenumerate(array):
        out[place] = arb(value)
    return out


def _rounded(array: np.ndarray) -> tuple[np.ndarray, float]:
    """Nearest floats of the midpoints (0 where the ball holds 0), and a bound for the error of every entry."""
    values, error = np.zeros(array.shape), 0.0
    for place, ball in np.ndenumerate(array):
        if 0 in ball:
            error = max(error, _above(fraction(ball.abs_upper().upper().fmpq())))
            continue
        middle, radius = fraction(ball.mid().fmpq()), fraction(ball.rad().upper().fmpq())
        try:
            values[place] = float(middle)
        except OverflowError:
            raise InputError(
                "K or its gradient exceeds the range of float64; rescale the weights or use exact"
            ) from None
        error = max(error, _above(abs(fraction(values[place]) - middle) + radius))
    return values, error


def _above(value: Fraction) -> float:
    """A float that is not smaller."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
