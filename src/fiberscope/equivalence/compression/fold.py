"""Fold away hidden units that are linear on the domain: the smaller chain, and how the old layers are read off it.

Going forward, the pre-activations of a's next layer are ``z = P h + p`` with ``h`` the values of the smaller chain's
layer. Free units (neither nowhere negative nor nowhere positive) are kept. The linear units S of a layer only matter
through ``V P_S``, V their outgoing weights: a matrix of rank at most ``|S|``, the width of the layer below (already
reduced) and the number of units that read. As many carriers replace them: units of the smaller chain that are active
on the whole domain, so that their ReLU does nothing. (Serra, Kumar and Ramalingam 2020 fold by the rank of the plain
weights; in the reduced inputs the rank is smaller.)

A file holds float32. A row that was copied is exact; one that was computed is rounded, and the rounding of a bias of
size 2 is 1e-7. Where that matters a layer is split: each of its carriers stands twice, read by the leading and by the
trailing part of every weight, and a constant unit carries the trailing parts of the biases.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from fiberscope.numerics.exact import products_equal
from fiberscope.numerics.tolerance import FOLD_RANK

Layers = list[tuple[np.ndarray, np.ndarray]]
Settle = Callable[[Layers, int, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Relation:
    """One hidden layer: a's units that matter, the unit of the smaller chain (or -1) and the scale of each, the matrix
    that reads a's next pre-activations off the carriers, and their constants."""

    alive: np.ndarray
    unit: np.ndarray
    scale: np.ndarray
    lift: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Folded:
    """The smaller chain's affine maps, the relations, and the layers whose weights had to be computed."""

    layers: Layers
    relations: tuple[Relation, ...]
    computed: tuple[int, ...]


def alive_units(layers: Layers, status: list[np.ndarray], slopes: list[float]) -> list[np.ndarray]:
    """Units whose pre-activation matters for the output, per layer, the outputs last."""
    out = [np.arange(len(layers[-1][1]))]
    for l in reversed(range(len(layers) - 1)):
        read = (layers[l + 1][0][out[0]] != 0).any(axis=0)
        out.insert(0, np.flatnonzero(read & ((status[l] != -1) | (slopes[l] != 0))))
    return out


def fold(
    layers: Layers,
    status: list[np.ndarray],
    slopes: list[float],
    settle: Settle,
    widths: Callable[[int], np.ndarray],
    *,
    dtype: type = np.float64,
    split: Collection[int] = (),
) -> Folded:
    """Fold a chain of ReLUs and leaky ReLUs, slopes given, with the given status (1 active, -1 inactive, 0 free).

    ``settle(made, first, rows, constants)`` raises the constants of carriers until they are active on the domain, given
    the layers made so far; they will be units ``first, first + 1, ...`` of the next. ``widths(l)``: how far the values
    below hidden layer l range. ``split``: see the module.
    """
    alive = alive_units(layers, status, slopes)
    P, p = (v[alive[0]] for v in layers[0])
    made: Layers = []
    relations, computed = [], []

    def stored(x: np.ndarray) -> np.ndarray:
        return x.astype(dtype).astype(np.float64)

    for l in range(len(layers) - 1):
        units, after = alive[l], alive[l + 1]
        free = status[l][units] == 0
        linear = ~free
        factor = np.where(status[l][units][linear] == 1, 1.0, slopes[l])
        w_next, b_next = layers[l + 1]
        v = w_next[np.ix_(after, units[linear])] * factor
        rows, constants, lift, exact = carriers(v, P[linear], p[linear], factor, widths(l))
        if l in split and 2 * len(rows) + 1 >= int(linear.sum()):  # the units themselves cost no more
            rows, constants, lift, exact = themselves(v, P[linear], p[linear], factor)
        twin, scale, kept = duplicates(P[free], p[free])
        first = int(kept.sum())
        if first + len(rows) == 0:  # a layer keeps one unit, so that files can hold it
            rows, constants, lift = np.zeros((1, P.shape[1])), np.zeros(1), np.zeros((len(after), 1))
        rows, wanted = stored(rows), stored(constants)
        constants = stored(settle(made, first, rows, wanted))
        offset = b_next[after] + v @ p[linear] - lift @ constants
        if not exact or not np.array_equal(constants, wanted):
            computed.append(l)
        elif np.array_equal(lift, v) and np.array_equal(constants, p[linear]):
            offset = b_next[after].copy()  # what the sum above is without rounding
        if l in split and not exact:
            high, high_offset = stored(lift), stored(offset)
            lift = np.concatenate([high, stored(lift - high), (stored(offset - high_offset))[:, None]], axis=1)
            rows = np.concatenate([rows, rows, np.zeros((1, rows.shape[1]))])
            constants = np.concatenate([constants, constants, [1.0]])
            offset = high_offset
            constants = settle(made, first, rows, constants)
        w, b = np.concatenate([stored(P[free][kept]), rows]), np.concatenate([stored(p[free][kept]), constants])
        made = [*made, (w, b)]
        unit, scales = np.full(len(units), -1, dtype=np.int64), np.ones(len(units))
        unit[free], scales[free] = twin, scale
        relations.append(Relation(units, unit, scales, lift, offset))
        columns = np.zeros((len(after), first))
        np.add.at(columns.T, twin, (w_next[np.ix_(after, units[free])] * scale).T)
        P, p = np.concatenate([columns, lift], axis=1), offset
    return Folded([*made, (stored(P), stored(p))], tuple(relations), tuple(computed))


