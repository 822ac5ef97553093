"""The commands on one page. Nothing heavy is imported until a command runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from fiberscope.cli.activation import activation
from fiberscope.cli.canonicalize import canonicalize
from fiberscope.cli.compare import compare
from fiberscope.cli.compress import compress
from fiberscope.cli.demo import demo
from fiberscope.cli.distance import distance
from fiberscope.cli.doctor import doctor
from fiberscope.cli.enumerate import enumerate
from fiberscope.cli.fingerprint import fingerprint
from fiberscope.cli.inspect import inspect
from fiberscope.cli.linear.app import linear
from fiberscope.cli.output import prose, say
from fiberscope.cli.randomize import randomize
from fiberscope.cli.reduce import reduce
from fiberscope.cli.shallow.app import shallow
from fiberscope.cli.verify import verify

app = typer.Typer(
    name="fiberscope",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    if wanted:
        from fiberscope import __version__

        say(f"fiberscope {__version__}")
        raise typer.Exit


def start(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Which other weights compute the same function?

    A trained network is one point among many that do exactly the same thing: its hidden units can be reordered,
    rescaled, sign-flipped or rotated. Fiberscope finds that freedom, and uses it to tell you what a network's weights
    really determine, whether two networks are the same function, and to prove it.

    A model is an .onnx file, a .pt2 file (torch.export), or an .npz of a plain MLP (W1, b1, W2, b2, ...).

    New here? Run [bold]fiberscope demo[/bold]: it takes a few seconds and needs no file. Then look at a network of your
    own with [bold]fiberscope inspect model.onnx --html report.html[/bold], or ask about two of them with
    [bold]fiberscope compare a.onnx b.onnx[/bold].

    Every command takes [bold]--json[/bold] and then prints one JSON object and nothing else. The exit status is
    0 for yes or done, 1 for no or different, 2 for trouble, 3 for undecided. Nothing is ever sent anywhere.
    """


app.callback(help=prose(start))(start)
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Look and compare": (inspect, compare, verify, fingerprint),
    "Write another network": (compress, canonicalize, randomize),
    "Exact theories": (activation, enumerate, reduce, distance),
    "This installation": (demo, doctor),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel, help=prose(command))(command)
app.add_typer(linear, rich_help_panel="Linear networks")
app.add_typer(shallow, rich_help_panel="One hidden layer")
