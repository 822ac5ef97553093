"""`fiberscope shallow potential`: how far a network is from a true function, in the mean over a box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.cli.shallow.options import Exact, Model, Plot, about, read
from fiberscope.cli.shallow.vary import Vary, grid, named
from fiberscope.errors import InputError


def potential(
    model: Model,
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="The network with the true function.", show_default=False)
    ],
    box: Annotated[
        tuple[str, str],
        typer.Option("--box", metavar="LO HI", help="Where inputs are uniform: two numbers or comma lists."),
    ],
    vary: Vary = None,
    span: Annotated[
        float | None,
        typer.Option("--span", metavar="S", help="How far to either side the named weights go: 2 by default."),
    ] = None,
    points: Annotated[
        int | None, typer.Option("--points", metavar="N", help="Values along each named weight.", min=2)
    ] = None,
    exact: Exact = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    r"""Compute K(w) = E|f(x, w) - f0(x)|^2 / 2 for x uniform on the box, and its gradient at the model's weights.

    --vary names one or two weights, such as W1\[unit,input], b1\[unit], W2\[output,unit], b2\[output]; K is then also
    computed on a line or grid around the model. --plot draws that: the valley K = 0 are the true parameters.

    Example: [bold]fiberscope shallow potential model.npz truth.npz --box -1 1 --vary "W1\[0,0]" "W2\[0,0]" --plot k.svg
    [/bold]
    """
    domain = parse_box(box)
    plottable(plot)
    entries = named(vary)
    if span is not None and not 0 < span < float("inf"):
        raise InputError(f"--span {span:g}: expected a positive number")
    if not entries and plot is None and not (span is None and points is None):
        raise InputError("--span, --points: they say how far --vary goes; give --vary or --plot as well")
    from fiberscope.shallow.potential import potential as integrate

    note(f"reading {model} and {truth}")
    network, true = read(model), read(truth)
    with about(model, truth, words={"vary K point by point with potential()": "leave --vary and --plot out"}):
        land = (
            grid(network, true, domain, entries, 2.0 if span is None else span, points)
            if entries or plot is not None
            else None
        )
        found = integrate(network, true, domain, exact=exact)
    result: dict[str, Any] = found.to_json()
    if land is not None:
        result["landscape"] = land.to_json()
    if plot is not None and land is not None:
        from fiberscope.report.shallow_pages import potential_page
        from fiberscope.scene.shallow_potential import potential_drawing

        drawing = potential_drawing(land)
        write_plot(plot, drawing, lambda: potential_page(model, truth, result, drawing))
    if as_json:
        emit_json(result)
    else:
        show(result)


def show(result: dict[str, Any]) -> None:
    """K on a terminal."""
    k, bound = result["k"], result["error_bound"]
    if isinstance(k, str):
        say(f"K = {k}")
    else:
        say(f"K = {k:.12g}" + (f", within {bound:.2g}" if bound else ", exactly"))
    for name, values in result["gradient"].items():
        flat = [v for row in values for v in (row if isinstance(row, list) else [row])]
        shown = ", ".join(v if isinstance(v, str) else f"{v:.6g}" for v in flat[:8])
        say(f"  dK/d{name} = [{shown}{', ...' if len(flat) > 8 else ''}]")
