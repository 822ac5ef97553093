"""The parts of a report page, each a function from the inspection's dict to HTML. Every string is escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fiberscope.report import words
from fiberscope.report.units import rows, statuses
from fiberscope.scene.colours import colour
from fiberscope.scene.scene import Scene
from fiberscope.scene.svg import svg

if TYPE_CHECKING:
    from fiberscope.network import Network

Report = Mapping[str, Any]
CELLS = 1024  # units drawn one by one in a space; beyond that the table speaks
DETAILS = 200  # spaces whose units are listed


def header(report: Report, net: Network) -> str:
    """Name, format, size, and the shapes of one sample."""
    model = report["model"]
    where = PurePath(model["path"]).name if model["path"] else net.name
    shapes = f"{_shapes([spec.sample_shape for spec in net.inputs])} → {_shapes(net.outputs)}"
    return (
        f"<header><h1>{escape(where)}</h1>"
        f'<p class="soft">{escape(str(model["format"]))} · {words.count(model["parameters"], "parameter")} · '
        f"{escape(shapes)}</p></header>"
    )


def _shapes(shapes: Iterable[Sequence[int]]) -> str:
    """'1 × 8 × 8, 12': the shapes of one sample; a scalar is 1."""
    return ", ".join(" × ".join(str(n) for n in shape) or "1" for shape in shapes)


def cards(report: Report) -> str:
    figures, found = report["symmetry"], report["redundant"]
    spare = len({tuple(unit) for kind in found.values() for unit in kind})
    order = figures["log10_discrete_order"]
    total = sum(space["size"] * space.get("copies", 1) for space, _ in words.own_spaces(report))
    entries = [
        (f"{report['model']['parameters']:,}", "parameters"),
        (f"{figures['continuous_dimension']:,}", "directions that change no output"),
        (_raised(words.power_of_ten(order)), "reorderings and sign flips"),
        (f"{spare:,} <small>of {total:,}</small>", "hidden units that add nothing"),
    ]
    return (
        '<div class="cards">'
        + "".join(f'<div class="card"><b>{value}</b><span>{escape(text)}</span></div>' for value, text in entries)
        + "</div>"
    )


def meaning(report: Report) -> str:
    lines = [*words.symmetry(report), words.redundancy(report), *words.frozen(report)]
    return "<h2>What this means</h2>" + "".join(f"<p>{_raised(escape(line))}</p>" for line in lines)


def _raised(text: str) -> str:
    """10^59.2 with its exponent raised."""
    return re.sub(r"\b10\^([0-9.]*[0-9])", r"10<sup>\1</sup>", text)


def picture(scene: Scene) -> str:
    keys = "".join(
        f'<span><svg width="18" height="14" aria-hidden="true"><rect class="key c-{key.colour}" x="1" y="1" width="16" '
        f'height="12" rx="3"/></svg>{escape(key.text)}</span>'
        for key in scene.legend
    )
    return (
        "<h2>The network</h2>"
        '<p class="soft">Each box has the colour of its hidden space, by what may be done to that space. '
        "Point at a box to see its operations and weights.</p>"
        f'<div class="panel"><div class="graph" tabindex="0">{svg(scene)}</div><div class="legend">{keys}</div></div>'
    )


def spaces(report: Report) -> str:
    if not report["spaces"]:
        return "<h2>Hidden spaces</h2><p>This network has none.</p>"
    body = "".join(_space_row(space, more) for space, more in words.own_spaces(report))
    return (
        "<h2>Hidden spaces</h2>"
        '<p class="soft">A space is a set of hidden features that operations treat alike. Its group is everything that '
        "may be done to it without changing what the network computes.</p>"
        '<div class="panel scroll"><table><thead><tr><th>space</th><th class="n">units</th><th>may be changed by</th>'
        "<th>activation</th><th>so a unit's direction is known</th><th>weights</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _space_row(space: Mapping[str, Any], further: list[Mapping[str, Any]]) -> str:
    size = f"{space['size']:,}"
    if space.get("copies", 1) > 1:
        size += f" × {space['copies']}"
    group = escape(words.freedom(space))
    if space.get("frozen_by"):
        group += f'<br><span class="soft">held back by {escape(str(space["frozen_by"]))}</span>'
    if space.get("within") is not None:
        group += f'<br><span class="soft">inside space {escape(str(space["within"]))}</span>'
    if further:
        lines = "".join(f"<p>{escape(words.freedom(other))}: {_weights(other, 9)}</p>" for other in further)
        group += f"<details><summary>and {words.count(len(further), 'further scaling')}</summary>{lines}</details>"
    return (
        f'<tr><td>{_chip(space)}</td><td class="n">{size}</td><td>{group}</td>'
        f"<td>{escape(space['activation'] or '–')}</td><td>{escape(words.identifiability(space))}</td>"
        f'<td class="weights">{_weights(space)}</td></tr>'
    )


def _weights(space: Mapping[str, Any], most: int = 3) -> str:
    """The weights that carry a space, the first few in sight and the rest a click away."""
    lines = [f"<code>{escape(entry['name'])} axis {entry['axis']}</code>" for entry in space["weights"]]
    if len(lines) <= most + 1:
        return "<br>".join(lines)
    rest = "<br>".join(lines[most:])
    shown = "<br>".join(lines[:most])
    return f"{shown}<details><summary>and {len(lines) - most} more</summary>{rest}</details>"


def _chip(space: Mapping[str, Any]) -> str:
    return f'<span class="chip c-{colour(space)}">{escape(str(space["id"]))}</span>'


def units(report: Report, closest: Mapping[str, str]) -> str:
    """Every unit, neighbours of one kind folded; `closest` holds a sentence per space about its most alike units."""
    own = words.own_spaces(report)
    parts = [_unit_block(space, report["redundant"], closest) for space, _ in own[:DETAILS]]
    left = len(own) - len(parts)
    note = (
        f'<p class="soft">{left:,} more spaces are not listed here; inspect --json has them all.</p>'
        if left > 0
        else ""
    )
    keys = "".join(
        f'<span><i class="dot {kind}"></i>{kind}</span>' for kind in ("live", "dead", "constant", "duplicate")
    )
    return (
        "<h2>Units</h2>"
        '<p class="soft">One square is one unit. Open a space to read what is known of its units.</p>'
        f'<div class="panel">{"".join(parts)}<div class="legend">{keys}</div></div>{note}'
        if parts
        else ""
    )


def _unit_block(space: Mapping[str, Any], redundant: Mapping[str, Any], closest: Mapping[str, str]) -> str:
    status = statuses(space, redundant)
    spare = sum(kind != "live" for kind in status)
    cells = "".join(
        f'<i class="{kind}" title="unit {unit}: {kind}"></i>' if kind != "live" else f'<i title="unit {unit}"></i>'
        for unit, kind in enumerate(status[:CELLS])
    )
    more = f'<p class="soft small">The first {CELLS:,} of {len(status):,} are drawn.</p>' if len(status) > CELLS else ""
    lines = "".join(
        f'<tr><td class="mono">{row.units}</td><td><i class="dot {row.status}"></i>{row.status}</td>'
        f"<td>{escape(row.meaning)}</td><td>{escape(row.identifiable)}</td></tr>"
        for row in rows(space, redundant)
    )
    near = closest.get(str(space["id"]))
    note = f'<p class="soft small">{escape(near)}</p>' if near else ""
    summary = f"{words.count(space['size'], 'unit')}" + (f", {spare:,} add nothing" if spare else "")
    return (
        f"<details{' open' if spare else ''}><summary>{_chip(space)}<span>{summary}</span></summary>"
        f'<div class="inside"><div class="cells">{cells}</div>{more}{note}<div class="scroll"><table><thead><tr>'
        "<th>units</th><th>status</th><th>what that means</th><th>its direction is known</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></div></div></details>"
    )


def footer(report: Report, version: str) -> str:
    check = report.get("self_check") or {}
    change = check.get("max_relative_change")
    mood = "good" if change is not None and change < 1e-9 else "bad"
    facts = [
        ("Fingerprint", f"<code>{escape(str(report['fingerprint']))}</code>"),
        ("File", escape(str(report["model"]["path"] or "a module in memory"))),
        ("sha256", f"<code>{escape(str(report['model']['sha256']))}</code>"),
        ("Seed", escape(str(report["seed"]))),
        ("Made by", f"Fiberscope {escape(version)}. This page asks nothing of any other machine."),
    ]
    return (
        f'<h2>How far to trust this</h2><p class="{mood}">{escape(words.self_check(report))}</p>'
        + '<p class="soft">The symmetries are derived from the operations of the graph, not from samples: an operation '
        "that Fiberscope does not know allows nothing. The self-check would catch a mistake in that reasoning.</p><dl>"
        + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
        + "</dl>"
    )
