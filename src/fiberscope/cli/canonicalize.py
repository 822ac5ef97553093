"""`fiberscope canonicalize`: the one standard form of a network and all its equivalents."""

from __future__ import annotations

from fiberscope.cli.options import Json, Model, Out
from fiberscope.cli.output import note, writable
from fiberscope.cli.rewrite import finish


def canonicalize(model: Model, out: Out, as_json: Json = False) -> None:
    """Write the standard form of a network: equivalent networks have the same one, up to rounding.

    Example: [bold]fiberscope canonicalize model.onnx -o standard.onnx[/bold]
    """
    writable(out)
    import fiberscope as fs

    note(f"reading {model}")
    net = fs.load(model)
    finish(net, fs.canonicalize(net), out, as_json)
