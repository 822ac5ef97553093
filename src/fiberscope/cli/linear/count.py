"""`fiberscope linear count`: how many strata there are, without listing them."""

from __future__ import annotations

from fiberscope.cli.linear.widths import Rank, Widths
from fiberscope.cli.linear.widths import widths as numbers
from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, say


def count(widths: Widths, rank: Rank = 0, as_json: Json = False) -> None:
    """Count the strata of the fiber of a matrix: the ways in which its factors' ranks can fall out.

    The count is exact and quick even where a list would fill the disk: it grows about tenfold with each layer of
    width 4.

    Example: [bold]fiberscope linear count --widths 4 4 4 4 4 --rank 0[/bold]
    """
    sizes = numbers(widths)
    from fiberscope.linear.counting import count_strata

    found = count_strata(sizes, rank)
    if as_json:
        emit_json({"widths": sizes, "rank": rank, "count": found})
    else:
        say(f"{found:,} {'stratum' if found == 1 else 'strata'}")
