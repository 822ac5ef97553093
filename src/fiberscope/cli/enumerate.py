"""`fiberscope enumerate`: count, and write, the networks with the same function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiberscope.cli.options import Json, Model
from fiberscope.cli.output import emit_json, note, say
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.affine.count import NetworkCount


def enumerate(
    model: Model,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Write at most N networks.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write networks into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count the networks with the same function: units reordered and turned round, redundant ones removed first.

    For tanh and sigmoid networks a theorem says that there are no others on these widths; for other activations the
    known ones are counted, and it is said why there may be more.

    Example: [bold]fiberscope enumerate model.onnx --limit 5 -o copies[/bold]
    """
    if out is not None and (out.is_file() or not out.parent.is_dir()):
        raise InputError(f"{out}: cannot write there; name a folder inside one that exists")
    import fiberscope as fs
    from fiberscope.affine.count import count_networks
    from fiberscope.affine.from_network import from_network

    note(f"reading {model}")
    found = count_networks(from_network(fs.load(model)))
    written = [] if out is None else write(found, model, out, limit)
    if as_json:
        emit_json({**found.to_json(), "written": written})
    else:
        show(found, written)


def write(found: NetworkCount, model: Path, out: Path, limit: int) -> list[Path]:
    """The first networks of the list, in the model's format where it can hold them."""
    from fiberscope.affine.enumerate import networks
    from fiberscope.affine.to_network import save

    out.mkdir(exist_ok=True)
    width = len(str(min(limit, found.count)))
    paths = []
    for number, network in zip(range(1, limit + 1), networks(found.reduction.network), strict=False):
        paths.append(save(network, out / f"{model.stem}-{number:0{width}d}{model.suffix.lower()}"))
    return paths


def show(found: NetworkCount, written: list[Path]) -> None:
    """The count in words."""
    from fiberscope.affine.count import decimal

    before, after = found.reduction.units_before, found.reduction.units_after
    digits = decimal(found.count)
    gone = f" of {before}; the others are redundant" if after < before else ""
    say(f"The irreducible form has {after} hidden units{gone}.")
    if found.reduction.strength == "rounding":
        say("Some of the redundant units agree with others only up to rounding, after constants are folded.")
    size = "" if len(digits) < 7 else f", a number of {len(digits)} digits"
    say(f"Networks with the same function and these widths: {digits}{size}.")
    if found.complete:
        say("There are no others.", f"Theorem: {found.theorem}.")
    else:
        say(f"There may be others: {found.reason}.")
    for path in written:
        say(f"{path}")
