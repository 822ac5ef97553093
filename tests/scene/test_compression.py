"""The picture of a compression: every unit has one fate, bars are as long as their numbers say, names fit."""

from __future__ import annotations

import numpy as np
import pytest

from fiberscope.scene.compression import FATES, LONGEST, compression_drawing, fates
from fiberscope.scene.drawing import Drawing, Rect, Text, shapes


def layers(seed: int) -> list[dict[str, int]]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(int(rng.integers(1, 9))):
        parts = rng.integers(0, [200, 20, 30, 4, 5, 60])
        kept, still_open, folded, duplicate, constant, dead = (int(v) for v in parts)
        out.append(
            {
                "before": sum(map(int, parts)),
                "after": max(kept + still_open, 1),
                "dead": dead,
                "constant": constant,
                "duplicate": duplicate,
                "folded": folded,
                "open": still_open,
            }
        )
    return out


def bars(drawing: Drawing, colour: str) -> list[Rect]:
    return [shape for shape, _ in shapes(drawing) if isinstance(shape, Rect) and shape.colour == colour]


@pytest.mark.parametrize("seed", range(8))
def test_bars_are_as_long_as_their_numbers(seed: int):
    some = layers(seed)
    drawing = compression_drawing(some)
    for layer in some:
        assert sum(fates(layer).values()) == layer["before"]
    for name in ("open", "folded", "dead"):
        counts = [fates(layer)[name] for layer in some if fates(layer)[name]]
        found = [bar.width + 1.0 for bar in bars(drawing, FATES[name][0])][1 if counts else 0 :]  # after the legend's
        assert len(found) == len(counts)
        unit = {round(width / count, 6) for width, count in zip(found, counts, strict=True)}
        assert len(unit) <= 1
    for shape, _ in shapes(drawing):
        if isinstance(shape, Rect):
            assert shape.x >= 0
            assert shape.x + shape.width <= drawing.width
            assert shape.width <= LONGEST
        if isinstance(shape, Text):
            assert 0 <= shape.y <= drawing.height


def test_a_layer_that_only_carries():
    layer = {"before": 6, "after": 7, "dead": 0, "constant": 0, "duplicate": 0, "folded": 6, "open": 0}
    assert fates(layer) == {"kept": 0, "open": 0, "folded": 6, "duplicate": 0, "constant": 0, "dead": 0}
    assert compression_drawing([layer]).title == "6 → 7 hidden units"


def test_no_layer():
    assert compression_drawing([]).title == "0 → 0 hidden units"
