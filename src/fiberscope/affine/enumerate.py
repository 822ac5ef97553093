"""The networks with the function of a given one, one after the other, as lazily as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, permutations

from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.group import Bundle, Element, act, bundles


def elements(net: DagNetwork) -> Iterator[Element]:
    """All elements of the group of flips and relabellings, the identity first, each once.

    >>> net = DagNetwork.from_layers([([[1.0], [2.0]], None), ([[1.0, 3.0]], None)])
    >>> sum(1 for _ in elements(net))
    8
    """
    groups = list(bundles(net).values())
    switches = [flip for group in groups for bundle in group for flip in bundle.flips]
    for order in _orders(len(net.units), groups):
        for chosen in chain.from_iterable(combinations(switches, k) for k in range(len(switches) + 1)):
            yield Element(order, frozenset(u for flip in chosen for u in flip))


def _orders(size: int, groups: list[list[Bundle]]) -> Iterator[tuple[int, ...]]:
    """Every way to exchange bundles inside their groups, lazily."""

    def choices(k: int) -> Iterator[tuple[tuple[int, ...], ...]]:
        if k == len(groups):
            yield ()
            return
        for rest in choices(k + 1):
            for order in permutations(range(len(groups[k]))):
                yield (order, *rest)

    for chosen in choices(0):
        places = list(range(size))
        for group, order in zip(groups, chosen, strict=True):
            for target, source in enumerate(order):
                for old, new in zip(group[source].units, group[target].units, strict=True):
                    places[new] = old
        yield tuple(places)


def networks(net: DagNetwork) -> Iterator[DagNetwork]:
    """Every network that flips and relabellings make of an irreducible one, itself first, no two with equal weights.

    >>> net = DagNetwork.from_layers([([[1.0], [2.0]], None), ([[1.0, 3.0]], None)])
    >>> len({found.units + found.outputs for found in networks(net)})
    8
    """
    return (act(net, element) for element in elements(net))
