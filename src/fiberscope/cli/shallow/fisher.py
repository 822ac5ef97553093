"""`fiberscope shallow fisher`: how degenerate the weights are, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.cli.shallow.options import Box, Exact, Model, Plot, about, read

if TYPE_CHECKING:
    from fiberscope.shallow.fisher import Fisher


def fisher(model: Model, box: Box = None, exact: Exact = False, plot: Plot = None, as_json: Json = False) -> None:
    """Give the rank of the Fisher information, and name the cause of every direction in which it vanishes.

    Along a null vector the function does not change to the first order anywhere: two weights of a unit scale against
    each other, units trade output weight, a unit is dead. --box says which inputs occur; without it, all do.

    Example: [bold]fiberscope shallow fisher model.npz --box -1 1[/bold]
    """
    domain = parse_box(box)
    plottable(plot)
    from fiberscope.shallow.fisher import fisher as judge

    note(f"reading {model}")
    network = read(model)
    with about(model):
        found = judge(network, domain, exact=exact)
        if plot is not None:
            from fiberscope.report.shallow_pages import fisher_page
            from fiberscope.scene.shallow_fisher import fisher_drawing

            drawing = fisher_drawing(network, found)
            write_plot(plot, drawing, lambda: fisher_page(model, found, drawing))
    if as_json:
        emit_json(found.to_json())
    else:
        show(found)


def show(found: Fisher) -> None:
    """The causes on a terminal."""
    from fiberscope.scene.shallow_causes import CAUSES

    say(f"{found.parameters:,} parameters, rank {found.rank:,}, nullity {found.nullity:,}.")
    if found.gap is not None and found.gap != float("inf"):
        say(f"The least number that was not taken for zero is {found.gap:.2g}; --exact is sure.")
    if not found.nullity:
        return
    units: dict[str, set[int]] = {}
    for vector in found.null_vectors:
        units.setdefault(vector.kind, set()).update(vector.units)
    say("")
    rows = [(f"{count:,}", kind, _list(sorted(units[kind])), CAUSES[kind]) for kind, count in found.causes.items()]
    table(("", "cause", "units", "what moves"), rows, right=(0,))


def _list(units: list[int], most: int = 12) -> str:
    return " ".join(map(str, units[:most])) + (" ..." if len(units) > most else "")
