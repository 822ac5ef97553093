"""Random networks on graphs, and redundancy planted into them: written for the tests, without the package's moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fiberscope.affine.dag import DagNetwork, Row, Unit


def random_dag(
    rng: np.random.Generator, units: int = 5, n_in: int = 2, n_out: int = 2, name: str = "tanh", eighths: bool = False
) -> DagNetwork:
    """A connected random graph with skips; ``eighths`` keeps all weights multiples of 1/8, so that sums are exact."""

    def draw() -> float:
        if eighths:
            return float(rng.integers(1, 25) * rng.choice([-1, 1])) / 8.0
        return float(rng.normal() * 1.5 + 0.1)

    made = []
    for i in range(units):
        nodes = n_in + i
        parents = set(rng.choice(nodes, size=min(nodes, int(rng.integers(2, 4))), replace=False).tolist())
        if not parents & set(range(n_in)) and rng.random() < 0.3:
            parents.add(int(rng.integers(n_in)))
        made.append(Unit(name, Row.of({p: draw() for p in parents}, draw())))
    everything = list(range(n_in + units))
    outputs = []
    for _ in range(n_out):
        chosen = [p for p in everything if p >= n_in or rng.random() < 0.3]
        outputs.append(Row.of({p: draw() for p in chosen}, draw()))
    return DagNetwork(n_in, tuple(made), tuple(outputs))


@dataclass
class Plot:
    """A network under plantation: ``units[id] = [activation, {parent id: weight}, bias]``."""

    n_in: int
    units: dict[int, list]
    outputs: list[list]

    @classmethod
    def of(cls, net: DagNetwork) -> Plot:
        n = net.n_inputs
        units = {n + i: [u.activation, dict(u.row.weight_of), u.row.bias] for i, u in enumerate(net.units)}
        return cls(n, units, [[dict(row.weight_of), row.bias] for row in net.outputs])

    def fresh(self) -> int:
        return max([self.n_in - 1, *self.units]) + 1

    def readers(self, node: int) -> list[list]:
        """``[weights, bias]``-like lists of all that read a node."""
        rows = [unit[1:] for unit in self.units.values() if node in unit[1]]
        return [row[0] for row in rows] + [row[0] for row in self.outputs if node in row[0]]

    def below(self, node: int) -> set[int]:
        """Ids of units that may read this node without a circle: all but itself and its ancestors."""
        above, stack = {node}, [node]
        while stack:
            for p in self.units[stack.pop()][1]:
                if p in self.units and p not in above:
                    above.add(p)
                    stack.append(p)
        return set(self.units) - above

    def build(self, rng: np.random.Generator | None = None) -> DagNetwork:
        """The network, its units in a random topological order."""
        left = {u: {p for p in unit[1] if p in self.units} for u, unit in self.units.items()}
        order: list[int] = []
        while left:
            ready = sorted(u for u, parents in left.items() if not parents)
            chosen = ready[0] if rng is None else int(rng.choice(ready))
            order.append(chosen)
            del left[chosen]
            for parents in left.values():
                parents.discard(chosen)
        place = {u: self.n_in + k for k, u in enumerate(order)} | {p: p for p in range(self.n_in)}
        units = [
            Unit(self.units[u][0], Row.of({place[p]: w for p, w in self.units[u][1].items()}, self.units[u][2]))
            for u in order
        ]
        outputs = [Row.of({place[p]: w for p, w in weights.items()}, bias) for weights, bias in self.outputs]
        return DagNetwork(self.n_in, tuple(units), tuple(outputs))


def value(name: str, t: float) -> float:
    return {
        "tanh": math.tanh,
        "sigmoid": lambda s: 1.0 / (1.0 + math.exp(-s)),
        "erf": math.erf,
        "arctan": math.atan,
        "softsign": lambda s: s / (1.0 + abs(s)),
    }[name](t)


def plant_double(plot: Plot, rng: np.random.Generator, exact: bool) -> None:
    """A clone, or for odd functions a unit with the opposite sign, takes over part of what a unit gives."""
    unit = int(rng.choice(sorted(plot.units)))
    name, weights, bias = plot.units[unit]
    sign = float(rng.choice([-1.0, 1.0]))
    new = plot.fresh()
    plot.units[new] = [name, {p: sign * w for p, w in weights.items()}, sign * bias]
    rows = [row[1:] for u, row in plot.units.items() if unit in row[1]] + [
        row for row in plot.outputs if unit in row[0]
    ]
    for row in rows:
        part = float(rng.integers(-16, 17)) / 8.0 if exact else float(rng.normal())
        row[0][unit] -= part
        row[0][new] = part
    if sign < 0:
        for row in rows:
            row[0][new] = -row[0][new]
    if sign < 0 and name == "sigmoid":  # s(-t) = 1 - s(t): part * s(t) = part - part * s(-t)
        _shift_bias(plot, unit, new)


def _shift_bias(plot: Plot, unit: int, new: int) -> None:
    for row in plot.units.values():
        if new in row[1]:
            row[2] -= row[1][new]
    for row in plot.outputs:
        if new in row[0]:
            row[1] -= row[0][new]


def plant_unread(plot: Plot, rng: np.random.Generator, exact: bool) -> None:
    """Two units, one of which reads the other, that nothing else reads."""
    name = next(iter(plot.units.values()))[0]
    nodes = [*range(plot.n_in), *plot.units]
    first = plot.fresh()
    plot.units[first] = [name, {int(rng.choice(nodes)): 0.75}, 0.5]
    plot.units[first + 1] = [name, {first: 1.25, int(rng.choice(nodes)): -0.5}, 0.25]


def plant_constant(plot: Plot, rng: np.random.Generator, exact: bool) -> None:
    """A constant unit, fed by another constant; ``exact``: it and its opposite cancel, else biases make up for it."""
    name = next(iter(plot.units.values()))[0]
    readers = sorted(plot.units)
    first = plot.fresh()
    plot.units[first] = [name, {0: 0.0}, 0.375]
    inner = value(name, 0.375)
    plot.units[first + 1] = [name, {first: 2.0}, -0.25]
    level = value(name, 2.0 * inner - 0.25)
    targets = [plot.units[int(u)] for u in rng.choice(readers, size=2)]
    for row in (*targets, [None, *plot.outputs[0]]):
        q = float(rng.integers(1, 9)) / 4.0
        if exact:
            opposite = plot.fresh()
            plot.units[opposite] = [name, {first: -2.0}, 0.25]
            row[1][first + 1] = row[1].get(first + 1, 0.0) + q
            row[1][opposite] = q
            if name == "sigmoid":
                row[2] -= q
        else:
            row[1][first + 1] = row[1].get(first + 1, 0.0) + q
            row[2] -= q * level
    if not exact or name == "sigmoid":  # the list made for the output is a copy but for its weights
        plot.outputs[0][1] = row[2]


def plant_cancelling(plot: Plot, rng: np.random.Generator, exact: bool) -> None:
    """Two clones that a third new unit reads with opposite weights, so that it is constant; an output reads that."""
    unit = int(rng.choice(sorted(plot.units)))
    name, weights, bias = plot.units[unit]
    new = plot.fresh()
    plot.units[new] = [name, dict(weights), bias]
    plot.units[new + 1] = [name, {unit: 1.5, new: -1.5}, 0.0]
    if name != "sigmoid":
        plot.outputs[-1][0][new + 1] = 0.625  # the value is rho(0) = 0


PLANTS = (plant_double, plant_unread, plant_constant, plant_cancelling)


def planted(net: DagNetwork, rng: np.random.Generator, exact: bool, times: int = 4) -> DagNetwork:
    """The network with several kinds of redundancy planted, one on top of the other."""
    plot = Plot.of(net)
    for plant in rng.choice(len(PLANTS), size=times):
        PLANTS[plant](plot, rng, exact)
    return plot.build(rng)
