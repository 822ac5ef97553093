"""`enumerate`, `reduce`, `distance`: the JSON contract, files that verify, one line for what cannot be read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run, perceptron

import fiberscope as fs

ENUMERATE = {"count", "log10_count", "complete", "theorem", "units_before", "units_after", "written"}


def tanh(path: Path, widths: tuple[int, ...] = (2, 2, 3, 1), **changes: object) -> Path:
    return perceptron(path, widths, **{"activation": "tanh", **changes})


def clones(path: Path) -> Path:
    """A tanh network with a clone of opposite sign and an unread unit: weights are dyadic, so all is exact."""
    rng = np.random.default_rng(0)
    w1, b1 = rng.integers(-9, 10, (6, 3)) / 4.0, rng.integers(1, 9, 6) / 4.0
    w1[4], b1[4] = -w1[1], -b1[1]
    w2 = rng.integers(1, 9, (3, 6)) / 4.0
    w2[:, 5] = 0
    arrays = {"W1": w1, "b1": b1, "W2": w2, "b2": np.ones(3), "W3": rng.normal(size=(2, 3)), "b3": np.zeros(2)}
    np.savez(path, activation=np.array("tanh"), **arrays)
    return path


def test_enumerate_counts_and_writes(tmp_path: Path, run: Run):
    model = tanh(tmp_path / "net.npz")
    done = run("enumerate", model, "--json", "--limit", 4, "-o", tmp_path / "copies")
    assert done.status == 0, done.err
    report = done.json
    assert set(report) >= ENUMERATE
    assert (report["count"], report["complete"], report["units_before"], report["units_after"]) == ("384", True, 5, 5)
    assert report["log10_count"] == pytest.approx(math.log10(384))
    assert "Vlacic" in report["theorem"]
    assert len(report["written"]) == 4
    x = np.random.default_rng(1).normal(size=(9, 2))
    nets = [fs.load(path) for path in report["written"]]
    for net in nets:
        np.testing.assert_allclose(net.run_flat(x), fs.load(model).run_flat(x), atol=1e-6)
    assert len({net.sha256 for net in nets}) == 4


def test_enumerate_in_words(tmp_path: Path, run: Run):
    done = run("enumerate", tanh(tmp_path / "net.npz"))
    assert done.status == 0
    assert "5 hidden units" in done.out and "384" in done.out and "There are no others" in done.out
    done = run("enumerate", tanh(tmp_path / "gelu.npz", activation="gelu"))
    assert "There may be others: gelu" in done.out


def test_the_shipped_tanh_network(models: Path, run: Run):
    done = run("enumerate", models / "digits_tanh.onnx")
    count = math.factorial(24) * math.factorial(16) * 2**40
    assert str(count) in done.out and "a number of 50 digits" in done.out


def test_reduce_writes_a_certificate_that_verifies(tmp_path: Path, run: Run):
    model, out, proof = clones(tmp_path / "net.npz"), tmp_path / "small.npz", tmp_path / "proof.fsc"
    done = run("reduce", model, "-o", out, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    report = done.json
    assert (report["units_before"], report["units_after"], report["strength"]) == (9, 7, "exact")
    assert sorted(step["kind"] for step in report["steps"]) == ["merge", "unread"]
    assert report["steps"][0] == {"kind": "merge", "units": [[1, 4], [1, 1]]}
    assert report["max_relative_change"] < 1e-14
    assert run("verify", proof, model, out).status == 0
    assert run("verify", proof, out, model).status == 1
    assert run("reduce", out, "-o", tmp_path / "again.npz", "--json").json["steps"] == []
    words = run("reduce", model, "-o", out)
    assert "9 hidden units became 7" in words.out and "equal to another one up to sign" in words.out


def test_reduce_proves_folded_constants_too(tmp_path: Path, run: Run):
    """A constant tanh(1/2) folded into biases is rounded: the certificate states by how much weights must move."""
    rows = np.random.default_rng(0).normal(size=(4, 3))
    rows[1] = 0
    arrays = {"W1": rows, "b1": np.full(4, 0.5), "W2": np.random.default_rng(1).normal(size=(2, 4)), "b2": np.zeros(2)}
    model = tmp_path / "net.npz"
    np.savez(model, activation=np.array("tanh"), **arrays)
    out, proof = tmp_path / "small.npz", tmp_path / "proof.fsc"
    done = run("reduce", model, "-o", out, "--certificate", proof, "--json")
    assert done.status == 0 and done.json["certificate_reason"] is None
    assert done.json["strength"] == "rounding" and done.json["units_after"] == 3
    assert run("verify", proof, model, out).status == 0
    arrays["b2"] = np.full(2, 1e-9)
    np.savez(model, activation=np.array("tanh"), **arrays)
    assert run("verify", proof, model, out).status == 1


def test_distance(tmp_path: Path, run: Run):
    a, b = tanh(tmp_path / "a.npz", (3, 5, 2), seed=0), tanh(tmp_path / "b.npz", (3, 5, 2), seed=1)
    report = run("distance", a, b, "--json").json
    assert set(report) >= {"distance", "exact", "lower", "upper"}
    assert report["exact"] and report["distance"] == report["lower"] == report["upper"] > 0
    written = run("enumerate", a, "--json", "--limit", 9, "-o", tmp_path / "copies").json["written"]
    assert run("distance", a, written[-1], "--json").json["distance"] == 0
    assert run("distance", written[-1], b, "--json").json["distance"] == pytest.approx(report["distance"], rel=1e-12)
    assert "exact" in run("distance", a, b).out
    deep = [tanh(tmp_path / f"deep{k}.npz", (2, 3, 3, 1), seed=k) for k in range(2)]
    assert "between" in run("distance", *deep).out


def test_trouble_is_one_line(tmp_path: Path, run: Run, models: Path):
    a, b = tanh(tmp_path / "a.npz"), tanh(tmp_path / "b.npz", (2, 2, 2, 1))
    for arguments, said in (
        (("enumerate", models / "digits_conv.onnx"), "convolution"),
        (("reduce", models / "digits_conv.onnx", "-o", tmp_path / "c.onnx"), "convolution"),
        (("reduce", a, "-o", tmp_path / "c.txt"), "unknown ending"),
        (("reduce", a, "-o", tmp_path / "no" / "c.npz"), "cannot write"),
        (("enumerate", a, "-o", a), "cannot write"),
        (("distance", a, b), "reduce both networks first"),
        (("distance", a, tmp_path / "none.npz"), "no such file"),
    ):
        done = run(*arguments)
        assert done.status == 2, arguments
        assert done.err.count("\n") == 1 and said in done.err, done.err
        assert done.out == ""
