"""How every hidden unit acts on the domain: bent along a hyperplane, linear, or not at all; who shares a hyperplane.

On all of R^n a unit with w != 0 is bent and one with w = 0 is constant. On a box a unit whose boundary misses the
interior is linear there. Units on one hyperplane H fall into two classes by the side on which they are active:

    (w_i, b_i) = sign_i r_i h,      h = the row of H with first nonzero weight 1 (floats: of unit length),   r_i > 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import WeightError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.boundaries import boundaries
from fiberscope.shallow.clusters import clusters
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.potential import checked_box


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """``row`` h = (normal, offset); units on it with their signs and scales r; ``pivot``: a nonzero entry of the
    normal."""

    row: np.ndarray
    units: tuple[int, ...]
    signs: tuple[int, ...]
    scales: tuple[Any, ...]
    pivot: int

    def side(self, sign: int) -> list[int]:
        """The units of one orientation."""
        return [i for i, s in zip(self.units, self.signs, strict=True) if s == sign]


@dataclass(frozen=True, eq=False)
class Active:
    """``rows`` (d x n + 1), ``outer`` (k x d) of the model, in rationals or floats; ``hyperplanes`` of the bent units;
    ``slope[i]``: the slope of a unit that is linear on the domain; ``below`` and ``jump`` of the activation; ``gap``:
    the distance of the closest boundaries that were kept apart (floats only, else inf)."""

    rows: np.ndarray
    outer: np.ndarray
    hyperplanes: tuple[Hyperplane, ...]
    slope: dict[int, Any]
    below: Any
    jump: Any
    gap: float


def active(model: ShallowModel, box: Any = None, *, exact: bool = True) -> Active:
    """Sort the units of ``model`` by how they act on all inputs, or on ``box``.

    Over the rationals if ``exact``, else boundaries that agree up to rounding count as one.

    Errors: WeightError for a unit with w = 0, b = 0 and an output weight: f has no derivative there.

    >>> from fiberscope.shallow.examples import reversal_without_annihilation
    >>> [h.units for h in active(reversal_without_annihilation().model).hyperplanes]
    [(0, 1), (2,)]
    """
    law = bend(checked_model(model).activation)
    below, jump = (rational(v) if exact else float(v) for v in (law.slope(-1), law.jump))
    convert = rationals if exact else as_floats
    rows = np.column_stack([convert(model.W1), convert(model.b1)])
    outer = convert(model.W2)
    _check_differentiable(rows, outer, jump)
    if box is None:
        bent = np.asarray([any(v != 0 for v in row) for row in rows[:, :-1].tolist()], dtype=bool)
        sides = np.asarray([1 if b > 0 else -1 for b in rows[:, -1].tolist()], dtype=np.int64)
    else:
        sides = checked_box(box, model.inputs).sides(model.W1, model.b1)
        bent = sides == 0
    if jump == 0:
        bent = np.zeros_like(bent)
    slope = {int(i): below + jump if sides[i] > 0 else below for i in np.flatnonzero(~bent)}
    where = np.flatnonzero(bent)
    planes, gap = _exact_planes(model, rows, where) if exact else _float_planes(rows, where)
    return Active(rows, outer, tuple(planes), slope, below, jump, gap)


def _check_differentiable(rows: np.ndarray, outer: np.ndarray, jump: Any) -> None:
    for i, row in enumerate(rows.tolist()):
        if jump != 0 and all(v == 0 for v in row) and any(q != 0 for q in outer[:, i].tolist()):
            raise WeightError(
                f"unit {i} has zero weights, zero bias and a nonzero output weight: the function has no derivative "
                "by its weights there; move its bias away from zero"
            )


def _exact_planes(model: ShallowModel, rows: np.ndarray, where: np.ndarray) -> tuple[list[Hyperplane], float]:
    found = boundaries(model.W1[where], model.b1[where])
    out = []
    for h in range(found.count):
        members = where[found.label == h]
        first = rows[members[0]]
        pivot = next(c for c, v in enumerate(first.tolist()) if v != 0)
        leads = [rows[i, pivot] for i in members]
        signs = tuple(1 if v > 0 else -1 for v in leads)
        out.append(
            Hyperplane(first / first[pivot], tuple(members.tolist()), signs, tuple(abs(v) for v in leads), pivot)
        )
    return out, np.inf


def _float_planes(rows: np.ndarray, where: np.ndarray) -> tuple[list[Hyperplane], float]:
    if not where.size:
        return [], np.inf
    lengths = np.linalg.norm(rows[where, :-1], axis=1)
    unit = rows[where] / lengths[:, None]
    found = clusters(unit[:, :-1], unit[:, -1])
    out = []
    for h, leader in enumerate(found.leader):
        inside = np.flatnonzero(found.label == h)
        row = unit[leader] * found.sign[leader]
        scales = tuple(lengths[inside].tolist())
        pivot = int(np.abs(row[:-1]).argmax())
        out.append(Hyperplane(row, tuple(where[inside].tolist()), tuple(found.sign[inside].tolist()), scales, pivot))
    return out, found.apart
