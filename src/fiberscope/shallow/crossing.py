"""Moves from one cell of the fiber to the next, along straight lines of output weights that keep the function.

With the hidden units fixed, f is linear in (q, c). Unit i dies along (q, c) + t (dq, dc), 0 <= t <= 1, dq_i = -q_i, iff

    sum_{j on H} r_j dq_j = 0 for every hyperplane H,      sum_j dq_j w_j^T = 0,

and dc makes up for the constants. A unit with q = 0 is free to go anywhere first, so a death read backwards is a birth,
and a spare unit that takes the place opposite to a unit that then dies has reversed it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.active import active
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.linear_relations import reduce_columns
from fiberscope.shallow.model import ShallowModel


def let_die(model: ShallowModel, unit: int) -> ShallowModel:
    """The network with the same hidden units and the same function in which ``unit`` has output weight 0, in rationals.

    Every network on the straight line from ``model`` to it computes the same function. As few other units as the
    reduction of the linear system yields take over, those on the unit's own hyperplane first.

    Errors: InputError for a unit that does not exist or that no other units can replace, and for an activation that is
    not bent or whose sides have opposite slopes.

    >>> from fiberscope.shallow.examples import network
    >>> let_die(network([[1], [2]], [1, 2], [[3, 1]]), 0).W2
    array([[0, 5/2]], dtype=object)
    """
    law = bend(checked_model(model).activation)
    if law.mean == 0 or law.jump == 0:
        raise InputError(
            f"activation {model.activation!r}: moves are known for ReLU and leaky ReLU of slope not 1 or -1"
        )
    if isinstance(unit, bool) or not isinstance(unit, (int, np.integer)) or not 0 <= unit < model.units:
        raise InputError(f"unit {unit!r}: expected a number from 0 to {model.units - 1}")
    W1, b1, W2, b2 = (rationals(a) for a in (model.W1, model.b1, model.W2, model.b2))
    planes = active(replace(model, W2=W2 * 0), exact=True).hyperplanes
    own = next((plane.units for plane in planes if unit in plane.units), ())
    others = [i for i in own if i != unit] + [i for i in range(model.units) if i not in own and i != unit]
    order = [*others, unit]
    table = np.full((len(planes) + model.inputs, model.units), rational(0), dtype=object)
    for h, plane in enumerate(planes):
        table[h, list(plane.units)] = plane.scales
    table[len(planes) :] = W1.T
    pivots, reduced, _ = reduce_columns(table[:, order])
    last = model.units - 1
    if last in pivots:
        raise InputError(f"unit {unit}: no other units can take its part, with the hidden units where they are")
    change = np.full(W2.shape, rational(0), dtype=object)
    change[:, unit] = -W2[:, unit]
    for row, pivot in enumerate(pivots):
        change[:, order[pivot]] = W2[:, unit] * reduced[row, last]
    constants = b1 * rational(law.mean)
    for i in np.flatnonzero([not (row != 0).any() for row in W1]):
        constants[i] = b1[i] * rational(law.slope(1 if b1[i] > 0 else -1))
    return ShallowModel(W1, b1, W2 + change, b2 - change @ constants, model.activation)


def turn_round(model: ShallowModel, unit: int, spare: int) -> ShallowModel:
    """Give the part of ``unit`` to ``spare`` on the other side of the same boundary, in rationals; the same function.

    The spare unit, which must have output weight 0, moves to (-w, -b) of ``unit``; then ``unit`` dies.

    Errors: InputError if the spare unit is read, or if nothing makes up for the linear function that is left over.

    >>> from fiberscope.shallow.examples import network
    >>> turned = turn_round(network([[1], [1], [-1], [0]], [0, -1, 1, 0], [[1, 1, 1, 0]]), 0, 3)  # 1 and 2 are opposite
    >>> turned.W2
    array([[0, 2, 0, 1]], dtype=object)
    """
    checked_model(model)
    for i in (unit, spare):
        if isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not 0 <= i < model.units:
            raise InputError(f"unit {i!r}: expected a number from 0 to {model.units - 1}")
    if (model.W2[:, spare] != 0).any() or unit == spare:
        raise InputError(f"unit {spare} is read by an output; a spare unit has output weight 0")
    W1, b1 = rationals(model.W1).copy(), rationals(model.b1).copy()
    W1[spare], b1[spare] = -W1[unit], -b1[unit]
    return let_die(replace(model, W1=W1, b1=b1, W2=rationals(model.W2), b2=rationals(model.b2)), unit)
