"""`fiberscope linear move`: one step up, the product unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fiberscope.cli.linear.options import Chain, Factors, OutNpz, Plot, Tol, decomposed, npz_out
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import bars
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say
from fiberscope.errors import InputError


def move(
    factors: Factors,
    number: Annotated[
        int, typer.Option("--move", metavar="ID", help="Which move: its id in `fiberscope linear moves`.", min=0)
    ],
    epsilon: Annotated[
        float, typer.Option("--epsilon", metavar="E", help="The length of the step, as a Frobenius norm.")
    ],
    out: OutNpz,
    chain: Chain = None,
    tol: Tol = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Take one move: change one matrix by a step of length E, so that ranks rise and the product stays.

    However small the step, the new point lies in the larger stratum. If E is below the tolerance, inspecting the new
    file needs a smaller --tol to see it.

    Example: [bold]fiberscope linear move factors.npz --move 0 --epsilon 0.01 -o moved.npz[/bold]
    """
    npz_out(out)
    plottable(plot)
    from fiberscope.linear.factors_file import save_factors
    from fiberscope.linear.order import up_moves
    from fiberscope.linear.step import apply_move

    note(f"reading {factors}")
    here = decomposed(factors, chain, tol=tol)
    offered = up_moves(here.barcode)
    if number >= len(offered):
        have = f"0 to {len(offered) - 1}" if offered else "none: its stratum is a component"
        raise InputError(f"{factors}: no move {number}; the moves here are {have} (see `fiberscope linear moves`)")
    chosen = offered[number]
    step = apply_move(here, chosen, epsilon)
    if step.size < epsilon / 2:
        raise InputError(f"--epsilon {epsilon:g}: the step is lost in the rounding of the weights; take a longer one")
    save_factors(out, step.factors)
    seen = decomposed(out, tol=tol).barcode
    if plot is not None:
        from fiberscope.report.linear_pages import move_page
        from fiberscope.scene.flow import flow_picture
        from fiberscope.scene.flow_drawing import flow_drawing

        drawing = flow_drawing(flow_picture(here.barcode), chosen)
        write_plot(plot, drawing, lambda: move_page(here.barcode, chosen, drawing, step.product_change))
    if as_json:
        emit_json({**chosen.to_json(), **step.to_json(), "barcode_seen": seen.to_json(), "path": Path(out)})
        return
    say(f"{chosen.kind.capitalize()}: {bars(here.barcode)}", f"      now {bars(step.barcode)}")
    say(f"The step has norm {step.size:.6g}; the product moved by {step.product_change:.1e} of its layers' norms.")
    if seen != step.barcode:
        say("At the tolerance used, the new ranks cannot be seen yet: inspect it with a smaller --tol.")
    say(f"Wrote {out}")
