"""The bar of `compress` goes to a terminal's standard error only."""

from __future__ import annotations

import io
import sys

import pytest

from fiberscope.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_the_latest_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    seen = Terminal()
    monkeypatch.setattr(sys, "stderr", seen)
    monkeypatch.setenv("TERM", "xterm")
    with progress(5.0) as tell:
        tell("layer 1: 3 of 4 units proved [bold]")
    assert "layer 1: 3 of 4 units proved [bold]" in seen.getvalue()
    assert capsys.readouterr().out == ""


def test_nobody_else_sees_anything(capfd: pytest.CaptureFixture[str]):
    with progress(5.0) as tell:
        tell("layer 1")
    assert capfd.readouterr() == ("", "")
