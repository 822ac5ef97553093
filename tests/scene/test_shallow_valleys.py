"""Maps of K: areas lie where K exceeds their level, contour lines on their level, the model at its place."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from fiberscope.scene.drawing import Disc, Path, shapes
from fiberscope.scene.level_map import level_map
from fiberscope.scene.shallow_potential import contour_levels, potential_drawing
from fiberscope.shallow import examples
from fiberscope.shallow.landscape import landscape


def hills(seed: int, size: int = 13) -> np.ndarray:
    """Smooth random numbers on a grid, with peaks and pits so that areas have holes."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, size)
    out = np.zeros((size, size))
    for _ in range(5):
        a, b, s = rng.uniform(-1, 1, 3)
        out += s * np.exp(-((x[:, None] - a) ** 2 + (x[None, :] - b) ** 2) / 0.1)
    return out


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_areas_are_where_the_numbers_are_large(seed: int):
    """A grid point belongs to the areas of exactly the levels below its number, holes left out."""
    values, x = hills(seed), np.linspace(-1, 1, 13)
    levels = [float(v) for v in np.linspace(values.min(), values.max(), 6)[1:-1]]
    found = level_map(x, x, values, levels)
    for i in range(1, 12):
        for j in range(1, 12):
            if min(abs(values[i, j] - level) for level in levels) < 1e-3:
                continue
            for number, level in enumerate(levels, 1):
                covered = [
                    Outline(np.array(outline)).contains_point((x[i], x[j])) for k, outline in found.areas if k == number
                ]
                assert sum(covered) == (values[i, j] > level)
    for line in found.lines:
        assert len(line) > 1


def test_lines_follow_the_levels_of_a_bilinear_surface():
    x = np.linspace(0.0, 2.0, 21)
    values = x[:, None] * 1.0 + x[None, :] * 2.0
    for line in level_map(x, x, values, [1.5]).lines:
        assert np.allclose([a + 2 * b for a, b in line], 1.5)


def test_levels_crowd_in_the_valley():
    levels = contour_levels(np.linspace(0.0, 100.0, 400))
    steps = np.diff([0.0, *levels])
    assert len(levels) == 12 and (np.diff(steps) > 0).all()
    assert contour_levels(np.full(100, 3.0)) == []


def test_the_map_marks_the_model():
    e = examples.scaling(w=1.0, q=3.0)
    land = landscape(e.model, e.truth, e.box, ["W1[0,0]", "W2[0,0]"], [(0, 4), (0, 4)], points=9)
    drawing = potential_drawing(land)
    ground = next(s for s, _ in shapes(drawing) if type(s).__name__ == "Rect")
    (mark,) = [s for s, _ in shapes(drawing) if isinstance(s, Disc) and s.colour == "accent"][:1]
    assert (mark.x - ground.x) / ground.width == 0.25  # type: ignore[union-attr]
    assert (ground.y + ground.height - mark.y) / ground.height == 0.75  # type: ignore[union-attr]
    away = landscape(e.model, e.truth, e.box, ["W1[0,0]", "W2[0,0]"], [(2, 4), (0, 4)], points=9)
    marks = [s for s, _ in shapes(potential_drawing(away)) if isinstance(s, Disc) and s.colour == "accent"]
    assert len(marks) == 1  # the legend's only


def test_the_curve_is_the_row_of_numbers():
    e = examples.reversed_pair()
    land = landscape(e.model, e.truth, e.box, ["W1[0,0]"], [(-2, 2)], points=33)
    drawing = potential_drawing(land)
    (curve,) = [s for s, _ in shapes(drawing) if isinstance(s, Path) and s.role == "curve"]
    ys = np.array([curve.start[1], *(end[1] for _, _, end in curve.curves)])
    slope, shift = np.polyfit(land.values, ys, 1)
    assert slope < 0 and np.abs(slope * land.values + shift - ys).max() < 1e-6


def test_a_flat_map_is_one_colour():
    e = examples.scaling(w=1.0, q=0.0, theta=0.0)
    land = landscape(e.model, e.truth, e.box, ["W1[0,0]", "b1[0]"], points=5)
    assert not [s for s, _ in shapes(potential_drawing(land)) if isinstance(s, Path) and s.role == "contour"][1:]
