"""`fiberscope reduce`: remove hidden units that a proof shows to be redundant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fiberscope.cli.options import Json, Model, Out
from fiberscope.cli.output import UNDECIDED, emit_json, note, say, writable

MOST_ULP = 1024
"""Backward error per weight that a certificate of a reduction may state; what is needed is usually below 1."""

if TYPE_CHECKING:
    from fiberscope.affine.sussmann import Reduction
    from fiberscope.network import Network


def reduce(
    model: Model,
    out: Out,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Do not merge units that agree only up to rounding after constants are folded."),
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="F", help="Write a proof here; `verify` checks it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the smallest network with the same function that exact rules reach: no clones, constants or unread units.

    Units that are equal up to a sign, constant, or read by nothing are removed, through all layers, until nothing
    changes. OUT may be .npz (a plain MLP), .onnx or .pt2. With --certificate, a reduction that cannot be proved is
    still written; the exit status is then 3.

    Example: [bold]fiberscope reduce model.onnx -o smaller.onnx --certificate proof.fsc[/bold]
    """
    writable(out)
    writable(certificate)
    import fiberscope as fs
    from fiberscope.affine.from_network import from_network
    from fiberscope.affine.sussmann import reduce_network
    from fiberscope.affine.to_network import save
    from fiberscope.cli.rewrite import relative_change
    from fiberscope.numerics.tolerance import DEFAULT_ULP

    note(f"reading {model}")
    net = fs.load(model)
    found = reduce_network(from_network(net), ulp=0 if exact else DEFAULT_ULP)
    save(found.network, out)
    small = fs.load(out)
    change = relative_change(net, small, seed=0)
    reason = None if certificate is None else prove(net, small, certificate)
    written = certificate if certificate is not None and reason is None else None
    result = {**found.to_json(), "max_relative_change": change, "path": out, "sha256_out": small.sha256}
    if as_json:
        emit_json({**result, "certificate": written, "certificate_reason": reason})
    else:
        show(found, result, reason)
    raise typer.Exit(0 if reason is None else UNDECIDED)


def prove(net: Network, small: Network, target: Path) -> str | None:
    """Write the certificate that `compare` finds for the two models; the reason where it finds none.

    Constants and sums of weights that were folded are rounded: the certificate states how many units in the last place
    the stored weights must move for the two to be exactly equal.
    """
    import fiberscope as fs
    from fiberscope.equivalence.certificate import Certificate

    verdict = fs.compare(net, small, ulp=MOST_ULP, budget_seconds=60.0)
    if verdict.answer != "equal" or not isinstance(verdict.certificate, Certificate):
        return f"the two models are not shown equal (tried: {', '.join(verdict.tried)})"
    verdict.certificate.save(target)
    return None


def show(found: Reduction, result: dict[str, Any], reason: str | None) -> None:
    """What was removed, in words."""
    before, after = found.units_before, found.units_after
    if before == after:
        say(f"All {before} hidden units are needed: nothing to remove.")
    else:
        say(f"{before} hidden units became {after}.")
        words = {"merge": "equal to another one up to sign", "constant": "constant", "unread": "read by nothing"}
        for kind, meaning in words.items():
            number = sum(step.kind == kind for step in found.steps)
            if number:
                say(f"  {number} {meaning}")
    if found.strength == "rounding":
        say("Some of these units agree only up to rounding, or fold constants that had to be rounded.")
    say(f"{result['path']}: the outputs moved by at most {result['max_relative_change']:.1e} of their size.")
    if reason is not None:
        say(f"No certificate: {reason}.")
