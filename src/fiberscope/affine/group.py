"""The known symmetry group of a network's own arrays: units of a layer change places, units are turned round.

Turning unit v round, by ``rho(gamma - t) = lam rho(t) + mu``: (w, b) -> (-w, gamma - b); its value becomes
``lam v + mu``, so a reader's weight q becomes ``q / lam`` and its bias changes by ``-q mu / lam``.

Nodes tied by an addition (``ties``) form a *bundle*: they are permuted together, and turned round together when that
changes the sign of their sum. A bundle with an input in it, or one that is seen from
outside, stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.scalar import Exact, over, plus, times
from fiberscope.errors import InputError

Signature = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Bundle:
    """Units that move together; ``flips`` are the sets of units that may be turned round, each on its own."""

    units: tuple[int, ...]
    flips: tuple[tuple[int, ...], ...]
    frozen: bool


@dataclass(frozen=True)
class Element:
    """``order[k]``: which unit stands at place k afterwards; ``turned``: units (old numbers) that are turned round."""

    order: tuple[int, ...]
    turned: frozenset[int] = frozenset()


def bundles(net: DagNetwork) -> dict[Signature, list[Bundle]]:
    """Bundles that may be exchanged (same layers, same activations); frozen ones have keys of their own.

    >>> net = DagNetwork.from_layers([([[1.0], [2.0]], None), ([[1.0, 3.0]], None)])
    >>> [len(group) for group in bundles(net).values()]
    [2]
    """
    n_in = net.n_inputs
    outside = n_in + len(net.units)
    parent = list(range(outside + 1))

    def find(p: int) -> int:
        while parent[p] != p:
            parent[p] = parent[parent[p]]
            p = parent[p]
        return p

    for pair in net.ties:
        p, q = (find(outside if node < 0 else node) for node in pair)
        parent[max(p, q)] = min(p, q)
    members: dict[int, list[int]] = {}
    for p in range(len(parent)):
        members.setdefault(find(p), []).append(p)
    out: dict[Signature, list[Bundle]] = {}
    for nodes in members.values():
        units = tuple(p - n_in for p in nodes if n_in <= p < outside)
        if not units:
            continue
        frozen = len(units) < len(nodes)
        bundle = Bundle(units, _flips(net, units, frozen), frozen)
        key = tuple(sorted((net.layers[u], net.units[u].activation) for u in units))
        out.setdefault((*key, *((-1, str(u)) for u in units if frozen)), []).append(bundle)
    return out


def _flips(net: DagNetwork, units: tuple[int, ...], frozen: bool) -> tuple[tuple[int, ...], ...]:
    """Units whose value a turn keeps, one by one; and all the others at once, if a turn changes all their signs."""
    parity = {u: net.law(net.units[u].activation).parity for u in units}
    even = [(u,) for u in units if parity[u] == "even"]
    others = tuple(u for u in units if parity[u] != "even")
    together = [others] if others and not frozen and all(parity[u] == "odd" for u in others) else []
    return (*together, *even)


def act(net: DagNetwork, element: Element) -> DagNetwork:
    """The network with its units in another order, some of them turned round: the same function.

    Errors: InputError when the order is no permutation or leaves the layers.

    >>> net = DagNetwork.from_layers([([[1.0], [2.0]], [0.5, 0.0]), ([[1.0, 3.0]], None)])
    >>> act(net, Element((1, 0), frozenset([1]))).units[0].row
    Row(parents=(0,), weights=(-2.0,), bias=0.0)
    """
    order = element.order
    if sorted(order) != list(range(len(net.units))):
        raise InputError("order: expected every unit once")
    if any(net.layers[k] != net.layers[u] for k, u in enumerate(order)):
        raise InputError("order: units may only change places inside a layer")
    n_in = net.n_inputs
    place = list(range(n_in + len(order)))
    for k, u in enumerate(order):
        place[n_in + u] = n_in + k
    flips = {}
    for u in element.turned:
        flip = net.law(net.units[u].activation).flip
        if flip is None:
            raise InputError(f"unit {u}: {net.units[u].activation} has no flip")
        flips[n_in + u] = flip

    def moved(row: Row) -> Row:
        weights: dict[int, Exact] = {}
        bias = row.bias
        for p, w in zip(row.parents, row.weights, strict=True):
            if p in flips:
                lam, _, mu = flips[p]
                w = over(w, lam)
                bias = plus(bias, times(-1.0, times(w, mu)))
            weights[place[p]] = w
        return Row.of(weights, bias)

    units = []
    for u in order:
        row = moved(net.units[u].row)
        if n_in + u in flips:
            shift = plus(flips[n_in + u][1], times(-1.0, row.bias))
            row = Row(row.parents, tuple(times(-1.0, w) for w in row.weights), shift)
        units.append(Unit(net.units[u].activation, row))
    ties = tuple((place[p] if p >= 0 else p, place[q] if q >= 0 else q) for p, q in net.ties)
    return replace(net, units=tuple(units), outputs=tuple(moved(row) for row in net.outputs), ties=ties)
