"""Runs the command line inside the process: arguments in, exit status and both streams out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiberscope.cli.main import main


@dataclass(frozen=True)
class Done:
    """What one run left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; fails where there is anything else."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Done:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return run


def perceptron(path: Path, widths: tuple[int, ...] = (5, 4, 3), seed: int = 0, **changes: Any) -> Path:
    """Writes a random plain MLP; keyword arguments replace its arrays."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {"activation": "relu"}
    for layer in range(1, len(widths)):
        arrays[f"W{layer}"] = rng.standard_normal((widths[layer], widths[layer - 1])).astype(np.float32)
        arrays[f"b{layer}"] = rng.standard_normal(widths[layer]).astype(np.float32)
    np.savez(path, **{**arrays, **changes})
    return path


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    return perceptron(tmp_path / "net.npz")
