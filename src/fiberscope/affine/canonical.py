"""The canonical form of a network: the same for all that the reductions, sign flips and relabellings reach.

Entries of the fold (see `folding`) that the outputs need, ordered by depth and by a hash of their contents. Numbers
are the exact ones: dyadic weights as stored, sums of them, and folded constants as combinations of symbols such as
tanh(1/3). Two networks of tanh and sigmoid units compute the same function iff their forms are equal (Vlacic and
Boelcskei 2021), up to one proviso for folded constants: two combinations that are written differently may in principle
be the same number (see `constant`), which `same_function` settles by a witness.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from fiberscope.affine.constant import Combination
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.folding import Folded, Form, Table, fold, reachable
from fiberscope.affine.scalar import Exact, text

Weights = tuple[tuple[int, Exact], ...]


@dataclass(frozen=True)
class CanonicalForm:
    """Nodes in order (core, weights on earlier nodes, bias) and outputs (weights, constant); inputs come first.

    Equal forms are equal functions. A sigmoid is written as a tanh, ReLU6 as a centred clamp.
    """

    n_inputs: int
    nodes: tuple[tuple[str, Weights, Combination], ...]
    outputs: tuple[tuple[Weights, Combination], ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it; equal for equal forms."""
        lines = [f"inputs {self.n_inputs}"]
        for core, weights, bias in (*self.nodes, *(("output", w, c) for w, c in self.outputs)):
            lines.append(" ".join([core, bias.text, *(f"{i}:{text(w)}" for i, w in weights)]))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def units(self) -> int:
        """Number of hidden units."""
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"CanonicalForm: {self.n_inputs} inputs, {self.units} units, {len(self.outputs)} outputs, {self.digest}"


def canonical_form(net: DagNetwork) -> CanonicalForm:
    """The canonical form, exact over the stored weights.

    >>> a = DagNetwork.from_layers([([[2.0], [1.0]], [1.0, 0.5]), ([[1.0, 3.0]], None)])
    >>> b = DagNetwork.from_layers([([[-1.0], [2.0]], [-0.5, 1.0]), ([[-3.0, 1.0]], None)])
    >>> canonical_form(a) == canonical_form(b), canonical_form(a).units
    (True, 2)
    """
    return form_of(fold(net))


def form_of(folded: Folded) -> CanonicalForm:
    """The canonical form of a folded network."""
    table = folded.table
    n_inputs = sum(entry.core == "input" for entry in table.entries)
    order = _by_depth(table, reachable(table, folded.outputs))
    number = {i: i for i in range(n_inputs)} | {i: n_inputs + k for k, i in enumerate(order)}
    nodes = []
    for i in order:
        entry = table.entries[i]
        nodes.append((entry.core, _sorted((number[p], w) for p, w in entry.weights), entry.bias))
    return CanonicalForm(n_inputs, tuple(nodes), tuple(_output(form, number) for form in folded.outputs))


def _sorted(pairs: object) -> Weights:
    return tuple(sorted(pairs, key=lambda pair: pair[0]))  # type: ignore[call-overload]


def _output(form: Form, number: dict[int, int]) -> tuple[Weights, Combination]:
    return _sorted((number[i], noisy.value) for i, noisy in form.weights.items()), form.bias


def _by_depth(table: Table, entries: list[int]) -> list[int]:
    depth: dict[int, int] = {}
    for i in entries:  # parents first
        depth[i] = 1 + max((depth.get(p, 0) for p, _ in table.entries[i].weights), default=0)
    return sorted(entries, key=lambda i: (depth[i], table.entries[i].digest))
