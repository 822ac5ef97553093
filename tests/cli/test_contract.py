"""The JSON contract, the exit status of every answer, and clean streams."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Done, Run, perceptron

INSPECT = {"model", "spaces", "symmetry", "redundant", "self_check", "fingerprint", "seed"}
MODEL = {"path", "format", "sha256", "parameters", "inputs", "outputs"}
SPACE = {"id", "size", "mixing", "scaling", "activation", "weights", "frozen_by", "copies", "within"}
SYMMETRY = {
    "continuous_dimension",
    "axis_dimension",
    "translation_dimension",
    "invisible_dimension",
    "log10_discrete_order",
}
COMPARE = {
    "verdict",
    "strength",
    "method",
    "domain",
    "backward_error_ulp",
    "error_bound",
    "witness",
    "tried",
    "certificate",
}


def good(done: Done, status: int = 0) -> Done:
    assert done.status == status, done.err
    assert "Traceback" not in done.err
    return done


def test_inspect(mlp: Path, run: Run):
    report = good(run("inspect", mlp, "--json", "--seed", 3)).json
    assert set(report) >= INSPECT
    assert set(report["model"]) >= MODEL
    assert set(report["symmetry"]) >= SYMMETRY
    assert all(set(space) >= SPACE for space in report["spaces"])
    assert report["model"]["path"] == str(mlp)
    assert report["model"]["sha256"] == hashlib.sha256(mlp.read_bytes()).hexdigest()
    assert report["model"]["parameters"] == 4 * 5 + 4 + 3 * 4 + 3
    assert report["symmetry"]["continuous_dimension"] == 4
    assert report["symmetry"]["log10_discrete_order"] == pytest.approx(np.log10(24))
    assert [(s["size"], s["mixing"], s["scaling"]) for s in report["spaces"]] == [(4, "permutation", "positive")]
    assert {(w["name"], w["axis"]) for w in report["spaces"][0]["weights"]} == {("W1", 0), ("b1", 0), ("W2", 1)}
    assert set(report["redundant"]) >= {"dead", "constant", "duplicate"}
    assert report["self_check"]["elements"] > 0
    assert report["self_check"]["max_relative_change"] < 1e-10
    assert report["seed"] == 3


def test_inspect_in_words_and_as_a_page(mlp: Path, run: Run, tmp_path: Path):
    page = tmp_path / "report.html"
    done = good(run("inspect", mlp, "--html", page))
    for said in (
        "4 independent directions",
        "up to 24 different settings",
        "reorder units",
        "Self-check",
        "Fingerprint: fs1:",
    ):
        assert said in done.out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_dead_units_are_listed(tmp_path: Path, run: Run):
    rows = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    rows[2] = 0
    bias = np.array([1, -1, 0, 2], np.float32)
    report = good(run("inspect", perceptron(tmp_path / "dead.npz", W1=rows, b1=bias), "--json")).json
    space = report["spaces"][0]["id"]
    assert [space, 2] in report["redundant"]["dead"] + report["redundant"]["constant"]


def test_compare_equal_then_verify(mlp: Path, run: Run, tmp_path: Path):
    twin, proof = tmp_path / "twin.npz", tmp_path / "proof.fsc"
    good(run("randomize", mlp, "-o", twin, "--seed", 5))
    verdict = good(run("compare", mlp, twin, "--certificate", proof, "--json")).json
    assert set(verdict) >= COMPARE
    assert verdict["verdict"] == "equal"
    assert verdict["strength"] in {"exact", "rounding"}
    assert verdict["domain"] == "all"
    assert verdict["witness"] is None
    assert verdict["certificate"] == str(proof)
    report = good(run("verify", proof, mlp, twin, "--json")).json
    assert report["valid"] is True
    assert report["checked"]
    assert report["reason"] is None
    assert "Valid" in good(run("verify", proof, mlp, twin)).out


def test_a_certificate_for_other_models_is_not_valid(mlp: Path, run: Run, tmp_path: Path):
    proof = tmp_path / "proof.fsc"
    good(run("compare", mlp, mlp, "--certificate", proof))
    other = perceptron(tmp_path / "other.npz", seed=9)
    report = good(run("verify", proof, mlp, other, "--json"), 1).json
    assert report["valid"] is False
    assert report["reason"]


def test_compare_different(mlp: Path, run: Run, tmp_path: Path):
    other = perceptron(tmp_path / "other.npz", seed=1)
    verdict = good(run("compare", mlp, other, "--json"), 1).json
    assert verdict["verdict"] == "different"
    assert verdict["strength"] is None
    assert set(verdict["witness"]) >= {"input", "a", "b", "gap"}
    assert len(verdict["witness"]["input"]) == 5
    assert verdict["witness"]["gap"] > 0
    gap = max(abs(a - b) for a, b in zip(verdict["witness"]["a"], verdict["witness"]["b"], strict=True))
    assert gap == pytest.approx(verdict["witness"]["gap"], rel=1e-6)
    assert "Different" in good(run("compare", mlp, other), 1).out


def test_exact_refuses_rounding(mlp: Path, run: Run, tmp_path: Path):
    """A copy whose weights were rounded is equal by rounding; asked for exactness, the answer is never 'equal'."""
    twin = tmp_path / "twin.npz"
    good(run("randomize", mlp, "-o", twin))
    loose = good(run("compare", mlp, twin, "--json")).json
    strict = run("compare", mlp, twin, "--exact", "--json")
    assert (strict.status == 0) == (loose["strength"] == "exact")
    assert strict.status in {0, 1, 3}


def test_fingerprint(mlp: Path, run: Run, tmp_path: Path):
    result = good(run("fingerprint", mlp, "--json")).json
    assert result["fingerprint"].startswith("fs1:")
    assert all(isinstance(number, float) for number in result["sketch"])
    assert good(run("fingerprint", mlp)).out.strip() == result["fingerprint"]
    with np.load(mlp) as arrays:
        order = [2, 0, 3, 1]
        changed = {"W1": arrays["W1"][order] * 2, "b1": arrays["b1"][order] * 2, "W2": arrays["W2"][:, order] / 2}
        twin = perceptron(tmp_path / "twin.npz", **changed)
    assert good(run("fingerprint", twin, "--json")).json["fingerprint"] == result["fingerprint"]


@pytest.mark.parametrize("verb", ["randomize", "canonicalize"])
def test_rewriting(verb: str, mlp: Path, run: Run, tmp_path: Path):
    out = tmp_path / "out.npz"
    result = good(run(verb, mlp, "-o", out, "--json", *(["--seed", 1] if verb == "randomize" else []))).json
    assert result["sha256_in"] == hashlib.sha256(mlp.read_bytes()).hexdigest()
    assert result["sha256_out"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert result["max_relative_change"] < 1e-5
    with np.load(mlp) as before, np.load(out) as after:
        assert not np.array_equal(before["W1"], after["W1"])


def test_doctor(run: Run):
    report = good(run("doctor", "--json")).json
    assert report["healthy"] is True
    assert report["cores"] >= 1
    assert report["packages"]["torch"]


def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    result = good(run("demo", "--json")).json
    assert result["as_expected"] is True
    assert Path(result["page"]) == tmp_path / "fiberscope-demo.html"
    assert (tmp_path / "fiberscope-demo.html").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["fiberscope-demo.html"]
