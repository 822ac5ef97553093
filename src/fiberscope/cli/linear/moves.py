"""`fiberscope linear moves`: the ways up from a point to larger strata."""

from __future__ import annotations

from fiberscope.cli.linear.options import Chain, Factors, Plot, Tol, decomposed
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import bars, table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say


def moves(
    factors: Factors,
    chain: Chain = None,
    tol: Tol = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """List the moves from the stratum of given factors up to larger ones, each by an arbitrarily small step.

    A connecting move joins the end of one bar to the start of another; an exchange swaps the ends of two bars. A cover
    has no stratum in between. `fiberscope linear move` takes one of them by its id.

    Example: [bold]fiberscope linear moves factors.npz[/bold]
    """
    plottable(plot)
    from fiberscope.linear.order import dimension_gain, is_cover, up_moves

    note(f"reading {factors}")
    barcode = decomposed(factors, chain, tol=tol).barcode
    found = up_moves(barcode)
    listed = [
        {
            "id": number,
            **move.to_json(),
            "dimension_gain": dimension_gain(barcode, move),
            "cover": is_cover(barcode, move),
        }
        for number, move in enumerate(found)
    ]
    if plot is not None:
        from fiberscope.report.linear_pages import moves_page
        from fiberscope.scene.flow import flow_picture
        from fiberscope.scene.flow_drawing import flow_drawing

        picture = flow_picture(barcode)
        write_plot(plot, flow_drawing(picture), lambda: moves_page(picture, found, listed))
    if as_json:
        emit_json({"widths": barcode.widths, "rank": barcode.full, "barcode": barcode.to_json(), "moves": listed})
        return
    say(f"The bars here: {bars(barcode)}")
    if not listed:
        say("No move leads up from here: this stratum is a component of the fiber.")
        return
    say("")
    rows = [
        (
            str(m["id"]),
            m["kind"],
            _pair(m["from"]),
            _pair(m["to"]),
            f"+{m['dimension_gain']}",
            "yes" if m["cover"] else "",
        )
        for m in listed
    ]
    table(("id", "kind", "from", "to", "dimension", "cover"), rows, right=(0, 4))
    say("", f"Take one with: fiberscope linear move {factors} --move 0 --epsilon 0.01 -o moved.npz")


def _pair(found: list[list[int]]) -> str:
    return " ".join(f"[{i},{k}]" for i, k in found)
