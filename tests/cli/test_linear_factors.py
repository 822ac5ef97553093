"""`fiberscope linear inspect`, `moves`, `move`, `path`, `critical`: the contract, round trips, and honest refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cli.conftest import Run, perceptron
from tests.cli.linear_files import EXAMPLE, point, product, ranks, read, write
from torch import nn

from fiberscope.linear.barcode import Barcode, least_barcode

INSPECT = {
    "widths",
    "rank",
    "barcode",
    "ranks",
    "dimension",
    "rank_differential",
    "singular",
    "local_dimension",
    "one_matrix_moves",
    "two_matrix_moves",
    "normal_dimension",
    "inner_orbit_dimension",
    "backward_error",
    "gap",
}
INTEGERS = ("dimension", "rank_differential", "local_dimension", "one_matrix_moves", "two_matrix_moves")


def test_inspect_names_the_planted_stratum(tmp_path: Path, run: Run):
    file = point(tmp_path / "f.npz")
    result = run("linear", "inspect", file, "--json").json
    assert set(result) >= INSPECT
    assert (result["widths"], result["rank"], result["barcode"]) == ([5, 4, 6, 4], 2, EXAMPLE.to_json())
    assert {(k, i): r for k, i, r in result["ranks"]} == ranks(read(file)) == EXAMPLE.ranks
    assert all(isinstance(result[key], int) for key in INTEGERS)
    assert result["one_matrix_moves"] + result["two_matrix_moves"] == result["dimension"]
    assert result["normal_dimension"] + result["dimension"] == 5 * 4 + 4 * 6 + 6 * 4
    assert 0 <= result["backward_error"] < 1e-12
    assert result["gap"] is None or result["gap"] > 1e6
    assert result["singular"] is True


def test_half_and_single_precision_keep_their_ranks(tmp_path: Path, run: Run):
    """Rounding to the stored type perturbs zeros; the tolerance follows the type in the file."""
    for kind, digits in ((np.float32, 1e-6), (np.float16, 1e-2)):
        file = write(tmp_path / "f.npz", [w.astype(kind) for w in read(point(tmp_path / "p.npz"))])
        result = run("linear", "inspect", file, "--json").json
        assert result["barcode"] == EXAMPLE.to_json()
        assert 0 < result["backward_error"] < 10 * digits


def test_inspect_exactly(tmp_path: Path, run: Run):
    """Integers in, exact ranks out; a float that is nearly singular is not singular."""
    integers = write(tmp_path / "i.npz", [np.array([[1, 2], [2, 4], [0, 0]]), np.array([[1, 0, 5]])])
    result = run("linear", "inspect", integers, "--exact", "--json").json
    assert (result["rank"], result["backward_error"], result["gap"]) == (1, 0, None)
    nearly = write(tmp_path / "n.npz", [np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-50]])])
    assert run("linear", "inspect", nearly, "--exact", "--json").json["rank"] == 2
    assert run("linear", "inspect", nearly, "--json").json["rank"] == 1
    assert run("linear", "inspect", nearly, "--tol", 1e-17, "--json").json["rank"] == 2
    assert run("linear", "inspect", nearly, "--exact", "--tol", 0.1).status == 2


def test_tol_is_one_scale_for_all_layers(tmp_path: Path, run: Run):
    """A layer of size 1e-8 beside one of size 1 counts as zero at 1e-6, and as full at 1e-10."""
    file = write(tmp_path / "f.npz", [np.eye(3), 1e-8 * np.eye(3)])
    coarse = run("linear", "inspect", file, "--tol", 1e-6, "--json").json
    assert coarse["rank"] == 0
    assert coarse["backward_error"] == pytest.approx(1e-8 * np.sqrt(3))
    assert run("linear", "inspect", file, "--tol", 1e-10, "--json").json["rank"] == 3


def test_inspect_in_words(tmp_path: Path, run: Run):
    text = run("linear", "inspect", point(tmp_path / "f.npz")).out
    for said in (
        "5 → 4 → 6 → 4",
        "product of rank 2",
        "[0,3]",
        "carries W",
        "stratum has dimension",
        "(Frobenius norm)",
    ):
        assert said in text


@pytest.mark.parametrize("activation", [None, "identity"])
def test_models_are_factors_too(activation: str | None, tmp_path: Path, run: Run):
    """An .npz with or without the word identity and with zero biases."""
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(2, 4)), rng.normal(size=(3, 2))]
    more = {} if activation is None else {"activation": activation}
    plain = write(tmp_path / "plain.npz", matrices, b1=np.zeros(2), **more)
    assert run("linear", "inspect", plain, "--json").json["barcode"] == [[0, 0, 2], [0, 2, 2], [2, 2, 1]]


def test_a_linear_pt2_is_factors_too(tmp_path: Path, run: Run):
    module = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 3, bias=False)).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 4),)), tmp_path / "model.pt2")
    result = run("linear", "inspect", tmp_path / "model.pt2", "--json").json
    assert (result["widths"], result["rank"]) == ([4, 2, 3], 2)


def test_one_chain_of_a_model_with_activations(tmp_path: Path, run: Run):
    module = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 5, bias=False), nn.ReLU(), nn.Linear(5, 3)).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 4),)), tmp_path / "model.pt2")
    (found,) = run("linear", "chains", tmp_path / "model.pt2", "--json").json["chains"]
    assert found["widths"] == [4, 2, 5]
    chain = found["id"]
    assert f"--chain {chain}" in run("linear", "chains", tmp_path / "model.pt2").out
    done = run("linear", "inspect", tmp_path / "model.pt2")
    assert done.status == 2
    assert chain in done.err
    done = run("linear", "inspect", tmp_path / "model.pt2", "--chain", "nonsense")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "'nonsense'" in done.err
    result = run("linear", "inspect", tmp_path / "model.pt2", "--chain", chain, "--json").json
    assert (result["widths"], result["rank"]) == ([4, 2, 5], 2)


def test_moves_and_every_move_taken(tmp_path: Path, run: Run):
    """What `moves` lists is what `move` does, read back by `inspect` and by singular values."""
    file = point(tmp_path / "f.npz")
    here = run("linear", "inspect", file, "--json").json
    listed = run("linear", "moves", file, "--json").json["moves"]
    assert [m["id"] for m in listed] == list(range(len(listed)))
    assert {m["kind"] for m in listed} == {"connect", "exchange"}
    before, w = read(file), product(read(file))
    for move in listed:
        assert set(move) >= {"id", "kind", "from", "to", "dimension_gain", "cover"}
        (i, k), (i2, k2) = move["from"]
        assert move["to"] == ([[i, k2]] if move["kind"] == "connect" else [[i, k2], [i2, k]])
        out = tmp_path / "moved.npz"
        taken = run("linear", "move", file, "--move", move["id"], "--epsilon", 0.125, "-o", out, "--json").json
        after = read(out)
        assert taken["product_change"] < 1e-14
        assert np.linalg.norm(product(after) - w) < 1e-12
        steps = [np.linalg.norm(a - b) for a, b in zip(after, before, strict=True)]
        assert sum(step > 0 for step in steps) == 1
        assert max(steps) == pytest.approx(0.125)
        there = run("linear", "inspect", out, "--json").json
        assert there["barcode"] == taken["barcode"] == taken["barcode_seen"]
        assert there["dimension"] == here["dimension"] + move["dimension_gain"]
        assert ranks(after) == {(k, i): r for k, i, r in there["ranks"]}


def test_a_component_has_no_moves(tmp_path: Path, run: Run):
    file = point(tmp_path / "f.npz", Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 2): 1}))
    assert run("linear", "moves", file, "--json").json["moves"] == []
    assert "component" in run("linear", "moves", file).out
    done = run("linear", "move", file, "--move", 0, "--epsilon", 1, "-o", tmp_path / "o.npz")
    assert done.status == 2
    assert "component" in done.err


def test_a_step_below_the_tolerance_is_said(tmp_path: Path, run: Run):
    file = point(tmp_path / "f.npz")
    done = run("linear", "move", file, "--move", 0, "--epsilon", 1e-14, "-o", tmp_path / "o.npz")
    assert done.status == 0
    assert "--tol" in done.out
    done = run("linear", "move", file, "--move", 0, "--epsilon", 1e-30, "-o", tmp_path / "p.npz")
    assert done.status == 2
    assert "rounding" in done.err
    assert not (tmp_path / "p.npz").exists()


def test_path_between_two_points(tmp_path: Path, run: Run):
    a = point(tmp_path / "a.npz", seed=1)
    b = point(tmp_path / "b.npz", least_barcode((5, 4, 6, 4), 2), seed=2, product=product(read(a)))
    out = tmp_path / "path.npz"
    result = run("linear", "path", a, b, "--steps", 7, "-o", out, "--json").json
    assert result["connected"] is True
    assert result["obstruction"] == []
    assert result["max_product_drift"] < 1e-12
    with np.load(out) as arrays:
        assert sorted(arrays.files) == ["W1", "W2", "W3"]
        points = [arrays[f"W{n}"] for n in (1, 2, 3)]
    assert [p.shape for p in points] == [(7, 4, 5), (7, 6, 4), (7, 4, 6)]
    for n, (first, last) in enumerate(zip(read(a), read(b), strict=True)):
        assert (points[n][0] == first).all()
        assert (points[n][-1] == last).all()
    w = product(read(a))
    scale = np.prod([np.linalg.norm(f) for f in read(a)])
    assert max(np.linalg.norm(product([p[t] for p in points]) - w) for t in range(7)) < 1e-12 * scale


def test_no_path_is_status_one(tmp_path: Path, run: Run):
    a = write(tmp_path / "a.npz", [[[1.0, 0.0]], [[2.0], [0.0]]])
    b = write(tmp_path / "b.npz", [[[-1.0, 0.0]], [[-2.0], [0.0]]])
    done = run("linear", "path", a, b, "--steps", 5, "-o", tmp_path / "o.npz", "--json")
    assert done.status == 1
    assert (done.json["connected"], done.json["obstruction"]) == (False, [1])
    assert not (tmp_path / "o.npz").exists()
    done = run("linear", "path", a, b)
    assert done.status == 1
    assert "hidden layer 1" in done.out


def test_critical_points(tmp_path: Path, run: Run):
    target = tmp_path / "T.npz"
    np.savez(target, T=np.diag([3.0, 2.0, 1.0]))
    two = write(tmp_path / "two.npz", [np.zeros((3, 3)), np.zeros((3, 3))])
    out = tmp_path / "escape.npz"
    result = run("linear", "critical", two, "--target", target, "-o", out, "--json").json
    assert (result["critical"], result["kind"], result["saddle"]) == (True, "spurious", "strict")
    assert result["gradient_norm"] == 0
    step = read(out)
    loss = lambda factors: 0.5 * np.linalg.norm(product(factors) - np.diag([3.0, 2.0, 1.0])) ** 2  # noqa: E731
    assert loss(step) < loss(read(two)) == result["loss"]
    three = write(tmp_path / "three.npz", [np.zeros((3, 3))] * 3)
    assert run("linear", "critical", three, "--target", target, "--json").json["saddle"] == "non-strict"
    minimum = write(tmp_path / "min.npz", [np.diag([3.0, 2.0, 1.0]), np.eye(3)])
    result = run("linear", "critical", minimum, "--target", target, "-o", tmp_path / "none.npz", "--json").json
    assert (result["critical"], result["kind"], result["saddle"], result["path"]) == (True, "pure", "none", None)
    assert not (tmp_path / "none.npz").exists()
    elsewhere = write(tmp_path / "else.npz", [np.eye(3), np.eye(3)])
    result = run("linear", "critical", elsewhere, "--target", target, "--json").json
    assert (result["critical"], result["kind"], result["saddle"]) == (False, None, "none")
    assert result["gradient_norm"] > 1
    for file, said in ((two, "strict saddle"), (minimum, "global minimum"), (elsewhere, "Not a critical point")):
        assert said in run("linear", "critical", file, "--target", target).out


def test_what_floats_cannot_tell_is_status_three(tmp_path: Path, run: Run):
    """The product is the target up to a few 1e-9 of its size: a minimum, or the foot of one? Exactly: not critical."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]
    factors = write(tmp_path / "f.npz", [turn.T @ np.diag([1.0, 0.0]) @ turn] * 2)
    target = bad_target(tmp_path, T=product(read(factors)) + turn.T @ np.diag([0.0, 6e-9]) @ turn)
    done = run("linear", "critical", factors, "--target", target, "--json")
    assert done.status == 3
    assert (done.json["critical"], done.json["saddle"]) == (True, None)
    assert done.json["undecided"]
    assert "Undecided" in run("linear", "critical", factors, "--target", target).out
    assert run("linear", "critical", factors, "--target", target, "--exact", "--json").status == 0


