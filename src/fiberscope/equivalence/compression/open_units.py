"""How many units of every hidden space of a graph were neither proved nor refuted on the domain, and stayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.compression.candidates import hidden
from fiberscope.equivalence.compression.slicing import numbers

if TYPE_CHECKING:
    from fiberscope.equivalence.compression.graph_ranges import Settled
    from fiberscope.equivalence.compression.ledger import Ledger
    from fiberscope.symmetry.symmetries import Symmetries

Key = tuple[tuple[str, int], ...]


def open_units(sym: Symmetries, settled: Settled, ledger: Ledger) -> dict[Key, int]:
    """Per space of the original: units with an activation that nothing decides and that are still there."""
    out: dict[Key, int] = {}
    for entry in hidden(sym):
        found: set[int] = set()
        for name, axis, leaf in sym.groups[entry.atom].occurrences:
            label = numbers(sym.layouts[name][axis], leaf)
            now = ledger.unit.get((name, axis), np.arange(len(label)))
            first = dict(
                zip(*np.unique(now, return_index=True), strict=True)
            )  # a duplicate counts as what it went into
            for m, places in zip(settled.maps, settled.open, strict=True):
                if (m.weight, m.axis) == (name, axis):
                    found |= {int(label[first[now[p]]]) for p in places if label[p] >= 0 and now[p] >= 0}
        out[entry.weights] = len(found)
    return out
