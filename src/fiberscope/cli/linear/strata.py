"""`fiberscope linear strata`: every way for the ranks to fall out, with dimensions and covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fiberscope.cli.linear.listing import stream
from fiberscope.cli.linear.options import Plot
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.widths import Rank, Widths
from fiberscope.cli.linear.widths import widths as numbers
from fiberscope.cli.linear.words import bars, chain_of, table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.linear.barcode import Barcode

SHOWN = 40  # strata in a table on the terminal
QUICK = 100  # sum of the widths up to which --components also counts all strata: at most a fraction of a second


def strata(
    widths: Widths,
    rank: Rank = 0,
    most: Annotated[
        int, typer.Option("--max", metavar="N", help="Refuse to compute more strata than this.", min=1)
    ] = 100_000,
    only_components: Annotated[
        bool, typer.Option("--components", help="Only the maximal strata: the irreducible components.")
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list", help="Only ids and barcodes, as a stream without limit.")
    ] = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """List the strata of the fiber of a matrix: dimension, singular or smooth, and which lie in the closure of which.

    Strata grow fast in number with widths and layers: count them first with `fiberscope linear count`. --components
    finds the maximal ones without going through the others.

    Example: [bold]fiberscope linear strata --widths 2 3 2 --rank 1 --plot strata.html[/bold]
    """
    sizes = numbers(widths)
    plottable(plot)
    if only_list:
        if plot is not None or only_components:
            raise InputError("--list goes with neither --plot nor --components; leave one out")
        stream(sizes, rank, as_json)
        return
    if only_components:
        barcodes, covers = _maximal(sizes, rank, most), []
    else:
        barcodes, covers = _all(sizes, rank, most, drawn=plot is not None)
    note(f"{len(barcodes):,} strata")
    result = fiber_json(sizes, rank, barcodes, covers, whole=not only_components)
    if plot is not None:
        _plot(plot, result, barcodes)
    if as_json:
        emit_json(result)
    else:
        show(result, barcodes)


def _all(
    widths: list[int], rank: int, most: int, *, drawn: bool = False
) -> tuple[list[Barcode], list[tuple[int, int]]]:
    """Every stratum, and the covers as pairs of their numbers."""
    from fiberscope.linear.counting import count_strata
    from fiberscope.linear.enumeration import barcodes
    from fiberscope.linear.order import covers

    count = count_strata(widths, rank)
    if count > most:
        raise InputError(
            f"widths {' '.join(map(str, widths))}, rank {rank}: {count} strata, more than --max {most}; raise it, or "
            "take --components, or --list, which streams them"
        )
    if drawn:
        from fiberscope.scene.hasse import check_drawable

        check_drawable(count)
    found = list(barcodes(widths, rank))
    place = {barcode.bars: number for number, barcode in enumerate(found)}
    pairs = [
        (number, place[move.apply(barcode).bars]) for number, barcode in enumerate(found) for move in covers(barcode)
    ]
    return found, pairs


def _maximal(widths: list[int], rank: int, most: int) -> list[Barcode]:
    """The maximal strata."""
    from fiberscope.linear.components import components, count_components

    count = count_components(widths, rank)
    if count > most:
        raise InputError(
            f"widths {' '.join(map(str, widths))}, rank {rank}: {count} components, more than --max {most}; raise it"
        )
    return list(components(widths, rank))


def fiber_json(
    widths: list[int], rank: int, found: list[Barcode], covers: list[tuple[int, int]], *, whole: bool
) -> dict[str, Any]:
    """The contract of `--json`: `found` are all strata, or only the maximal ones."""
    from fiberscope.linear.barcode import least_barcode
    from fiberscope.linear.counting import count_strata
    from fiberscope.linear.fiber import Fiber
    from fiberscope.linear.stratum import Stratum

    strata = []
    for number, barcode in enumerate(found):
        stratum = Stratum(barcode)
        strata.append(
            {
                "id": number,
                "barcode": barcode.to_json(),
                "ranks": [[k, i, r] for (k, i), r in sorted(barcode.ranks.items())],
                "dimension": stratum.dimension,
                "component": stratum.is_component,
                "singular": stratum.singular,
                "real_components": stratum.real_components,
            }
        )
    least = least_barcode(widths, rank)
    count = len(found) if whole else count_strata(widths, rank) if sum(widths) <= QUICK else None
    return {
        "widths": widths,
        "rank": rank,
        "count": count,
        "strata": strata,
        "covers": [list(pair) for pair in covers],
        "fiber_dimension": max(s["dimension"] for s in strata),
        "least": found.index(least) if least in found else None,
        "components": sum(s["component"] for s in strata),
        "real_components": Fiber(tuple(widths), rank).real_components,
    }


def _plot(plot: Any, result: Mapping[str, Any], barcodes: Iterable[Barcode]) -> None:
    from fiberscope.report.linear_pages import strata_page
    from fiberscope.scene.hasse import Stratum, hasse_picture
    from fiberscope.scene.hasse_drawing import hasse_drawing

    drawn = [
        Stratum(s["id"], barcode, s["dimension"], s["component"], s["singular"])
        for s, barcode in zip(result["strata"], barcodes, strict=True)
    ]
    drawing = hasse_drawing(hasse_picture(drawn, [(a, b) for a, b in result["covers"]]))
    write_plot(plot, drawing, lambda: strata_page(result, drawing))


def show(result: Mapping[str, Any], barcodes: list[Barcode]) -> None:
    """The fiber on a terminal: the largest strata first."""
    strata = result["strata"]
    counted = (
        "" if result["count"] is None else f"{result['count']:,} {_plural(result['count'], 'stratum', 'strata')}, "
    )
    pieces = result["components"]
    say(
        f"Widths {chain_of(result['widths'])}, product of rank {result['rank']}: {counted}"
        f"{pieces:,} {_plural(pieces, 'component', 'components')}",
        f"The fiber has dimension {result['fiber_dimension']:,} and, over the reals, "
        f"{result['real_components']:,} connected {_plural(result['real_components'], 'piece', 'pieces')}.",
        "",
    )
    order = sorted(strata, key=lambda s: (-s["dimension"], s["id"]))
    rows = [
        (
            str(s["id"]),
            f"{s['dimension']:,}",
            "component" if s["component"] else "",
            "singular" if s["singular"] else "smooth",
            bars(barcodes[s["id"]]),
        )
        for s in order[:SHOWN]
    ]
    table(("id", "dimension", "", "points", "bars"), rows, right=(0, 1))
    if len(order) > SHOWN:
        say("", f"and {len(order) - SHOWN:,} more: --json has them all")


def _plural(number: int, one: str, many: str) -> str:
    return one if number == 1 else many
