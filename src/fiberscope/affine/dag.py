"""Networks on a directed acyclic graph, as the theory has them.

Units in topological order, unit v with any earlier units and inputs as parents,

    value_v = rho_v( sum_p w_vp value_p + b_v ),      output_k = sum_p q_kp value_p + c_k.

Nodes are numbered inputs first: node p < n_in is input p, node n_in + i is unit i. Weights are kept exactly: floats, or
rationals where arithmetic needed them. ``layers`` groups units that a model keeps in one array: they may be permuted.
``ties`` are pairs of nodes that move together, such as those whose values a model only uses added up (a residual
stream); a node tied to -1 is seen from outside as it is (an output without weights) and does not move.
Reference: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376 (2021),
where such graphs are called general feed-forward neural networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.affine.scalar import Exact, exact, nearest
from fiberscope.affine.unit_law import UnitLaw, checked_activation, unit_law
from fiberscope.errors import InputError, WeightError


@dataclass(frozen=True)
class Row:
    """An affine function of nodes: ``sum_i weights[i] * value[parents[i]] + bias``, parents increasing.

    >>> Row.of({3: 0.5, 1: 2.0}, 1)
    Row(parents=(1, 3), weights=(2.0, 0.5), bias=1.0)
    """

    parents: tuple[int, ...]
    weights: tuple[Exact, ...]
    bias: Exact = 0.0

    @classmethod
    def of(cls, weights: Mapping[int, Any], bias: Any = 0.0) -> Row:
        """From ``{node: weight}``."""
        order = sorted(weights)
        return cls(tuple(order), tuple(exact(weights[p]) for p in order), exact(bias))

    @cached_property
    def weight_of(self) -> dict[int, Exact]:
        """``{node: weight}``."""
        return dict(zip(self.parents, self.weights, strict=True))


@dataclass(frozen=True)
class Unit:
    """A hidden unit: its activation's name and its pre-activation."""

    activation: str
    row: Row


