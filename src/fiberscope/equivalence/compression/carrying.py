"""The fewest units that carry what the next layer reads of linear units."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fiberscope.numerics.tolerance import FOLD_RANK


class Unfit(Exception):
    """The numbers of this network are too large or too unequal to be folded within a bound that says anything."""


def carriers(
    v: np.ndarray, rows: np.ndarray, constants: np.ndarray, side: np.ndarray, widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Rows, constants and lift of the fewest carriers with ``v rows = lift @ carrier rows``.

    Linear units themselves carry while they are independent; of dependent ones those that vary most independently
    (pivoted QR, the inputs scaled by how far they range); where fewer units read than that, the functions that are
    read. ``side``: -1 for units that are nowhere positive and are turned round. The last answer says whether the lift
    is ``v`` itself.
    """
    from scipy.linalg import qr, solve_triangular

    if not len(rows):
        return rows, constants, np.zeros((len(v), 0)), True
    if not (np.isfinite(v @ rows).all() and np.isfinite(rows * widths).all()):
        raise Unfit
    ranging = rows * widths
    size = np.linalg.norm(ranging, axis=1)
    triangular, order = cast(Any, qr(ranging.T, mode="r", pivoting=True))
    diagonal = np.abs(np.diagonal(triangular))
    rank = int((diagonal > FOLD_RANK * size.max(initial=0.0)).sum())
    wanted = v @ rows
    if len(v) < rank:
        scale = np.abs(wanted * widths).sum(axis=1)
        chosen = np.flatnonzero(scale > FOLD_RANK * scale.max(initial=0.0))
        power = np.exp2(np.round(np.log2(scale[chosen])))
        lift = np.zeros((len(v), len(chosen)))
        lift[chosen, np.arange(len(chosen))] = power
        return wanted[chosen] / power[:, None], np.zeros(len(chosen)), lift, False
    if rank == len(rows):
        return themselves(v, rows, constants, side)
    picked = order[:rank]
    weights = np.zeros((rank, len(rows)))
    if rank:
        weights[:, order] = solve_triangular(triangular[:rank, :rank], triangular[:rank], lower=False)
    turn = side[picked]
    return rows[picked] * turn[:, None], constants[picked] * turn, (v @ weights.T) * turn[None, :], False


def themselves(
    v: np.ndarray, rows: np.ndarray, constants: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Linear units as their own carriers."""
    return rows * side[:, None], constants * side, v * side[None, :], True
