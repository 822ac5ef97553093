"""`fiberscope demo`: the main job, on the networks that ship with the library."""

from __future__ import annotations

import json
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import typer

from fiberscope.cli.options import Json, Seed
from fiberscope.cli.output import NO, YES, emit_json, say

PAGE = "fiberscope-demo.html"


def demo(seed: Seed = 0, as_json: Json = False) -> None:
    """Show the main job in a few seconds on a shipped network, and write a report page into the current folder.

    Example: [bold]fiberscope demo[/bold]
    """
    start = time.perf_counter()
    with as_file(files("fiberscope") / "models") as folder:
        result = story(folder, Path(PAGE), seed, quiet=as_json)
    result["seconds"] = round(time.perf_counter() - start, 2)
    if as_json:
        emit_json(result)
    else:
        say("", f"All of it took {result['seconds']} seconds. Open {result['page']} in a browser.")
    raise typer.Exit(YES if result["as_expected"] else NO)


def story(folder: Path, page: Path, seed: int, quiet: bool) -> dict[str, Any]:
    """Load, describe, randomise, prove equal, verify, change one weight, find the witness, write the page."""
    import fiberscope as fs
    from fiberscope.report import words
    from fiberscope.report.page import write_page

    def tell(*lines: str) -> None:
        if not quiet:
            say(*lines)

    accuracy = json.loads((folder / "models.json").read_text())["digits_relu.onnx"]["test_accuracy"]
    net = fs.load(folder / "digits_relu.onnx")
    inspection = fs.inspect(net, seed=seed)
    report = inspection.to_json()
    tell(
        f"1. A network that reads handwritten digits ({100 * accuracy:.1f} % right): {net.parameters:,} parameters, "
        "two hidden layers of ReLU units.",
        *(f"   {line}" for line in words.symmetry(report)),
    )

    twin = fs.randomize(net, seed=seed)
    name, before = next((name, w) for name, w in net.weights.items() if w.ndim == 2)
    moved = float((twin.weights[name] - before).abs().max())
    tell("", f"2. A twin from that family: weights in {name} moved by up to {moved:.2f}. The same function?")

    with tempfile.TemporaryDirectory() as scratch:
        a, b, proof = (Path(scratch) / file for file in ("a.onnx", "b.onnx", "proof.fsc"))
        net.save(a)
        twin.save(b)
        equal = fs.compare(fs.load(a), fs.load(b), seed=seed, certificate=proof)
        tell(f"   {equal.answer.capitalize()}, strength {equal.strength}: for every input, with a certificate.")
        checked = fs.verify(proof, a, b)
        tell(f"   An independent checker says the certificate is {'valid' if checked.valid else 'NOT valid'}.")

    broken = dict(twin.weights)
    broken[name] = broken[name].clone()
    broken[name][0, int(broken[name][0].abs().argmax())] *= 1.001
    different = fs.compare(net, twin.replace(broken), seed=seed)
    gap = (different.to_json()["witness"] or {}).get("gap")
    tell("", "3. One of the twin's weights changed by a thousandth of itself. Still the same function?")
    tell(f"   {different.answer.capitalize()}" + (f": an input where the outputs differ by {gap:.2e}." if gap else "."))

    write_page(inspection, page)
    return {
        "symmetry": report["symmetry"],
        "twin": {"verdict": equal.answer, "strength": equal.strength, "certificate_valid": checked.valid},
        "changed": {"verdict": different.answer, "gap": gap},
        "page": str(page.resolve()),
        "seed": seed,
        "as_expected": equal.answer == "equal" and checked.valid and different.answer == "different",
    }
