"""Which cell of the fiber a network lies in, read off its weights."""

from __future__ import annotations

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rationals
from fiberscope.shallow.bend import checked_model
from fiberscope.shallow.cell import Cell, Role, replaced
from fiberscope.shallow.fiber_equation import FiberEquation
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form


def cell_of(equation: FiberEquation, units: int, model: ShallowModel) -> Cell:
    """The role of every unit of ``model`` in the fiber of ``equation``.

    Errors: InputError for another number of units, or a network that computes another function.

    >>> from fiberscope.shallow.examples import reversal_without_annihilation
    >>> pair = reversal_without_annihilation()
    >>> cell_of(FiberEquation.of(normal_form(pair.truth, exact=True)), 3, pair.model)
    Cell(fo1+ fo1- fo0-)
    """
    if checked_model(model).units != units:
        raise InputError(f"the network has {model.units} units, the fiber's networks have {units}")
    found = FiberEquation.of(normal_form(model, exact=True), model.activation)
    parts = ("normals", "offsets", "kinks", "slopes", "constant")
    pairs = [(getattr(found, name), getattr(equation, name)) for name in parts]
    if found.activation != equation.activation or not all(np.array_equal(a, b) for a, b in pairs):
        raise InputError("the network computes another function, or has another activation; see same_function")
    folds = {
        (*u, t): j for j, (u, t) in enumerate(zip(equation.normals.tolist(), equation.offsets.tolist(), strict=True))
    }
    fresh: dict[tuple, int] = {}
    roles: list[Role] = []
    W1, b1, W2 = (rationals(a) for a in (model.W1, model.b1, model.W2))
    for i in range(units):
        row = W1[i].tolist()
        lead = next((w for w in row if w != 0), None)
        if not (W2[:, i] != 0).any():
            roles.append("Z")
        elif lead is None:
            roles.append("P" if b1[i] > 0 else "N")
        else:
            key = tuple(v / lead for v in (*row, b1[i]))
            side = 1 if lead > 0 else -1
            roles.append(
                ("fold", folds[key], side) if key in folds else ("fresh", fresh.setdefault(key, len(fresh)), side)
            )
    cell = Cell(tuple(roles))
    return replaced(equation, cell, 0, cell.roles[0]) if units else cell
