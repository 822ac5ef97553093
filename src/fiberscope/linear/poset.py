"""The strata of a fiber as a partially ordered set: its Hasse diagram, and intervals without the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.order import covers, leq, raised_ranks
from fiberscope.linear.stratum import Stratum

if TYPE_CHECKING:
    from fiberscope.linear.fiber import Fiber


def hasse(fiber: Fiber, max_strata: int | None = 100_000) -> Any:
    """The Hasse diagram as a ``networkx.DiGraph``, edges from lower to upper strata.

    Nodes are barcodes with ``id`` (the order of `Fiber.strata`) and ``stratum``; edges carry ``move`` (a `BarMove`)
    and ``gain`` (of dimension). The order is not graded in general: draw it with the dimension as height.
    `InputError` with the exact count when there are more than ``max_strata`` strata.

    >>> from fiberscope.linear.fiber import Fiber
    >>> graph = hasse(Fiber((3, 3, 3, 3), 0))
    >>> len(graph), graph.number_of_edges()
    (77, 167)
    """
    import networkx

    graph = networkx.DiGraph(widths=fiber.widths, rank=fiber.rank)
    for number, stratum in enumerate(fiber.strata(max_strata)):
        graph.add_node(stratum.barcode, id=number, stratum=stratum)
    for barcode in list(graph):
        dimension = graph.nodes[barcode]["stratum"].dimension
        for move in covers(barcode):
            upper = move.apply(barcode)
            graph.add_edge(barcode, upper, move=move, gain=graph.nodes[upper]["stratum"].dimension - dimension)
    return graph


def interval(lower: Barcode, upper: Barcode) -> Iterator[Barcode]:
    """The strata ``S`` with ``lower <= S <= upper``, lazily, ``lower`` first; a set of all found so far is kept.

    `InputError` unless ``lower`` lies in the closure of ``upper``.

    >>> from fiberscope.linear.barcode import least_barcode
    >>> from fiberscope.linear.components import ascend
    >>> least = least_barcode([3, 3, 3, 3, 3, 3], 0)
    >>> sum(1 for _ in interval(least, ascend(least)))
    660
    """
    if not leq(lower, upper):
        raise InputError(
            f"no stratum lies between {lower!r} and {upper!r}: the first is not in the closure of the second"
        )
    return _between(lower, upper)


def _between(lower: Barcode, upper: Barcode) -> Iterator[Barcode]:
    seen, pending = {lower}, [lower]
    for barcode in pending:  # grows while it is read
        yield barcode
        slack = {key: r - barcode.ranks[key] for key, r in upper.ranks.items()}
        for move in covers(barcode):
            if all(slack[key] for key in raised_ranks(move)):
                above = move.apply(barcode)
                if above not in seen:
                    seen.add(above)
                    pending.append(above)


def to_barcode(stratum: Barcode | Stratum) -> Barcode:
    """The barcode of a stratum given either way."""
    return stratum.barcode if isinstance(stratum, Stratum) else stratum
