"""`fiberscope fingerprint`: one short text for a network and all its equivalents."""

from __future__ import annotations

from fiberscope.cli.options import Json, Model
from fiberscope.cli.output import emit_json, note, say


def fingerprint(model: Model, as_json: Json = False) -> None:
    """Print a text that is the same for every reordered, sign-flipped or power-of-two rescaled copy of a network.

    Example: [bold]fiberscope fingerprint model.onnx[/bold]
    """
    import fiberscope as fs

    note(f"reading {model}")
    print_ = fs.fingerprint(fs.load(model))
    if as_json:
        emit_json(print_.to_json())
    else:
        say(print_.text)
