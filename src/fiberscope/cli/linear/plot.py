"""`--plot F`: one drawing as a picture (.svg), a page (.html), or through matplotlib for a paper (.pdf, .png, .eps)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fiberscope.cli.output import writable
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.scene.drawing import Drawing

KINDS = (".svg", ".html", ".pdf", ".png", ".eps")


def plottable(path: Path | None) -> None:
    """Refuses, before any work is done, a place or a kind of file that cannot be written."""
    writable(path)
    if path is not None and path.suffix.lower() not in KINDS:
        raise InputError(f"{path}: --plot writes {', '.join(KINDS)}; give the file one of these endings")


def write_plot(path: Path, drawing: Drawing, page: Callable[[], str]) -> None:
    """Writes the drawing; `page` makes the HTML text where that is asked for."""
    kind = path.suffix.lower()
    if kind == ".html":
        path.write_text(page(), encoding="utf-8")
    elif kind == ".svg":
        from fiberscope.scene.drawing_svg import svg

        path.write_text(svg(drawing, standalone=True), encoding="utf-8")
    else:
        from fiberscope.scene.drawing_matplotlib import write_figure

        write_figure(drawing, path)
