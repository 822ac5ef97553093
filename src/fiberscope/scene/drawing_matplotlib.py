"""A drawing through matplotlib, for papers: .pdf, .png, .svg or .eps, in the light colours on white."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from fiberscope.errors import InputError
from fiberscope.scene.drawing import Disc, Drawing, Path, Rect, Text, shapes
from fiberscope.scene.paint import COLOURS, LETTERS, PAINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS = 96.0  # CSS pixels per inch
POINTS = 72.0 / PIXELS
FADED = 0.3
TALLEST = 200.0  # inches; a PDF page ends there


def figure(drawing: Drawing) -> Figure:
    """A matplotlib figure of the drawing's own size, without pyplot or any global state.

    >>> from fiberscope.scene.drawing import Disc
    >>> figure(Drawing("dot", 96.0, 48.0, (Disc(48.0, 24.0, 5.0, "full"),))).get_size_inches().tolist()
    [1.0, 0.5]
    """
    from matplotlib.figure import Figure

    if max(drawing.width, drawing.height) > TALLEST * PIXELS:
        raise InputError(
            f"{drawing.title}: too large for a page ({drawing.width:.0f} x {drawing.height:.0f} pixels); use .svg"
        )
    made = Figure(figsize=(drawing.width / PIXELS, drawing.height / PIXELS), dpi=PIXELS)
    axes = made.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    for order, (shape, faded) in enumerate(shapes(drawing)):
        _add(axes, shape, FADED if faded else 1.0, order)
    return made


def write_figure(drawing: Drawing, path: str | FilePath) -> None:
    """Writes the file in the format of its suffix; text stays text in .svg and .pdf. Same drawing, same bytes."""
    import matplotlib

    kind = FilePath(path).suffix.lower().removeprefix(".")
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}.get(kind, {})
    with matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": drawing.title}):
        figure(drawing).savefig(path, dpi=2 * PIXELS, metadata=metadata)


def _colour(key: str, own: str) -> str:
    return COLOURS[own if key == "*" else key][0] if key else "none"


def _add(axes: Any, shape: Rect | Disc | Path | Text, opacity: float, order: int) -> None:
    if isinstance(shape, Text):
        letter = LETTERS[shape.role]
        axes.text(
            shape.x,
            shape.y,
            shape.text.replace("$", r"\$"),
            fontsize=letter.size * POINTS,
            fontweight="bold" if letter.weight >= 600 else "normal",
            color=COLOURS[shape.colour][0],
            ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
            va="baseline",
            alpha=opacity,
            zorder=order + 10,
        )
        return
    paint = PAINTS[shape.role]
    patch = _patch(shape)
    patch.set_facecolor(_colour(paint.fill, shape.colour))
    patch.set_edgecolor(_colour(paint.stroke, shape.colour))
    patch.set_linewidth(paint.width * POINTS)
    patch.set_capstyle("round")
    patch.set_fill(bool(paint.fill))
    if paint.dash:
        patch.set_linestyle((0, tuple(float(part) for part in paint.dash.split())))
    patch.set_alpha(paint.opacity * opacity)
    patch.set_zorder(order + 10)
    axes.add_patch(patch)


def _patch(shape: Rect | Disc | Path) -> Any:
    from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Rectangle
    from matplotlib.path import Path as Outline

    if isinstance(shape, Disc):
        return Circle((shape.x, shape.y), shape.radius)
    if isinstance(shape, Rect):
        corner = (shape.x, shape.y)
        if not shape.radius:
            return Rectangle(corner, shape.width, shape.height)
        rounded = f"round,pad=0,rounding_size={min(shape.radius, shape.width / 2, shape.height / 2)}"
        return FancyBboxPatch(corner, shape.width, shape.height, boxstyle=rounded)
    points = [shape.start] + [point for curve in shape.curves for point in curve]
    codes = [Outline.MOVETO] + [Outline.CURVE4] * (len(points) - 1)
    if shape.closed:
        points, codes = [*points, shape.start], [*codes, Outline.CLOSEPOLY]
    return PathPatch(Outline(points, codes))
