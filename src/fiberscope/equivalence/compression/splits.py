"""Steps of a channels certificate that narrow the ranges of a graph on a bounded domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TREE = ("axis", "at", "left", "right")


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

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the step by their keys, in the order of the checker."""
        return {"units": self.units, **{key: self.tree[key] for key in TREE}}


@dataclass(frozen=True, eq=False)
class Dual:
    """``signs`` times the argument is bounded below by multipliers: slopes of ReLUs [R, H], and of rows [R, rows]."""

    map: int
    along: int
    units: np.ndarray
    signs: np.ndarray
    multipliers: np.ndarray
    mu: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the step by their keys, in the order of the checker."""
        slopes, rows = self.multipliers.reshape(-1), self.mu.reshape(-1)
        return {"units": self.units, "signs": self.signs, "multipliers": slopes, "mu": rows}


@dataclass(eq=False)
class Narrowing:
    """Rows G x <= h that cut a box (none: G [0, n]), the multipliers of the rows that make the box smaller, steps."""

    G: np.ndarray
    h: np.ndarray
    mu: np.ndarray | None = None
    steps: list[Split | Dual] = field(default_factory=list)

    @property
    def rows(self) -> Any:
        """The rows as the checker takes them."""
        from fiberscope_verify.dual import Rows

        return Rows(self.G, self.h)

    def intervals(self, graph: Any, lo: np.ndarray, hi: np.ndarray) -> Any:
        """What the checker knows of all values of a graph after these steps."""
        from fiberscope_verify.channel_ranges import maps
        from fiberscope_verify.channel_splits import Narrowed

        found, order = Narrowed(graph, lo, hi, self.rows, self.mu), maps(graph)
        for step in self.steps:
            act = found.split if isinstance(step, Split) else found.dual
            act(order[step.map], step.along, *step.arrays().values())
        return found.intervals() if self.steps else found.known

    def written(self) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """The steps as a certificate holds them: plain keys, and arrays by key."""
        if self.mu is not None:
            yield {"step": "box"}, {"mu": self.mu.reshape(-1)}
        for step in self.steps:
            kind = "split" if isinstance(step, Split) else "dual"
            yield {"step": kind, "map": step.map, "along": step.along}, step.arrays()


def narrowing_of(polytope: Any, n: int) -> Narrowing:
    """Of a domain with n inputs before any step; the box of a polytope is made as small as programs make it."""
    if polytope is None:
        return Narrowing(np.zeros((0, n)), np.zeros(0))
    return Narrowing(polytope.G, polytope.h, polytope.bounding())
