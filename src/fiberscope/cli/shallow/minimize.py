"""`fiberscope shallow minimize`: the least number of hidden units, with proof, and a network that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.options import Json
from fiberscope.cli.output import UNDECIDED, emit_json, note, say, writable
from fiberscope.cli.shallow.options import Box, Model, about, read
from fiberscope.errors import InputError


def minimize(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT.npz", help="Write the smallest network that was found."),
    ] = None,
    box: Box = None,
    budget: Annotated[
        float, typer.Option("--budget", metavar="S", help="Seconds after which the bounds found so far are given.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Find the least number of hidden units with which the same function can be written, and prove it.

    Every fold needs one unit; the affine part may need one or two more, unless the folds can be turned so that it comes
    by itself. That question is hard in general, so there is a budget; bounds are given where it runs out, and the exit
    status is then 3.

    Example: [bold]fiberscope shallow minimize model.npz -o small.npz[/bold]
    """
    domain = parse_box(box)
    writable(out)
    if out is not None and out.suffix.lower() != ".npz":
        raise InputError(f"{out}: the network is written as .npz; give the file that ending")
    if not budget >= 0:
        raise InputError(f"--budget {budget:g}: expected a number of seconds, 0 or more")
    from fiberscope.shallow.from_network import write_npz
    from fiberscope.shallow.minimal import minimal_width

    note(f"reading {model}")
    network = read(model)
    with about(model):
        found = minimal_width(network, box=domain, budget=budget)
    result = {**found.to_json(), "path": out}
    if out is not None:
        write_npz(found.network, out)
    if as_json:
        emit_json(result)
    else:
        show(result)
    if not found.proved:
        raise typer.Exit(UNDECIDED)


def show(result: dict[str, Any]) -> None:
    """The answer in words."""
    units = f"{result['units']} hidden unit{'' if result['units'] == 1 else 's'}"
    folds = f"{result['folds']} fold{'' if result['folds'] == 1 else 's'}"
    if result["proved"]:
        say(f"The function of these {units} has {folds} and needs {result['minimal_units']}: proved.")
    else:
        say(
            f"The function of these {units} has {folds} and needs between {result['lower']} and {result['upper']}: "
            "a larger --budget may tell."
        )
    if result["path"] is not None:
        error = result["rounding"]
        how = "exactly" if error is None else f"rounded to floats: weights are off by at most {error:.2g} of their size"
        say(f"Wrote {result['path']}, {how}.")
