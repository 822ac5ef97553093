"""`import fiberscope` and the command line's help load nothing heavy."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "onnx", "plotly", "matplotlib", "networkx", "flint", "numpy", "sklearn", "transformers")


def heavy_after(statement: str) -> list[str]:
    """The heavy modules loaded in a fresh interpreter after `statement`."""
    code = f"import sys\n{statement}\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split() if done.stdout.strip() else []


@pytest.mark.parametrize("module", ["fiberscope", "fiberscope.errors", "fiberscope.cli.main"])
def test_import_is_light(module: str):
    assert heavy_after(f"import {module}") == []


def test_the_test_above_can_fail():
    assert heavy_after("import fiberscope, networkx") == ["networkx"]


def test_help_is_light():
    assert heavy_after("from fiberscope.cli.main import main; main(['--help'])") == []
    assert heavy_after("from fiberscope.cli.main import main; main(['compare', '--help'])") == []


def test_help_is_quick():
    """Half a second is the promise; processor time is measured, so that a busy machine does not fail it."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times = []
    for _ in range(3):
        start = spent()
        subprocess.run([sys.executable, "-m", "fiberscope", "--help"], capture_output=True, check=True)
        times.append(spent() - start)
    assert min(times) < 0.5
