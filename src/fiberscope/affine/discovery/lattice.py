"""Symmetries on a lattice of unknown step: sum alpha_s rho(t - s a) + sum alpha'_s rho(-t - s a) = constant.

This is the shape of all symmetries of functions of tanh type. Float64 singular values only name suspects: translates of
an analytic function are nearly dependent for any step, and a true dependence is a much sharper dip.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from fiberscope.activations.evaluation import ball
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.dictionary import Dictionary
from fiberscope.affine.discovery.offgrid import DIGITS, bounded, newton
from fiberscope.affine.discovery.recognise import fraction, rational

STEPS = np.arange(0.24, 4.0, 0.02)
REPEATS = 4


def lattice(rho: Activation) -> Dictionary | None:
    """The dictionary of rho(+-t + k a) for the first step a at which a dependence is sharp, or None."""
    from flint import ctx

    for terms, start in suspects(rho):
        with ctx.workdps(DIGITS):
            found = newton(lambda t, a, n=terms: values(rho, t, a, n), ball(start), turns=14)
            if found is None or abs(float(found[0])) < float(STEPS[0]) / 2:
                continue
            step = rational(found[0], 10**4) or fraction(found[0])
        shifts = tuple(k * abs(step) for k in sorted(range(-REPEATS, REPEATS + 1), key=abs))
        return Dictionary((Fraction(1), Fraction(-1)), shifts)
    return None


def values(rho: Activation, t: object, a: object, terms: int) -> list[object]:
    """1, then rho(-t - s a) and rho(t - s a) for s < terms, rho(t) itself last."""
    later = [rho.ball(sign * t - s * a) for s in range(1, terms) for sign in (1, -1)]  # type: ignore[operator]
    return [ball(1), *later, rho.ball(-t), rho.ball(t)]  # type: ignore[operator]


def suspects(rho: Activation) -> Iterator[tuple[int, Fraction]]:
    """How many steps, and the step, where the least singular value dips in float64; deepest dips first."""
    t = np.linspace(-7.0, 7.0, 85) + 0.0137
    for terms in (2, 3, 4):
        for steps in (STEPS, -STEPS):
            misfit = np.array([smallest(rho, t, a, terms) for a in steps])
            inside = np.arange(1, len(steps) - 1)
            low = inside[(misfit[inside] <= misfit[inside - 1]) & (misfit[inside] <= misfit[inside + 1])]
            for i in low[np.argsort(misfit[low])][:3]:
                yield terms, Fraction(float(steps[i])).limit_denominator(1000)


def smallest(rho: Activation, t: np.ndarray, a: float, terms: int) -> float:
    """The least singular value of the centred, normalised columns, relative to the next one."""
    columns = [bounded(rho.value(sign * t - s * a)) for s in range(terms) for sign in (1, -1)]
    matrix = np.stack([c - c.mean() for c in columns], axis=1)
    values = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0), compute_uv=False)
    return float(values[-1] / values[-2])
