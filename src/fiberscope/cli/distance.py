"""`fiberscope distance`: how far apart are two networks, up to their symmetries?"""

from __future__ import annotations

from typing import Annotated

import typer

from fiberscope.cli.options import Json, ModelA, ModelB, Seed
from fiberscope.cli.output import emit_json, note, say


def distance(
    a: ModelA,
    b: ModelB,
    starts: Annotated[
        int, typer.Option("--starts", metavar="N", min=0, help="Random starts of the search; more give a better bound.")
    ] = 8,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure the distance of two networks with the same layers after the best reordering and turning of their units.

    Euclidean over all weights and biases. It is exact for one hidden layer; for deeper networks a lower and an upper
    bound are given. Units whose scale is free are balanced first: incoming and outgoing weights of equal size.

    Example: [bold]fiberscope distance a.onnx b.onnx[/bold]
    """
    import fiberscope as fs
    from fiberscope.affine.distance import distance as measure
    from fiberscope.affine.from_network import from_network

    note(f"reading {a} and {b}")
    found = measure(from_network(fs.load(a)), from_network(fs.load(b)), starts=starts, seed=seed)
    if as_json:
        emit_json({**found.to_json(), "seed": seed})
    elif found.exact:
        say(f"{found.distance:.6g} (exact)")
    else:
        say(f"between {found.lower:.6g} and {found.upper:.6g}")
