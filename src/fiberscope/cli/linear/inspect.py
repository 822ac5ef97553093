"""`fiberscope linear inspect`: where given factors lie in the fiber of their product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fiberscope.cli.linear.options import Chain, Exact, Factors, Plot, Tol, decomposed
from fiberscope.cli.linear.plot import plottable, write_plot
from fiberscope.cli.linear.words import chain_of, table
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say

if TYPE_CHECKING:
    from fiberscope.linear.barcode import Barcode


def inspect(
    factors: Factors,
    chain: Chain = None,
    exact: Exact = False,
    tol: Tol = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Show the ranks of given factors as a barcode, the stratum they lie in, and how far the answer can be trusted.

    A bar is one direction that the matrices hand on: where it is born, and in which layer it is last alive. The answer
    comes with the distance to matrices that have exactly these ranks.

    Example: [bold]fiberscope linear inspect factors.npz --plot flow.html[/bold]
    """
    plottable(plot)
    from fiberscope.linear.stratum import Stratum

    note(f"reading {factors}")
    found = decomposed(factors, chain, exact=exact, tol=tol)
    barcode = found.barcode
    result = {"path": str(factors), **found.to_json(), **stratum_json(Stratum(barcode))}
    if plot is not None:
        from fiberscope.report.linear_pages import inspect_page
        from fiberscope.scene.flow import flow_picture
        from fiberscope.scene.flow_drawing import flow_drawing

        picture = flow_picture(barcode)
        write_plot(plot, flow_drawing(picture), lambda: inspect_page(result, picture))
    if as_json:
        emit_json(result)
    else:
        show(result, barcode)


def stratum_json(stratum: Any) -> dict[str, Any]:
    """What is known of a stratum from its barcode alone."""
    return {
        "dimension": stratum.dimension,
        "rank_differential": stratum.rank_differential,
        "singular": stratum.singular,
        "local_dimension": stratum.local_dimension,
        "component": stratum.is_component,
        "real_components": stratum.real_components,
        "one_matrix_moves": stratum.one_matrix_moves,
        "two_matrix_moves": stratum.two_matrix_moves,
        "normal_dimension": stratum.normal_dimension,
        "inner_orbit_dimension": stratum.inner_orbit_dimension,
    }


def show(result: Mapping[str, Any], barcode: Barcode) -> None:
    """The inspection on a terminal."""
    from fiberscope.scene.bar_kinds import KINDS, kind

    weights = sum(a * b for a, b in zip(barcode.widths, barcode.widths[1:], strict=False))
    say(f"Widths {chain_of(barcode.widths)}: {weights:,} weights, a product of rank {barcode.full}", "")
    rows = [(f"[{i},{k}]", str(m), KINDS[kind((i, k), barcode.length)]) for i, k, m in barcode.bars]
    table(("bar", "copies", "which"), rows, right=(1,))
    one, two = result["one_matrix_moves"], result["two_matrix_moves"]
    which = "a component of the fiber" if result["component"] else "not a component: larger strata meet it"
    say(
        "",
        f"Its stratum has dimension {result['dimension']:,}: {one:,} directions move one matrix, {two:,} move two. "
        f"It is {which}.",
        f"The fiber is {'singular' if result['singular'] else 'smooth'} here, dimension {result['local_dimension']:,}; "
        f"the product can be changed along {result['rank_differential']:,} directions.",
    )
    if result["exact"]:
        say("The ranks are exact, over the rational numbers.")
        return
    gap = (
        "nothing was dropped" if result["gap"] is None else f"smallest kept / largest dropped pivot {result['gap']:.2g}"
    )
    say(f"Matrices with exactly these ranks lie {result['backward_error']:.2g} away (Frobenius norm); {gap}.")
