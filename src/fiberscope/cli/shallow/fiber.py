"""`fiberscope shallow fiber`: all networks of a given size with the same function, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.cli.shallow.options import Model, Plot, about, read

if TYPE_CHECKING:
    from fiberscope.shallow.fiber import Fiber

WORDS = {"max_states": "--max", "see minimal_width": "`fiberscope shallow minimize` tells how many it takes"}


def fiber(
    model: Model,
    units: Annotated[
        int | None,
        typer.Option("--units", metavar="D", help="How many hidden units; as many as the model by default.", min=0),
    ] = None,
    listed: Annotated[
        int | None, typer.Option("--list", metavar="N", help="Also list the first N cells.", min=0)
    ] = None,
    most: Annotated[
        int, typer.Option("--max", metavar="N", help="Give up beyond N orientations of the folds.", min=1)
    ] = 300_000,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Count the ways in which D hidden units can share one function, and tell how these hang together.

    A cell says what every unit does: which fold it makes and on which side it is active, whether nothing reads it,
    whether it is constant, or sits with others where their kinks cancel. Counts are of labelled units.

    Example: [bold]fiberscope shallow fiber model.npz --units 4 --plot cells.html[/bold]
    """
    plottable(plot)
    from fiberscope.shallow.fiber import Fiber

    note(f"reading {model}")
    network = read(model)
    with about(model, words=WORDS):
        found = Fiber.of(network, units, max_states=most)
        result = found.to_json(limit=listed)
        if plot is not None:
            from fiberscope.report.shallow_pages import fiber_page
            from fiberscope.scene.shallow_cells import cells_picture
            from fiberscope.scene.shallow_cells_drawing import cells_drawing

            drawing = cells_drawing(cells_picture(found))
            write_plot(plot, drawing, lambda: fiber_page(model, result, drawing))
    if as_json:
        emit_json(result)
    else:
        show(result, found)


def show(result: dict[str, Any], found: Fiber) -> None:
    """The fiber on a terminal."""
    units, folds, pieces = result["units"], result["folds"], result["components"]
    say(
        f"{units} unit{'' if units == 1 else 's'} for a function with {folds} fold{'' if folds == 1 else 's'}: "
        f"{result['cells']:,} cell{'' if result['cells'] == 1 else 's'}, dimension {result['dimension']}",
        f"{pieces:,} connected component{'' if pieces == 1 else 's'}, "
        f"{result['components_mod_permutations']:,} if units may be reordered",
        "",
    )
    rows = [(dimension, f"{count:,}") for dimension, count in result["by_dimension"].items()]
    table(("dimension", "cells"), rows, right=(0, 1))
    if "list" in result:
        say("")
        table(("dimension", "roles"), [(str(c["dimension"]), ", ".join(c["roles"])) for c in result["list"]], (0,))
