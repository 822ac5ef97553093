"""`fiberscope shallow normal-form`: the folds and the affine part of a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.cli.shallow.options import Box, Exact, Model, Plot, about, read

if TYPE_CHECKING:
    from fiberscope.shallow.normal_form import NormalForm

SHOWN = 20  # folds in a table on the terminal


def normal_form(
    model: Model,
    box: Box = None,
    exact: Exact = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="List at most N folds; folds_total counts all.", min=0)
    ] = None,
    output: Annotated[int, typer.Option("--output", metavar="J", help="Which output a picture shows.", min=0)] = 0,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Write a function by its folds, so that two networks are the same function if and only if these agree.

    f(x) = linear x + constant + the sum over folds of kink |normal x + offset| / 2. A fold is a hyperplane where the
    function bends; the kink is by how much. In floats normals have length 1, with --exact their first entry is 1.

    Example: [bold]fiberscope shallow normal-form model.npz --exact --json[/bold]
    """
    domain = parse_box(box)
    plottable(plot)
    from fiberscope.shallow.normal_form import normal_form as reduced

    note(f"reading {model}")
    network = read(model)
    with about(model):
        form = reduced(network, exact=exact, box=domain)
        if plot is not None:
            from fiberscope.report.shallow_pages import function_page
            from fiberscope.scene.shallow_function import function_drawing

            drawing = function_drawing(network, form, box=domain, output=output)
            write_plot(plot, drawing, lambda: function_page(model, form, drawing))
    if as_json:
        emit_json(form.to_json(limit))
    else:
        show(form, form.to_json(SHOWN if limit is None else limit))


def show(form: NormalForm, result: Mapping[str, Any]) -> None:
    """The normal form on a terminal."""
    total = result["folds_total"]
    say(
        f"A function of {_count(form.inputs, 'input')} and {_count(form.outputs, 'output')} with "
        f"{_count(total, 'fold')}" + ("" if result["domain"] == "all" else " inside the box") + "."
    )
    if not result["exact"] and result["gap"] is not None:
        say(f"Boundaries kept apart are at least {result['gap']:.2g} times as far from each other as any merged.")
    if form.inputs <= 8:
        say("", "linear part" if form.outputs == 1 else "linear part, a row per output")
        for row, constant in zip(result["linear"], result["constant"], strict=True):
            say(f"  {_vector(row)} x + {_number(constant)}")
    if result["folds"]:
        say("")
        rows = [
            (_vector(fold["normal"]), _number(fold["offset"]), _vector(fold["kink"], alone=True))
            for fold in result["folds"]
        ]
        table(("normal", "offset", "kink"), rows, right=(1, 2))
    if total > len(result["folds"]):
        say("", f"and {total - len(result['folds']):,} more: --json has them all")


def _vector(values: list[Any], alone: bool = False, most: int = 4) -> str:
    if alone and len(values) == 1:
        return _number(values[0])
    return f"[{', '.join(map(_number, values[:most]))}{', ...' if len(values) > most else ''}]"


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
