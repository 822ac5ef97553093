"""One-unit laws rho(+-t + gamma) = lambda rho(t) + mu whose shift gamma lies on no grid.

Float64 finds suspects, Newton's method refines them to many digits, and then the shift is given a closed form.

The Gauss-Newton iteration on r(c, y) = sum_j c_j f_j(t_i; y) - f_0(t_i; y) converges quadratically where the residual
is zero; derivatives in y are central differences with a step of a third of the digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from fiberscope.activations.evaluation import ball
from fiberscope.activations.expression import Expr, number
from fiberscope.affine.activation import Activation
from fiberscope.affine.discovery.nullspace import magnitude
from fiberscope.affine.discovery.recognise import decimal, rational, recognised
from fiberscope.affine.relation import value

REACH = 13.0
STEP = 0.04
SUSPECT = 0.15
"""A local minimum of the float64 misfit below this is worth refining: near a root the misfit is linear in the shift."""

DIGITS = 100
CONVERGED = -70


def shifts(rho: Activation) -> list[tuple[Fraction, Expr, Any, Any]]:
    """(beta, gamma, lambda, mu) of every refined law rho(beta t + gamma) = lambda rho(t) + mu, beta = 1 or -1."""
    from flint import ctx

    out = []
    for beta in (1, -1):
        for start in suspects(rho, beta):
            with ctx.workdps(DIGITS):
                refined = newton(partial(translated, rho, beta), ball(start))
                if refined is None:
                    continue
                y, (mu, lam) = refined
                gamma = closed_shift(y)
                if beta != 1 or gamma.number != 0:
                    out.append((Fraction(beta), gamma, lam, mu))
    return sorted(out, key=lambda row: abs(float(value(row[1]))))


def translated(rho: Activation, beta: int, t: Any, y: Any) -> list[Any]:
    """1, rho(t), rho(beta t + y)."""
    return [ball(1), rho.ball(t), rho.ball(beta * t + y)]


def closed_shift(y: Any) -> Expr:
    """q or q pi; the decimal where neither."""
    q = rational(y, 10**4)
    if q is not None:
        return number(q)
    form = recognised(y)
    return decimal(y) if form is None else form


def suspects(rho: Activation, beta: int) -> list[float]:
    """Shifts at which rho(beta t + gamma) comes closest to the span of 1 and rho(t), in float64, smallest first."""
    t = np.linspace(-6.0, 6.0, 61) + 0.0137
    basis = np.linalg.qr(np.stack([np.ones_like(t), bounded(rho.value(t))], axis=1))[0]
    gammas = np.arange(-REACH, REACH, STEP)
    if rho.expression is None:
        gammas = gammas[::8]
    values = bounded(rho.value(beta * t[:, None] + gammas[None, :]))
    values = values - values.mean(axis=0)
    size = np.maximum(np.linalg.norm(values, axis=0), 1e-300)
    misfit = np.linalg.norm(values - basis @ (basis.T @ values), axis=0) / size
    inside = np.arange(1, len(gammas) - 1)
    low = inside[(misfit[inside] <= misfit[inside - 1]) & (misfit[inside] <= misfit[inside + 1])]
    low = low[(misfit[low] < SUSPECT) & (np.abs(gammas[low]) > (0.2 if beta == 1 else -1.0))]
    return sorted((float(gammas[i]) for i in low), key=abs)[:6]


def bounded(values: np.ndarray) -> np.ndarray:
    """Values that can be squared in float64; what overflows is no candidate anyway."""
    return np.clip(np.nan_to_num(values), -1e100, 1e100)


Functions = Callable[[Any, Any], list[Any]]


def newton(functions: Functions, y: Any, turns: int = 25) -> tuple[Any, list[Any]] | None:
    """The parameter y, near the given one, at which the last function is a combination of the others; and how.

    ``functions(t, y)`` gives all values at one point. None where the iteration does not converge.
    """
    samples = [ball(Fraction(7 * i - 60, 13)) for i in range(18)]
    last = None
    for _ in range(turns):
        h: Any = ball(10) ** (-DIGITS // 3)
        here, after, before = ([functions(t, z) for t in samples] for z in (y, y + h, y - h))
        coefficients, rest = fit(here)
        if coefficients is None:
            return None
        slope = [
            _combined(a, coefficients) / (2 * h) - _combined(b, coefficients) / (2 * h)
            for a, b in zip(after, before, strict=True)
        ]
        slope = outside(here, slope)
        size = sum((s * s for s in slope), ball(0))
        if magnitude(size) < -2 * DIGITS // 3:
            return None
        moved: Any = sum((s * r for s, r in zip(slope, rest, strict=True)), ball(0)) / size
        step = moved.mid()
        y = (y - step).mid()
        if abs(float(y)) > 2 * REACH or (last is not None and magnitude(step) > last + 3):
            return None
        last = magnitude(step)
        if last < CONVERGED:
            coefficients, rest = fit([functions(t, y) for t in samples])
            small = max(magnitude(r) for r in rest) < CONVERGED
            return (y, coefficients) if small and coefficients is not None else None
    return None


def _combined(values: Sequence[Any], coefficients: list[Any]) -> Any:
    """Last minus the combination of the others."""
    out = values[-1]
    for c, v in zip(coefficients, values, strict=False):
        out = out - c * v
    return out.mid()


def fit(rows: list[list[Any]]) -> tuple[list[Any] | None, list[Any]]:
    """Least squares of the last column on the others: coefficients and the rest."""
    from flint import arb_mat

    a = arb_mat([row[:-1] for row in rows]).mid()
    b = arb_mat([[row[-1]] for row in rows]).mid()
    try:
        x = ((a.transpose() * a).mid().solve((a.transpose() * b).mid())).mid()
    except ZeroDivisionError:
        return None, []
    rest = (b - a * x).mid()
    return list(x.entries()), list(rest.entries())


def outside(rows: list[list[Any]], values: list[Any]) -> list[Any]:
    """The part of a column orthogonal to all but the last of the columns."""
    _, rest = fit([[*row[:-1], v] for row, v in zip(rows, values, strict=True)])
    return rest
