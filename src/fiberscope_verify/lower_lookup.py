"""ATen operators that look numbers up: by computed places, by size."""

from __future__ import annotations

from collections.abc import Callable

from .lower_aten import Tensor
from .report import need


def index(g, self, indices):
    """self[:, i, j]: tensors of whole numbers (or constant masks) at some axes."""
    places: dict[int, int] = {}
    axis = 0
    for item in indices:
        if isinstance(item, Tensor) and item in g.boolean:
            need(item in g.known, "an index by a computed mask")
            for positions in g.known[item].nonzero():
                places[axis] = g.constant(positions)
                axis += 1
            continue
        if item is not None:
            places[axis] = int(item)
        axis += 1
    return g.look_up(int(self), places)


def arg_extreme(kind: str) -> Callable:
    """The place of the largest or smallest number along an axis."""

    def rule(g, self, dim=None, keepdim=False):
        need(isinstance(dim, int), "the place of an extreme of a whole tensor")
        axis, shape = g.axis(self, dim), g.shape(self)
        out = g.emit("argmax", (self,), (kind, axis), (*shape[:axis], 1, *shape[axis + 1 :]))
        return out if keepdim else g.drop_axis(out, axis)

    return rule


def topk(g, self, k, dim=-1, largest=True, sorted=True):
    """The k largest (smallest) numbers along an axis in order, and their places."""
    axis, shape = g.axis(self, dim), g.shape(self)
    need(isinstance(k, int) and 0 < k <= shape[axis], "topk of so many")
    out = (*shape[:axis], k, *shape[axis + 1 :])
    attrs = k, axis, bool(largest), bool(sorted)
    return tuple(g.emit("topk", (self,), (*attrs, part), out) for part in ("values", "places"))
