"""One drawing, three faces: SVG, a page, matplotlib. Well formed, escaped, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tests.scene.linear_pictures import barcodes

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.report.picture_page import Section, Table, picture_page
from fiberscope.scene.barcode import barcode_drawing
from fiberscope.scene.drawing import Drawing, Group, Item, Rect, Text, moved, shapes
from fiberscope.scene.drawing_matplotlib import figure, write_figure
from fiberscope.scene.drawing_svg import FOLLOWED, style, svg
from fiberscope.scene.flow import flow_picture
from fiberscope.scene.flow_drawing import flow_drawing
from fiberscope.scene.legend import legend
from fiberscope.scene.paint import COLOURS, LETTERS, PAINTS, width_of, wrapped

EXAMPLE = Barcode.from_bars(3, {(0, 3): 2, (0, 1): 1, (0, 0): 2, (1, 2): 1, (2, 3): 1, (2, 2): 2, (3, 3): 1})
SVG = "{http://www.w3.org/2000/svg}"


@given(barcodes())
def test_svg_is_well_formed_and_complete(barcode: Barcode):
    drawing = flow_drawing(flow_picture(barcode))
    root = ElementTree.fromstring(svg(drawing, standalone=True))
    tags = [element.tag for element in root.iter()]
    flat = [shape for shape, _ in shapes(drawing)]
    assert tags.count(f"{SVG}rect") == sum(isinstance(shape, Rect) for shape in flat) + 1  # and the ground
    assert tags.count(f"{SVG}text") == sum(isinstance(shape, Text) for shape in flat)
    said = {element.text for element in root.iter(f"{SVG}text")}
    assert said == {shape.text for shape in flat if isinstance(shape, Text)}


def test_a_notebook_shows_the_picture():
    drawing = barcode_drawing(EXAMPLE)
    assert drawing._repr_svg_() == svg(drawing, standalone=True)


def test_strings_are_escaped():
    hostile = '<script>alert("1")</script>&'
    items: tuple[Item, ...] = (Group((Text(1.0, 1.0, hostile),), hostile, 'n"><x'),)
    text = svg(Drawing(hostile, 10.0, 10.0, items), standalone=True)
    assert "<script" not in text
    assert ElementTree.fromstring(text).attrib["aria-label"] == hostile
    page = picture_page(
        hostile, hostile, [(hostile, hostile)], [Section(hostile, (hostile,), table=Table((hostile,), ()))]
    )
    assert "<script" not in page


def test_nothing_comes_from_outside():
    page = picture_page("t", "s", [("1", "card")], [Section("h", ("p",), flow_drawing(flow_picture(EXAMPLE)))])
    assert "<script" not in page
    assert re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?[^"\')]*', page) == []
    assert set(re.findall(r"https?://[^\"' <)]+", page)) == {"http://www.w3.org/2000/svg"}
    (css,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert " style=" not in page  # the policy would block it


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("light", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(light: int):
    def colour(key: str) -> str:
        return COLOURS[key][light]

    for kind in ("full", "lost", "free", "inner", "dead"):
        assert contrast(colour(kind), colour("on")) > 4.5
        assert contrast(colour(kind), colour("paper")) > 4.5
    for ground in ("paper", "card", "shade"):
        assert contrast(colour("ink"), colour(ground)) > 7
        assert contrast(colour("soft"), colour(ground)) > 4.5


def test_every_key_has_a_rule():
    css = style()
    assert all(f".k-{key}{{" in css for key in COLOURS)
    assert all(f".r-{role}{{" in css for role in PAINTS)
    assert all(f".t-{role}{{" in css for role in LETTERS)
    assert css.count("{") == css.count("}")


def test_the_pictures_in_the_documents_are_current(root: Path):
    """docs/linear_*.svg are what scripts/make_linear_pictures.py draws today."""
    script = runpy.run_path(str(root / "scripts" / "make_linear_pictures.py"))
    found = script["pictures"]()
    assert sorted(found) == sorted(path.name for path in (root / "docs").glob("linear_*.svg"))
    for name, text in found.items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == text, f"{name}: run the script"


def test_following_lines_has_a_limit():
    """A rule per node lights up its lines; pictures with very many nodes go without."""

    def drawing(count: int) -> Drawing:
        return Drawing("d", 9.0, 9.0, tuple(Group((), "", f"n{n}") for n in range(count)), follow=True)

    assert ':has(#n3:hover) [data-ends~="3"]' in svg(drawing(5), standalone=True)
    assert ":has(" not in svg(drawing(FOLLOWED + 1), standalone=True)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".eps"])
def test_matplotlib_writes_papers(suffix: str, tmp_path: Path):
    path = tmp_path / f"flow{suffix}"
    write_figure(flow_drawing(flow_picture(EXAMPLE)), path)
    heads = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml", ".eps": b"%!PS"}
    assert path.read_bytes().startswith(heads[suffix])


def test_matplotlib_draws_the_same_shapes(tmp_path: Path):
    drawing = flow_drawing(flow_picture(EXAMPLE))
    axes = figure(drawing).axes[0]
    flat = [shape for shape, _ in shapes(drawing)]
    assert len(axes.patches) == sum(not isinstance(shape, Text) for shape in flat)
    assert [text.get_text() for text in axes.texts] == [shape.text for shape in flat if isinstance(shape, Text)]
    for number in (1, 2):
        write_figure(drawing, tmp_path / f"{number}.svg")
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_matplotlib_refuses_what_no_page_holds():
    with pytest.raises(InputError, match=r"use \.svg"):
        figure(Drawing("huge", 40_000.0, 10.0, ()))


def test_matplotlib_agrees_on_the_width_of_text():
    """Room is reserved by an estimate: no line of the pictures may need more, in the widest font asked for."""
    for drawing in (flow_drawing(flow_picture(EXAMPLE)), barcode_drawing(EXAMPLE)):
        made = figure(drawing)
        renderer = FigureCanvasAgg(made).get_renderer()
        for text in made.axes[0].texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, text.get_text()
            assert box.x1 <= drawing.width, text.get_text()


@given(st.lists(st.text("abc", min_size=1, max_size=12), min_size=1, max_size=30), st.floats(40, 400))
def test_wrapped_text_keeps_its_words(words: list[str], width: float):
    lines = wrapped(" ".join(words), width, "label")
    assert " ".join(lines).split() == words
    assert all(width_of(line, "label") <= width or " " not in line for line in lines)


@given(st.lists(st.text("abc", min_size=1, max_size=40), min_size=1, max_size=9), st.floats(100, 900))
def test_a_legend_says_everything_within_its_width(texts: list[str], width: float):
    entries = [((Rect(0.0, 0.0, 1.0, 1.0, "full"),), text) for text in texts]
    items, tall = legend(entries, width)
    found = [item for item in items if isinstance(item, Text)]
    assert [item.text for item in found] == texts
    assert all(0 <= item.y <= tall for item in found)
    if len({item.x for item in found}) > 1:
        assert all(item.x + width_of(item.text, item.role) <= width + 1e-9 for item in found)


def test_moving_a_drawing_moves_all_of_it():
    drawing = flow_drawing(flow_picture(EXAMPLE))
    back = tuple(moved(moved(item, 64.0, -32.0), -64.0, 32.0) for item in drawing.items)
    for (a, _), (b, _) in zip(shapes(drawing), shapes(Drawing("", 1.0, 1.0, back)), strict=True):
        assert type(a) is type(b)
        assert repr(a)[:12] == repr(b)[:12]
