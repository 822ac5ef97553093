"""`fiberscope compress`: what it writes and prints, exit statuses, and one clear line for what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.cli.conftest import Run

import fiberscope as fs

CONTRACT = {
    "units_before",
    "units_after",
    "parameters_before",
    "parameters_after",
    "layers",
    "open_units",
    "proved",
    "error_bound",
    "seconds",
    "methods",
}
LAYER = {"before", "after", "dead", "constant", "duplicate", "folded", "open"}
NO_LOSS = "Nothing is approximated"


def vnnlib(path: Path, count: int, *constraints: str, lo: float = -1.0, hi: float = 1.0) -> Path:
    lines = [f"(declare-const X_{i} Real)" for i in range(count)] + ["(declare-const Y_0 Real)"]
    for i in range(count):
        lines += [f"(assert (>= X_{i} {lo}))", f"(assert (<= X_{i} {hi}))"]
    path.write_text("\n".join([*lines, *constraints, "(assert (<= Y_0 0))"]))
    return path


def test_the_contract(mlp: Path, tmp_path: Path, run: Run):
    out, proof = tmp_path / "b.npz", tmp_path / "b.fsc"
    done = run("compress", mlp, "-o", out, "--box", -0.3, 0.4, "--certificate", proof, "--budget", 10, "--json")
    assert done.status == 0, done.err
    result = done.json
    assert set(result) >= CONTRACT
    assert all(set(layer) >= LAYER for layer in result["layers"])
    assert result["units_before"] == sum(layer["before"] for layer in result["layers"]) == 4
    assert result["units_after"] == sum(layer["after"] for layer in result["layers"])
    assert result["open_units"] == sum(layer["open"] for layer in result["layers"])
    assert result["proved"] is (result["open_units"] == 0)
    assert result["parameters_before"] == fs.load(mlp).parameters
    assert result["parameters_after"] == fs.load(out).parameters
    assert result["domain"] == {"lo": [-0.3] * 5, "hi": [0.4] * 5}
    assert (result["path"], result["certificate"]) == (str(out), str(proof))
    assert run("verify", proof, mlp, out).status == 0


def test_in_words(mlp: Path, tmp_path: Path, run: Run):
    done = run("compress", mlp, "-o", tmp_path / "b.npz", "--box", 0, 1)
    assert done.status == 0
    assert "hidden units" in done.out
    assert "the same function on the box asked" in done.out
    everywhere = run("compress", mlp, "-o", tmp_path / "b.npz")
    assert "4 -> 4 hidden units" in everywhere.out
    assert "The weights are exact." in everywhere.out


def test_the_help_says_that_nothing_is_lost(run: Run):
    done = run("compress", "--help")
    assert done.status == 0
    assert NO_LOSS in done.out
    words = " ".join(done.out.split())
    assert "no lossy mode" in words
    assert "never loses anything" in words
    assert "Example: fiberscope compress" in words


def test_the_page(mlp: Path, tmp_path: Path, run: Run):
    """One file without scripts, with the numbers that the command prints; names are escaped."""
    page, proof = tmp_path / "r.html", tmp_path / "b.fsc"
    source = tmp_path / "a <b>.npz"
    source.write_bytes(mlp.read_bytes())
    done = run("compress", source, "-o", tmp_path / "b.npz", "--box", -0.3, 0.4, "--certificate", proof, "--html", page)
    assert done.status == 0, done.err
    text = page.read_text(encoding="utf-8")
    assert "hidden units" in text
    assert "<svg" in text
    assert "<script" not in text
    assert "a &lt;b&gt;.npz" in text
    assert "<b>.npz" not in text
    assert "fiberscope verify" in text
    refused(run, ["compress", mlp, "-o", tmp_path / "c.npz", "--html", tmp_path / "missing" / "r.html"], "missing")
    everywhere = run("compress", mlp, "-o", tmp_path / "b.npz", "--html", page, "--json")
    assert everywhere.json["html"] == str(page)
    assert "Nothing could be proved redundant" in page.read_text(encoding="utf-8")


def test_nothing_to_remove_is_no_failure(mlp: Path, tmp_path: Path, run: Run):
    """Exit 0, the same bytes, and a certificate that says so."""
    out, proof = tmp_path / "b.npz", tmp_path / "b.fsc"
    done = run("compress", mlp, "-o", out, "--certificate", proof, "--json")
    assert done.status == 0
    assert done.json["units_after"] == done.json["units_before"] == 4
    assert done.json["error_bound"] == 0
    assert out.read_bytes() == mlp.read_bytes()
    assert run("verify", proof, mlp, out).status == 0


def test_a_box_far_from_the_data(mlp: Path, tmp_path: Path, run: Run):
    """Where every unit is linear there is an answer too."""
    out, proof = tmp_path / "b.npz", tmp_path / "b.fsc"
    done = run("compress", mlp, "-o", out, "--box", 1000, 1000.5, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    assert done.json["open_units"] == 0
    assert run("verify", proof, mlp, out).status == 0
    x = np.random.default_rng(0).uniform(1000, 1000.5, (200, 5))
    gap = np.abs(fs.load(mlp).run_flat(x) - fs.load(out).run_flat(x)).max()
    assert gap <= done.json["error_bound"] * (1 + 1e-9) + 1e-10


def test_vnnlib_and_box_say_the_same(mlp: Path, tmp_path: Path, run: Run):
    file = vnnlib(tmp_path / "p.vnnlib", 5, lo=-0.25, hi=0.5)
    one = run("compress", mlp, "-o", tmp_path / "b.npz", "--vnnlib", file, "--json").json
    two = run("compress", mlp, "-o", tmp_path / "c.npz", "--box", -0.25, 0.5, "--json").json
    assert one["domain"] == two["domain"]
    assert (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()


def test_a_polytope(mlp: Path, tmp_path: Path, run: Run):
    """More is linear on less; the certificate names the constraints and is checked on them."""
    file = vnnlib(tmp_path / "p.vnnlib", 5, "(assert (<= (+ X_0 X_1 X_2) -0.5))", "(assert (>= X_3 X_4))")
    out, proof = tmp_path / "b.npz", tmp_path / "b.fsc"
    done = run("compress", mlp, "-o", out, "--vnnlib", file, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    assert done.json["domain"]["G"] == [[2, 2, 2, 0, 0], [0, 0, 0, -1, 1]]
    assert done.json["domain"]["h"] == [-1, 0]
    assert run("verify", proof, mlp, out).status == 0
    whole = run("compress", mlp, "-o", tmp_path / "c.npz", "--vnnlib", vnnlib(tmp_path / "q.vnnlib", 5), "--json").json
    assert done.json["units_after"] <= whole["units_after"]
    assert "on the polytope asked" in run("compress", mlp, "-o", out, "--vnnlib", file).out


def onnx_model(path: Path, nodes: list, inputs: list[tuple[str, list]], out: list, **arrays: np.ndarray) -> Path:
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)]
    stored = [numpy_helper.from_array(v, n) for n, v in arrays.items()]
    graph = helper.make_graph(nodes, "g", given, made, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def unsupported(path: Path) -> Path:
    w = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Det", ["h"], ["y"])]
    return onnx_model(path, nodes, [("x", [3, 3])], [], w=w)


def two_inputs(path: Path) -> Path:
    w = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Relu", ["p"], ["r"]),
        helper.make_node("MatMul", ["z", "w"], ["q"]),
        helper.make_node("Mul", ["r", "q"], ["y"]),
    ]
    return onnx_model(path, nodes, [("x", ["N", 3]), ("z", ["N", 3])], ["N", 2], w=w)


BAD = {
    "empty box": (["--box", 1, -1], "is above HI"),
    "empty at one input": (["--box", "0,0,0,3,0", "1,1,1,2,1"], "at input 3"),
    "wrong length": (["--box", "0,0", "1,1"], "5"),
    "endless box": (["--box", "0", "inf"], "finite"),
    "no number": (["--box", "a", "1"], "expected a number"),
    "no time": (["--box", 0, 1, "--budget", 0], "budget"),
    "time that is no number": (["--box", 0, 1, "--budget", "nan"], "budget"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str, mlp: Path, tmp_path: Path, run: Run):
    arguments, words = BAD[name]
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", *arguments], words)
    assert not (tmp_path / "b.npz").exists()


def refused(run: Run, arguments: list, words: str) -> None:
    """Exit 2, one line on standard error that says why, nothing on standard output, with and without --json."""
    for more in ([], ["--json"]):
        done = run(*arguments, *more)
        assert (done.status, done.out) == (2, ""), done
        assert words in done.err
        assert "Traceback" not in done.err
        assert sum(line.startswith(("error", "Error")) for line in done.err.splitlines()) <= 1


def test_box_and_vnnlib_exclude_each_other(mlp: Path, tmp_path: Path, run: Run):
    file = vnnlib(tmp_path / "p.vnnlib", 5)
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", "--box", 0, 1, "--vnnlib", file], "one of them")


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (["(assert (>= X_2 3))"], "no input fits"),
        (["(assert (or (<= X_0 0) (>= X_0 0.5)))"], "only boxes"),
        (["(assert (or (and (<= X_0 0) (<= X_1 0)) (and (>= X_0 0.5) (>= X_1 0.5))))"], "only boxes"),
        (["(assert (<= (* X_0 X_1) 1))"], "only boxes"),
        (["(assert (<= (+ X_0 X_1 X_2) -9))"], "no input fits"),
        (["(assert (<= X_9 1))"], "X_9"),
    ],
    ids=["infeasible", "union", "union of boxes", "product", "empty", "no such input"],
)
def test_constraints_that_are_refused(constraints: list[str], words: str, mlp: Path, tmp_path: Path, run: Run):
    file = vnnlib(tmp_path / "p.vnnlib", 5, *constraints)
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", "--vnnlib", file], words)


def test_vnnlib_about_another_network(mlp: Path, tmp_path: Path, run: Run):
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", "--vnnlib", vnnlib(tmp_path / "p", 4)], "takes 5")
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", "--vnnlib", tmp_path / "missing"], "missing")


def test_an_op_that_nobody_knows(tmp_path: Path, run: Run):
    refused(run, ["compress", unsupported(tmp_path / "a.onnx"), "-o", tmp_path / "b.onnx", "--box", 0, 1], "Det")


def test_two_inputs(tmp_path: Path, run: Run):
    """Nothing to remove, or a plain refusal: never a crash or a changed model."""
    path = two_inputs(tmp_path / "a.onnx")
    done = run("compress", path, "-o", tmp_path / "b.onnx", "--json")
    assert done.status in (0, 2), done.err
    assert "Traceback" not in done.err
    if done.status == 0:
        assert done.json["units_after"] == done.json["units_before"]
        assert (tmp_path / "b.onnx").read_bytes() == path.read_bytes()


def test_nowhere_to_write(mlp: Path, tmp_path: Path, run: Run):
    refused(run, ["compress", mlp, "-o", tmp_path / "missing" / "b.npz"], "missing")
    more = ["--certificate", tmp_path / "missing" / "c.fsc"]
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", *more], "missing")


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({"-o": "b.onnx"}, "ends in .npz"),
        ({"-o": "b"}, "ends in .npz"),
        ({"-o": "net.npz"}, "the model that is read"),
        ({"-o": "folder.npz"}, "cannot write there"),
        ({"--certificate": "folder.npz"}, "cannot write there"),
        ({"--certificate": "net.npz"}, "a name of its own"),
        ({"--certificate": "b.npz"}, "a name of its own"),
        ({"--html": "missing/b.html"}, "missing"),
        ({"--html": "folder.npz"}, "cannot write there"),
        ({"--html": "b.npz"}, "a name of its own"),
        ({"-o": "link.npz"}, "the model that is read"),
    ],
)
def test_places_are_refused_before_the_work(
    places: dict[str, str], words: str, mlp: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is proved, nothing written, the model stays what it was."""
    monkeypatch.setattr("fiberscope.equivalence.compression.compress.chain_of", lambda _: pytest.fail("work began"))
    before = mlp.read_bytes()
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "link.npz").symlink_to(mlp)
    there = sorted(tmp_path.iterdir())
    arguments = [item for key, name in {"-o": "b.npz", **places}.items() for item in (key, tmp_path / name)]
    refused(run, ["compress", mlp, *arguments], words)
    assert sorted(tmp_path.iterdir()) == there
    assert mlp.read_bytes() == before


