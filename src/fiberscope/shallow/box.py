"""An axis-aligned box of inputs, and on which side of its boundary a hidden unit stays there, exactly.

    range of <w, x> + b on [lo, hi]  =  b + sum_j [min(w_j lo_j, w_j hi_j), max(w_j lo_j, w_j hi_j)]

A unit that never leaves one side is affine on the box. An input with lo = hi is a constant, and is put into the biases
first: what is left is a box with interior, which is what uniqueness of the normal form needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import add, rationals
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.sums import as_rational, exact_product


@dataclass(frozen=True, eq=False)
class Box:
    """``low <= x <= high``, both of shape (n,), floats or rationals."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, box: Any, inputs: int) -> Box:
        """A box from a pair (lo, hi) of numbers or of sequences with one number per input; a Box as it is.

        Errors: InputError for anything else, for LO above HI and for numbers that are not finite.

        >>> Box.of((-1, 1), 3).high
        array([1., 1., 1.])
        """
        if isinstance(box, Box):
            low, high = box.low, box.high
        elif not isinstance(box, (Sequence, np.ndarray)) or isinstance(box, str) or len(box) != 2:
            raise InputError("box: expected a pair (lo, hi) of numbers or of sequences, one number per input")
        else:
            low, high = (_edge(value, inputs, name) for value, name in zip(box, ("LO", "HI"), strict=True))
        if len(low) != inputs or len(high) != inputs:
            raise InputError(f"box: {len(low)} numbers for a model of {inputs} inputs; give one number or {inputs}")
        wrong = np.flatnonzero(np.asarray(low > high, dtype=bool))
        if wrong.size:
            i = int(wrong[0])
            raise InputError(f"box: LO {low[i]} is larger than HI {high[i]} at input {i}; swap them")
        return cls(low, high)

    @property
    def fixed(self) -> np.ndarray:
        """Which inputs are constant on the box (booleans, shape (n,))."""
        return np.asarray(self.low == self.high, dtype=bool)

    def equals(self, other: Box | None) -> bool:
        """Whether both are the same set."""
        return other is not None and bool((self.low == other.low).all() and (self.high == other.high).all())

    def to_json(self) -> dict[str, Any]:
        """``{"lo": [...], "hi": [...]}``; rationals as strings."""

        def plain(edge: np.ndarray) -> list[Any]:
            return [str(v) for v in edge.tolist()] if edge.dtype == object else edge.tolist()

        return {"lo": plain(self.low), "hi": plain(self.high)}

    def __str__(self) -> str:
        if len(self.low) > 4:
            return f"a box in R^{len(self.low)}"
        return " x ".join(f"[{lo}, {hi}]" for lo, hi in zip(self.low.tolist(), self.high.tolist(), strict=True))

    def without_fixed(self, model: ShallowModel) -> ShallowModel:
        """The same function on the box, with weight 0 on the inputs that are constant there."""
        fixed = self.fixed
        if not fixed.any():
            return model
        shift = exact_product(model.W1[:, fixed], rationals(self.low[fixed])[:, None])[:, 0]
        W1 = model.W1.copy()
        W1[:, fixed] = W1[:, fixed] * 0
        return replace(model, W1=W1, b1=add(model.b1, shift))

    def sides(self, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Per row of (W, b): +1 where <w, x> + b >= 0 on the whole box, -1 where <= 0, 0 where both signs occur.

        A row that is 0 on the whole box counts as -1 (both are right).
        """
        sides = np.zeros(len(W), dtype=np.int64)
        unsure = np.arange(len(W))
        if not any(array.dtype == object for array in (W, b, self.low, self.high)):
            sides, unsure = self._float_sides(W, b)
        if unsure.size:
            sides[unsure] = self._exact_sides(W[unsure], b[unsure])
        return sides

    def _float_sides(self, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signs that rounding cannot change, and the rows where it could."""
        slack = (W.shape[1] + 4) * 2.0**-51  # > 2 (n + 2) units of rounding, each 2**-53
        with np.errstate(over="ignore", invalid="ignore"):
            positive, negative = np.maximum(W, 0.0), np.minimum(W, 0.0)
            top = b + positive @ self.high + negative @ self.low
            bottom = b + positive @ self.low + negative @ self.high
            size = np.abs(b) + np.abs(W) @ np.maximum(np.abs(self.low), np.abs(self.high))
            error = size * slack + 2.0**-1000
            sides = np.where(bottom > error, 1, np.where(top < -error, -1, 0))
            sure = (sides != 0) | ((bottom < -error) & (top > error))
        return sides, np.flatnonzero(~(sure & np.isfinite(size)))

    def _exact_sides(self, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        low, high = rationals(self.low).tolist(), rationals(self.high).tolist()
        out = np.empty(len(W), dtype=np.int64)
        for i, (row, offset) in enumerate(zip(rationals(W).tolist(), rationals(b).tolist(), strict=True)):
            top = bottom = offset
            for w, lo, hi in zip(row, low, high, strict=True):
                if w != 0:
                    top, bottom = (top + w * hi, bottom + w * lo) if w > 0 else (top + w * lo, bottom + w * hi)
            out[i] = -1 if top <= 0 else int(bottom >= 0)
        return out


def _edge(value: Any, inputs: int, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
        flat = array.ravel().tolist()
        array = np.array([as_rational(v) for v in flat]) if array.dtype == object else array.astype(np.float64).ravel()
    except (TypeError, ValueError, AttributeError):
        raise InputError(f"box: {name} is not a number or a sequence of numbers") from None
    if array.dtype != object and not np.isfinite(array).all():
        raise InputError(f"box: {name} holds a number that is not finite; leave the box out to mean all inputs")
    return np.repeat(array, inputs) if np.ndim(value) == 0 else array
