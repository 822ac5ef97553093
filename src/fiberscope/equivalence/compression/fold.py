"""Fold away hidden units that are linear on the domain: the smaller chain, and how the old layers are read off it.

Going forward, the pre-activations of a's next layer are ``z = P h + p`` with ``h`` the values of the smaller chain's
layer. Free units (neither nowhere negative nor nowhere positive) are kept. The linear units S of a layer only matter
through ``V P_S``, V their outgoing weights: a matrix of rank at most ``|S|``, the width of the layer below (already
reduced) and the number of units that read. As many carriers replace them: units of the smaller chain that are active
on the whole domain, so that their ReLU does nothing. (Serra, Kumar and Ramalingam 2020 fold by the rank of the plain
weights; in the reduced inputs the rank is smaller.) Free units on one boundary share one unit: see `boundaries`.

A file holds float32. A row that was copied is exact; one that was computed is rounded, and the rounding of a bias of
size 2 is 1e-7. Where that matters a layer is split: each of its carriers stands twice, read by the leading and by the
trailing part of every weight, and a constant unit carries the trailing parts of the biases.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.compression.plan import Layer

Layers = list[tuple[np.ndarray, np.ndarray]]
Settle = Callable[[Layers, int, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Relation:
    """One hidden layer: a's units that matter; for each the unit of the smaller chain and its scale (negative: it is
    turned round), -1 if it is linear, -2 - r if it cancels with the r-th of them; the matrix that reads a's next
    pre-activations off the carriers, and their constants."""

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
        units, after, here = alive[l], alive[l + 1], layers[l]
        w_next, b_next = layers[l + 1]
        own = np.column_stack([here[0][units][:, alive[l - 1]] if l else here[0][units], here[1][units]])
        read = w_next[np.ix_(after, units)]
        plan = Layer(P, p, own, read, status[l][units], slopes[l], widths(l), l in split).best()
        rows, constants, lift, exact = plan.carried
        first = len(plan.heads)
        if first + len(rows) == 0:  # a layer keeps one unit, so that files can hold it
            rows, constants, lift = np.zeros((1, P.shape[1])), np.zeros(1), np.zeros((len(after), 1))
        rows, wanted = stored(rows), stored(constants)
        constants = stored(settle(made, first, rows, wanted))
        offset = b_next[after] + plan.read @ plan.constants - lift @ constants
        if not exact or not np.array_equal(constants, wanted):
            computed.append(l)
        elif np.array_equal(lift, plan.read) and np.array_equal(constants, plan.constants):
            offset = b_next[after].copy()  # what the sum above is without rounding
        if l in split and not exact:
            high, high_offset = stored(lift), stored(offset)
            lift = np.concatenate([high, stored(lift - high), (stored(offset - high_offset))[:, None]], axis=1)
            rows = np.concatenate([rows, rows, np.zeros((1, rows.shape[1]))])
            constants = np.concatenate([constants, constants, [1.0]])
            offset = high_offset
            constants = settle(made, first, rows, constants)
        made = [
            *made,
            (
                np.concatenate([stored(P[plan.heads]), rows]),
                np.concatenate([stored(p[plan.heads]), constants]),
            ),
        ]
        relations.append(Relation(units, plan.unit, plan.scale, lift, offset))
        columns = np.zeros((len(after), first))
        stands = plan.unit >= 0
        np.add.at(columns.T, plan.unit[stands], (read[:, stands] * np.abs(plan.scale[stands])).T)
        P, p = np.concatenate([columns, lift], axis=1), offset
    return Folded([*made, (stored(P), stored(p))], tuple(relations), tuple(computed))
