"""One input: the graph of a function, its folds with their kinks, and below it where every unit is active."""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.scene.drawing import Drawing, Group, Item, Text, moved, straight
from fiberscope.scene.frame import Frame
from fiberscope.scene.legend import legend
from fiberscope.scene.shallow_marks import badge, bar, colour_of, fold
from fiberscope.scene.shallow_window import window
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm

WIDTH, HEIGHT, MARGIN = 600.0, 320.0, 28.0
ROW = 21.0
MOST_ROWS = 60  # units with a row of their own
CURVES = ("full", "free", "accent", "dead")  # colours of the outputs, in turn


def graph_drawing(model: ShallowModel, form: NormalForm, title: str, *, box: Any = None) -> Drawing:
    """The graph in the box, or where the boundaries are.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> truth = reversed_pair().truth
    >>> graph_drawing(truth, normal_form(truth), "a valley").title
    'a valley'
    """
    (span,) = window(model, box)
    folds = form.floats()
    places = (-folds.offsets / folds.normals[:, 0]).tolist()
    corners = sorted([*span, *(x for x in places if span[0] < x < span[1])])
    values = folds(np.array(corners)[:, None])
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or max(1.0, abs(high))
    frame = Frame(span, (low - room, high + room), MARGIN, 92.0, WIDTH, HEIGHT)
    frame = Frame(frame.x, frame.y, MARGIN + max(frame.room(), 54.0), 92.0, WIDTH, HEIGHT)
    units = f"{model.units} hidden unit{'' if model.units == 1 else 's'}"
    items: list[Item] = [
        Text(MARGIN, 36.0, title, "title", "start"),
        Text(MARGIN, 57.0, f"{units}. Below: where each of them is active.", "subtitle", "start", "soft"),
        *frame.ground(),
    ]
    largest = max((abs(k) for k in folds.kinks.ravel().tolist()), default=0.0)
    for x, kink in zip(places, folds.kinks[:, 0].tolist(), strict=True):
        if span[0] <= x <= span[1]:
            line = fold(frame.at(x, frame.y[0]), frame.at(x, frame.y[1]), kink, largest)
            items.append(Group(tuple(line), f"fold at {x:.6g}, kink {kink:.6g}", faded=True))
    for output in range(model.outputs):
        points = [frame.at(x, float(row[output])) for x, row in zip(corners, values, strict=True)]
        items.append(straight(points, CURVES[output % len(CURVES)], "curve"))
    rows = _rows(model, frame, frame.bottom + 60.0)
    items += frame.axes("input", "f" if model.outputs == 1 else "outputs") + rows
    y = frame.bottom + 60.0 + ROW * (min(model.units, MOST_ROWS) if rows else 0) + 14.0
    lines, tall = legend(_entries(model, form), WIDTH + frame.left - MARGIN)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, frame.right + MARGIN, y + tall + 14.0, tuple(items))


def _rows(model: ShallowModel, frame: Frame, top: float) -> list[Item]:
    """A row per unit: its boundary, and a bar over the inputs on which it is active."""
    if model.units > MOST_ROWS:
        return []
    W, b = as_floats(model.W1)[:, 0], as_floats(model.b1)
    idle = np.all(model.W2 == 0, axis=0).tolist()
    items: list[Item] = []
    for i in range(model.units):
        y = top + ROW * i
        parts: list[Item] = [straight([(frame.left, y), (frame.right, y)], "line", "guide")]
        edge = frame.x[0] if W[i] == 0 else float(-b[i] / W[i])
        seen = min(max(edge, frame.x[0]), frame.x[1])
        end = frame.x[1] if W[i] > 0 or (W[i] == 0 and b[i] > 0) else seen if W[i] == 0 else frame.x[0]
        start_at, end_at = frame.at(seen, 0.0)[0], frame.at(end, 0.0)[0]
        if start_at != end_at:
            parts.append(bar((start_at, y), (end_at, y), 6.0, "edge"))
        says = "nothing reads it" if idle[i] else "constant" if W[i] == 0 else f"boundary at {edge:.6g}"
        if W[i] != 0 and seen == edge:
            parts.append(badge((start_at, y), i, (1.0 if W[i] > 0 else -1.0, 0.0)))
        parts.append(Text(frame.left - 9.0, y + 4.0, f"unit {i}", "small", "end", "soft"))
        items.append(Group(tuple(parts), f"unit {i}: {says}", faded=idle[i]))
    return items


def _entries(model: ShallowModel, form: NormalForm) -> list[tuple[tuple[Item, ...], str]]:
    """What lines mean."""
    out: list[tuple[tuple[Item, ...], str]] = []
    if model.outputs > 1:
        for j in range(min(model.outputs, len(CURVES))):
            out.append(((straight([(0.0, -5.0), (16.0, -5.0)], CURVES[j], "curve"),), f"output {j}"))
    kinks = form.floats().kinks[:, 0].tolist()
    of = "f" if model.outputs == 1 else "output 0"
    for sign, word in ((1.0, "upwards"), (-1.0, "downwards")):
        if any(kink * sign > 0 for kink in kinks):
            mark = Group((bar((0.0, -5.0), (16.0, -5.0), 5.0, colour_of(sign)),), faded=True)
            out.append(((mark,), f"a fold: {of} bends {word}, the thicker the more"))
    if 0 < model.units <= MOST_ROWS:
        out.append(
            ((badge((8.0, -5.0), 0, None, "a unit"),), "a unit at its boundary; the arrow shows its active side")
        )
    return out
