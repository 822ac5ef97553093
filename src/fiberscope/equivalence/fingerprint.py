r"""Fingerprints: one text for equality, one list of numbers for closeness.

The text is a hash of the graph and of the canonical weights, so that it is the same for every copy by permutations,
signs and powers of two. No canonical form is continuous (an order of units cannot be chosen continuously), so closeness
needs the sketch (``sketch.py``), which does not depend on order, sign or basis and is continuous.
Reference: Dym, Lawrence and Siegel, "Equivariant frames and the impossibility of continuous canonicalization" (2024).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.canonical import canonical_form
from fiberscope.equivalence.graph_text import graph_lines
from fiberscope.equivalence.sketch import sketch
from fiberscope.errors import InputError
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class Fingerprint:
    """``text`` for equality (``fs1:...``) and ``sketch`` for closeness."""

    text: str
    sketch: tuple[float, ...]

    def distance(self, other: Fingerprint) -> float:
        """Relative distance of two sketches: 0 for copies, small for near copies, infinite across architectures.

        The largest of |x - y| / (|x| + |y|) over the entries.
        """
        if len(self.sketch) != len(other.sketch):
            return float("inf")
        x, y = np.array(self.sketch), np.array(other.sketch)
        size = np.abs(x) + np.abs(y)
        return float(np.max(np.divide(np.abs(x - y), size, out=np.zeros_like(x), where=size > 0), initial=0.0))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"fingerprint": self.text, "sketch": list(self.sketch)}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Fingerprint\n  {self.text}\n  sketch of {len(self.sketch)} numbers"


def fingerprint(net: Network, sym: Symmetries | None = None) -> Fingerprint:
    """Return the fingerprint of a network.

    Two networks with the same text have the same graph and the same canonical weights, hence compute the same
    function up to rounding (and the collision resistance of SHA-256). Different texts say nothing by themselves:
    compare sketches.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> copy = symmetries(net).random(seed=1, power_of_two=True)(net)
    >>> fingerprint(net).text == fingerprint(copy).text
    True
    """
    sym = symmetries(net) if sym is None else sym
    return Fingerprint(_text(net, sym), sketch(net, sym))


def _text(net: Network, sym: Symmetries) -> str:
    digest = hashlib.sha256()
    order = {name: i for i, name in enumerate(sym.layouts)}
    for line in graph_lines(net, order):
        digest.update(line.encode())
    form = canonical_form(net, sym)
    for name in sym.layouts:
        digest.update(repr(form.weights[name].shape).encode())
        digest.update(np.ascontiguousarray(form.weights[name] + 0.0).tobytes())
    return f"fs1:{digest.hexdigest()[:40]}"


def distance(a: Network | Fingerprint, b: Network | Fingerprint) -> float:
    """Return the sketch distance of two networks or fingerprints."""
    x, y = (f if isinstance(f, Fingerprint) else fingerprint(f) for f in (a, b))
    if not np.isfinite(x.distance(y)) and len(x.sketch) == len(y.sketch):
        raise InputError("a sketch holds non-finite numbers; the network's weights must be finite")
    return x.distance(y)
