"""The commands of `fiberscope shallow` on one page. Nothing heavy is imported until one runs."""

from __future__ import annotations

from collections.abc import Callable

import typer

from fiberscope.cli.output import prose
from fiberscope.cli.shallow.fiber import fiber
from fiberscope.cli.shallow.fisher import fisher
from fiberscope.cli.shallow.minimize import minimize
from fiberscope.cli.shallow.normal_form import normal_form
from fiberscope.cli.shallow.potential import potential
from fiberscope.cli.shallow.reversals import reversals
from fiberscope.cli.shallow.vary import VaryCommand

shallow = typer.Typer(
    name="shallow",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def start() -> None:
    """Networks with one hidden layer of ReLU units: f(x) = c + sum of q_i relu(<w_i, x> + b_i), exactly.

    Such a function is known by its folds, the hyperplanes where it bends, and by an affine part. From this normal form
    follow the least number of units, all other weights with the same function, and how degenerate given weights are.

    MODEL is an .npz (W1, b1, W2, b2, activation), an .onnx or a .pt2 with one hidden layer. ReLU, leaky ReLU and the
    absolute value are understood; `reversals` knows every activation with a reflection law, such as GELU. Units, inputs
    and outputs count from 0.

    Example: [bold]fiberscope shallow normal-form model.npz --plot folds.html[/bold]
    """


shallow.callback(help=prose(start))(start)
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "The function": (normal_form, minimize),
    "Its weights": (fiber, reversals, fisher, potential),
}
for panel, commands in PANELS.items():
    for command in commands:
        kind = VaryCommand if command is potential else None
        shallow.command(rich_help_panel=panel, help=prose(command), cls=kind)(command)
