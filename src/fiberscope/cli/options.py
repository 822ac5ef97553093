"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx, .pt2 or .npz file.", show_default=False)]
ModelA = Annotated[Path, typer.Argument(metavar="A", help="The first model.", show_default=False)]
ModelB = Annotated[Path, typer.Argument(metavar="B", help="The second model.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on standard output.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Every random choice follows from it.", min=0)]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Where to write.", show_default=False)]
