"""`fiberscope activation`: the contract, the page for a reader, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run

KEYS = {"name", "group", "one_unit", "symmetries", "reflection", "dictionary", "complete", "source"}


def test_the_contract(run: Run):
    done = run("activation", "relu", "--json")
    assert done.status == 0
    out = done.json
    assert set(out) >= KEYS
    assert out["name"] == "relu" and out["group"] == {"mixing": "permutation", "scaling": "positive"}
    assert out["reflection"] == 1 and out["complete"] is True
    (law,) = out["one_unit"]
    assert {k: law[k] for k in ("beta", "gamma", "lambda", "mu")} == {"beta": "b>0", "gamma": 0, "lambda": "b", "mu": 0}
    assert all(set(s) >= {"terms", "constant", "linear", "proved"} for s in out["symmetries"])
    assert {"terms": [[1, 1, 0], [-1, -1, 0]], "constant": 0, "linear": 1, "proved": True}.items() <= (
        out["symmetries"][-1].items()
    )
    assert out["dictionary"]["beta"] and out["dictionary"]["gamma"]


def test_an_expression(run: Run):
    out = run("activation", "--expression", "x*sigmoid(x)", "--json").json
    assert out["same_as"] == "silu" and out["reflection"] == 1


def test_a_gated_unit(run: Run):
    out = run("activation", "reglu", "--json").json
    assert set(out) >= KEYS
    assert [(row["beta"], row["gate"], row["lambda"]) for row in out["one_unit"]] == [
        ("b!=0", "1", "b"),
        ("1", "b>0", "b"),
    ]
    assert "trade places" in run("activation", "bilinear").out


def test_the_list(run: Run):
    out = run("activation", "--list", "--json").json
    assert {"tanh", "gelu", "mish"} <= set(out["activations"]) and {"max", "erf"} <= set(out["functions"])
    assert "swiglu" in out["gated"]
    page = run("activation", "--list").out
    assert "leaky_relu" in page and "natural logarithm" in page


def test_the_page_and_the_picture(run: Run, tmp_path: Path):
    picture = tmp_path / "identity.svg"
    done = run("activation", "gelu", "--plot", picture)
    assert done.status == 0
    assert "rho(t) - rho(-t) = t" in done.out and "Complete: yes" in done.out
    assert picture.read_text().count("<path") > 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "unknown activation"),
        ([], "--list"),
        (["relu", "--expression", "x"], "either"),
        (["--expression", "__import__('os')"], "not allowed"),
        (["--expression", "x.__class__"], "not allowed"),
        (["--expression", "x**999"], "too large"),
        (["--expression", "log(x)"], "not finite"),
        (["relu", "--plot", "picture.gif"], ".svg"),
        (["mish", "--plot", "picture.svg"], "no identity"),
        (["glu", "--plot", "picture.svg"], "two numbers"),
    ],
)
def test_refusals_on_one_line(
    run: Run, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    done = run("activation", *arguments)
    assert done.status == 2 and said in done.err and done.err.count("\n") == 1 and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())
