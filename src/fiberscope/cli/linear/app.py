"""The commands of `fiberscope linear` on one page. Nothing heavy is imported until one runs."""

from __future__ import annotations

from collections.abc import Callable

import typer

from fiberscope.cli.linear.chains import chains
from fiberscope.cli.linear.count import count
from fiberscope.cli.linear.critical import critical
from fiberscope.cli.linear.inspect import inspect
from fiberscope.cli.linear.move import move
from fiberscope.cli.linear.moves import moves
from fiberscope.cli.linear.path import path
from fiberscope.cli.linear.strata import strata
from fiberscope.cli.linear.widths import WidthsCommand
from fiberscope.cli.output import prose

linear = typer.Typer(
    name="linear",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def start() -> None:
    r"""Linear networks: all ways to write a matrix W as a product W_L ... W_1 through layers of given widths.

    The ranks of all partial products cut this fiber into strata. Each is named by a barcode: a bar \[i,k] is a
    direction born in layer i and last alive in layer k. Layers are numbered 0 (input) to L (output).

    FACTORS is an .npz with matrices W1 .. WL (W1 is applied first), or any linear .onnx or .pt2 model; --chain ID takes
    a linear chain out of a model that has activations elsewhere (see `chains`).

    Example: [bold]fiberscope linear strata --widths 2 3 2 --rank 1 --plot strata.html[/bold]
    """


linear.callback(help=prose(start))(start)
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "The fiber of a matrix": (count, strata),
    "Given factors": (inspect, chains, moves, move, path, critical),
}
for panel, commands in PANELS.items():
    for command in commands:
        kind = WidthsCommand if panel == "The fiber of a matrix" else None
        linear.command(rich_help_panel=panel, help=prose(command), cls=kind)(command)
