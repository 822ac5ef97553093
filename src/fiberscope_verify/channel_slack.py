"""What a walk lets pass that is not exact: every deviation is kept here, and all of them enter the bound.

A relation ``a[.., i, ..] = scale[i] b[.., unit[i], ..] + shift[i]`` then holds up to an error that `channel_errors`
adds up. `Use` holds the deviations of one operation of a: a shared weight has its own at every use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from .ball import U
from .exact import rational, rational_to_float, to_float
from .report import need


@dataclass(frozen=True, eq=False)
class Slip:
    """Per unit i of a along an axis an error of at most ``by[i] |b[.., unit[i], ..]| + plus[i]``; b: a value of b."""

    value: int
    axis: int
    unit: np.ndarray
    by: np.ndarray
    plus: np.ndarray


@dataclass(frozen=True)
class Carried:
    """A sum of several units after a map: ``factor`` times its own error before it, and ``terms`` (unit of a, how often
    its error counts)."""

    factor: float
    terms: list[tuple[int, float]]


@dataclass
class Use:
    """One operation: slips of its arguments (by their number in a) and of its result; ``sums`` [O, D, K]: what the
    weights of b lack, for b's inputs D, when b's value ``read`` enters them; ``carried``: units of the result that are
    sums of several of b's."""

    before: dict[int, list[Slip]] = field(default_factory=dict)
    after: list[Slip] = field(default_factory=list)
    sums: np.ndarray | None = None
    carried: dict[int, Carried] = field(default_factory=dict)

    def let(self, sums: np.ndarray) -> None:
        """Sums of products deviate by these weights [O, D, K] of b's inputs."""
        need(bool(np.all(np.isfinite(sums))), "a deviation is not finite")
        self.sums = sums if self.sums is None else self.sums + sums

    def slip(self, of: int | None, slip: Slip) -> None:
        """An argument of a (or the result: None) deviates."""
        if np.any(slip.by) or np.any(slip.plus):
            need(bool(np.all(np.isfinite(slip.by)) and np.all(np.isfinite(slip.plus))), "a deviation is not finite")
            (self.after if of is None else self.before.setdefault(of, [])).append(slip)


def above(x: fmpq) -> float:
    """A float64 that is at least |x|; 0 for 0."""
    x = abs(x)
    near = rational_to_float(x)
    return near if rational(near) >= x else float(np.nextafter(near, np.inf))


def deviations(total: np.ndarray, computed: dict[int, np.ndarray], rows: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """|total - scale rows| of every entry [O, D, K], rounded up; ``computed``: columns of total that are exact.

    Zero where both sides are the same stored number (the scale being 1) or exact numbers that agree.
    """
    total, error = total.copy(), np.zeros(total.shape)
    for d, column in computed.items():
        total[:, d] = to_float(column)
        error[:, d] = np.abs(total[:, d]) * 4 * U + 1e-300
    factor = np.array([rational_to_float(s) for s in scale]).reshape(-1, 1, 1)
    lost = np.array([above(s - rational(f)) for s, f in zip(scale, factor.reshape(-1).tolist(), strict=True)])
    expected = factor * rows
    gap = np.abs(total - expected) + 4 * U * (np.abs(total) + np.abs(expected)) + 1e-300
    out = (gap + error + lost.reshape(-1, 1, 1) * np.abs(rows) * (1 + 4 * U)) * (1 + 8 * U)
    same = (total == expected) & (error == 0) & (lost == 0).reshape(-1, 1, 1)
    same &= (factor == 1) | ((rows == 0) & (total == 0))
    for d, column in computed.items():
        exact = np.array([[rational(v) * s for v in row] for row, s in zip(rows[:, d].tolist(), scale, strict=True)])
        same[:, d] = column == exact.reshape(column.shape)
    return np.where(same, 0.0, out)
