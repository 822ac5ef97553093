"""A hidden layer as a function of the values in front of it, written with the least number of units.

V rho(W z + b) + c, as a function of z in R^n, stays the same, so the network does. (On the values that the layers below
reach fewer units might do.) When every unit has a boundary of its own the layer is minimal already; only layers with
opposite units on one boundary are worth the search: see `fiberscope.shallow.minimal`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.chain import Affine
from fiberscope.equivalence.compression.boundaries import multiples
from fiberscope.equivalence.shallow_route import HINGES

MOST_EXACT = 300_000
"""Largest outputs x units x inputs for which the whole layer is looked at; beyond it only the units that share."""
MOST_UNITS = 400


@dataclass(frozen=True, eq=False)
class MinimalLayer:
    """``weight`` [d, n], ``bias`` [d], ``following`` [k, d], ``constant`` [k] of the smaller layer, in float64."""

    weight: np.ndarray
    bias: np.ndarray
    following: np.ndarray
    constant: np.ndarray


def minimal_layer(
    first: Affine, second: Affine, activation: str, *, within: type, budget: float
) -> MinimalLayer | None:
    """The layer with fewer units, or None where none is found whose weights the type ``within`` holds exactly.

    >>> one = Affine(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([-5.0, 5.0, 7.0, -7.0]))
    >>> two = Affine(np.array([[1.0, -1.0, -1.0, 1.0]]), np.array([0.0]))
    >>> minimal_layer(one, two, "relu", within=np.float32, budget=5.0).constant  # it is -12 for all inputs
    array([-12.])
    """
    from fiberscope.shallow.minimal import minimal_width
    from fiberscope.shallow.model import ShallowModel

    if activation.split("(")[0] not in HINGES or not (first.exact_in_floats and second.exact_in_floats):
        return None
    rows = np.column_stack([first.weight, first.bias])
    head, ratio = multiples(rows)
    sharing = np.isin(head, head[[i for i, r in enumerate(ratio) if r < 0]])
    if not sharing.any():
        return None
    small = len(second.bias) * first.weight.size <= MOST_EXACT and len(rows) <= MOST_UNITS
    chosen = np.ones(len(rows), dtype=bool) if small else sharing
    if chosen.sum() > MOST_UNITS or len(second.bias) * chosen.sum() * rows.shape[1] > 10 * MOST_EXACT:
        return None
    model = ShallowModel(
        first.weight[chosen], first.bias[chosen], second.weight[:, chosen], np.zeros(len(second.bias)), activation
    )
    found = minimal_width(model, budget=budget)
    if found.upper >= model.units:
        return None
    exact = found.rounded()
    if exact.error is not None:
        return None
    new = exact.model
    constant = second.bias + new.b2
    made = MinimalLayer(
        np.concatenate([first.weight[~chosen], new.W1]),
        np.concatenate([first.bias[~chosen], new.b1]),
        np.concatenate([second.weight[:, ~chosen], new.W2], axis=1),
        constant,
    )
    fits = [np.array_equal(x.astype(within), x) for x in (made.weight, made.bias, made.following, made.constant)]
    if not all(fits) or not np.array_equal(constant - second.bias, new.b2):
        return None
    return made
