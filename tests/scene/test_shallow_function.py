"""Pictures of functions: bands and boundaries are where the function says, arrows point to active sides."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope.errors import InputError
from fiberscope.scene.drawing import Disc, Drawing, Group, Item, Path, Text, shapes
from fiberscope.scene.frame import Frame, ticks
from fiberscope.scene.shallow_function import function_drawing
from fiberscope.scene.shallow_marks import THICK, THIN, badge, fold, thickness
from fiberscope.scene.shallow_plane import PlanePicture, _regions, plane_picture
from fiberscope.scene.shallow_plane_drawing import BADGED, _towards, plane_drawing
from fiberscope.scene.shallow_window import window
from fiberscope.shallow import examples
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form


def random_net(seed: int, n: int, d: int, k: int = 1) -> ShallowModel:
    rng = np.random.default_rng(seed)
    return ShallowModel(
        rng.standard_normal((d, n)), rng.standard_normal(d), rng.standard_normal((k, d)), rng.standard_normal(k)
    )


def f(model: ShallowModel, x: np.ndarray, output: int = 0) -> np.ndarray:
    return np.maximum(x @ model.W1.T + model.b1, 0) @ model.W2[output] + model.b2[output]


def inside(corners: tuple[tuple[float, float], ...], p: np.ndarray) -> bool:
    """Whether a point lies in a convex polygon, by the signs of cross products."""
    turns = [(b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) for a, b in pairwise([*corners, corners[0]])]
    return min(turns) >= 0 or max(turns) <= 0


def painted(picture: PlanePicture, p: np.ndarray) -> int:
    """The band that the last polygon painted over a point has."""
    return [band.level for band in picture.bands if inside(band.corners, p)][-1]


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 2))
def test_every_point_has_the_colour_of_its_height(seed: int, units: int, outputs: int):
    model = random_net(seed, 2, units, outputs)
    picture = plane_picture(model, normal_form(model), (-2, 2), outputs - 1)
    rng = np.random.default_rng(seed)
    for p in rng.uniform(-2, 2, (60, 2)):
        height = float(f(model, p, outputs - 1))
        if min((abs(height - level) for level in picture.levels), default=1.0) > 1e-9:
            assert painted(picture, p) == sum(level < height for level in picture.levels)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_contours_lie_at_their_levels_and_cross_the_window_unbroken(seed: int):
    model = random_net(seed, 2, 6)
    picture = plane_picture(model, normal_form(model), (-2, 2))
    ends: dict[tuple[float, float], int] = {}
    for a, b in picture.contours:
        for t in (0.0, 0.3, 1.0):
            height = float(f(model, np.array(a) * (1 - t) + np.array(b) * t))
            assert min(abs(height - level) for level in picture.levels) < 1e-9 * (1 + abs(height))
        for end in (a, b):
            key = (round(end[0], 6), round(end[1], 6))
            ends[key] = ends.get(key, 0) + 1
    loose = [key for key, count in ends.items() if count % 2 and max(map(abs, key)) < 2 - 1e-6]
    assert len(loose) <= 0.1 * len(ends) + 2  # ends meet in pairs, but for keys that rounding tears apart


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 10))
def test_boundaries_and_active_sides(seed: int, units: int):
    model = random_net(seed, 2, units)
    picture = plane_picture(model, normal_form(model), (-3, 3))
    rng = np.random.default_rng(seed)
    crossing = {
        i
        for i in range(units)
        if len({bool(v > 0) for v in rng.uniform(-3, 3, (4000, 2)) @ model.W1[i] + model.b1[i]}) > 1
    }
    drawn = {i for boundary in picture.boundaries for i, _ in boundary.units}
    assert crossing <= drawn
    frame = Frame(picture.x, picture.y, 10.0, 20.0, 300.0, 200.0)
    for boundary in picture.boundaries:
        for i, side in boundary.units:
            for end in boundary.ends:
                assert model.W1[i] @ end + model.b1[i] == pytest.approx(0.0, abs=1e-9)
                assert max(map(abs, end)) <= 3 + 1e-9
            assert math.hypot(*side) == pytest.approx(1.0)
            assert boundary.kink == pytest.approx(model.W2[0, i] * np.linalg.norm(model.W1[i]))
            middle = (np.array(boundary.ends[0]) + boundary.ends[1]) / 2
            assert model.W1[i] @ (middle + 1e-3 * np.array(side)) + model.b1[i] > 0
            a, b = (frame.at(*end) for end in boundary.ends)
            at, towards = frame.at(*middle), _towards(side, (a, b))
            moved = (at[0] + towards[0], at[1] + towards[1])  # a pixel along the arrow, back in the inputs
            x = 6 * (moved[0] - 10.0) / 300.0 - 3, 6 * (220.0 - moved[1]) / 200.0 - 3
            assert model.W1[i] @ x + model.b1[i] > 0


def test_very_many_regions_are_sampled():
    model = random_net(0, 2, 90)
    picture = plane_picture(model, normal_form(model), (-2, 2))
    assert picture.regions is None and len(picture.boundaries) > 60
    for level in picture.levels:
        assert any(band.level == picture.levels.index(level) + 1 for band in picture.bands)
    heights = np.array([[*a] for a, _ in picture.contours[::17]])
    near = [min(abs(v - level) for level in picture.levels) for v in f(model, heights)]
    assert max(near) < 0.05 * (picture.levels[1] - picture.levels[0])


@pytest.mark.parametrize("units", [1, 5, 12])
def test_regions_are_counted_before_they_are_cut(units: int):
    """1 + lines + crossings, as the exact arrangement finds them for lines in general position."""
    for seed in range(6):
        model = random_net(seed, 2, units)
        picture = plane_picture(model, normal_form(model), (-2, 2))
        assert picture.regions == _regions(picture.boundaries)


def test_units_on_one_line_and_kinks_that_cancel():
    model = examples.boundary_off_the_folds().model
    picture = plane_picture(model, normal_form(model, exact=True), (-7, 3))
    by_units = {tuple(i for i, _ in b.units): b for b in picture.boundaries}
    assert by_units[0,].kink == 1.0 and by_units[1, 2].kink == 0.0
    assert by_units[1, 2].units[0][1] == (1.0, 0.0) and by_units[1, 2].units[1][1] == (-1.0, 0.0)
    drawing = plane_drawing(picture, "t")
    assert sum(isinstance(s, Path) and s.role == "dashed" for s, _ in shapes(drawing)) == 2  # one, and the legend's
    assert "no fold" in str(tooltips(drawing))


def tooltips(drawing: Drawing) -> list[str]:
    return [item.tooltip for item in drawing.items if isinstance(item, Group)]


def test_thickness_is_proportional_to_the_kink():
    assert thickness(1.0, 4.0) == thickness(-1.0, 4.0) == THICK / 4
    assert thickness(1e-9, 4.0) == THIN
    rim, line = fold((0.0, 0.0), (10.0, 0.0), 2.0, 4.0)
    assert isinstance(line, Path) and isinstance(rim, Path)
    ys = [end[1] for _, _, end in line.curves] + [line.start[1]]
    assert max(ys) - min(ys) == pytest.approx(THICK / 2)
    assert line.colour == "lost" and fold((0.0, 0.0), (1.0, 0.0), -1.0, 1.0)[1].colour == "inner"  # type: ignore[union-attr]


def test_badges_do_not_cover_each_other():
    for seed in range(8):
        model = random_net(seed, 2, 10)
        drawing = plane_drawing(plane_picture(model, normal_form(model)), "t")
        discs = [
            part for item in drawing.items if isinstance(item, Group) and item.tooltip.startswith("unit")
            for part in item.items if isinstance(part, Disc)
        ]  # fmt: skip
        near = [(a, b) for a in discs for b in discs if a is not b and math.hypot(a.x - b.x, a.y - b.y) < a.radius]
        assert near == []
    many = random_net(0, 2, BADGED + 1)
    drawing = plane_drawing(plane_picture(many, normal_form(many), (-1, 1)), "t")
    seen = plane_picture(many, normal_form(many), (-1, 1))
    if sum(len(b.units) for b in seen.boundaries) > BADGED:
        assert not any(item.tooltip.startswith("unit") for item in drawing.items if isinstance(item, Group))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 2))
def test_the_window_shows_boundaries(seed: int, units: int, inputs: int):
    model = random_net(seed, inputs, units)
    area = window(model, None)
    assert all(low < high for low, high in area)
    if inputs == 2:
        assert len(plane_picture(model, normal_form(model)).boundaries) >= 1
        (x0, x1), (y0, y1) = area
        assert x1 - x0 == pytest.approx(y1 - y0)
    assert window(model, (-1, 2)) == ((-1.0, 2.0),) * inputs


def test_degenerate_functions_can_be_drawn():
    zero = ShallowModel(np.zeros((1, 2)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    for n in (1, 2, 4):
        flat = ShallowModel(np.zeros((1, n)), np.ones(1), np.ones((1, 1)), np.zeros(1))
        assert function_drawing(flat, normal_form(flat)).width > 0
    assert plane_picture(zero, normal_form(zero)).levels == ()
    with pytest.raises(InputError, match="interior"):
        function_drawing(zero, normal_form(zero), box=(1, 1))
    with pytest.raises(InputError, match="output 2"):
        function_drawing(zero, normal_form(zero), output=2)
    exact = normal_form(examples.four_hyperplanes(), exact=True)
    assert function_drawing(examples.four_hyperplanes(), exact).title == "4 folds in 2 inputs"


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 3))
def test_the_graph_passes_through_the_values(seed: int, units: int, outputs: int):
    model = random_net(seed, 1, units, outputs)
    drawing = function_drawing(model, normal_form(model), box=(-2, 2))
    curves = [s for s, _ in shapes(drawing) if isinstance(s, Path) and s.role == "curve" and len(s.curves) > 0]
    drawn = curves[:outputs]
    for output, curve in enumerate(drawn):
        points = np.array([curve.start, *(end for _, _, end in curve.curves)])
        x = -2 + 4 * (points[:, 0] - points[0, 0]) / (points[-1, 0] - points[0, 0])
        heights = f(model, x[:, None], output)
        slope = np.polyfit(heights, points[:, 1], 1) if np.ptp(heights) > 1e-6 else None
        if slope is not None:  # pixels are an affine function of heights, larger heights higher up
            assert slope[0] < 0
            assert np.abs(np.polyval(slope, heights) - points[:, 1]).max() < 1e-6


def test_rows_of_units_show_the_active_side():
    model = examples.reversal_without_annihilation().model
    drawing = function_drawing(model, normal_form(model), box=(-2, 3))
    rows = [i for i in drawing.items if isinstance(i, Group) and i.tooltip.startswith("unit")]
    assert len(rows) == model.units
    for i, row in enumerate(rows):
        bars = [p for p in row.items if isinstance(p, Path) and p.closed]
        badges = [p for p in row.items if isinstance(p, Group)]
        (disc,) = (p for p in badges[0].items if isinstance(p, Disc))
        xs = [x for bar in bars for x in (bar.start[0], *(end[0] for _, _, end in bar.curves))]
        right = max(xs) - disc.x > disc.x - min(xs)
        assert right == (model.W1[i, 0] > 0)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_inside_even_and_few(low: float, width: float, most: int):
    found = ticks((low, low + width), most)
    slack = 1e-6 * (abs(low) + width)
    assert all(low - slack <= t <= low + width + slack for t in found)
    assert len(found) <= 2 * most + 2
    steps = [b - a for a, b in pairwise(found)]
    assert all(s == pytest.approx(steps[0], rel=1e-3, abs=slack) for s in steps)


def test_a_badge_says_its_number():
    group = badge((5.0, 5.0), 17, (1.0, 0.0))
    assert isinstance(group, Group)
    texts: list[Item] = [item for item in group.items if isinstance(item, Text)]
    assert [t.text for t in texts if isinstance(t, Text)] == ["17"]
