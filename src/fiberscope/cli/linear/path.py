"""`fiberscope linear path`: a path between two points of a fiber, or what forbids it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fiberscope.cli.linear.options import Tol, npz_out
from fiberscope.cli.options import Json
from fiberscope.cli.output import NO, YES, emit_json, note, say
from fiberscope.errors import InputError, WeightError

FirstPoint = Annotated[Path, typer.Argument(metavar="A.npz", help="Where to start.", show_default=False)]
LastPoint = Annotated[Path, typer.Argument(metavar="B.npz", help="Where to end.", show_default=False)]


def path(
    a: FirstPoint,
    b: LastPoint,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="How many points, both ends included.", min=2)
    ] = 100,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT.npz", help="Write W1 .. WL, each with N matrices, here."),
    ] = None,
    tol: Tol = None,
    as_json: Json = False,
) -> None:
    """Join two factorisations of one matrix by a path along which the product never changes.

    There is always a path, unless a hidden layer is as narrow as the rank of the product and a sign differs there; then
    the exit status is 1 and those layers are named.

    Example: [bold]fiberscope linear path a.npz b.npz --steps 100 -o path.npz[/bold]
    """
    npz_out(out)
    from fiberscope.linear.factors_file import load_factors, save_arrays
    from fiberscope.linear.path import path as join

    note(f"reading {a} and {b}")
    first, last = load_factors(a), load_factors(b)
    try:
        found = join(first, last, steps, tol=tol)
    except (InputError, WeightError) as error:
        raise type(error)(f"{a} and {b}: {error}") from error
    if found.connected and out is not None:
        save_arrays(out, {f"W{n}": points for n, points in enumerate(found.factors, 1)})
    written = out if found.connected else None
    if as_json:
        emit_json({**found.to_json(), "path": written})
    elif found.connected:
        say(
            f"Connected: a path of {steps} points; along it the product moves by at most {found.max_product_drift:.1e}."
        )
        say(f"Wrote {written}" if written else "Give -o OUT.npz to write it.")
    else:
        layers = ", ".join(map(str, found.obstruction))
        say(
            f"Not connected: hidden layer {layers} is as narrow as the rank of the product ({found.rank}), and the "
            "sign of its determinant differs between the two; no path over the reals can change it."
        )
    raise typer.Exit(YES if found.connected else NO)
