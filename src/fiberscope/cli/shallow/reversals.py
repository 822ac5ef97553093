"""`fiberscope shallow reversals`: which sets of units can be turned round together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.cli.shallow.options import Exact, Model, Plot, about, read

if TYPE_CHECKING:
    from fiberscope.shallow.reversals import Reversals

SHOWN = 20  # sets on a terminal


def reversals(
    model: Model,
    exact: Exact = False,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="List at most N sets; count tells all.", min=0)
    ] = 10_000,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find all sets of hidden units that can be turned round together without changing the function.

    Turning a unit round changes the signs of its weights and its bias, and so moves its active side to the other side
    of the boundary. A set may be turned if the weights q_i w_i of its units add up to zero. The empty set counts.

    Example: [bold]fiberscope shallow reversals model.npz --exact --json[/bold]
    """
    plottable(plot)
    from fiberscope.shallow.reversals import reversals as search

    note(f"reading {model}")
    network = read(model)
    with about(
        model, words={"decide over the rationals instead": "try --exact", "decide over the rationals": "give --exact"}
    ):
        found = search(network, exact=exact, limit=limit)
        if plot is not None:
            from fiberscope.report.shallow_pages import reversals_page
            from fiberscope.scene.shallow_reversals import reversals_drawing

            drawing = reversals_drawing(network, found)
            write_plot(plot, drawing, lambda: reversals_page(model, found, drawing))
    if as_json:
        emit_json(found.to_json())
    else:
        show(found)


def show(found: Reversals) -> None:
    """The sets on a terminal."""
    if found.count == 1:
        say("No set of units can be turned round but the empty one.")
    else:
        say(f"{found.count:,} sets of units can be turned round, the empty one included.")
    if found.gap is not None:
        say(
            "Every other set adds up to something."
            if found.gap == float("inf")
            else f"Sums that were not taken for zero are at least {found.gap:.2g} of their terms; --exact is sure."
        )
    listed = [s for s in found.sets if s]
    if listed:
        say("", *("  " + " ".join(map(str, s)) for s in listed[:SHOWN]))
    more = found.count - 1 - min(len(listed), SHOWN)
    if more > 0:
        say("", f"and {more:,} more: --json lists up to --limit of them")
