"""How many networks compute the same function on the irreducible form's own widths, as an exact integer.

The group of sign flips and relabellings inside layers acts on the weights of the irreducible form. Its stabiliser is
trivial: an element that keeps all weights fixes the inputs, hence, parents first, every unit (two units with the same
parents, weights and bias up to a flip would be clones, which were merged) and every sign (a unit turned round has the
negative of its weights, not all zero). So every element gives other weights, and

    count = product over layers of  2^h h!      (h units with a flip), h! without one.

Units tied by a residual addition move together and count once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.group import bundles
from fiberscope.affine.scalar import text, times
from fiberscope.affine.sussmann import Reduction, reduce_network
from fiberscope.affine.theorem import completeness
from fiberscope.affine.trading import trading_layers


@dataclass(frozen=True)
class NetworkCount:
    """``count`` networks; ``complete`` if a theorem says that there are no others (else ``reason`` says why not)."""

    count: int
    complete: bool
    theorem: str | None
    reason: str | None
    reduction: Reduction

    @property
    def log10(self) -> float:
        """The base-10 logarithm of the count."""
        return log10(self.count)

    def to_json(self) -> dict[str, Any]:
        """The keys of `fiberscope enumerate --json`, but for what was written."""
        return {
            "count": decimal(self.count),
            "log10_count": self.log10,
            "complete": self.complete,
            "theorem": self.theorem,
            "reason": self.reason,
            "units_before": self.reduction.units_before,
            "units_after": self.reduction.units_after,
            "strength": self.reduction.strength,
        }

    def __repr__(self) -> str:
        size = f"{self.count}" if self.count < 10**20 else f"about 10^{self.log10:.2f}"
        return f"NetworkCount: {size} networks, {'all of them' if self.complete else self.reason}"


def count_networks(net: DagNetwork) -> NetworkCount:
    """Count the networks that are the irreducible form of ``net`` up to the known symmetries.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> sizes = [(2, 2), (3, 2), (1, 3)]
    >>> count_networks(DagNetwork.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in sizes])).count
    384
    """
    reduction = reduce_network(net)
    found = completeness(reduction.network)
    complete, theorem, reason = found.complete, found.theorem, found.reason
    caveats = [*net.caveats, *coinciding_ties(reduction.network), *trading_layers(net, reduction.network)]
    if caveats:
        complete, theorem, reason = False, None, "; ".join(caveats)
    elif any(net.law(name).degree is not None for name in reduction.network.activations):
        reason = f"{reason}; rescalings of units, of which there is a continuum, are not counted"
    return NetworkCount(group_order(reduction.network), complete, theorem, reason, reduction)


def coinciding_ties(net: DagNetwork) -> list[str]:
    """A caveat when tied units of different bundles are read alike up to sign: then they need not move together.

    Nodes of a bundle are read with equal weights. Another network on the tied arrays has its units at places where the
    weights of their readers fit; if those differ between bundles, whole bundles must have moved.
    """
    tied = [bundle.units for group in bundles(net).values() for bundle in group if len(bundle.units) > 1]
    rows = [*(unit.row for unit in net.units), *net.outputs]
    seen: set[tuple[tuple[int, str], ...]] = set()
    for units in tied:
        read = [(k, row.weight_of.get(net.n_inputs + units[0], 0.0)) for k, row in enumerate(rows)]
        column = tuple((k, text(w)) for k, w in read if w != 0)
        opposite = tuple((k, text(times(-1.0, w))) for k, w in read if w != 0)
        if column in seen or opposite in seen:
            return ["units tied by a skip connection are read with the same weights: they may also move apart"]
        seen.add(column)
    return []


def group_order(net: DagNetwork) -> int:
    """Order of the group of flips and relabellings of a network's own arrays."""
    order = 1
    for group in bundles(net).values():
        order *= math.factorial(len(group)) << sum(len(bundle.flips) for bundle in group)
    return order


def decimal(count: int) -> str:
    """All decimal digits of a count, however many."""
    from flint import fmpz

    return str(fmpz(count))


def log10(count: int) -> float:
    """Base-10 logarithm of a positive integer of any size."""
    return math.log10(count)
