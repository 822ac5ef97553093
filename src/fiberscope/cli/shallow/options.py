"""Arguments and options that the commands of `fiberscope shallow` share, and how they read a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiberscope.errors import InputError, WeightError

if TYPE_CHECKING:
    from fiberscope.shallow.model import ShallowModel

Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="An .npz, .onnx or .pt2 with one hidden layer.", show_default=False),
]
Box = Annotated[
    tuple[str, str] | None,
    typer.Option("--box", metavar="LO HI", help="The inputs that matter: two numbers or comma lists, as in -1 1."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Rational numbers throughout: every float is taken at its word.")]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="F", help="Also draw it: an .svg, .html, .pdf or .png file.")
]


def read(path: Path) -> ShallowModel:
    """The one hidden layer of a model file; errors name the file."""
    import fiberscope as fs
    from fiberscope.shallow.from_network import shallow_model

    net = fs.load(path)
    with about(path, words={f"{net.name}: ": ""}):
        return shallow_model(net)


@contextmanager
def about(*paths: Path, words: Mapping[str, str] | None = None) -> Iterator[None]:
    """What goes wrong inside is said with the names of the files; ``words`` put what Python calls by one name as the
    command line calls it."""
    try:
        yield
    except (InputError, WeightError) as error:
        text = str(error)
        for python, here in (words or {}).items():
            text = text.replace(python, here)
        names = dict.fromkeys(str(path) for path in paths)
        raise type(error)(f"{' and '.join(names)}: {text}") from error
