"""The picture of a network: its boxes, each in the colour of the freedom of the space it hands on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fiberscope.scene.boxes import Box, boxes
from fiberscope.scene.carried import carried, innermost
from fiberscope.scene.colours import COLOURS, colour
from fiberscope.scene.layout import layout
from fiberscope.scene.operations import spoken
from fiberscope.scene.repeats import fold
from fiberscope.scene.scene import Edge, Frame, Key, Node, Scene

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.symmetries import Symmetries

LARGEST = 40  # more boxes than this: repeated blocks are folded
_WIDEST = 34  # characters


def network_scene(net: Network, symmetries: Symmetries) -> Scene:
    """The scene of a network with its hidden spaces."""
    found = boxes(net)
    spaces = {space.id: space.to_json() for space in symmetries.spaces}
    leaving = carried(net, symmetries, found)
    place, folded = fold([box.signature(at) for at, box in enumerate(found)], LARGEST)
    drawn = sorted(set(place))
    number = {item: at for at, item in enumerate(drawn)}
    colours = [_colour(leaving[item], spaces) for item in drawn]
    texts = [_text(found[item], net, leaving[item], spaces) for item in drawn]
    pairs = dict.fromkeys(
        (number[place[source]], number[place[at]])
        for at, box in enumerate(found)
        for source in box.sources
        if number[place[source]] < number[place[at]]
    )
    sizes = [_size(title, lines) for title, lines in texts]
    plan = layout(sizes, list(pairs))
    nodes = tuple(
        Node(
            id=found[item].id,
            x=plan.positions[at][0],
            y=plan.positions[at][1],
            width=sizes[at][0],
            height=sizes[at][1],
            title=_short(texts[at][0]),
            lines=tuple(_short(line) for line in texts[at][1]),
            colour=colours[at],
            kind=found[item].kind,
            tooltip=_tooltip(found[item]),
        )
        for at, item in enumerate(drawn)
    )
    edges = tuple(
        Edge(nodes[a].id, nodes[b].id, route, colours[a]) for (a, b), route in zip(pairs, plan.routes, strict=True)
    )
    legend = tuple(Key(key, text) for key, text in COLOURS.items() if key in colours)
    frames = tuple(_frame([nodes[number[item]] for item in block.items], block.times) for block in folded)
    return Scene(net.name, plan.width, plan.height, nodes, edges, legend, frames)


def _frame(nodes: list[Node], times: int) -> Frame:
    """The frame around a folded block."""
    pad = 9.0
    left, top = min(node.x for node in nodes) - pad, min(node.y for node in nodes) - pad
    right = max(node.x + node.width for node in nodes) + pad
    bottom = max(node.y + node.height for node in nodes) + pad
    return Frame(left, top, right - left, bottom - top, f"{times} like this")


def _colour(leaving: tuple[str, ...], spaces: Mapping[str, Any]) -> str:
    kinds = {colour(spaces[space]) for space in innermost(leaving, spaces)}
    if not kinds:
        return "fixed"
    return kinds.pop() if len(kinds) == 1 else "several"


def _text(box: Box, net: Network, leaving: tuple[str, ...], spaces: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Title and lines of a box: what it does, the weight it writes with, the space it hands on."""
    sample = " × ".join(str(n) for n in box.shape[1:] or box.shape) or "scalar"
    if box.kind == "input":
        names = dict(zip(net.input_names, (spec.name for spec in net.inputs), strict=True))
        steps = list(dict.fromkeys(spoken(name) for name in box.operations))
        return names[box.id], [sample, *([f"then {_title(steps)}"] if steps else [])]
    if box.kind == "output":
        return box.id if len(net.output_nodes) > 1 else "output", [sample]
    names = list(dict.fromkeys(spoken(name) for name in box.operations)) or ["reshape"]
    if box.born and names[0] == "product":
        names[0] = "linear"
    lines = []
    weight = box.born or (box.weights[0] if box.weights else None)
    if weight:
        lines.append(f"{weight}  {'×'.join(str(n) for n in net.weights[weight].shape)}")
    if len(leaving) == 1:
        lines.append(f"space {leaving[0]}: {spaces[leaving[0]]['size']} units")
    elif leaving:
        lines.append(f"spaces {', '.join(leaving[:4])}{', ...' if len(leaving) > 4 else ''}")
    else:
        lines.append(sample)
    return _title(names), lines


def _title(names: list[str]) -> str:
    """As many names as fit, in order: 'convolution · batch norm · …'."""
    title, *rest = names
    for at, name in enumerate(rest, 1):
        if len(title) + len(name) + 3 > _WIDEST - 4 * (at < len(rest)):
            return f"{title} · …"
        title += f" · {name}"
    return title


def _tooltip(box: Box) -> str:
    parts = [", ".join(box.operations)] if box.operations else []
    return "\n".join([*parts, *box.weights])


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 12]}…{text[-11:]}"


def _size(title: str, lines: list[str]) -> tuple[float, float]:
    """Room for the text: measured widths of the interface font are below these."""
    longest = max(7.6 * len(_short(title)), *(6.4 * len(_short(line)) for line in lines), 60.0)
    return 8.0 * math.ceil((longest + 28) / 8), 26.0 + 15.0 * len(lines)
