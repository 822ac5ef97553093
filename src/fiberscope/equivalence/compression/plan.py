"""One layer of a fold: which of its units stand for units of the smaller chain, and what its carriers carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.compression.boundaries import Groups, groups
from fiberscope.equivalence.compression.carrying import carriers, themselves

Carried = tuple[np.ndarray, np.ndarray, np.ndarray, bool]
FREE, ACTIVE = 0, 1


@dataclass(frozen=True, eq=False)
class Plan:
    """``unit`` and ``scale`` as in a `Relation`; ``heads``: the free units that are kept, in the smaller chain's order;
    ``read`` [k, r]: the weights with which the next layer reads the linear parts, ``constants`` [r] theirs;
    ``carried``: rows, constants and lift of the carriers, and whether the lift is ``read`` itself; ``cost``: units.
    """

    unit: np.ndarray
    scale: np.ndarray
    heads: np.ndarray
    read: np.ndarray
    constants: np.ndarray
    carried: Carried
    cost: int


@dataclass(frozen=True, eq=False)
class Layer:
    """Alive units of a layer: rows and constants in the reduced inputs, rows in their own network, the weights with
    which the next layer reads them, their status, the slope, how far the inputs range, whether carriers are split.
    """

    P: np.ndarray
    p: np.ndarray
    own: np.ndarray
    weights: np.ndarray
    status: np.ndarray
    slope: float
    widths: np.ndarray
    split: bool

    def best(self) -> Plan:
        """The plan with the fewest units; of two equal ones the one that changes less."""
        free = np.flatnonzero(self.status == FREE)
        rows = np.column_stack([self.P[free], self.p[free]])
        found = groups(rows, self.own[free], self.weights[:, free])
        ways = [(False, False)]
        if (found.scale < 0).any():
            ways += [(False, True), (True, True)]
        return min((self.plan(free, found.chosen(*way)) for way in ways), key=lambda plan: plan.cost)

    def plan(self, free: np.ndarray, found: Groups) -> Plan:
        """The plan that belongs to a choice of groups of the free units."""
        unit, scale = np.full(len(self.status), -1, dtype=np.int64), np.ones(len(self.status))
        heads = np.unique(found.head[~found.cancels])
        number = np.searchsorted(heads, found.head) if len(heads) else np.zeros(len(free), dtype=np.int64)
        unit[free] = np.where(found.cancels, -2 - free[found.head], number)
        scale[free] = found.scale
        linear = self.status != FREE
        factor = np.where(scale < 0, 1.0 + self.slope, np.where(self.status == ACTIVE, 1.0, self.slope))
        part = linear | (scale < 0)
        read, rows, constants = self.weights[:, part] * factor[part], self.P[part], self.p[part]
        side = np.where(linear & (self.status != ACTIVE), -1.0, 1.0)[part]
        carried = carriers(read, rows, constants, side, self.widths)
        if self.split and not carried[3] and 2 * len(carried[0]) + 1 >= len(rows):  # the units themselves cost no more
            carried = themselves(read, rows, constants, side)
        if (scale < 0).any():  # what they carry may be negative: their constants are raised
            carried = (*carried[:3], False)
        more = len(carried[0]) if carried[3] or not self.split else 2 * len(carried[0]) + 1
        return Plan(unit, scale, free[heads], read, constants, carried, len(heads) + more)
