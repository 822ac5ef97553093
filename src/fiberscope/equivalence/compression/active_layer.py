"""Units that are nowhere negative for any input: no weight, no bias and no value that they read is.

They are linear, so what is read of them is V (W h + c), V their outgoing weights. A unit whose row depends on those of
the others, w_u = sum a_i w_i, goes: V_i grows by a_i V_u, the next bias by V_u (c_u - sum a_i c_i). Where fewer units
read than are left, and what one reads has one sign, V W h itself is carried, up to its sign. Exact, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.equivalence.chain import Affine
from fiberscope.numerics.exact import nearest_floats, rationals

MOST_EXACT = 3_000_000
"""Largest units^2 x inputs for which dependences are searched in rationals."""


@dataclass(frozen=True, eq=False)
class ActiveLayer:
    """``units`` of the layer are replaced by new ones: ``weight`` [r, n], ``bias`` [r]; ``following`` [k, r] reads
    them, ``constant`` [k] is the next bias."""

    units: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    following: np.ndarray
    constant: np.ndarray


def active_layer(layer: Affine, following: Affine, *, within: type) -> ActiveLayer | None:
    """Fewer units for those that are nowhere negative, when the values below are not; None where none goes.

    ``within``: the float type that must hold every new number.

    >>> one = Affine(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1.0, 2.0, 4.0]))
    >>> active_layer(one, Affine(np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 0.5]]), np.zeros(2)), within=np.float32).constant
    array([0.5, 0.5])
    """
    if not (layer.exact_in_floats and following.exact_in_floats):
        return None
    silent = ~(layer.weight != 0).any(axis=1)
    units = np.flatnonzero((layer.weight >= 0).all(axis=1) & (layer.bias >= 0) & ~silent)
    if len(units) < 2 or len(units) ** 2 * layer.weight.shape[1] > MOST_EXACT:
        return None
    W, c = rationals(layer.weight[units]), rationals(layer.bias[units])
    V, b = rationals(following.weight[:, units]), rationals(following.bias)
    left = list(range(len(units)))
    for unit in range(len(units) - 1, -1, -1):
        others = [i for i in left if i != unit]
        parts = dependence(W[unit], W[others])
        if parts is None:
            continue
        read, shift = (
            V[:, others] + V[:, [unit]] * parts[None, :],
            b + V[:, unit] * (c[unit] - (parts * c[others]).sum()),
        )
        if held(read, within) is not None and held(shift, within) is not None:
            V[:, others], b, left = read, shift, others
    carried = read_itself(W[left], c[left], V[:, left], b, within)
    if carried is None and len(left) == len(units):
        return None
    w, d, v, e = carried or (W[left], c[left], V[:, left], b)
    return ActiveLayer(units, *(nearest_floats(x)[0] for x in (w, d, v, e)))


def dependence(row: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """``a`` with ``row = a @ rows`` in rationals, or None."""
    from flint import fmpq_mat

    if not len(rows):
        return None
    table = np.concatenate([rows, row[None]]).T  # the last column in those of the others
    reduced, rank = fmpq_mat(table.shape[0], table.shape[1], table.reshape(-1).tolist()).rref()
    entries: Any = reduced.tolist()
    out = rationals(np.zeros(len(rows)))
    for i in range(rank):
        lead = next(j for j, v in enumerate(entries[i]) if v != 0)
        if lead == len(rows):
            return None
        out[lead] = entries[i][-1]
    return out


def read_itself(W: np.ndarray, c: np.ndarray, V: np.ndarray, b: np.ndarray, within: type) -> tuple | None:
    """A unit for each thing that is read, where these are fewer and each has one sign."""
    wanted = V @ W
    read = np.flatnonzero([any(x != 0 for x in row) for row in wanted])
    rows = wanted[read]
    positive = np.array([all(x >= 0 for x in row) for row in rows], dtype=bool)
    negative = np.array([all(x <= 0 for x in row) for row in rows], dtype=bool)
    if len(read) >= len(W) or not (positive | negative).all():
        return None
    sign = np.where(positive, 1.0, -1.0)
    following = np.zeros((len(V), len(read)))
    following[read, np.arange(len(read))] = sign
    rows, shift = rows * rationals(sign)[:, None], b + V @ c
    if held(rows, within) is None or held(shift, within) is None:
        return None
    return rows, rationals(np.zeros(len(read))), rationals(following), shift


def held(values: np.ndarray, within: type) -> np.ndarray | None:
    """The numbers as floats, if the type holds them exactly."""
    floats, exact = nearest_floats(values)
    with np.errstate(over="ignore"):
        fits = bool(np.array_equal(floats.astype(within).astype(np.float64), floats))
    return floats if exact and fits else None
