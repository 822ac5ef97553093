"""`fiberscope verify`: check a certificate, with none of the code that found it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fiberscope.cli.options import Json, ModelA, ModelB
from fiberscope.cli.output import NO, YES, emit_json, say
from fiberscope.errors import CertificateError, LoadError


def verify(
    certificate: Annotated[Path, typer.Argument(metavar="CERT", help="What `compare --certificate` wrote.")],
    a: ModelA,
    b: ModelB,
    as_json: Json = False,
) -> None:
    """Check a certificate against the two models it speaks of.

    The checker is a separate small package (fiberscope_verify) that shares no code with the search.

    Example: [bold]fiberscope verify proof.fsc a.onnx b.onnx[/bold]
    """
    for path, error in ((certificate, CertificateError), (a, LoadError), (b, LoadError)):
        if not path.is_file():
            raise error(f"{path}: no such file")

    import fiberscope_verify

    report = fiberscope_verify.verify(certificate, a, b)
    if as_json:
        emit_json({"valid": report.valid, "checked": list(report.checked), "reason": report.reason})
    elif report.valid:
        say("Valid. Checked: " + "; ".join(report.checked))
    else:
        say(f"Not valid: {report.reason}")
    raise typer.Exit(YES if report.valid else NO)
