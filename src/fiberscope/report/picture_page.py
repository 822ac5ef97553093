"""A page around drawings: title, figures, sections of prose, a drawing or a table each. One file, no script.

Its own content security policy forbids everything but its one style sheet; every string is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fiberscope.report.style import style
from fiberscope.scene.drawing import Drawing
from fiberscope.scene.drawing_svg import follow_style, svg
from fiberscope.scene.drawing_svg import style as drawing_style

_MORE = ".graph .drawing{max-width:none;height:auto}.graph.fit{max-height:none}.graph.fit .drawing{max-width:100%}"


@dataclass(frozen=True)
class Table:
    """A head line and rows; columns whose number is in `numbers` are set to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and what they speak of."""

    heading: str
    prose: tuple[str, ...] = ()
    drawing: Drawing | None = None
    table: Table | None = None


def picture_page(title: str, subtitle: str, cards: Sequence[tuple[str, str]], sections: Sequence[Section]) -> str:
    """The HTML text. ``cards`` are (figure, what it is).

    >>> "<h1>a &lt; b</h1>" in picture_page("a < b", "", [], [])
    True
    """
    from fiberscope import __version__

    drawings = [section.drawing for section in sections if section.drawing is not None]
    css = style() + drawing_style() + _MORE + "".join(follow_style(drawing) for drawing in drawings)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    figures = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(text)}</span></div>' for value, text in cards
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)} – Fiberscope</title><style>{css}</style></head><body><main>",
            f'<header><h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p></header>',
            f'<div class="cards">{figures}</div>' if figures else "",
            *map(_section, sections),
            f'<p class="soft small">Made by Fiberscope {escape(__version__)}. '
            "This page asks nothing of any other machine.</p>",
            "</main></body></html>\n",
        ]
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>"]
    parts += [f'<p class="soft">{escape(text)}</p>' for text in section.prose]
    if section.drawing is not None:
        fit = " fit" if section.drawing.width <= 1200 else ""
        parts.append(f'<div class="panel"><div class="graph{fit}" tabindex="0">{svg(section.drawing)}</div></div>')
    if section.table is not None:
        parts.append(_table(section.table))
    return "".join(parts)


def _table(table: Table) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        out = ""
        for at, text in enumerate(row):
            kind = ' class="n"' if at in table.numbers else ""
            out += f"<{tag}{kind}>{escape(text)}</{tag}>"
        return f"<tr>{out}</tr>"

    body = "".join(cells(row, "td") for row in table.rows)
    return (
        f'<div class="panel scroll"><table><thead>{cells(table.head, "th")}</thead><tbody>{body}</tbody></table></div>'
    )