def test_a_proof_that_fails_leaves_nothing(mlp: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fiberscope.equivalence.compression.boxed.accepts", lambda *_: "not today")
    there = sorted(tmp_path.iterdir())
    more = ["--box", -0.1, 0.1, "--certificate", tmp_path / "c.fsc", "--html", tmp_path / "c.html"]
    refused(run, ["compress", mlp, "-o", tmp_path / "b.npz", *more], "not today")
    assert sorted(tmp_path.iterdir()) == there


# real networks


@pytest.mark.parametrize("name", ["digits_relu", "digits_tanh"])
def test_digits_over_the_pixel_box(name: str, models: Path, tmp_path: Path, run: Run):
    """Whatever is provable; what is written computes the same on [0, 1]^64."""
    source, out, proof = models / f"{name}.onnx", tmp_path / "b.onnx", tmp_path / "b.fsc"
    done = run("compress", source, "-o", out, "--box", 0, 1, "--budget", 20, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    same_on_pixels(source, out, done.json)
    assert run("verify", proof, source, out).status == 0


def same_on_pixels(source: Path, out: Path, result: dict) -> None:
    a, b = fs.load(source), fs.load(out)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random((500, a.n_in)), rng.integers(0, 2, (500, a.n_in)).astype(float)])
    before, after = a.run_flat(x), b.run_flat(x)
    assert np.abs(before - after).max() <= result["error_bound"] * (1 + 1e-9) + 1e-12 * np.abs(before).max()


