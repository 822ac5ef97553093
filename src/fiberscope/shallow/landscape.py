"""K(w) along one or two weights, as a grid of numbers: the valleys of the loss.

All other weights stay where they are. Moments of pairs of units that do not change are computed once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.hinges import as_floats, checked_pair, hinges
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.moments import MAX_INPUTS, CubeMoments
from fiberscope.shallow.potential import checked_box, integrals, reads_too_much

MAX_POINTS = 1 << 20
"""No grid is larger than this."""

_KEPT = 1 << 16  # moments of pairs that are carried from one point to the next

_ENTRY = re.compile(r"(W1|b1|W2|b2)\[\s*(\d+)\s*(?:,\s*(\d+)\s*)?\]")


@dataclass(frozen=True, eq=False)
class Landscape:
    """``values[i, j]`` = K with the first entry at ``axes[0][i]`` and the second at ``axes[1][j]`` (or a line of values
    for one entry), in float64; ``here``: the model's own values of the entries."""

    entries: tuple[str, ...]
    axes: tuple[np.ndarray, ...]
    values: np.ndarray
    here: tuple[float, ...]

    def __repr__(self) -> str:
        size = " x ".join(str(len(a)) for a in self.axes)
        low, high = self.values.min(), self.values.max()
        return f"Landscape({', '.join(self.entries)}: {size} points, K from {low:.3g} to {high:.3g})"

    def to_json(self) -> dict[str, Any]:
        """Plain types."""
        axes = [a.tolist() for a in self.axes]
        return {"entries": list(self.entries), "axes": axes, "values": self.values.tolist(), "here": list(self.here)}


def landscape(
    model: ShallowModel,
    truth: ShallowModel,
    box: Any,
    entries: Sequence[str],
    ranges: Sequence[tuple[float, float]] | None = None,
    *,
    points: int | Sequence[int] = 41,
) -> Landscape:
    """K over a line or a grid of one or two weights, such as ``("W1[0,0]", "W2[0,1]")``, inputs uniform on ``box``.

    ``ranges``: a pair (from, to) per entry, by default 2 to either side of the model's value. Float64 throughout.

    Errors: InputError for an entry that does not exist, equal entries, a bad range, more than 2^20 points, or a pair of
    units that reads more than five inputs.

    >>> from fiberscope.shallow.examples import scaling
    >>> e = scaling(w=1.0, q=2.0, theta=2.0)
    >>> landscape(e.model, e.truth, e.box, ["W1[0,0]"], [(0, 2)], points=3).values.round(12).tolist()
    [2.0, 0.0, 2.0]
    """
    checked_pair(model, truth)
    region = checked_box(box, model.inputs)
    places = [entry_place(model, e) for e in entries]
    if not 1 <= len(places) <= 2 or len(set(places)) != len(places):
        raise InputError(f"entries {list(entries)}: expected one or two different weights, such as W1[0,0] and W2[0,1]")
    floats = {name: as_floats(getattr(model, name)) for name in ("W1", "b1", "W2", "b2")}
    here = tuple(float(floats[name][index]) for name, index in places)
    axes = _axes(here, ranges, points)
    values = np.empty([len(a) for a in axes])
    start = replace(model, **floats)
    moments: CubeMoments | None = None
    for spot in np.ndindex(*values.shape):
        moved = {name: a.copy() for name, a in floats.items()}
        for axis, i, (name, index) in zip(axes, spot, places, strict=True):
            moved[name][index] = axis[i]
        form = hinges(replace(start, **moved), truth, region, exact=False)
        rows = form.rows.tolist()
        if reads_too_much(rows, form.inputs):
            raise InputError(
                f"a pair of units reads more than {MAX_INPUTS} inputs; vary K point by point with potential()"
            )
        moments = CubeMoments(
            rows, inputs=form.inputs, exact=False, known=moments if moments and len(moments) < _KEPT else None
        )
        values[spot] = max(float(integrals(form, moments)[0]), 0.0)
    return Landscape(tuple(_written(*place) for place in places), axes, values, here)


def entry_place(model: ShallowModel, text: str) -> tuple[str, tuple[int, ...]]:
    """The array and index that a name such as "W1[0,0]" or "b2[1]" means (0-based); InputError if there is none.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> entry_place(four_hyperplanes(), "W1[3, 1]")
    ('W1', (3, 1))
    """
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise InputError(f"weight {text!r}: expected W1[unit,input], b1[unit], W2[output,unit] or b2[output]")
    name, *numbers = found.groups()
    index = tuple(int(v) for v in numbers if v is not None)
    shape = getattr(model, name).shape
    if len(index) != len(shape) or any(i >= size for i, size in zip(index, shape, strict=True)):
        raise InputError(f"weight {text!r}: {name} has shape {shape}, indices start at 0")
    return name, index


def _axes(
    here: tuple[float, ...], ranges: Sequence[tuple[float, float]] | None, points: int | Sequence[int]
) -> tuple[np.ndarray, ...]:
    counts = [points] * len(here) if isinstance(points, int) else list(points)
    bounds = [(h - 2.0, h + 2.0) for h in here] if ranges is None else list(ranges)
    if len(counts) != len(here) or len(bounds) != len(here):
        raise InputError(f"ranges and points: expected one of each per entry, {len(here)}")
    if min(counts) < 2 or np.prod(counts, dtype=float) > MAX_POINTS:
        raise InputError(f"points {counts}: at least 2 along every entry and at most {MAX_POINTS} together")
    for lo, hi in bounds:
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise InputError(f"range ({lo}, {hi}): expected two finite numbers, the smaller first")
    return tuple(np.linspace(lo, hi, count) for (lo, hi), count in zip(bounds, counts, strict=True))


def _written(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, index))}]"