@dataclass(frozen=True)
class DagNetwork:
    """A network on a DAG; see the module's page. Checked when made: `InputError` or `WeightError` says what is wrong.

    ``laws`` gives activations of your own by name (anything with the fields of `UnitLaw`); ``precision`` is the dtype
    that the weights were stored in; ``caveats`` say where a model's arrays do not move as freely as the
    graph's weights.

    >>> net = DagNetwork(1, (Unit("tanh", Row.of({0: 2.0})),), (Row.of({0: 1.0, 1: 3.0}, 0.5),))
    >>> net.evaluate([[0.0]]).tolist()
    [[0.5]]
    """

    n_inputs: int
    units: tuple[Unit, ...]
    outputs: tuple[Row, ...]
    layers: tuple[int, ...] = ()
    ties: tuple[tuple[int, int], ...] = ()
    laws: Mapping[str, UnitLaw] = field(default_factory=dict, compare=False)
    precision: str = "float64"
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            object.__setattr__(self, "layers", tuple(range(len(self.units))))
        if len(self.layers) != len(self.units):
            raise InputError(f"layers: {len(self.layers)} numbers for {len(self.units)} units; give one for each")
        if self.n_inputs < 1 or not self.outputs:
            raise InputError("a network needs at least one input and one output")
        named = [name for name in self.activations if name not in self.laws]
        spelled = {name: spelling for name in named if (spelling := checked_activation(name)) not in self.laws}
        if any(name != spelling for name, spelling in spelled.items()):
            units = (Unit(spelled.get(unit.activation, unit.activation), unit.row) for unit in self.units)
            object.__setattr__(self, "units", tuple(units))
        for i, unit in enumerate(self.units):
            self._check(unit.row, f"unit {i}", self.n_inputs + i)
        runs = [label for i, label in enumerate(self.layers) if i == 0 or self.layers[i - 1] != label]
        if len(runs) != len(set(runs)):
            raise InputError("layers: units with the same number must follow each other")
        for i, unit in enumerate(self.units):
            inside = [p - self.n_inputs for p in unit.row.parents if p >= self.n_inputs]
            if any(self.layers[p] == self.layers[i] for p in inside):
                raise InputError(f"layers: unit {i} reads a unit of its own layer {self.layers[i]}")
        for k, row in enumerate(self.outputs):
            self._check(row, f"output {k}", self.n_inputs + len(self.units))
        for pair in self.ties:
            if len(pair) != 2 or not all(-1 <= p < self.n_inputs + len(self.units) for p in pair):
                raise InputError(f"tie {pair}: expected two node numbers")

    @staticmethod
    def _check(row: Row, name: str, end: int) -> None:
        if len(row.parents) != len(row.weights):
            raise WeightError(f"{name}: {len(row.weights)} weights for {len(row.parents)} parents; give one for each")
        before = -1
        for p, w in zip(row.parents, row.weights, strict=True):
            if not before < p < end:
                raise InputError(f"{name}: parent {p} must be an earlier node (below {end}), each once, in order")
            before = p
            if isinstance(w, float) and not np.isfinite(w):
                raise WeightError(f"{name}: its weight on node {p} is {w}, expected a finite number")
        if isinstance(row.bias, float) and not np.isfinite(row.bias):
            raise WeightError(f"{name}: its bias is {row.bias}, expected a finite number")

    @classmethod
    def from_layers(
        cls, layers: Sequence[tuple[Any, Any]], activation: str | Sequence[str] = "tanh", precision: str = "float64"
    ) -> DagNetwork:
        """A plain MLP from ``[(W1, b1), ..., (WL, bL)]`` (W out x in, b may be None).

        >>> DagNetwork.from_layers([(np.eye(2), None), (np.ones((1, 2)), [1.0])]).widths
        (2, 2, 1)
        """
        hidden = [activation] * (len(layers) - 1) if isinstance(activation, str) else list(activation)
        if len(hidden) != len(layers) - 1:
            raise InputError(f"{len(hidden)} activations for {len(layers)} matrices; expected {len(layers) - 1}")
        units: list[Unit] = []
        labels: list[int] = []
        outputs: list[Row] = []
        n_in = np.asarray(layers[0][0]).shape[1]
        nodes = list(range(n_in))
        for l, (weight, bias) in enumerate(layers):
            weight = np.asarray(weight)
            if weight.ndim != 2 or weight.shape[1] != len(nodes):
                raise WeightError(f"W{l + 1}: shape {list(weight.shape)}, expected [out, {len(nodes)}]")
            shift = np.zeros(weight.shape[0]) if bias is None else np.asarray(bias)
            rows = [
                Row(tuple(nodes), tuple(exact(w) for w in line), exact(b))
                for line, b in zip(weight.tolist(), shift.tolist(), strict=True)
            ]
            if l < len(hidden):
                start = n_in + len(units)
                units += [Unit(hidden[l], row) for row in rows]
                labels += [l + 1] * len(rows)
                nodes = list(range(start, start + len(rows)))
            else:
                outputs = rows
        return cls(n_in, tuple(units), tuple(outputs), tuple(labels), precision=precision)

    # -- looking ----------------------------------------------------------------------------------------------------

    def law(self, name: str) -> UnitLaw:
        """The law of one of its activations."""
        return self.laws.get(name) or unit_law(name)

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    @cached_property
    def blocks(self) -> dict[int, tuple[int, ...]]:
        """Units of every layer label, in order of the labels."""
        found: dict[int, list[int]] = {}
        for i, label in enumerate(self.layers):
            found.setdefault(label, []).append(i)
        return {label: tuple(found[label]) for label in sorted(found)}

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, units of every layer label, outputs."""
        return (self.n_inputs, *(len(units) for units in self.blocks.values()), self.n_outputs)

    def place(self, unit: int) -> tuple[int, int]:
        """``(layer label, number inside the layer from 0)``."""
        label = self.layers[unit]
        return label, self.blocks[label].index(unit)

    @property
    def activations(self) -> tuple[str, ...]:
        """The names that occur, each once."""
        return tuple(dict.fromkeys(unit.activation for unit in self.units))

    @cached_property
    def depth(self) -> tuple[int, ...]:
        """Per unit, the number of units on the longest path that ends in it."""
        out: list[int] = []
        for unit in self.units:
            out.append(1 + max((out[p - self.n_inputs] for p in unit.row.parents if p >= self.n_inputs), default=0))
        return tuple(out)

    # -- running ----------------------------------------------------------------------------------------------------

    def evaluate(self, x: Any) -> np.ndarray:
        """Outputs [N, n_out] in float64 for inputs [N, n_in]; `InputError` for another shape."""
        values = self.values(x)
        return values @ self._readout[0].T + self._readout[1]

    def values(self, x: Any) -> np.ndarray:
        """Values of all nodes, [N, n_in + units], in float64."""
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise InputError(f"input of shape {list(x.shape)}, expected [N, {self.n_inputs}]")
        out = np.empty((len(x), self.n_inputs + len(self.units)))
        out[:, : self.n_inputs] = x
        for name, units, parents, weight, bias in self._plan:
            out[:, units] = self.law(name).value(out[:, parents] @ weight.T + bias)
        return out

    @cached_property
    def _plan(self) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        groups: dict[tuple[int, str], list[int]] = {}
        for i, unit in enumerate(self.units):
            groups.setdefault((self.depth[i], unit.activation), []).append(i)
        plan = []
        for (_, name), units in sorted(groups.items()):
            weight, bias, parents = matrix([self.units[i].row for i in units])
            plan.append((name, np.array(units) + self.n_inputs, parents, weight, bias))
        return plan

    @cached_property
    def _readout(self) -> tuple[np.ndarray, np.ndarray]:
        width = self.n_inputs + len(self.units)
        weight = np.zeros((len(self.outputs), width))
        small, bias, parents = matrix(self.outputs)
        weight[:, parents] = small
        return weight, bias

    def __repr__(self) -> str:
        names = ", ".join(self.activations) or "none"
        return (
            f"DagNetwork: {self.n_inputs} inputs, {len(self.units)} units, {len(self.outputs)} outputs\n"
            f"  activations {names}; {sum(len(u.row.parents) for u in self.units):,} edges between nodes"
        )


def matrix(rows: Iterable[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(W, b, parents)`` in float64 of some rows over the union of their parents."""
    rows = list(rows)
    parents = np.array(sorted({p for row in rows for p in row.parents}), dtype=np.int64)
    column = {int(p): j for j, p in enumerate(parents)}
    weight = np.zeros((len(rows), len(parents)))
    for i, row in enumerate(rows):
        weight[i, [column[p] for p in row.parents]] = [nearest(w) for w in row.weights]
    return weight, np.array([nearest(row.bias) for row in rows]), parents
