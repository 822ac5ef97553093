"""The report page: self-contained, escaped, complete."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.report.example import Example, example

from fiberscope.errors import InputError
from fiberscope.report.page import page, write_page


class Reader(HTMLParser):
    """Checks that tags nest, and gathers text and attributes."""

    VOID = frozenset({"meta", "br", "rect", "path"})

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value) for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def inspection() -> Example:
    return example()


@pytest.fixture(scope="module")
def html(inspection: Example) -> str:
    return page(inspection)


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_tags_nest(reader: Reader):
    assert reader.open == []


def test_nothing_is_asked_of_another_machine(html: str, reader: Reader):
    loading = {"src", "href", "srcset", "data", "action", "poster", "background"}
    assert [row for row in reader.attributes if row[1] in loading] == []
    assert "@import" not in html
    assert "url(" not in html
    assert set(re.findall(r"https?://[^\"' <]*", html)) <= {"http://www.w3.org/2000/svg"}
    assert "<script" not in html


def test_the_policy_allows_this_style_sheet_and_nothing_else(html: str, reader: Reader):
    policy = next(value for tag, key, value in reader.attributes if tag == "meta" and value and "default-src" in value)
    (css,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert [row for row in reader.attributes if row[1] == "style" or row[1].startswith("on")] == []


def test_names_are_escaped(html: str, reader: Reader):
    assert "<b>tiny" not in html
    assert "a&b.onnx" in "".join(reader.text)


def test_the_page_says_what_was_found(reader: Reader):
    text = " ".join("".join(reader.text).split())
    for said in (
        "5 independent directions",
        "3 hidden units add nothing of their own",
        "dead",
        "up to a positive factor",
        "up to sign",
        "0.weight axis 0",
        "rounding only",
        "fs1:0123456789abcdef",
        "Seed",
        "Most alike: units",
    ):
        assert said in text, said
    assert "nan" not in text.lower().split()


def test_every_box_of_the_graph_is_there(reader: Reader):
    boxes = [value for _, key, value in reader.attributes if key == "data-testid"]
    assert len(boxes) == 5  # input, three linear maps, output


def test_it_is_written_as_text(inspection: Example, html: str, tmp_path: Path):
    write_page(inspection, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_a_wrong_place_is_refused_in_words(inspection: Example, tmp_path: Path):
    for place in (tmp_path, tmp_path / "missing" / "report.html"):
        with pytest.raises(InputError, match="cannot write there"):
            write_page(inspection, place)
