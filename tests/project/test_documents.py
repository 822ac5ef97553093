"""What the documents say is true: commands parse, code runs, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from fiberscope.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    lines = [
        (path.name, line)
        for path in DOCUMENTS
        for block in blocks(path.read_text(), "sh")
        for line in block.splitlines()
    ]
    return [(name, line.split(" #")[0].split(" > ")[0]) for name, line in lines if line.startswith("fiberscope ")]


@pytest.mark.parametrize(("name", "line"), commands())
def test_every_command_shown_is_one(name: str, line: str):
    """Parsed by the real parser, not run: an unknown command, option or missing argument raises."""
    command = get_command(app)
    verb, *arguments = shlex.split(line)
    while hasattr(command, "get_command"):  # a group: the next word names one of its commands
        assert arguments, f"{name}: {verb} needs a command"
        verb, *arguments = arguments
        command = command.get_command(None, verb)  # type: ignore[attr-defined,arg-type]
        assert command is not None, f"{name}: no command {verb}"
    command.make_context(verb, arguments)


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks((ROOT / "docs" / "tutorial.md").read_text(), "python"))
    exec(compile(code, "tutorial.md", "exec"), {"__name__": "tutorial"})  # noqa: S102 (our own text)


def test_the_python_of_the_linear_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    np.savez("factors.npz", W1=np.eye(3, 2), W2=np.ones((2, 3)))
    (code,) = blocks((ROOT / "docs" / "linear.md").read_text(), "python")
    exec(compile(code, "linear.md", "exec"), {"__name__": "linear"})  # noqa: S102 (our own text)
    assert (tmp_path / "flow.pdf").read_bytes().startswith(b"%PDF")


def test_the_python_of_the_shallow_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    np.savez("model.npz", W1=np.eye(2), b1=np.ones(2), W2=np.ones((1, 2)), b2=np.zeros(1), activation="relu")
    (code,) = blocks((ROOT / "docs" / "shallow.md").read_text(), "python")
    exec(compile(code, "shallow.md", "exec"), {"__name__": "shallow"})  # noqa: S102 (our own text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert missing == []
