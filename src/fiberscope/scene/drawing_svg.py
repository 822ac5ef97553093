"""A drawing as SVG text, for a file by itself or inside a page. Every string is escaped.

Colours are CSS variables, so that the reader's own setting chooses light or dark; each shape also carries its light
colour as an attribute, for programs that know no variables.
"""

from __future__ import annotations

from html import escape

from fiberscope.scene.drawing import Disc, Drawing, Group, Item, Path, Rect, Text
from fiberscope.scene.paint import COLOURS, LETTERS, PAINTS

FOLLOWED = 300  # nodes up to which a rule per node lights up its edges
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def style() -> str:
    """CSS of every drawing: variables for light, overridden for dark, and one rule per colour and role."""
    light = "".join(f"--d-{key}:{pair[0]};" for key, pair in COLOURS.items())
    dark = "".join(f"--d-{key}:{pair[1]};" for key, pair in COLOURS.items())
    rules = [f".drawing .k-{key}{{--c:var(--d-{key})}}" for key in COLOURS]
    for role, paint in PAINTS.items():
        parts = [f"fill:{_variable(paint.fill)}" if paint.fill else "fill:none"]
        if paint.stroke:
            parts += [f"stroke:{_variable(paint.stroke)}", f"stroke-width:{paint.width:g}px", "stroke-linecap:round"]
        if paint.dash:
            parts.append(f"stroke-dasharray:{paint.dash}")
        if paint.opacity < 1:
            parts.append(f"opacity:{paint.opacity:g}")
        rules.append(f".drawing .r-{role}{{{';'.join(parts)}}}")
    for role, letter in LETTERS.items():
        rules.append(f".drawing .t-{role}{{font-size:{letter.size:g}px;font-weight:{letter.weight}}}")
    return (
        f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f".drawing text{{font-family:{_FONT};fill:var(--c)}}.drawing .faded{{opacity:.3}}"
        ".drawing .node:hover>rect:first-of-type{stroke:var(--d-ink)}" + "".join(rules)
    )


def _variable(key: str) -> str:
    return "var(--c)" if key == "*" else f"var(--d-{key})"


def svg(drawing: Drawing, *, standalone: bool = False) -> str:
    """The picture. `standalone` adds the style and a background, so that the text is a file by itself.

    >>> svg(Drawing("a < b", 20.0, 10.0, (Disc(5.0, 5.0, 2.0, "full"),))).splitlines()[1]
    '<circle class="k-full r-solid" cx="5" cy="5" r="2" fill="#2b66b8"/>'
    """
    width, height = _number(drawing.width), _number(drawing.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" aria-label="{escape(drawing.title)}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    )
    parts = [head]
    if standalone:
        parts.append(f"<style>{style()}{follow_style(drawing)}</style>")
        parts.append(f'<rect class="k-paper r-solid" width="100%" height="100%" fill="{COLOURS["paper"][0]}"/>')
    parts += [_item(item) for item in drawing.items]
    return "\n".join([*parts, "</svg>\n"])


def follow_style(drawing: Drawing) -> str:
    """CSS that lights up the edges of the node pointed at."""
    nodes = [item.name for item in drawing.items if isinstance(item, Group) and item.name.startswith("n")]
    if not drawing.follow or len(nodes) > FOLLOWED:
        return ""
    return ".drawing .r-edge{transition:opacity .12s}" + "".join(
        f'.drawing:has(#{name}:hover) [data-ends~="{name[1:]}"]{{stroke:var(--d-accent);stroke-width:2px;opacity:1}}'
        for name in nodes
    )


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _item(item: Item) -> str:
    if isinstance(item, Group):
        return _group(item)
    if isinstance(item, Text):
        letter = LETTERS[item.role]
        return (
            f'<text class="k-{item.colour} t-{item.role}" x="{_number(item.x)}" y="{_number(item.y)}" '
            f'text-anchor="{item.anchor}" font-size="{letter.size:g}" font-weight="{letter.weight}" '
            f'fill="{COLOURS[item.colour][0]}">{escape(item.text)}</text>'
        )
    look = f'class="k-{item.colour} r-{item.role}"'
    if isinstance(item, Rect):
        return (
            f'<rect {look} x="{_number(item.x)}" y="{_number(item.y)}" width="{_number(item.width)}" '
            f'height="{_number(item.height)}" rx="{_number(item.radius)}"{_attributes(item.colour, item.role)}/>'
        )
    if isinstance(item, Disc):
        place = f'cx="{_number(item.x)}" cy="{_number(item.y)}" r="{_number(item.radius)}"'
        return f"<circle {look} {place}{_attributes(item.colour, item.role)}/>"
    return f'<path {look}{_ends(item)} d="{_commands(item)}"{_attributes(item.colour, item.role)}/>'


def _commands(path: Path) -> str:
    text = f"M{_number(path.start[0])} {_number(path.start[1])}" + "".join(
        "C" + " ".join(f"{_number(x)} {_number(y)}" for x, y in curve) for curve in path.curves
    )
    return text + ("Z" if path.closed else "")


def _ends(path: Path) -> str:
    return f' data-ends="{escape(path.name)}"' if path.name else ""


def _attributes(colour: str, role: str) -> str:
    """The paint as plain attributes, in light colours."""
    paint = PAINTS[role]

    def light(key: str) -> str:
        return COLOURS[colour if key == "*" else key][0] if key else "none"

    out = f' fill="{light(paint.fill)}"'
    if paint.stroke:
        out += f' stroke="{light(paint.stroke)}" stroke-width="{paint.width:g}"'
    if paint.dash:
        out += f' stroke-dasharray="{paint.dash}"'
    if paint.opacity < 1:
        out += f' opacity="{paint.opacity:g}"'
    return out


def _group(group: Group) -> str:
    classes = " ".join(name for name, on in (("node", bool(group.name)), ("faded", group.faded)) if on)
    head = f'<g class="{classes}"' if classes else "<g"
    if group.name:
        head += f' id="{escape(group.name)}"'
    if group.faded:
        head += ' opacity="0.3"'
    title = f"<title>{escape(group.tooltip)}</title>" if group.tooltip else ""
    return f"{head}>{title}{''.join(_item(item) for item in group.items)}</g>"
