"""A fold can make more redundant: it is folded again until nothing is, each result being compared with the one before.

When the bends of units on one boundary cancel, what only they read is read no more; when repeated units become one, a
unit above may read the difference of two equal ones, and is constant; and bounds are tighter where units were merged.
That is seen in the smaller network at once, so nothing is proved a second time where it cannot help: the networks in
between go into the certificate, and their errors add up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from fiberscope.equivalence.chain import Chain, plain_chain
from fiberscope.equivalence.compression.fold import Layers
from fiberscope.equivalence.compression.on_box import OnBox, compress_on_box, with_output
from fiberscope.equivalence.domain import Domain

MOST = 6
"""Passes, the first included; each of them removes a unit at least."""


def until_nothing_changes(
    original: Any,
    chain: Chain,
    domain: Domain,
    dtype: type,
    budget: float,
    seed: int,
    say: Callable[[str], None],
) -> tuple[list[OnBox], list[Chain], Layers]:
    """One or more passes, the last one in the stored type, the chains that they start from, and what the last one gives
    in float64."""
    end = time.perf_counter() + budget
    activations = [layer.activation for layer in original.layers]

    def folded(start: Any, what: Chain, *, kind: type = np.float64, before: OnBox | None = None) -> OnBox:
        left = max(end - time.perf_counter(), 0.01 * budget)
        return compress_on_box(start, what, domain, dtype=kind, seconds=left, seed=seed, say=say, before=before)

    starts, chains = [original], [chain]
    passes = [folded(original, chain)]
    while len(passes) < MOST and worth_another(passes[-1]):
        layers = passes[-1].folded.layers
        start, what = with_output(passes[-1].folded, activations), plain_chain([*layers], [*chain.activations])
        say("once more, for what the smaller network makes redundant")
        found = folded(start, what)
        if units(found) >= units(passes[-1]):
            break
        starts, chains, passes = [*starts, start], [*chains, what], [*passes, found]
    memory = passes[-1].folded.layers
    if dtype is not np.float64:
        passes[-1] = folded(starts[-1], chains[-1], kind=dtype, before=passes[-1])
    return passes, chains, memory


def units(found: OnBox) -> int:
    """Hidden units after a pass."""
    return sum(len(b) for _, b in found.folded.layers[:-1])


def worth_another(found: OnBox) -> bool:
    """Whether the smaller network has a unit that nobody reads or that reads nothing, or merged units and open ones."""
    layers = found.folded.layers
    for (w, _), (v, _) in pairwise(layers):
        unread, silent = ~(v != 0).any(axis=0), ~(w != 0).any(axis=1)
        if len(w) > 1 and (unread.any() or silent.any()):  # a layer keeps one unit
            return True
    merged = any((r.unit < -1).any() or (r.scale != 1).any() for r in found.folded.relations)
    return merged and any(len(units) > 0 for units in found.stable.open)
