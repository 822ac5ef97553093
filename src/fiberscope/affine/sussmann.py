"""Reduction at every unit to a fixpoint: the smallest network that the one-unit rules reach.

Rules (Sussmann 1992, at every unit of a graph): a unit without inputs is a constant and goes into the biases of its
readers; units whose pre-activations agree up to a symmetry of the activation (equal, or opposite for tanh, erf,
arctan, softsign and, with a shifted constant, the sigmoid) are one unit; a unit that nothing reads is dropped. Merging
can cancel weights further up, which is followed through. The function is kept on all inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fiberscope.affine.constant import Combination
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.folding import Folded, Form, Table, fold, reachable
from fiberscope.affine.scalar import Exact, exact, over, times
from fiberscope.numerics.tolerance import DEFAULT_ULP
from fiberscope.numerics.ulp import eps

Place = tuple[int, int]


@dataclass(frozen=True)
class ReductionStep:
    """``kind``: constant, merge or unread; ``units``: (layer, number) of the unit, and for a merge of the one kept.

    ``factor`` of a merge: the unit was ``factor`` times the one kept, plus a constant.
    """

    kind: str
    units: tuple[Place, ...]
    factor: Exact | None = None

    def to_json(self) -> dict[str, Any]:
        """``{kind, units}``."""
        return {"kind": self.kind, "units": [list(place) for place in self.units]}


@dataclass(frozen=True)
class Reduction:
    """A reduced network, what was done, and how far to trust it.

    ``strength`` "exact": the two functions are equal. "rounding": numbers that were computed (sums of weights, folded
    constants) were taken as equal up to rounding, or are written as the nearest floats. ``kept``: old unit numbers.
    """

    network: DagNetwork
    steps: tuple[ReductionStep, ...]
    kept: tuple[int, ...]
    strength: str
    units_before: int

    @property
    def units_after(self) -> int:
        """Units that are left."""
        return len(self.network.units)

    def to_json(self) -> dict[str, Any]:
        """``units_before``, ``units_after``, ``strength`` and the steps."""
        steps = [step.to_json() for step in self.steps]
        counts = {"units_before": self.units_before, "units_after": self.units_after}
        return {**counts, "strength": self.strength, "steps": steps}

    def __repr__(self) -> str:
        return f"Reduction: {self.units_before} -> {self.units_after} units, {len(self.steps)} steps, {self.strength}"


def reduce_network(net: DagNetwork, *, ulp: float = DEFAULT_ULP) -> Reduction:
    """Reduce to a fixpoint; ``ulp`` > 0 also merges computed numbers that agree up to so many roundings.

    The exact reduction is returned unless the one up to rounding is smaller. Units keep their orientation and order.

    >>> net = DagNetwork.from_layers([([[2.0], [-2.0], [0.0]], [1.0, -1.0, 0.0]), ([[1.0, 3.0, 5.0]], None)])
    >>> found = reduce_network(net)
    >>> found.units_after, [step.kind for step in found.steps], found.network.outputs[0].weights
    (1, ['merge', 'constant'], (-2.0,))
    """
    table = Table(net.n_inputs)
    best = _written(net, fold(net, table))
    if ulp > 0 and table.computed:
        rough = _written(net, fold(net, Table(net.n_inputs, slack=ulp * eps(net.precision))))
        if rough.units_after < best.units_after:
            return replace(rough, strength="rounding")
    return best


def _written(net: DagNetwork, folded: Folded) -> Reduction:
    table, n_in = folded.table, net.n_inputs
    needed = set(reachable(table, folded.outputs))
    first: dict[int, int] = {}
    for unit, value in enumerate(folded.values[n_in:]):
        if value.entry is not None:
            first.setdefault(value.entry, unit)
    kept = sorted(first[i] for i in needed)
    node = {folded.values[n_in + unit].entry: n_in + k for k, unit in enumerate(kept)}
    exactly = True

    def row(form: Form) -> Row:
        """A form over entries as a row over the units kept: entry = (unit - shift) / factor."""
        nonlocal exactly
        weights: dict[int, Exact] = {}
        bias = form.bias
        for i, (w, _) in form.weights.items():
            if i < n_in:
                weights[i] = w
                continue
            value = folded.values[n_in + first[i]]
            c = w if value.factor == 1.0 else over(w, value.factor)
            weights[node[i]] = c
            if not value.shift.is_zero:
                bias = bias + value.shift.times(times(-1.0, c))
        exactly = exactly and not bias.symbols
        return Row.of(weights, _rational(bias))

    units = tuple(Unit(net.units[unit].activation, row(folded.rows[unit])) for unit in kept)
    outputs = tuple(row(form) for form in folded.outputs)
    number = {n_in + unit: n_in + k for k, unit in enumerate(kept)} | {p: p for p in range(-1, n_in)}
    ties = tuple((number[p], number[q]) for p, q in net.ties if p in number and q in number)
    labels = tuple(net.layers[unit] for unit in kept)
    network = replace(net, units=units, outputs=outputs, layers=labels, ties=ties)
    strength = "exact" if exactly and not table.rounded else "rounding"
    return Reduction(network, _steps(net, folded, needed, first), tuple(kept), strength, len(net.units))


def _rational(bias: Combination) -> Exact:
    return bias.rational if not bias.symbols else exact(bias.nearest())


def _steps(net: DagNetwork, folded: Folded, needed: set[int], first: dict[int, int]) -> tuple[ReductionStep, ...]:
    steps: list[ReductionStep] = []
    unread: list[ReductionStep] = []
    place = {unit: (label, i) for label, units in net.blocks.items() for i, unit in enumerate(units)}
    for unit, value in enumerate(folded.values[net.n_inputs :]):
        if value.entry is None:
            steps.append(ReductionStep("constant", (place[unit],)))
        elif value.entry not in needed:
            unread.append(ReductionStep("unread", (place[unit],)))
        elif first[value.entry] != unit:
            into = first[value.entry]
            factor = over(value.factor, folded.values[net.n_inputs + into].factor)
            steps.append(ReductionStep("merge", (place[unit], place[into]), factor))
    return tuple(steps + unread)
