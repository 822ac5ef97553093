"""The report page: one file, no script, nothing from outside, held by its own content security policy."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fiberscope.errors import InputError
from fiberscope.report import sections
from fiberscope.report.closest import closest_units
from fiberscope.report.style import style
from fiberscope.scene.network import network_scene

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.symmetries import Symmetries


class Inspected(Protocol):
    """What a page needs of an inspection."""

    @property
    def network(self) -> Network: ...
    @property
    def symmetries(self) -> Symmetries: ...
    def to_json(self) -> dict[str, Any]: ...


def page(inspection: Inspected) -> str:
    """The HTML text of the report."""
    from fiberscope import __version__

    report, net = inspection.to_json(), inspection.network
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    body = [
        sections.header(report, net),
        sections.cards(report),
        sections.meaning(report),
        sections.picture(network_scene(net, inspection.symmetries)),
        sections.spaces(report),
        sections.units(report, closest_units(net, report)),
        sections.footer(report, __version__),
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">',
            f"<title>{escape(net.name)} – Fiberscope</title><style>{css}</style></head><body><main>",
            *body,
            "</main></body></html>\n",
        ]
    )


def write_page(inspection: Inspected, path: Path) -> None:
    """Writes the report to `path`."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: cannot write there; name a file in a folder that exists")
    path.write_text(page(inspection), encoding="utf-8")
