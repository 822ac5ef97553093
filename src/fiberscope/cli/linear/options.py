"""Arguments and options that the commands of `fiberscope linear` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fiberscope.linear.decomposition import Decomposition

Factors = Annotated[
    Path,
    typer.Argument(
        metavar="FACTORS", help="An .npz with W1 .. WL, or a linear .onnx or .pt2 model.", show_default=False
    ),
]
Chain = Annotated[
    str | None,
    typer.Option("--chain", metavar="ID", help="One linear chain inside a model that is not linear as a whole."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Ranks over the rationals: every float is taken at its word.")]
Tol = Annotated[
    float | None,
    typer.Option(
        "--tol",
        metavar="T",
        help="Pivots below T times the largest Frobenius norm of a layer count as zero: one scale for all layers.",
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="F", help="Also draw it: an .svg, .html, .pdf or .png file."),
]


def decomposed(
    factors: Path, chain: str | None = None, *, exact: bool = False, tol: float | None = None
) -> Decomposition:
    """The factors in a file, decomposed; what is wrong with them is said with the file's name."""
    from fiberscope.errors import InputError, WeightError
    from fiberscope.linear.decomposition import decompose
    from fiberscope.linear.factors_file import load_factors

    matrices = load_factors(factors, chain)
    try:
        return decompose(matrices, tol=tol, exact=exact)
    except (InputError, WeightError) as error:
        raise type(error)(f"{factors}: {error}") from error


OutNpz = Annotated[
    Path, typer.Option("--out", "-o", metavar="OUT.npz", help="Where to write the new factors.", show_default=False)
]


def npz_out(out: Path | None) -> None:
    """Refuses, before any work is done, a place that cannot hold an .npz."""
    from fiberscope.cli.output import writable
    from fiberscope.errors import InputError

    writable(out)
    if out is not None and out.suffix.lower() != ".npz":
        raise InputError(f"{out}: factors are written as .npz; give the file that ending")
