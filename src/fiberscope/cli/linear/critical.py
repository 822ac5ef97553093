"""`fiberscope linear critical`: what kind of critical point of the square loss given factors are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.linear.options import Chain, Exact, Factors, Tol, npz_out
from fiberscope.cli.options import Json
from fiberscope.cli.output import UNDECIDED, emit_json, note, say
from fiberscope.errors import InputError, WeightError


def critical(
    factors: Factors,
    target: Annotated[
        Path, typer.Option("--target", metavar="T.npz", help="An .npz with the target, an array named T.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT.npz", help="Write a step that lowers the loss: add W1 .. WL."),
    ] = None,
    chain: Chain = None,
    exact: Exact = False,
    tol: Tol = None,
    as_json: Json = False,
) -> None:
    """Tell whether factors are a critical point of the square loss |W_L ... W_1 - T|^2 / 2, and of which kind.

    A pure critical point is one of the product W itself; a spurious one owes to the factors alone, and is never a
    minimum. At a strict saddle the loss falls along a direction of negative curvature, which -o writes; at a
    non-strict one it falls too, but more slowly than any square.

    Example: [bold]fiberscope linear critical factors.npz --target target.npz -o escape.npz[/bold]
    """
    npz_out(out)
    from fiberscope.linear.critical import critical as judge
    from fiberscope.linear.factors_file import load_factors, load_target, save_arrays

    note(f"reading {factors} and {target}")
    matrices, goal = load_factors(factors, chain), load_target(target)
    try:
        found = judge(matrices, goal, tol=tol, exact=exact)
    except (InputError, WeightError) as error:
        raise type(error)(f"{factors} and {target}: {error}") from error
    result: dict[str, Any] = {**found.to_json(), "path": None}
    if not found.critical:
        result["saddle"] = "none"
    if out is not None and found.escape is not None:
        save_arrays(out, {f"W{n}": step for n, step in enumerate(found.escape, 1)})
        result["path"] = out
    if as_json:
        emit_json(result)
    else:
        show(result)
    if found.undecided:
        raise typer.Exit(UNDECIDED)


def show(result: dict[str, Any]) -> None:
    """The verdict in words."""
    say(f"Loss {result['loss']:.6g}, gradient norm {result['gradient_norm']:.3g}, product of rank {result['rank']}.")
    if not result["critical"]:
        say("Not a critical point.")
        return
    kinds = {
        "pure": "Critical, and pure: so is the product itself, among the matrices of the rank that fits through.",
        "spurious": "Critical, but spurious: the product is no critical point, only the factors are.",
    }
    say(kinds.get(result["kind"], "Critical."))
    if result["undecided"]:
        say(f"Undecided: {result['undecided']}. Try --exact, or another --tol.")
        return
    saddles = {
        "strict": f"A strict saddle: in one direction the second derivative is {result['curvature'] or 0:.3g}.",
        "non-strict": "A non-strict saddle: no direction has negative curvature, yet it is no minimum.",
        "none": "No saddle: a global minimum.",
    }
    say(saddles[result["saddle"]])
    if result["path"] is not None:
        say(f"Wrote {result['path']}: adding it lowers the loss by {result['decrease']:.6g}.")
