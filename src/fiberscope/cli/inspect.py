"""`fiberscope inspect`: the symmetries of one network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.options import Json, Model, Seed
from fiberscope.cli.output import emit_json, note, result_console, say, writable


def inspect(
    model: Model,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="F", help="Also write a self-contained report page.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show a network's hidden spaces, their symmetries and the units that add nothing.

    Example: [bold]fiberscope inspect model.onnx --html report.html[/bold]
    """
    writable(html)
    import fiberscope as fs

    note(f"reading {model}")
    net = fs.load(model)
    note("finding symmetries")
    inspection = fs.inspect(net, seed=seed)
    result = inspection.to_json()
    if html is not None:
        from fiberscope.report.page import write_page

        write_page(inspection, html)
    if as_json:
        emit_json({**result, "html": None if html is None else str(html)})
        return
    show(result)
    if html is not None:
        say("", f"Report: {html}")


def show(report: Mapping[str, Any]) -> None:
    """The inspection on a terminal: a head line, a table of spaces, then sentences."""
    from rich.table import Table

    from fiberscope.report import words

    model = report["model"]
    title = f"{model['path'] or 'network'}: {model['format']}, {words.count(model['parameters'], 'parameter')}"
    say(title, f"sha256 {model['sha256']}", "")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("space", "units", "may be changed by", "activation", "weights"):
        table.add_column(column, justify="right" if column == "units" else "left", overflow="fold")
    for space, further in words.own_spaces(report):
        copies = f"{space['size']} × {space['copies']}" if space.get("copies", 1) > 1 else str(space["size"])
        names = [w["name"] for w in space["weights"]]
        shown = ", ".join(dict.fromkeys(names[:3])) + (f", +{len(names) - 3}" if len(names) > 3 else "")
        more = f" (+ {words.count(len(further), 'further scaling')})" if further else ""
        cells = (str(space["id"]), copies, words.freedom(space) + more, space["activation"] or "", shown)
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    if report["spaces"]:
        result_console().print(table)
        say("")
    say(*words.symmetry(report), words.redundancy(report), *words.frozen(report))
    say("", words.self_check(report), f"Fingerprint: {report['fingerprint']}", f"Seed: {report['seed']}")
