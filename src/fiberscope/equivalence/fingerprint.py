r"""Fingerprints: one text for equality, one list of numbers for closeness.

The text is a hash of the graph and of the canonical weights, so that it is the same for every copy by permutations,
signs and powers of two. No canonical form is continuous (an order of units cannot be chosen continuously), so closeness
needs the sketch: numbers of the function itself where there is one hidden layer (``function_sketch.py``), else of the
weights (``sketch.py``). It does not depend on order, sign or basis and is continuous.
Reference: Dym, Lawrence and Siegel, "Equivariant frames and the impossibility of continuous canonicalization" (2024).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.canonical import canonical_form
from fiberscope.equivalence.function_sketch import function_sketch
from fiberscope.equivalence.graph_text import graph_lines
from fiberscope.equivalence.sketch import sketch
from fiberscope.errors import InputError
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class Fingerprint:
    """``text`` for equality (``fs1:...``) and ``sketch`` for closeness.

    ``sketch_of`` says what the sketch sees: "weights", or the function itself where that can be done (one hidden layer
    of units of tanh type or with one kink): then "tanh", "erf", "arctan", "softsign" or "kinks".
    """

    text: str
    sketch: tuple[float, ...]
    sketch_of: str = "weights"

    def distance(self, other: Fingerprint) -> float:
        """Relative distance of two sketches: 0 for copies, small for near copies, infinite across architectures.

        The largest of |x - y| / (|x| + |y|) over the entries; for sketches of the function max |x - y| / (max |x| +
        max |y|), as their entries share one scale. Both are at most 1 where finite.
        """
        if len(self.sketch) != len(other.sketch) or self.sketch_of != other.sketch_of:
            return float("inf")
        x, y = np.array(self.sketch), np.array(other.sketch)
        size = np.abs(x) + np.abs(y)
        if self.sketch_of != "weights":
            size = np.full_like(x, np.abs(x).max(initial=0.0) + np.abs(y).max(initial=0.0))
        return float(np.max(np.divide(np.abs(x - y), size, out=np.zeros_like(x), where=size > 0), initial=0.0))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"fingerprint": self.text, "sketch": list(self.sketch), "sketch_of": self.sketch_of}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Fingerprint\n  {self.text}\n  sketch of the {self._seen}, {len(self.sketch)} numbers"

    @property
    def _seen(self) -> str:
        return "weights" if self.sketch_of == "weights" else "function"


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
    of_function = function_sketch(net)
    if of_function is None:
        return Fingerprint(_text(net, sym), sketch(net, sym))
    return Fingerprint(_text(net, sym), of_function[1], of_function[0])


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
    if not np.isfinite([*x.sketch, *y.sketch]).all():
        raise InputError("a sketch holds non-finite numbers; the network's weights must be finite")
    return x.distance(y)
