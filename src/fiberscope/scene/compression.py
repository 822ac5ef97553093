"""What became of the hidden units of a compressed network: a bar per layer before, and one after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fiberscope.scene.drawing import Curve, Drawing, Group, Item, Path, Point, Rect, Text, moved, upwards
from fiberscope.scene.legend import legend, legend_width
from fiberscope.scene.paint import width_of

FATES: dict[str, tuple[str, str]] = {
    "kept": ("full", "kept"),
    "open": ("accent", "open: neither proved nor refuted, kept"),
    "folded": ("free", "folded: linear, carried by fewer units"),
    "duplicate": ("inner", "duplicate: a multiple of another unit"),
    "constant": ("lost", "constant: no input reaches it"),
    "dead": ("dead", "dead: does nothing"),
}
"""Every fate with its colour key and what the legend says of it."""

MARGIN = 28.0
LABEL = 76.0  # room for "layer 12"
LONGEST = 620.0  # the longest bar
UNIT = 14.0  # the widest unit
BAR, GAP, LAYER = 15.0, 15.0, 66.0


def fates(layer: Mapping[str, int]) -> dict[str, int]:
    """How many units of a layer met each fate; the numbers add up to ``before``.

    >>> fates({"before": 9, "after": 5, "dead": 2, "constant": 0, "duplicate": 1, "folded": 1, "open": 3})
    {'kept': 2, 'open': 3, 'folded': 1, 'duplicate': 1, 'constant': 0, 'dead': 2}
    """
    gone = {name: int(layer[name]) for name in ("folded", "duplicate", "constant", "dead")}
    stay = max(int(layer["before"]) - sum(gone.values()), 0)
    still_open = min(int(layer["open"]), stay)
    return {"kept": stay - still_open, "open": still_open, **gone}


def compression_drawing(layers: Sequence[Mapping[str, int]]) -> Drawing:
    """A bar of all units by their fate for each layer, and under it the bar of the units that are left.

    >>> one = {"before": 9, "after": 5, "dead": 4, "constant": 0, "duplicate": 0, "folded": 0, "open": 0}
    >>> compression_drawing([one]).title
    '9 → 5 hidden units'
    """
    before, after = (sum(int(layer[key]) for layer in layers) for key in ("before", "after"))
    title = f"{before:,} → {after:,} hidden units"
    widest = max((max(int(layer["before"]), int(layer["after"])) for layer in layers), default=1)
    unit = min(UNIT, LONGEST / max(widest, 1))
    seen = [name for name in FATES if any(fates(layer)[name] for layer in layers)]
    entries = [((Rect(0.0, -10.0, 15.0, 11.0, FATES[name][0], _role(name), 3.0),), FATES[name][1]) for name in seen]
    length = unit * widest
    wide = max(LABEL + length + 96.0, width_of(title, "title"), legend_width(entries))
    marks, tall = legend(entries, wide)
    items: list[Item] = [Text(MARGIN, 36.0, title, "title", "start")]
    items += [moved(item, MARGIN, 54.0) for item in marks]
    y = 54.0 + tall + 22.0
    for number, layer in enumerate(layers, 1):
        items.append(Group(tuple(_layer(number, layer, MARGIN, y, unit)), _tooltip(number, layer)))
        y += LAYER
    return Drawing(title, wide + 2 * MARGIN, y + 6.0, tuple(items))


def _layer(number: int, layer: Mapping[str, int], x: float, y: float, unit: float) -> list[Item]:
    found, before, after = fates(layer), int(layer["before"]), int(layer["after"])
    left = x + LABEL
    low = y + BAR + GAP
    stays = unit * (found["kept"] + found["open"])
    items: list[Item] = [Text(x, y + BAR - 3.0, f"layer {number}", "head", "start")]
    if before and after and not stays:  # what is left carries what was folded
        stays = unit * found["folded"]
    items.append(_funnel((left, y + BAR), stays, (left, low), unit * after))
    at = left
    for name, count in found.items():
        if count:
            items.append(Rect(at, y, unit * count - 1.0, BAR, FATES[name][0], _role(name), 2.0))
            at += unit * count
    items.append(Text(at + 8.0, y + BAR - 3.0, f"{before:,}", "label", "start", "soft"))
    if after:
        items.append(Rect(left, low, unit * after - 1.0, BAR, "full", "solid", 2.0))
    items.append(Text(left + unit * after + 8.0, low + BAR - 3.0, f"{after:,}", "number", "start"))
    return items


def _role(fate: str) -> str:
    """Units that are gone without a trace are pale."""
    return "ribbon" if fate == "dead" else "solid"


def _funnel(top: Point, wide: float, bottom: Point, narrow: float) -> Path:
    """A ribbon from a horizontal side, its left end at `top`, down to one at `bottom`."""
    right_top, right_bottom = (top[0] + wide, top[1]), (bottom[0] + narrow, bottom[1])
    curves: tuple[Curve, ...] = (
        upwards(top, bottom),
        (bottom, right_bottom, right_bottom),
        upwards(right_bottom, right_top),
        (right_top, top, top),
    )
    return Path(top, curves, "full", "ribbon", closed=True)


def _tooltip(number: int, layer: Mapping[str, int]) -> str:
    words = [f"{count:,} {name}" for name, count in fates(layer).items() if count]
    return f"layer {number}: {int(layer['before']):,} units before, {int(layer['after']):,} after\n{', '.join(words)}"
