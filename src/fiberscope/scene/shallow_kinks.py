"""More than two inputs: every fold as a stem, at its distance from the origin and as high as its kink."""

from __future__ import annotations

import numpy as np

from fiberscope.scene.drawing import Disc, Drawing, Group, Item, Text, moved, straight
from fiberscope.scene.frame import Frame, number
from fiberscope.scene.legend import legend
from fiberscope.scene.shallow_marks import bar, colour_of
from fiberscope.shallow.normal_form import NormalForm

WIDTH, HEIGHT, MARGIN = 640.0, 360.0, 28.0
MOST = 2000  # stems; the largest kinks


def kinks_drawing(form: NormalForm, title: str) -> Drawing:
    """Folds by distance from the origin; for several outputs the height is the length of the kink vector.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> kinks_drawing(normal_form(four_hyperplanes()), "folds").title
    'folds'
    """
    folds = form.floats()
    distance = np.abs(folds.offsets)
    single = form.outputs == 1
    kink = folds.kinks[:, 0] if single else np.linalg.norm(folds.kinks, axis=1)
    order = np.argsort(-np.abs(kink), kind="stable")[:MOST]
    far = 1.05 * float(distance[order].max(initial=0.0)) or 1.0
    low, high = min(0.0, 1.08 * float(kink.min(initial=0.0))), max(0.0, 1.08 * float(kink.max(initial=0.0)))
    frame = Frame((0.0, far), (low, high if high > low else 1.0), MARGIN, 92.0, WIDTH, HEIGHT)
    frame = Frame(frame.x, frame.y, MARGIN + frame.room(), 92.0, WIDTH, HEIGHT)
    seen = f"The {MOST:,} largest kinks of {form.folds:,}. " if form.folds > MOST else ""
    says = f"{seen}Every stem is a fold: how far from the origin it passes, and how much the function bends there."
    items: list[Item] = [
        Text(MARGIN, 36.0, title, "title", "start"),
        Text(MARGIN, 57.0, says, "subtitle", "start", "soft"),
        *frame.ground(),
        straight([frame.at(0.0, 0.0), frame.at(far, 0.0)], "edge", "guide"),
    ]
    wide = min(3.0, max(0.8, WIDTH / (4.0 * max(len(order), 1))))
    for at in order.tolist():
        far, height = float(distance[at]), float(kink[at])
        foot, head = frame.at(far, 0.0), frame.at(far, height)
        colour = colour_of(height) if single else "full"
        parts: tuple[Item, ...] = (bar(foot, head, wide, colour), Disc(*head, max(1.6, 1.3 * wide), colour))
        items.append(Group(parts, f"fold {at}: distance {number(far)}, kink {number(height)}"))
    items += frame.axes("distance of the fold from the origin", "kink" if single else "length of the kink vector")
    y = frame.bottom + 54.0
    entries = [
        ((bar((0.0, -5.0), (16.0, -5.0), 4.0, colour_of(sign)),), f"f bends {word}")
        for sign, word in ((1.0, "upwards"), (-1.0, "downwards"))
        if single and bool((kink * sign > 0).any())
    ]
    lines, tall = legend(entries, WIDTH) if entries else ((), 0.0)
    items += [moved(item, MARGIN, y) for item in lines]
    return Drawing(title, frame.right + MARGIN, y + tall + 14.0, tuple(items))
