"""The installed command as a user's shell sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run, perceptron

from fiberscope.cli.app import app

COMMANDS = [
    "demo", "inspect", "compare", "verify", "compress", "canonicalize", "fingerprint", "randomize", "activation",
    "enumerate", "reduce", "distance", "doctor",
]  # fmt: skip


def shell(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fiberscope", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_every_command_is_there_with_an_example(run: Run):
    assert sorted(command.callback.__name__ for command in app.registered_commands if command.callback) == sorted(
        COMMANDS
    )
    for name in COMMANDS:
        done = run(name, "--help")
        assert done.status == 0
        assert f"Example: fiberscope {name}" in " ".join(done.out.split())


def test_help_reads_like_a_page(run: Run):
    text = " ".join(run("--help").out.split())
    assert "Which other weights compute the same function?" in text
    assert "fiberscope demo" in text
    assert all(name in text for name in COMMANDS)


def test_without_a_command_the_page_is_the_answer():
    for group in ((), ("linear",)):
        done = shell(*group)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: fiberscope" in done.stdout


def test_version():
    done = shell("--version")
    assert re.fullmatch(r"fiberscope \d+\.\d+\.\d+\n", done.stdout)


def test_trouble_through_the_shell(tmp_path: Path):
    done = shell("inspect", tmp_path / "missing.onnx")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_different_is_status_one_and_streams_are_clean(tmp_path: Path):
    a, b = perceptron(tmp_path / "a.npz", seed=1), perceptron(tmp_path / "b.npz", seed=2)
    done = shell("compare", a, b, "--box", "-1", "1", "--json")
    assert done.returncode == 1
    assert done.stdout.startswith("{")
    assert done.stderr == ""


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {}])
def test_no_colour_where_none_is_wanted(tmp_path: Path, environment: dict[str, str]):
    done = shell("doctor", **environment)
    assert "\x1b[3" not in done.stdout


def test_a_closed_pipe_is_no_failure(tmp_path: Path):
    code = f"{sys.executable} -m fiberscope --help | head -1"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
