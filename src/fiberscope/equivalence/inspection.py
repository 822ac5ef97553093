"""Inspect a network: its spaces, its symmetry figures, its redundant units, and a check of the claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.fingerprint import Fingerprint, fingerprint
from fiberscope.equivalence.identifiability import Identifiability, identifiability
from fiberscope.equivalence.sampling import sample_inputs
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.redundancy import Redundancy, redundancy
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network

SELF_CHECK_ELEMENTS = 3
SELF_CHECK_INPUTS = 8
SELF_CHECK_NUMBERS = 200_000


@dataclass(frozen=True)
class Inspection:
    """What ``inspect`` found. ``self_check`` is the largest relative change of the outputs under random elements."""

    network: Network = field(repr=False)
    symmetries: Symmetries = field(repr=False)
    redundant: Redundancy = field(repr=False)
    fingerprint: Fingerprint = field(repr=False)
    identifiability: Identifiability = field(repr=False)
    elements: int
    max_relative_change: float
    seed: int

    def to_json(self) -> dict[str, object]:
        """Return the dictionary that ``fiberscope inspect --json`` prints."""
        net, sym = self.network, self.symmetries
        return {
            "model": {
                "path": str(net.path) if net.path else None,
                "format": net.format,
                "sha256": net.sha256,
                "parameters": net.parameters,
                "inputs": [{"name": i.name, "shape": list(i.shape)} for i in net.inputs],
                "outputs": [{"shape": list(shape)} for shape in net.outputs],
            },
            "spaces": [{**s.to_json(), **self._identified(s.id)} for s in sym.spaces],
            "identifiability": self.identifiability.to_json(),
            "symmetry": {
                "continuous_dimension": sym.dimension,
                "axis_dimension": sym.axis,
                "translation_dimension": sym.translation,
                "invisible_dimension": sym.invisible,
                "log10_discrete_order": sym.log10_order,
            },
            "frozen": [{"op": op, "node": node} for op, node in sym.frozen],
            "redundant": self.redundant.to_json(),
            "self_check": {"elements": self.elements, "max_relative_change": self.max_relative_change},
            "fingerprint": self.fingerprint.text,
            "seed": self.seed,
        }

    def _identified(self, space: str) -> dict[str, object]:
        """How far the directions of a space's units are determined, and the units that differ."""
        found = self.identifiability
        units = [[unit, word] for unit, word in sorted(found.units.get(space, {}).items())]
        return {"identifiability": found.spaces[space], "identifiability_units": units}

    def __repr__(self) -> str:
        r = self.redundant
        return (
            f"Inspection of {self.network.name}: {len(self.symmetries.spaces)} spaces, "
            f"dimension {self.symmetries.dimension}\n"
            f"  dead {len(r.dead)}, constant {len(r.constant)}, duplicate {len(r.duplicate)} units\n"
            f"  self-check {self.max_relative_change:.1e} over {self.elements} elements, seed {self.seed}"
        )

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{s.id}</td><td>{s.size}</td><td>{s.mixing.name}</td><td>{s.scaling}</td><td>{s.copies}</td></tr>"
            for s in self.symmetries.spaces
        )
        head = "<tr><th>space</th><th>units</th><th>mixing</th><th>scaling</th><th>copies</th></tr>"
        return f"<pre>{escape(repr(self))}</pre><table>{head}{rows}</table>"


def inspect(net: Network, *, seed: int = 0) -> Inspection:
    """Find and check everything that Fiberscope knows about a network's symmetries.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> inspect(net).symmetries.dimension
    4
    """
    sym = symmetries(net)
    found = redundancy(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
    change = self_check(net, sym, seed)
    identified = identifiability(net, sym, found)
    return Inspection(net, sym, found, fingerprint(net, sym), identified, SELF_CHECK_ELEMENTS, change, seed)


def self_check(net: Network, sym: Symmetries, seed: int) -> float:
    """Return the largest relative change of the float64 outputs under random group elements.

    The change is max |f_g(x) - f(x)| / max |f(x)| over a few random inputs.
    """
    import torch

    count = max(1, min(SELF_CHECK_INPUTS, SELF_CHECK_NUMBERS // (net.n_in + net.n_out)))
    x = sample_inputs(net, count, np.random.default_rng(seed))
    before = net.run_flat(x)
    size = float(np.abs(before).max(initial=0.0)) or 1.0
    worst = 0.0
    weights = {n: to_array(w) for n, w in net.weights.items()}
    for k in range(SELF_CHECK_ELEMENTS):
        moved = sym.random(seed + k).act(weights)
        after = net.run_flat(x, weights={n: torch.from_numpy(a) for n, a in moved.items()})
        worst = max(worst, float(np.abs(after - before).max(initial=0.0)) / size)
    return worst
