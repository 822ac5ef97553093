"""K(w) = E|f - f0|^2 / 2 and its gradient on a box of many inputs, with rigorous bounds: adaptive boxes.

On a box with sides h and centre y_c, an affine g has E|g|^2 = |g(y_c)|^2 + sum_c |slope_c|^2 h_c^2 / 12. A hinge that
keeps its sign is affine; one with -u < z < v, u, v > 0, lies within delta = u v / (2 (u + v)) of the affine
(v / (u + v)) (z + u / 2). With eps = sum |p| delta over the hinges that a box crosses and g = A + e, |e| <= eps,

    |E|g|^2 - E|A|^2| <= 2 eps . (E A^2)^{1/2} + |eps|^2          (Cauchy and Schwarz).

The boxes with the largest bounds are halved, across the input that moves their crossing hinges most, until the bound or
the number of boxes says stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.tolerance import BOUND_SLACK, EVALUATION_NOISE
from fiberscope.shallow.box import Box
from fiberscope.shallow.hinges import Hinges, as_floats, checked_pair, hinges
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.potential import Potential, gradient

MAX_BOXES = 1 << 18
"""Boxes that the cubature may use."""

ENOUGH = 1e-6
"""The cubature stops when its bound is this fraction of K."""

_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Per box: lower corner, sides (B x n), the mean of |g|^2 times volume, its error, and the input to halve."""

    low: np.ndarray
    side: np.ndarray
    value: np.ndarray
    error: np.ndarray
    halve: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> _Pieces:
        return _Pieces(self.low[chosen], self.side[chosen], self.value[chosen], self.error[chosen], self.halve[chosen])

    def __add__(self, other: _Pieces) -> _Pieces:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Pieces(*(np.concatenate(pair) for pair in pairs))


