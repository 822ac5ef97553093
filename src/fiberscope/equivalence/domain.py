"""The set of inputs a statement is about: all of them, a box in flat input order, or one cut by linear constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.polytope import Polytope
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True, eq=False)
class Domain:
    """``box`` is None (all inputs) or ``(lo, hi)``; ``integer[i]`` marks inputs that only take whole numbers.

    ``floor`` and ``ceiling`` bound integer inputs by what the network can index (infinite elsewhere).
    """

    box: tuple[np.ndarray, np.ndarray] | None
    integer: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    polytope: Polytope | None = None  # the same box and what cuts it

    def to_json(self) -> str | dict[str, Any]:
        """``"all"``, ``{"lo": [...], "hi": [...]}``, or that with ``G`` and ``h``, meaning G x <= h."""
        if self.box is None:
            return "all"
        box: dict[str, Any] = {"lo": [float(v) for v in self.box[0]], "hi": [float(v) for v in self.box[1]]}
        return box if self.polytope is None else {**box, "G": self.polytope.G.tolist(), "h": self.polytope.h.tolist()}

    def clip(self, x: np.ndarray) -> np.ndarray:
        """The nearest points of the domain (whole numbers where the input is an integer), near ones in a polytope."""
        if self.polytope is not None:
            return self.polytope.clip(x)
        if self.integer.any():
            x = np.where(self.integer, np.rint(x), x)
        low, high = self.floor, self.ceiling
        if self.box is not None:
            low = np.maximum(low, self._inward(self.box[0], np.ceil))
            high = np.minimum(high, self._inward(self.box[1], np.floor))
        return np.clip(x, low, high)

    def _inward(self, edge: np.ndarray, rounding: Any) -> np.ndarray:
        return np.where(self.integer, rounding(edge), edge) if self.integer.any() else edge

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Points for a search: uniform with many on faces and corners of a box, else normal at scales 1e-2 to 1e3."""
        if self.polytope is not None:
            return self.polytope.sample(rng, count)
        size = len(self.integer)
        if self.box is not None:
            low, high = self.box
            unit = rng.random((count, size))
            third = count // 3
            unit[:third] = np.where(rng.random((third, size)) < 0.3, np.rint(unit[:third]), unit[:third])
            with np.errstate(over="ignore", invalid="ignore"):
                points = low * (1.0 - unit) + high * unit
        else:
            scale = 10.0 ** rng.uniform(-2.0, 3.0, (count, 1))
            scale[: count // 2] = 1.0
            points = rng.standard_normal((count, size)) * scale
            if count:
                points[-1] = 0.0
        if self.integer.any():
            low = np.where(np.isfinite(self.floor), self.floor, 0.0)
            high = np.where(np.isfinite(self.ceiling), self.ceiling, low + 9.0)
            whole = np.floor(low + rng.random((count, size)) * (high - low + 1.0))
            if self.box is None:
                points = np.where(self.integer, whole, points)
        return self.clip(points)


def domain_of(net: Network, box: Any, polytope: Any = None) -> Domain:
    """Check a box, and a pair ``(G, h)`` meaning G x <= h that cuts it, against a network.

    Errors: InputError for a wrong length, LO > HI, numbers that are not finite, or constraints that no input meets.
    """
    size = net.n_in
    integer = np.zeros(size, dtype=bool)
    floor, ceiling = np.full(size, -np.inf), np.full(size, np.inf)
    start = 0
    for spec in net.inputs:
        if not spec.dtype.is_floating_point:
            part = slice(start, start + spec.size)
            integer[part] = True
            if spec.low is not None:
                floor[part] = spec.low
            if spec.high is not None:
                ceiling[part] = spec.high - 1
        start += spec.size
    if polytope is not None and (box is None or integer.any()):
        why = "the inputs are whole numbers; only a box can be used" if integer.any() else "give a box around it too"
        raise InputError(f"polytope: {why}")
    if box is None:
        return Domain(None, integer, floor, ceiling)
    if (not isinstance(box, Sequence) and not isinstance(box, np.ndarray)) or len(box) != 2:
        raise InputError("box: expected a pair (lo, hi) of numbers or of sequences, one number per input element")
    low, high = (_edge(value, size, name) for value, name in zip(box, ("LO", "HI"), strict=True))
    if (low > high).any():
        i = int(np.flatnonzero(low > high)[0])
        raise InputError(f"box: LO {low[i]:g} is larger than HI {high[i]:g} at input element {i}; swap them")
    empty = np.flatnonzero(integer & (np.ceil(low) > np.floor(high)))
    if len(empty):
        i = int(empty[0])
        raise InputError(f"box: input element {i} is a whole number, and there is none from {low[i]:g} to {high[i]:g}")
    cut = None if polytope is None else Polytope.of(polytope, low, high)
    return Domain((low, high), integer, floor, ceiling, cut)


def _edge(value: Any, size: int, name: str) -> np.ndarray:
    try:
        edge = np.asarray(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"box: {name} is not a number or a sequence of numbers") from None
    if edge.size == 1 and np.ndim(value) == 0:
        edge = np.full(size, float(edge[0]))
    if edge.size != size:
        raise InputError(f"box: {name} has {edge.size} numbers, the networks take {size}; give one number or {size}")
    if not np.isfinite(edge).all():
        raise InputError(f"box: {name} holds a number that is not finite; give finite numbers")
    return edge + 0.0
