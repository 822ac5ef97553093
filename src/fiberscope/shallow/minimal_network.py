"""The network that belongs to a choice of orientations and doubled folds, exactly.

With p_j = kink_j / jump: one unit on a single fold (row s_j (u_j, t_j), weight p_j); two opposite units on a doubled
one, weights (p_j + v_j) / 2 and (p_j - v_j) / 2; and for the rest C G of the residual, of rank rho, pairs
C_l sigma(<g_l, x>) - C_l sigma(-<g_l, x>) = 2 mean C_l <g_l, x> on R^n, single units active on the whole box
otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fiberscope.numerics.exact import fraction, nearest_floats, rationals
from fiberscope.shallow.box import Box
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form
from fiberscope.shallow.orientation import Choice, Problem
from fiberscope.shallow.rational_solve import reduced, solve
from fiberscope.shallow.sums import as_rational
from fiberscope.shallow.written import Row


@dataclass(frozen=True, eq=False)
class Rounded:
    """A float64 ``model``; ``error`` is None when it is exact, else the largest relative error of an entry."""

    model: ShallowModel
    error: float | None


def minimal_network(problem: Problem, choice: Choice, rows: list[Row], activation: str) -> ShallowModel:
    """The network of a choice, with rational weights and the normal form of the problem (checked exactly)."""
    form, law = problem.form, problem.law
    units: list[tuple[np.ndarray, Any, np.ndarray]] = []
    jump = as_rational(law.jump) if law.jump else as_rational(1)
    left, extra = problem.residual(choice), np.empty((0, form.inputs), dtype=object)
    weights, extra = _split(problem, choice, left)
    order = {j: i for i, j in enumerate(choice.doubled)}
    absorbed = solve(form.normals[list(choice.doubled)].T, (left - weights @ extra).T) if order else None
    for j in range(form.folds):
        p = form.kinks[j] / jump
        if j in order:
            assert absorbed is not None
            v = absorbed[order[j]] / jump
            for s, share in ((1, (p + v) / 2), (-1, (p - v) / 2)):
                units.append(_scaled(form.normals[j] * s, form.offsets[j] * s, share, rows[j]))
        else:
            s = int(choice.signs[j])
            units.append(_scaled(form.normals[j] * s, form.offsets[j] * s, p, rows[j]))
    zero = as_rational(0)
    for weight, g in zip(weights.T, extra, strict=True):
        if problem.bounded:
            q = weight * (problem.ratio if law.mean and law.jump else 1)
            units.append(_scaled(g, _active(g, form.domain), q, None))
        else:
            for s in (1, -1):
                units.append(_scaled(g * s, zero, weight * s / (jump * 2), None))
    units = [unit for unit in units if (unit[2] != 0).any()]
    network = _assembled(units, form.inputs, form.outputs, activation)
    shift = form.constant - normal_form(network, exact=True, box=form.domain).constant
    network = replace(network, b2=shift)
    if normal_form(network, exact=True, box=form.domain) != form:
        raise AssertionError("the minimal network does not have the normal form it was built for")
    return network


def _split(problem: Problem, choice: Choice, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C (k x rho) and G (rho x n) with R - C G in the span of the doubled normals, rho as small as can be."""
    Q = problem.quotient(choice.doubled)
    rows, _ = reduced(rationals(left @ Q))  # rho x q, a basis of the row space
    k, n = left.shape
    if not len(rows):
        return np.empty((k, 0), dtype=object), np.empty((0, n), dtype=object)
    C = solve(rows.T, (left @ Q).T)
    G = solve(Q.T, rows.T)
    assert C is not None and G is not None
    return C.T, G.T


def _active(g: np.ndarray, domain: Any) -> Any:
    """A bias with which <g, x> + b >= 0 on the box (0 when there is none)."""
    if not isinstance(domain, Box):
        return as_rational(0)
    low, high = rationals(domain.low), rationals(domain.high)
    return -np.where(np.asarray(g > 0, dtype=bool), low, high) @ g


def _scaled(w: np.ndarray, b: Any, p: np.ndarray, row: Row | None) -> tuple[np.ndarray, Any, np.ndarray]:
    """The same unit with (w, b) times r > 0 and weight p / r: in numbers that floats hold, if possible.

    Tried: the length of the stored row, and the least r that makes (w, b) whole. Otherwise the stored length stays.
    """
    lengths = [as_rational(math.lcm(*(int(v.q) for v in (*w.tolist(), b))))]
    if row is not None:
        stored, own = (abs(next(v for v in values if v != 0)) for values in (rationals(row[0]).tolist(), w.tolist()))
        lengths.insert(0, stored / own)
    choices = [(w * r, b * r, p / r) for r in lengths]
    for unit in choices:
        if nearest_floats(np.array([*unit[0], unit[1], *unit[2]], dtype=object))[1]:
            return unit
    return choices[0]


def _assembled(units: list[tuple[np.ndarray, Any, np.ndarray]], n: int, k: int, activation: str) -> ShallowModel:
    W1, W2 = np.empty((len(units), n), dtype=object), np.empty((k, len(units)), dtype=object)
    b1 = np.empty(len(units), dtype=object)
    for i, (w, b, q) in enumerate(units):
        W1[i], b1[i], W2[:, i] = w, b, q
    return ShallowModel(W1, b1, W2, rationals(np.zeros(k)), activation)


def rounded(model: ShallowModel) -> Rounded:
    """A model of rationals in float64, with the largest relative error of an entry (None: exact)."""
    arrays, worst, exact = [], 0.0, True
    for array in (model.W1, model.b1, model.W2, model.b2):
        if array.dtype != object:
            arrays.append(array)
            continue
        values, same = nearest_floats(array)
        exact = exact and same
        for value, stored in zip(array.ravel().tolist(), values.ravel().tolist(), strict=True):
            true = fraction(value)
            if not same and true != 0 and np.isfinite(stored):
                worst = max(worst, float(abs(fraction(stored) - true) / abs(true)))
        if not np.isfinite(values).all():
            worst = np.inf
        arrays.append(values)
    return Rounded(ShallowModel(*arrays, activation=model.activation), None if exact else worst)