def cubature(model: ShallowModel, truth: ShallowModel, box: Box, *, max_boxes: int = MAX_BOXES) -> Potential:
    """K and its gradient with rigorous error bounds, by at most ``max_boxes`` boxes; any number of inputs.

    >>> from fiberscope.shallow.examples import boundary_off_the_folds
    >>> e = boundary_off_the_folds()
    >>> found = cubature(e.model, e.truth, Box.of((-1, 1), 2))
    >>> found.k <= found.error_bound < 1e-4
    True
    """
    checked_pair(model, truth)
    form = hinges(model, truth, box, exact=False)
    n = form.inputs
    pieces = _measure(form, np.zeros((1, n)), np.ones((1, n)))
    while len(pieces.low) < max_boxes and pieces.error.sum() > ENOUGH * pieces.value.sum():
        worst = np.argsort(-pieces.error, kind="stable")[
            : max(1, min(len(pieces.low) // 2, max_boxes - len(pieces.low)))
        ]
        worst = worst[pieces.error[worst] > 0]
        parents = pieces[worst]
        rows = np.arange(len(worst))
        side = parents.side.copy()
        side[rows, parents.halve] /= 2
        upper = parents.low.copy()
        upper[rows, parents.halve] += side[rows, parents.halve]
        rest = np.setdiff1d(np.arange(len(pieces.low)), worst)
        pieces = pieces[rest] + _measure(form, np.vstack([parents.low, upper]), np.vstack([side, side]))
    noise = EVALUATION_NOISE * _size(form) ** 2
    error = float(pieces.error.sum() * (1 + BOUND_SLACK) + noise) / 2
    moved, moved_error = _integrals(form, pieces)
    W1, b1, W2 = (as_floats(a) for a in (model.W1, model.b1, model.W2))
    worst = _slope_error(form, (W1, b1, W2), moved_error)
    return Potential(float(pieces.value.sum()) / 2, error, gradient(form, moved, W1, b1, W2), worst, "cubature")


def _local(form: Hinges, low: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, ...]:
    """Per box: the affine part's value (B x k) and slopes (B x k x n), eps (B x k), who is active (B x N in 0..1),
    who crosses (B x N)."""
    n = form.inputs
    centre = low + side / 2
    middle = centre @ form.rows[:, :n].T + form.rows[:, n]
    radius = (side / 2) @ np.abs(form.rows[:, :n]).T
    v, u = np.maximum(middle + radius, 0.0), np.maximum(radius - middle, 0.0)
    crossing = (u > 0) & (v > 0)
    share = np.where(crossing, v / np.where(crossing, u + v, 1.0), (v > 0).astype(float))
    lift = np.where(crossing, share * u / 2, 0.0)  # the affine stand-in is share * z + lift; delta equals lift
    value = centre @ form.affine[:, :n].T + form.affine[:, n] + (share * middle + lift) @ form.weights
    slope = form.affine[None, :, :n] + np.einsum("bt,tk,tc->bkc", share, form.weights, form.rows[:, :n], optimize=True)
    return value, slope, lift @ np.abs(form.weights), share, crossing


def _measure(form: Hinges, low: np.ndarray, side: np.ndarray) -> _Pieces:
    parts = []
    step = max(1, _CHUNK // (form.rows.size * max(1, form.affine.shape[0])))
    for start in range(0, len(low), step):
        part = slice(start, start + step)
        value, slope, eps, _, crossing = _local(form, low[part], side[part])
        volume = side[part].prod(axis=1)
        square = value**2 + (slope**2 * (side[part] ** 2)[:, None, :]).sum(axis=2) / 12
        error = (2 * eps * np.sqrt(square) + eps**2).sum(axis=1) * volume
        pull = (crossing * np.abs(form.weights).sum(axis=1)) @ np.abs(form.rows[:, :-1])
        parts.append(
            _Pieces(low[part], side[part], square.sum(axis=1) * volume, error, (pull * side[part]).argmax(axis=1))
        )
    out = parts[0]
    for more in parts[1:]:
        out = out + more
    return out


def _integrals(form: Hinges, pieces: _Pieces) -> tuple[list[np.ndarray], np.ndarray]:
    """V_0 .. V_N, and a bound for the error of the entries of each (N + 1,)."""
    n, count = form.inputs, len(form.rows)
    moved = np.zeros((count + 1, form.affine.shape[0], n + 1))
    error = np.zeros(count + 1)
    step = max(1, _CHUNK // (form.rows.size * max(1, form.affine.shape[0])))
    for start in range(0, len(pieces.low), step):
        low, side = pieces.low[start : start + step], pieces.side[start : start + step]
        value, slope, eps, share, crossing = _local(form, low, side)
        volume = side.prod(axis=1)
        mean = value[:, :, None] * (low + side / 2)[:, None, :] + slope * (side**2)[:, None, :] / 12
        whole = np.concatenate([mean, value[:, :, None]], axis=2) * volume[:, None, None]
        weight = np.column_stack([np.ones(len(low)), np.where(crossing, 0.5, share)])
        moved += np.einsum("bt,bkc->tkc", weight, whole, optimize=True)
        square = value**2 + (slope**2 * (side**2)[:, None, :]).sum(axis=2) / 12
        sure, unsure = eps.max(axis=1) * volume, (np.sqrt(square) + eps).max(axis=1) * volume
        error[0] += sure.sum()
        error[1:] += ((share == 1.0) & ~crossing).T @ sure + crossing.T @ (unsure / 2 + sure)
    noise = EVALUATION_NOISE * _size(form)
    return list(moved), error * (1 + BOUND_SLACK) + noise


def _size(form: Hinges) -> float:
    """A bound for the sum of the absolute values of everything that is added up in f - f0."""
    reach = np.abs(form.rows).sum(axis=1)
    return float((np.abs(form.affine).sum(axis=1) + reach @ np.abs(form.weights)).max() + 1e-300) * form.affine.shape[0]


def _slope_error(form: Hinges, weights: tuple[np.ndarray, ...], moved_error: np.ndarray) -> float:
    """A bound for the error of every entry of the gradient, from those of the V_t."""
    W1, b1, W2 = weights
    reach = max(1.0, float((np.abs(form.low) + np.abs(form.width)).max(initial=0.0)))
    below, jump = abs(float(form.below)), abs(float(form.jump))
    worst = float(moved_error[0]) * reach
    for i in range(form.units):
        side = (below * moved_error[0] + jump * moved_error[i + 1]) * reach
        motion = side * float(np.abs(W2[:, i]).sum())
        worst = max(worst, motion, side * float(np.abs(W1[i]).sum() + abs(b1[i])))
    return worst * (1 + BOUND_SLACK)
