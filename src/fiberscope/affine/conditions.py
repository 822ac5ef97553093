"""The conditions of the theory, each with the units that break it.

* no clones: no two units have the same parents, weights and bias (up to a one-unit symmetry of the activation);
* non-degenerate: every unit reaches an output and depends on an input, and no edge has weight 0;
* irreducible: no modification exposes clones or lowers the set of units. Under one-unit symmetries that means: the
  reduction of `sussmann` finds nothing. For tanh and sigmoid these are all symmetries there are.

Reference: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiberscope.affine.constant import Combination
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.folding import Form, Noisy, Table
from fiberscope.affine.scalar import times
from fiberscope.affine.sussmann import reduce_network
from fiberscope.affine.theorem import completeness


@dataclass(frozen=True)
class Conditions:
    """Offending units (numbers of the network), empty where a condition holds.

    ``clones``: groups of units; ``unread``: reach no output; ``constant``: depend on no input; ``zero_edges``: pairs
    (reader, node) with reader -1 - k for output k; ``removable``: units that the reduction removes.
    ``known_symmetries_only``: why irreducibility was only tested against the known symmetries, or None.
    """

    clones: tuple[tuple[int, ...], ...]
    unread: tuple[int, ...]
    constant: tuple[int, ...]
    zero_edges: tuple[tuple[int, int], ...]
    removable: tuple[int, ...]
    known_symmetries_only: str | None

    @property
    def no_clones(self) -> bool:
        """No two units are clones."""
        return not self.clones

    @property
    def non_degenerate(self) -> bool:
        """Every unit is read, depends on an input, and has no zero edges."""
        return not (self.unread or self.constant or self.zero_edges)

    @property
    def irreducible(self) -> bool:
        """Without clones and degeneracies, and the reduction finds nothing."""
        return self.no_clones and self.non_degenerate and not self.removable

    def to_json(self) -> dict[str, Any]:
        """All lists, and the three answers."""
        return {
            "no_clones": self.no_clones,
            "non_degenerate": self.non_degenerate,
            "irreducible": self.irreducible,
            "clones": [list(group) for group in self.clones],
            "unread": list(self.unread),
            "constant": list(self.constant),
            "zero_edges": [list(pair) for pair in self.zero_edges],
            "removable": list(self.removable),
            "known_symmetries_only": self.known_symmetries_only,
        }

    def __repr__(self) -> str:
        words = [
            ("no clones", self.no_clones),
            ("non-degenerate", self.non_degenerate),
            ("irreducible", self.irreducible),
        ]
        return "Conditions: " + ", ".join(f"{name}: {'yes' if met else 'no'}" for name, met in words)


def conditions(net: DagNetwork) -> Conditions:
    """Test a network as it stands against the three conditions, exactly.

    >>> conditions(DagNetwork.from_layers([([[1.0], [-1.0], [0.0]], None), ([[1.0, 2.0, 0.0]], None)]))
    Conditions: no clones: no, non-degenerate: no, irreducible: no
    """
    reduction = reduce_network(net, ulp=0)
    kept = set(reduction.kept)
    complete = completeness(net)
    return Conditions(
        clones(net),
        unread(net),
        constant(net),
        zero_edges(net),
        tuple(i for i in range(len(net.units)) if i not in kept),
        complete.reason,
    )


def clones(net: DagNetwork) -> tuple[tuple[int, ...], ...]:
    """Groups of units that are clones: as stored, up to a flip (and a positive scale, where the activation has one).

    >>> clones(DagNetwork.from_layers([([[1.0], [-1.0], [2.0]], None), ([[1.0, 2.0, 3.0]], None)]))
    ((0, 1),)
    """
    table = Table(net.n_inputs + len(net.units))
    groups: dict[int, list[int]] = {}
    for i, unit in enumerate(net.units):
        law, row = net.law(unit.activation), unit.row
        weights = {p: Noisy(times(w, law.beta)) for p, w in zip(row.parents, row.weights, strict=True) if w != 0}
        if weights:
            bias = Combination(row.bias).times(law.beta) + Combination(law.gamma)
            groups.setdefault(table.intern(law, Form(weights, bias))[0], []).append(i)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def unread(net: DagNetwork) -> tuple[int, ...]:
    """Units without a path of nonzero weights to an output."""
    needed: set[int] = set()
    stack = [p for row in net.outputs for p, w in zip(row.parents, row.weights, strict=True) if w != 0]
    while stack:
        p = stack.pop()
        if p >= net.n_inputs and p not in needed:
            needed.add(p)
            row = net.units[p - net.n_inputs].row
            stack += [q for q, w in zip(row.parents, row.weights, strict=True) if w != 0]
    return tuple(i for i in range(len(net.units)) if net.n_inputs + i not in needed)


def constant(net: DagNetwork) -> tuple[int, ...]:
    """Units without a path of nonzero weights from an input."""
    moving = set(range(net.n_inputs))
    for i, unit in enumerate(net.units):
        if any(w != 0 and p in moving for p, w in zip(unit.row.parents, unit.row.weights, strict=True)):
            moving.add(net.n_inputs + i)
    return tuple(i for i in range(len(net.units)) if net.n_inputs + i not in moving)


def zero_edges(net: DagNetwork) -> tuple[tuple[int, int], ...]:
    """Edges of weight 0 as (reader, node); output k is the reader -1 - k."""
    readers = [(i, unit.row) for i, unit in enumerate(net.units)]
    readers += [(-1 - k, row) for k, row in enumerate(net.outputs)]
    return tuple((i, p) for i, row in readers for p, w in zip(row.parents, row.weights, strict=True) if w == 0)