Arrays = dict[str, Any]
GOOD: Arrays = {"W1": np.ones((3, 2)), "W2": np.ones((4, 3))}
TROUBLE: dict[str, tuple[Arrays, tuple[str, ...]]] = {
    "do not chain": ({"W1": np.ones((3, 2)), "W2": np.ones((4, 5))}, ("W2", "4x5", "3x2")),
    "nan": ({**GOOD, "W2": np.full((4, 3), np.nan)}, ("W2", "NaN")),
    "infinity": ({**GOOD, "W1": np.full((3, 2), np.inf)}, ("W1",)),
    "empty file": ({}, ("W1",)),
    "empty matrix": ({"W1": np.ones((0, 2)), "W2": np.ones((4, 0))}, ("W1", "0x2")),
    "missing middle": ({"W1": np.ones((3, 2)), "W3": np.ones((4, 3))}, ("W2",)),
    "only biases": ({"b1": np.zeros(3)}, ("W1",)),
    "bias": ({**GOOD, "b1": np.ones(3)}, ("b1", "not zero")),
    "bias of no layer": ({**GOOD, "b5": np.zeros(3)}, ("b5",)),
    "activation": ({**GOOD, "activation": "relu"}, ("'relu'", "identity")),
    "activation is no text": ({**GOOD, "activation": np.zeros(2)}, ("activation",)),
    "stranger": ({**GOOD, "V1": np.ones((2, 2))}, ("'V1'",)),
    "vector": ({"W1": np.ones(3)}, ("W1", "(3,)")),
    "a path": ({"W1": np.ones((5, 3, 2))}, ("W1", "5 matrices")),
    "complex": ({"W1": np.ones((3, 2), complex)}, ("W1", "complex")),
    "text": ({"W1": np.array([["a"]])}, ("W1",)),
    "objects": ({"W1": np.array([[{}]], dtype=object)}, ("W1",)),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_malformed_factors_are_one_clear_line(name: str, tmp_path: Path, run: Run):
    arrays, said = TROUBLE[name]
    file = tmp_path / "factors.npz"
    np.savez(file, **arrays)
    for arguments in (["inspect", file], ["inspect", file, "--json", "--exact"], ["moves", file], ["path", file, file]):
        done = run("linear", *arguments)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert all(word in done.err for word in (*said, "factors.npz")), done.err
        assert "bug" not in done.err


def bad_target(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "T.npz", **arrays)
    return folder / "T.npz"


CASES: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "missing": (lambda f: ["inspect", f / "no.npz"], "no such file"),
    "damaged": (lambda f: ["inspect", _text(f / "bad.npz")], "bad.npz"),
    "relu model": (lambda f: ["inspect", perceptron(f / "net.npz")], "'relu'"),
    "tol": (lambda f: ["inspect", point(f / "a.npz"), "--tol", "-1"], "tol"),
    "tol nan": (lambda f: ["inspect", point(f / "a.npz"), "--tol", "nan"], "tol"),
    "plot": (lambda f: ["inspect", point(f / "a.npz"), "--plot", f / "a.gif"], ".svg"),
    "no move": (lambda f: ["move", point(f / "a.npz"), "--move", 99, "--epsilon", 1, "-o", f / "o.npz"], "99"),
    "epsilon": (lambda f: ["move", point(f / "a.npz"), "--move", 0, "--epsilon", 0, "-o", f / "o.npz"], "epsilon"),
    "epsilon nan": (lambda f: ["move", point(f / "a.npz"), "--move", 0, "--epsilon", "nan", "-o", f / "o.npz"], "nan"),
    "out": (lambda f: ["move", point(f / "a.npz"), "--move", 0, "--epsilon", 1, "-o", f / "o.txt"], ".npz"),
    "out nowhere": (lambda f: ["path", point(f / "a.npz"), point(f / "b.npz"), "-o", f / "no" / "o.npz"], "no"),
    "other product": (lambda f: ["path", point(f / "a.npz"), point(f / "b.npz", seed=1)], "products"),
    "other shapes": (
        lambda f: ["path", point(f / "a.npz"), point(f / "b.npz", least_barcode((5, 3, 6, 4), 2))],
        "expected the same",
    ),
    "one step": (lambda f: ["path", point(f / "a.npz"), point(f / "b.npz"), "--steps", 1], "steps"),
    "no target": (lambda f: ["critical", point(f / "a.npz")], "--target"),
    "target name": (lambda f: ["critical", point(f / "a.npz"), "--target", bad_target(f, X=np.ones((4, 5)))], "T"),
    "target shape": (
        lambda f: ["critical", point(f / "a.npz"), "--target", bad_target(f, T=np.ones((5, 4)))],
        "(4, 5)",
    ),
    "target nan": (
        lambda f: ["critical", point(f / "a.npz"), "--target", bad_target(f, T=np.full((4, 5), np.nan))],
        "NaN",
    ),
}


