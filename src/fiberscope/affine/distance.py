"""Distance between two networks of the same layers up to flips and relabelling: min over the group of |a - g b|.

Euclidean over all weights and biases. If one layer is free to move, the minimum is one linear assignment with the best
flip inside its cost, so it is exact (turning a sigmoid moves its readers' biases as well, see `turns`). With several
layers the assignments are coupled (a quadratic assignment problem): layers are then improved in turn from several
starts, which gives an upper bound, and the lower bound adds up what every layer costs when the layers next to it are
relaxed. The distance is a metric on orbits that is continuous in the weights, which no canonical form is (a choice of
order or of sign must jump somewhere).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.affine.assignment import Block, blocks_of, lower_bound
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.dense import Dense, dense
from fiberscope.affine.turns import applies, best_turns
from fiberscope.errors import InputError
from fiberscope.numerics.tolerance import BOUND_SLACK


@dataclass(frozen=True)
class QuotientDistance:
    """``lower <= true distance <= upper``; ``distance`` is the upper bound, ``exact`` says that it is the minimum.

    ``order`` and ``turned`` bring the second network closest to the first: unit ``order[k]`` goes to place k.
    """

    distance: float
    exact: bool
    lower: float
    upper: float
    order: tuple[int, ...]
    turned: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """``distance``, ``exact``, ``lower``, ``upper``."""
        return {"distance": self.distance, "exact": self.exact, "lower": self.lower, "upper": self.upper}

    def __repr__(self) -> str:
        shown = f"{self.distance:.6g}" if self.exact else f"between {self.lower:.6g} and {self.upper:.6g}"
        return f"QuotientDistance: {shown}"


def distance(a: DagNetwork, b: DagNetwork, *, starts: int = 8, seed: int = 0) -> QuotientDistance:
    """The quotient distance of two networks with the same layers, exact for one hidden layer.

    ``starts`` random starts beside the natural ones; more give a better upper bound.
    Errors: InputError when the networks differ in widths, activations or ties.

    >>> a = DagNetwork.from_layers([([[2.0], [1.0]], [1.0, 0.5]), ([[1.0, 3.0]], None)])
    >>> b = DagNetwork.from_layers([([[-1.0], [2.0]], [-0.5, 1.0]), ([[-3.0, 1.5]], None)])
    >>> distance(a, b)
    QuotientDistance: 0.5
    """
    _refuse_other_shapes(a, b)
    blocks = blocks_of(a)
    first, second = dense(a), dense(b)
    rng = np.random.default_rng(seed)
    best = np.inf
    kept = (np.arange(second.n_units), np.zeros(second.n_units, dtype=bool))
    free = [block for block in blocks if block.free]
    for start in range(2 + (starts if len(free) > 1 else 0)):
        state = _start(second, free, start, rng)
        if start == 1:
            _sweep(first, second, free, state, forward=True)
        value = _descend(first, second, free, state)
        if value < best:
            best, kept = value, state
    coupled = len(free) > 1 or any(block.inner for block in free) or bool(second.mu.any())
    if coupled and len(free) == 1 and applies(free[0]):
        kept = best_turns(first, second, free[0])
        best, coupled = _value(first, second, kept), False
    upper = float(np.sqrt(best))
    lower = min(upper, float(np.sqrt(lower_bound(first, second, blocks)))) if coupled else upper
    size = float(np.sqrt((first.weight**2).sum() + (first.bias**2).sum()))
    exact = not coupled or upper - lower <= BOUND_SLACK * max(lower, 1e-6 * size)
    order, turned = kept
    return QuotientDistance(
        upper, exact, upper if exact else lower, upper, tuple(order.tolist()), tuple(np.flatnonzero(turned).tolist())
    )


def _refuse_other_shapes(a: DagNetwork, b: DagNetwork) -> None:
    if a.widths != b.widths or a.layers != b.layers:
        raise InputError(f"widths {a.widths} and {b.widths}: a distance needs equal ones; reduce both networks first")
    if [unit.activation for unit in a.units] != [unit.activation for unit in b.units]:
        raise InputError(f"activations {a.activations} and {b.activations}: a distance needs the same in every unit")
    if sorted(a.ties) != sorted(b.ties):
        raise InputError("the two networks tie different units by their skip connections")


State = tuple[np.ndarray, np.ndarray]


def _start(b: Dense, free: list[Block], start: int, rng: np.random.Generator) -> State:
    order, turned = np.arange(b.n_units), np.zeros(b.n_units, dtype=bool)
    if start >= 2:
        for block in free:
            chosen = rng.permutation(block.count)
            for places in block.members:
                order[places] = places[chosen]
            for switch in block.switches:
                on = rng.random(block.count) < 0.5
                for m in switch:
                    turned[block.members[m][on]] = True
    return order, turned


def _value(a: Dense, b: Dense, state: State) -> float:
    weight, bias = b.moved(*state)
    return float(((a.weight - weight) ** 2).sum() + ((a.bias - bias) ** 2).sum())


def _sweep(a: Dense, b: Dense, free: list[Block], state: State, forward: bool = False) -> None:
    """Assign every layer once; ``forward``: by what it reads only, from the inputs on."""
    for block in free:
        block.assign(a, b, state, incoming_only=forward)


def _descend(a: Dense, b: Dense, free: list[Block], state: State) -> float:
    """Improve layer after layer until none improves; the state is changed in place."""
    value = _value(a, b, state)
    improved = True
    while improved:
        improved = False
        for block in free:
            before = state[0].copy(), state[1].copy()
            block.assign(a, b, state)
            now = _value(a, b, state)
            if now < value * (1.0 - 1e-14):
                value, improved = now, True
            else:
                state[0][:], state[1][:] = before
    return value
