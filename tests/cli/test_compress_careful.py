"""`fiberscope compress` spoils nothing: no rounding for nothing, no half of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run, perceptron

from fiberscope.report.compression_page import compression_page


def test_units_that_are_linear_but_needed_are_not_rewritten(tmp_path: Path, run: Run):
    """One unit is proved to be active on the box, yet a single one is carried by nothing less than itself."""
    source, out, proof = perceptron(tmp_path / "a.npz", (3, 6, 2)), tmp_path / "b.npz", tmp_path / "c.fsc"
    done = run("compress", source, "-o", out, "--box", -1, 1, "--certificate", proof, "--json")
    assert done.json["methods"] == {"linear bounds": 1}
    assert (done.json["units_after"], done.json["parameters_after"]) == (6, 38)
    assert (done.json["error_bound"], done.json["proved"]) == (0.0, True)
    assert out.read_bytes() == source.read_bytes()
    assert run("verify", proof, source, out).status == 0
    words = run("compress", source, "-o", out, "--box", -1, 1).out
    assert "Nothing could be proved redundant" in words
    assert "The weights are exact." in words


def test_outputs_without_end(tmp_path: Path, run: Run):
    source = perceptron(tmp_path / "a.npz", (3, 6, 2))
    done = run("compress", source, "-o", tmp_path / "b.npz", "--box", 0, 1e308)
    assert done.status == 2
    assert "give a smaller one" in done.err
    assert not (tmp_path / "b.npz").exists()


def test_control_c(mlp: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fiberscope.equivalence.compression.on_box.stable_units", stopped)
    done = run("compress", mlp, "-o", tmp_path / "b.npz", "--box", 0, 1, "--certificate", tmp_path / "c.fsc", "--json")
    assert (done.status, done.out, done.err) == (130, "", "fiberscope: interrupted\n")
    assert list(tmp_path.iterdir()) == [mlp]


def test_inputs_with_the_same_bounds_share_a_row():
    lo, hi = [0.0] * 60 + [0.1, 0.0], [1.0] * 62
    result = {"units_before": 1, "units_after": 1, "parameters_before": 9, "parameters_after": 9, "seed": 0}
    result |= {"layers": [], "open_units": 0, "error_bound": 0.0, "output_scale": 1.0, "methods": {}, "seconds": 0.1}
    page = compression_page("a.onnx", result | {"domain": {"lo": lo, "hi": hi}, "proved": True})
    rows = [row.split("</tr>")[0] for row in page[page.index("from</th>") :].split("<tr>")[1:4]]
    cells = [[cell.split("</td>")[0].rpartition(">")[2] for cell in row.split("<td")[1:]] for row in rows]
    assert cells == [["0 to 59", "0", "1"], ["60", "0.1", "1"], ["61", "0", "1"]]