def _text(path: Path) -> Path:
    path.write_text("no archive")
    return path


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_one_clear_line(name: str, as_json: bool, tmp_path: Path, run: Run):
    make, said = CASES[name]
    done = run("linear", *make(tmp_path), *(["--json"] if as_json else []))
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert said in done.err
    assert "bug" not in done.err
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_plots(suffix: str, tmp_path: Path, run: Run):
    file = point(tmp_path / "f.npz")
    for name, arguments in {
        "inspect": [],
        "moves": [],
        "move": ["--move", 0, "--epsilon", 0.1, "-o", tmp_path / "o.npz"],
    }.items():
        path = tmp_path / f"{name}{suffix}"
        assert run("linear", name, file, *arguments, "--plot", path).status == 0
        text = path.read_text()
        assert "a₃₁₀" in text
        assert "carries W from the input to the output" in text
        assert ("ε" in text) == (name == "move" or (name, suffix) == ("moves", ".html"))
        assert "<script" not in text
    page = tmp_path / "moves.html"
    if suffix == ".html":
        count = len(run("linear", "moves", file, "--json").json["moves"])
        assert all(f"<h2>Move {number}</h2>" in page.read_text() for number in range(count))


def test_what_is_written_is_a_network_for_every_command(tmp_path: Path, run: Run):
    """The moved factors, compared as a linear network with those before: the same function."""
    file = point(tmp_path / "f.npz")
    same = write(tmp_path / "same.npz", read(file), activation="identity")
    out = tmp_path / "moved.npz"
    assert run("linear", "move", file, "--move", 1, "--epsilon", 0.5, "-o", out).status == 0
    with np.load(out) as arrays:
        assert str(arrays["activation"]) == "identity"
    done = run("compare", same, out, "--box", "-1", "1", "--tol", "1e-9", "--json")
    assert done.status == 0
    assert done.json["verdict"] == "equal"


HELP = ["count", "strata", "inspect", "chains", "moves", "move", "path", "critical"]


@pytest.mark.parametrize("name", HELP)
def test_help_has_prose_and_an_example(name: str, run: Run):
    done = run("linear", name, "--help")
    text = " ".join(done.out.split())
    assert done.status == 0
    assert f"Example: fiberscope linear {name}" in text
    assert "--json" in text


def test_the_group_says_what_it_is(run: Run):
    text = " ".join(run("linear", "--help").out.split())
    assert all(name in text for name in HELP)
    assert "[i,k]" in text
    assert "Linear networks" in run("--help").out