def test_a_network_with_convolutions(models: Path, tmp_path: Path, run: Run):
    """The same keys; no bound and no certificate are said plainly."""
    source, out, proof = models / "digits_conv.onnx", tmp_path / "b.onnx", tmp_path / "b.fsc"
    done = run("compress", source, "-o", out, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    result = done.json
    assert set(result) >= CONTRACT
    assert (result["certificate"], result["error_bound"], result["proved"]) == (None, None, False)
    assert "rounds" in result["no_certificate"]
    assert not proof.exists()
    words = run("compress", source, "-o", out)
    assert "No certificate: " in words.out
    x = np.random.default_rng(0).random((50, fs.load(source).n_in))
    np.testing.assert_allclose(fs.load(out).run_flat(x), fs.load(source).run_flat(x), rtol=0, atol=1e-4)


def from_nnet(source: Path, target: Path) -> Path:
    """The .nnet text format: a header, then every layer's rows and biases (Julian et al., NNet)."""
    lines = [line for line in source.read_text().splitlines() if not line.startswith("//")]
    numbers = [[float(v) for v in line.strip().strip(",").split(",")] for line in lines]
    depth, widths = int(numbers[0][0]), [int(v) for v in numbers[1]]
    rows = numbers[7:]
    arrays: dict[str, Any] = {"activation": np.array("relu")}
    for l in range(1, depth + 1):
        n = widths[l]
        arrays[f"W{l}"] = np.array(rows[:n], dtype=np.float32)
        arrays[f"b{l}"] = np.array(rows[n : 2 * n], dtype=np.float32)[:, 0]
        rows = rows[2 * n :]
    np.savez(target, **arrays)
    return target


@pytest.mark.parametrize("name", ["mnist_relu_3_100", "mnist_relu_3_100_pruned"])
def test_mnist_over_the_pixel_box(name: str, data: Path, tmp_path: Path, run: Run):
    if not (data / "mnist_relu" / f"{name}.nnet").is_file():
        pytest.skip(f"no {name}.nnet in {data}")
    source = from_nnet(data / "mnist_relu" / f"{name}.nnet", tmp_path / "a.npz")
    out, proof = tmp_path / "b.npz", tmp_path / "b.fsc"
    done = run("compress", source, "-o", out, "--box", 0, 1, "--budget", 20, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    assert done.json["units_before"] == sum(layer["before"] for layer in done.json["layers"])
    same_on_pixels(source, out, done.json)
    assert run("verify", proof, source, out).status == 0
