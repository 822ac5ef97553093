"""A bisection tree of a box, grown breadth first, and cut back to what a set of claims needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class BisectionTree:
    """Nodes in order of creation. ``left[i]``, ``right[i]`` are the children of node i, -1 while it is a leaf."""

    lo: list[np.ndarray]
    hi: list[np.ndarray]
    axis: list[int] = field(default_factory=lambda: [-1])
    at: list[float] = field(default_factory=lambda: [0.0])
    left: list[int] = field(default_factory=lambda: [-1])
    right: list[int] = field(default_factory=lambda: [-1])

    @classmethod
    def root(cls, lo: np.ndarray, hi: np.ndarray) -> BisectionTree:
        return cls([lo], [hi])

    def halve(self, node: int, axis: int) -> tuple[int, int] | None:
        """Splits a leaf across an input at its middle; None when the floats leave no room between the ends."""
        low, high = self.lo[node], self.hi[node]
        cut = 0.5 * low[axis] + 0.5 * high[axis]
        if not low[axis] < cut < high[axis]:
            return None
        self.axis[node], self.at[node] = axis, float(cut)
        for side, children in enumerate((self.left, self.right)):
            children[node] = len(self.lo)
            part_low, part_high = low.copy(), high.copy()
            (part_low if side else part_high)[axis] = cut
            self.lo.append(part_low)
            self.hi.append(part_high)
            for values, start in ((self.axis, -1), (self.left, -1), (self.right, -1)):
                values.append(start)
            self.at.append(0.0)
        return self.left[node], self.right[node]

    def pruned(self, proved: list[np.ndarray]) -> dict[str, np.ndarray]:
        """The tree of a certificate: a node becomes a leaf where every claim has been proved at it or above it.

        ``proved[i]``: booleans, one per claim. Inner nodes are numbered anew from the root; a child -1, -2, ... is a
        leaf.
        """
        axis, at, left, right = [], [], [], []
        leaves = 0
        todo = [(0, np.zeros_like(proved[0]), -1, 0)]
        for node, above, parent, side in todo:  # grows while it is read: parents come before children
            done = above | proved[node]
            if done.all() or self.left[node] < 0:
                leaves += 1
                number = -leaves
            else:
                number = len(axis)
                axis.append(self.axis[node])
                at.append(self.at[node])
                left.append(0)
                right.append(0)
                todo += [(self.left[node], done, number, 0), (self.right[node], done, number, 1)]
            if parent >= 0:
                (right if side else left)[parent] = number
        return {
            "axis": np.array(axis, dtype=np.int64),
            "at": np.array(at, dtype=np.float64),
            "left": np.array(left, dtype=np.int64),
            "right": np.array(right, dtype=np.int64),
        }
