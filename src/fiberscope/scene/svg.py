"""A scene as SVG text. All strings from a model go through escaping; colours are CSS classes."""

from __future__ import annotations

from html import escape

from fiberscope.scene.scene import Edge, Frame, Node, Scene

# Fill and line of each colour key, for a light and a dark page. Looked at in both.
PALETTE: dict[str, tuple[str, str, str, str]] = {
    "fixed": ("#f1f3f5", "#868e96", "#23282e", "#868e96"),
    "frozen": ("#fff0f0", "#c92a2a", "#3a1d1f", "#ff8787"),
    "permutation-one": ("#e3edfb", "#2f6fbd", "#182a44", "#6ea8f0"),
    "permutation-sign": ("#dcf3f3", "#0b7f86", "#10333a", "#4ccad2"),
    "permutation-positive": ("#def3e4", "#23803f", "#12341f", "#5fcf84"),
    "permutation-nonzero": ("#eef3d6", "#6b7d10", "#2c3310", "#bcd14e"),
    "scaled": ("#f3eedd", "#8a7030", "#352d17", "#d8bb6a"),
    "complex": ("#fbe6f0", "#b83280", "#3d1730", "#f287bf"),
    "orthogonal-ones": ("#ece6fb", "#6f42c1", "#281d46", "#b197fc"),
    "orthogonal": ("#f2e4fa", "#9434c4", "#33173f", "#d79bf5"),
    "linear": ("#fdebdc", "#c05a0c", "#3f2412", "#ffa94d"),
    "several": ("#eceff7", "#4a5578", "#232a3d", "#a5b1d6"),
}


def style() -> str:
    """CSS of every SVG below: variables for light, overridden for dark."""
    light = "".join(f"--f-{key}:{fill};--l-{key}:{line};" for key, (fill, line, _, _) in PALETTE.items())
    dark = "".join(f"--f-{key}:{fill};--l-{key}:{line};" for key, (_, _, fill, line) in PALETTE.items())
    keys = "".join(
        f".c-{key} .box,.c-{key}.box{{fill:var(--f-{key});stroke:var(--l-{key})}}.e-{key}{{stroke:var(--l-{key})}}"
        for key in PALETTE
    )
    return (
        f":root{{{light}--ink:#1b1f24;--soft:#57606a;--paper:#ffffff}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}--ink:#e9edf2;--soft:#a4adb8;--paper:#14181d}}}}"
        ".scene text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink)}"
        ".scene .title{font-size:13px;font-weight:600}.scene .line{font-size:11px;fill:var(--soft)}"
        ".scene .badge-text{font-size:11px;font-weight:700;fill:var(--paper)}"
        ".scene .frame rect{fill:none;stroke:var(--soft);stroke-dasharray:4 4}"
        ".scene .frame .badge{fill:var(--soft);stroke:none}"
        ".scene .box{stroke-width:1.4}.scene .c-frozen .box{stroke-dasharray:5 3}"
        ".scene .edge{fill:none;stroke-width:1.8;opacity:.75}" + keys
    )


def svg(scene: Scene, *, standalone: bool = False) -> str:
    """The picture. `standalone` adds the style, so that the text is a file by itself."""
    width, height = f"{scene.width:.0f}", f"{scene.height:.0f}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="scene" role="img" aria-label="{escape(scene.title)}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    )
    parts = [head]
    if standalone:
        parts.append(f'<style>{style()}</style><rect width="100%" height="100%" style="fill:var(--paper)"/>')
    parts += [_frame(frame) for frame in scene.frames]
    parts += [_edge(edge) for edge in scene.edges]
    parts += [_node(node) for node in scene.nodes]
    return "\n".join([*parts, "</svg>"])


def _edge(edge: Edge) -> str:
    """A smooth curve through the route, leaving and arriving vertically."""
    (x, y), *rest = edge.points
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        half = (y + to_y) / 2
        path += (
            f"L{to_x:.1f} {to_y:.1f}"
            if x == to_x
            else f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
        )
        x, y = to_x, to_y
    return f'<path class="edge e-{edge.colour}" d="{path}"/>'


def _node(node: Node) -> str:
    round_ = node.height / 2 if node.kind != "op" else 7
    middle = node.x + node.width / 2
    first = node.y + node.height / 2 - 7.5 * len(node.lines) + 4.5
    lines = [f'<g class="c-{node.colour}" data-testid="node-{escape(node.id)}">']
    if node.tooltip:
        lines.append(f"<title>{escape(node.tooltip)}</title>")
    lines.append(
        f'<rect class="box" x="{node.x:.1f}" y="{node.y:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" '
        f'rx="{round_:.1f}"/>'
    )
    lines.append(
        f'<text class="title" text-anchor="middle" x="{middle:.1f}" y="{first:.1f}">{escape(node.title)}</text>'
    )
    for number, line in enumerate(node.lines, 1):
        y = first + 15 * number
        lines.append(f'<text class="line" text-anchor="middle" x="{middle:.1f}" y="{y:.1f}">{escape(line)}</text>')
    lines.append("</g>")
    return "".join(lines)


def _frame(frame: Frame) -> str:
    """A dashed frame with its label hanging on the upper left corner."""
    wide = 16 + 6.4 * len(frame.label)
    x, y = frame.x + 12, frame.y - 10
    return (
        f'<g class="frame"><rect x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" '
        f'height="{frame.height:.1f}" rx="12"/>'
        f'<rect class="badge" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="20" rx="10"/>'
        f'<text class="badge-text" text-anchor="middle" x="{x + wide / 2:.1f}" y="{y + 14:.1f}">'
        f"{escape(frame.label)}</text></g>"
    )
