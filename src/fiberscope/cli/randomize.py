"""`fiberscope randomize`: other weights, the same function."""

from __future__ import annotations

from fiberscope.cli.options import Json, Model, Out, Seed
from fiberscope.cli.output import note, writable
from fiberscope.cli.rewrite import finish


def randomize(model: Model, out: Out, seed: Seed = 0, as_json: Json = False) -> None:
    """Write a network with very different weights that computes the same function.

    Example: [bold]fiberscope randomize model.onnx -o twin.onnx --seed 7[/bold]
    """
    writable(out)
    import fiberscope as fs

    note(f"reading {model}")
    net = fs.load(model)
    finish(net, fs.randomize(net, seed=seed), out, as_json, seed=seed)
