"""A step of a channels certificate that narrows ranges on the parts of a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Split:
    """The argument of map number ``map`` is bounded at ``units`` along an axis on every leaf of a tree."""

    map: int
    along: int
    units: np.ndarray
    tree: dict[str, np.ndarray]

    @property
    def leaves(self) -> int:
        return len(self.tree["axis"]) + 1