def carriers(
    v: np.ndarray, rows: np.ndarray, constants: np.ndarray, factor: np.ndarray, widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Rows, constants and lift of the fewest carriers with ``v rows = lift @ carrier rows``.

    Linear units themselves carry while they are independent; of dependent ones those that vary most independently
    (pivoted QR, the inputs scaled by how far they range); where fewer units read than that, the functions that are
    read. The last answer says whether the lift is ``v`` itself.
    """
    from scipy.linalg import qr, solve_triangular

    if not len(rows):
        return rows, constants, np.zeros((len(v), 0)), True
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
        return themselves(v, rows, constants, factor)
    picked = order[:rank]
    weights = np.zeros((rank, len(rows)))
    if rank:
        weights[:, order] = solve_triangular(triangular[:rank, :rank], triangular[:rank], lower=False)
    turn = np.where(factor[picked] == 1.0, 1.0, -1.0)
    return rows[picked] * turn[:, None], constants[picked] * turn, (v @ weights.T) * turn[None, :], False


def themselves(
    v: np.ndarray, rows: np.ndarray, constants: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Linear units as their own carriers; an inactive leaky unit is nowhere positive and is turned round."""
    sign = np.where(factor == 1.0, 1.0, -1.0)
    return rows * sign[:, None], constants * sign, v * sign[None, :], True


def duplicates(rows: np.ndarray, constants: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units that are exactly a positive multiple of an earlier one: the number of the unit kept, the multiple, and
    which are kept. Near duplicates are kept apart."""
    joined = np.column_stack([rows, constants])
    kept = np.ones(len(joined), dtype=bool)
    twin, scale = np.zeros(len(joined), dtype=np.int64), np.ones(len(joined))
    pivot = np.abs(joined).argmax(axis=1) if len(joined) else np.zeros(0, dtype=int)
    size = np.abs(joined[np.arange(len(joined)), pivot])
    with np.errstate(all="ignore"):
        normal = (
            joined / np.where(size > 0, size, 1.0)[:, None] + 0.0
        )  # correctly rounded: parallel rows come out equal
    seen: dict[bytes, list[int]] = {}
    for i, row in enumerate(normal):
        for j in seen.setdefault(row.tobytes(), []):
            if bool(products_equal(joined[i], size[j : j + 1], joined[j], size[i : i + 1]).all()):
                kept[i], twin[i], scale[i] = False, j, size[i] / size[j] if size[j] else 1.0
                break
        else:
            seen[row.tobytes()].append(i)
    number = np.cumsum(kept) - 1
    return np.where(kept, number, number[twin]), scale, kept
