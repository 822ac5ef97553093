"""Bad input: one clear line on standard error, nothing on standard output, exit status 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run, perceptron

Arguments = list[object]


def missing(folder: Path) -> Arguments:
    return ["inspect", folder / "missing.onnx"]


def missing_second(folder: Path) -> Arguments:
    return ["compare", perceptron(folder / "a.npz"), folder / "missing.npz"]


def a_folder(folder: Path) -> Arguments:
    return ["inspect", folder]


def not_a_model(folder: Path) -> Arguments:
    path = folder / "text.onnx"
    path.write_text("this is not a model\n")
    return ["inspect", path]


def empty(folder: Path) -> Arguments:
    path = folder / "empty.pt2"
    path.touch()
    return ["fingerprint", path]


def unknown_kind(folder: Path) -> Arguments:
    path = folder / "model.pickle"
    path.write_bytes(b"\x80\x04.")
    return ["inspect", path]


def nan_weights(folder: Path) -> Arguments:
    return ["inspect", perceptron(folder / "nan.npz", W1=np.full((4, 5), np.nan, np.float32))]


def infinite_weights(folder: Path) -> Arguments:
    return ["inspect", perceptron(folder / "inf.npz", b1=np.full(4, np.inf, np.float32))]


def other_outputs(folder: Path) -> Arguments:
    return ["compare", perceptron(folder / "a.npz"), perceptron(folder / "b.npz", (5, 4, 2))]


def other_inputs(folder: Path) -> Arguments:
    return ["compare", perceptron(folder / "a.npz"), perceptron(folder / "b.npz", (6, 4, 3))]


def box(*sides: str) -> Callable[[Path], Arguments]:
    return lambda folder: ["compare", perceptron(folder / "a.npz"), perceptron(folder / "b.npz"), "--box", *sides]


def no_certificate(folder: Path) -> Arguments:
    return ["verify", folder / "missing.fsc", perceptron(folder / "a.npz"), perceptron(folder / "b.npz")]


def report_nowhere(folder: Path) -> Arguments:
    return ["inspect", perceptron(folder / "a.npz"), "--html", folder / "missing" / "report.html"]


def copy_nowhere(folder: Path) -> Arguments:
    return ["randomize", perceptron(folder / "a.npz"), "-o", folder / "missing" / "b.npz"]


TABLE: list[tuple[Callable[[Path], Arguments], str]] = [
    (missing, "missing.onnx"),
    (missing_second, "missing.npz"),
    (a_folder, ""),
    (not_a_model, "text.onnx"),
    (empty, "empty.pt2"),
    (unknown_kind, "expected .onnx, .pt2 or .npz"),
    (nan_weights, "W1"),
    (infinite_weights, "b1"),
    (other_outputs, "output"),
    (other_inputs, "input"),
    (box("1", "-1"), "above HI"),
    (box("0,0,0,0,2", "1"), "LO 2 is above HI 1 at input 4"),
    (box("0,0", "1,1"), "5"),
    (box("0,0", "1,1,1"), "LO holds 2 numbers and HI 3"),
    (box("zero", "1"), "'zero'"),
    (box("0", "inf"), "finite"),
    (box("nan", "1"), "finite"),
    (box("0"), "--box"),
    (no_certificate, "missing.fsc"),
    (report_nowhere, "report.html"),
    (copy_nowhere, "missing"),
    (lambda _: ["inspect"], "MODEL"),
    (lambda _: ["nonsense"], "nonsense"),
    (lambda folder: ["inspect", folder / "a.onnx", "--nonsense"], "nonsense"),
    (lambda folder: ["randomize", perceptron(folder / "a.npz"), "-o", folder / "b.npz", "--seed", "x"], "seed"),
]


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
@pytest.mark.parametrize(("make", "said"), TABLE)
def test_one_clear_line(make: Callable[[Path], Arguments], said: str, as_json: bool, tmp_path: Path, run: Run):
    done = run(*make(tmp_path), *(["--json"] if as_json else []))
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("fiberscope: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert "bug" not in done.err


def test_an_unexpected_error_is_one_line_too(mlp: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    import fiberscope

    monkeypatch.delenv("FIBERSCOPE_TRACEBACK", raising=False)
    monkeypatch.setattr(fiberscope, "fingerprint", lambda net: 1 // 0, raising=False)
    done = run("fingerprint", mlp)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "ZeroDivisionError" in done.err
    assert "report" in done.err
    monkeypatch.setenv("FIBERSCOPE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("fingerprint", mlp)
