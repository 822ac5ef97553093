"""`fiberscope shallow`: the contract of every command, the examples of the literature, and what they leave out."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from itertools import chain, combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.integrate import quad
from tests.cli.conftest import Run, perceptron
from tests.cli.shallow_files import form_value, net, points, random_net, value, write

from fiberscope.cli.shallow.vary import joined, named
from fiberscope.errors import InputError
from fiberscope.shallow import examples
from fiberscope.shallow.model import ShallowModel

NORMAL_FORM = {"inputs", "outputs", "folds", "folds_total", "linear", "constant", "gap"}
MINIMIZE = {"units", "folds", "minimal_units", "lower", "upper", "proved"}
FIBER = {"cells", "by_dimension", "dimension", "components", "components_mod_permutations", "truncated"}


# -- normal-form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_exact_normal_form_is_the_function(seed: int, tmp_path: Path, run: Run):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    model = random_net(rng, n, int(rng.integers(1, 9)), k, whole=bool(seed % 2))
    result = run("shallow", "normal-form", write(tmp_path / "m.npz", model), "--exact", "--json").json
    assert set(result) >= NORMAL_FORM
    assert (result["inputs"], result["outputs"], result["folds_total"]) == (n, k, len(result["folds"]))
    assert (np.shape(result["linear"]), np.shape(result["constant"])) == ((k, n), (k,))
    assert result["gap"] is None
    for fold in result["folds"]:
        first = next(u for u in fold["normal"] if Fraction(u) != 0)
        assert first == "1" and len(fold["kink"]) == k and any(Fraction(v) != 0 for v in fold["kink"])
        assert all(isinstance(v, str) for v in (*fold["normal"], fold["offset"], *fold["kink"]))
    assert len({(*fold["normal"], fold["offset"]) for fold in result["folds"]}) == len(result["folds"])
    assert all(form_value(result, x) == value(model, x) for x in points(rng, n))


@pytest.mark.parametrize("seed", range(3))
def test_the_float_normal_form_has_unit_normals(seed: int, tmp_path: Path, run: Run):
    rng = np.random.default_rng(seed)
    model = random_net(rng, 3, 12, 2)
    result = run("shallow", "normal-form", write(tmp_path / "m.npz", model), "--json").json
    assert result["folds_total"] == 12 and result["gap"] > 1e6
    for fold in result["folds"]:
        assert math.hypot(*fold["normal"]) == pytest.approx(1.0, abs=1e-14)
        assert next(u for u in fold["normal"] if u != 0) > 0
    for x in points(rng, 3):
        assert [float(v) for v in form_value(result, x)] == pytest.approx([float(v) for v in value(model, x)], abs=1e-9)


def test_a_box_and_a_limit(tmp_path: Path, run: Run):
    path = write(tmp_path / "four.npz", examples.four_hyperplanes())
    inside = run("shallow", "normal-form", path, "--box", -1, 1, "--exact", "--json").json
    assert (inside["folds"], inside["linear"], inside["constant"]) == ([], [["0", "0"]], ["0"])
    half = run("shallow", "normal-form", path, "--box", "-1,-1", "2,1", "--exact", "--json").json
    assert half["folds"] == [{"normal": ["1", "0"], "offset": "-1", "kink": ["1"]}]
    listed = run("shallow", "normal-form", path, "--limit", 3, "--json").json
    assert (len(listed["folds"]), listed["folds_total"]) == (3, 4)
    assert "-3/8" in run("shallow", "normal-form", write(tmp_path / "e.npz", net([[1.0]], [-0.375], [[1]], [0])),
                         "--exact", "--json").out  # fmt: skip


# -- the examples of the literature ------------------------------------------------------------------------------------


def test_four_hyperplanes(tmp_path: Path, run: Run):
    path = write(tmp_path / "four.npz", examples.four_hyperplanes())
    form = run("shallow", "normal-form", path, "--exact", "--json").json
    assert {(*f["normal"], f["offset"], *f["kink"]) for f in form["folds"]} == {
        (*u, t, "1") for u in (("0", "1"), ("1", "0")) for t in ("-1", "1")
    }
    assert form["constant"] == ["-2"] and form["linear"] == [["0", "0"]]
    least = run("shallow", "minimize", path, "--json").json
    assert (least["minimal_units"], least["folds"], least["proved"]) == (4, 4, True)
    fiber = run("shallow", "fiber", path, "--units", 4, "--json").json
    assert (fiber["cells"], fiber["components"], fiber["components_mod_permutations"]) == (96, 96, 4)
    larger = run("shallow", "fiber", path, "--units", 5, "--json").json
    assert (larger["components"], larger["components_mod_permutations"]) == (4, 4)
    turned = run("shallow", "reversals", path, "--exact", "--json").json
    assert turned["count"] == 4 and sorted(map(tuple, turned["sets"])) == [(), (0, 1, 2, 3), (0, 2), (1, 3)]
    rank = run("shallow", "fisher", path, "--json").json
    assert (rank["parameters"], rank["rank"], rank["nullity"]) == (17, 13, 4)
    assert rank["null_vectors"] == [{"kind": "scaling", "units": [i]} for i in range(4)]


@pytest.mark.parametrize(("w", "q", "theta"), [(1.0, 3.0, 2.0), (0.5, 1.0, 4.0), (2.0, 1.0, 2.0)])
@pytest.mark.parametrize("square", [3.0, 6.0])
def test_scaling_with_the_constants_corrected(
    w: float, q: float, theta: float, square: float, tmp_path: Path, run: Run
):
    """K = a^2 (w q - theta)^2 / 12 on [-a, a]: (w q - theta)^2 / 4 for a^2 = 3, and / 2 for a^2 = 6."""
    e = examples.scaling(w, q, theta)
    model, truth = write(tmp_path / "m.npz", e.model), write(tmp_path / "t.npz", e.truth)
    a = math.sqrt(square)
    found = run("shallow", "potential", model, truth, "--box", -a, a, "--json").json
    assert found["k"] == pytest.approx(square * (w * q - theta) ** 2 / 12, abs=1e-14)
    assert found["gradient"]["W1"][0][0] == pytest.approx(square * (w * q - theta) * q / 6, abs=1e-13)
    assert found["gradient"]["W2"][0][0] == pytest.approx(square * (w * q - theta) * w / 6, abs=1e-13)
    assert run("shallow", "fisher", model, "--json").json["null_vectors"][0] == {"kind": "scaling", "units": [0]}


def test_a_pair_in_both_orientations(tmp_path: Path, run: Run):
    e = examples.reversed_pair()
    out, inward = write(tmp_path / "o.npz", e.model), write(tmp_path / "i.npz", e.truth)
    forms = [run("shallow", "normal-form", path, "--exact", "--json").json for path in (out, inward)]
    assert forms[0] == forms[1]
    assert run("shallow", "potential", out, inward, "--box", -2, 2, "--exact", "--json").json["k"] == "0"
    assert run("shallow", "reversals", out, "--json").json["sets"] == [[], [0, 1]]
    for units, cells, by, pieces in (
        (2, 4, {"2": 4}, (4, 2)),
        (3, 48, {"4": 48}, (2, 2)),
        (4, 556, {"5": 120, "6": 436}, (1, 1)),
    ):
        fiber = run("shallow", "fiber", out, "--units", units, "--json").json
        assert set(fiber) >= FIBER
        assert (fiber["cells"], fiber["by_dimension"], fiber["truncated"]) == (cells, by, False)
        assert (fiber["components"], fiber["components_mod_permutations"]) == pieces


def test_a_shared_boundary(tmp_path: Path, run: Run):
    truth = write(tmp_path / "t.npz", examples.shared_boundary(0.0).truth)
    a = math.sqrt(6.0)
    for w in (0.25, 0.0, 1.0, 1.5, -0.5):
        model = write(tmp_path / "m.npz", examples.shared_boundary(w).model)
        equal = run("compare", model, truth, "--exact", "--json")
        assert equal.json["verdict"] == ("equal" if 0 <= w <= 1 else "different")
        found = run("shallow", "potential", model, truth, "--box", -a, a, "--json").json
        p = max(w, 0.0) + max(1 - w, 0.0)
        r = min(w, 0.0) + min(1 - w, 0.0)
        assert found["k"] == pytest.approx(((p - 1) ** 2 + r**2) / 2, abs=1e-14)
        assert (found["k"] == 0.0) == (0 <= w <= 1)


COUNTS = {2: 2, 3: 2, 4: 4, 5: 2, 6: 10, 7: 2, 8: 16, 9: 8, 10: 34, 11: 2, 12: 100}


@pytest.mark.parametrize("m", range(2, 13))
def test_m_symmetric_networks(m: int, tmp_path: Path, run: Run):
    """Counted here once more, over all subsets, in float arithmetic with a wide margin."""
    model = examples.m_symmetric(m)
    path = write(tmp_path / "m.npz", model)
    found = run("shallow", "reversals", path, "--json").json
    every = chain.from_iterable(combinations(range(m), size) for size in range(m + 1))
    zero = [s for s in every if np.abs(model.W1[list(s)].sum(axis=0)).max() < 1e-9]
    assert found["count"] == COUNTS[m] == len(zero)
    assert sorted(map(tuple, found["sets"])) == sorted(zero)
    assert found["gap"] > 1e-3
    form = run("shallow", "normal-form", path, "--json").json
    assert form["folds_total"] == m
    rank = run("shallow", "fisher", path, "--json").json
    assert (rank["nullity"], {v["kind"] for v in rank["null_vectors"]}) == (m, {"scaling"})


def test_exactly_the_stored_weights_need_not_cancel(tmp_path: Path, run: Run):
    """Thirds of a turn are no floats: over the rationals only the empty set is left."""
    path = write(tmp_path / "m.npz", examples.m_symmetric(3))
    assert run("shallow", "reversals", path, "--json").json["count"] == 2
    exact = run("shallow", "reversals", path, "--exact", "--json").json
    total = [sum(map(Fraction, column)) for column in examples.m_symmetric(3).W1.T.tolist()]
    assert (exact["count"] == 2) == (total == [0, 0])
    assert exact["gap"] is None


# -- what the published classification leaves out ----------------------------------------------------------------------


@pytest.mark.parametrize("build", [examples.reversal_without_annihilation, examples.boundary_off_the_folds])
def test_weights_that_no_reversal_reaches(build, tmp_path: Path, run: Run):
    """Equal functions with a certificate that verifies; no zero-sum set; cells that hold both; d - m spare units."""
    e = build()
    model, truth, proof = write(tmp_path / "m.npz", e.model), write(tmp_path / "t.npz", e.truth), tmp_path / "p.fsc"
    verdict = run("compare", model, truth, "--exact", "--certificate", proof, "--json")
    assert (verdict.status, verdict.json["verdict"], verdict.json["strength"]) == (0, "equal", "exact")
    checked = run("verify", proof, model, truth, "--json")
    assert (checked.status, checked.json["valid"]) == (0, True)
    forms = [run("shallow", "normal-form", path, "--exact", "--json").json for path in (model, truth)]
    assert forms[0] == forms[1]
    assert run("shallow", "reversals", truth, "--exact", "--json").json == {
        "count": 1, "sets": [[]], "gap": None, "exact": True, "truncated": False
    }  # fmt: skip
    least = run("shallow", "minimize", model, "--json").json
    assert (least["minimal_units"], least["proved"]) == (e.truth.units, True)
    n = e.model.inputs
    box = ["--box", ",".join(["-7"] * n), ",".join(["3"] * n)]
    assert run("shallow", "potential", model, truth, *box, "--exact", "--json").json["k"] == "0"


def test_islands_off_the_published_list(tmp_path: Path, run: Run):
    """relu(x) + relu(x - 1) with three units: 24 cells of the known kinds and 12 islands; units off the folds."""
    truth = write(tmp_path / "t.npz", examples.reversal_without_annihilation().truth)
    fiber = run("shallow", "fiber", truth, "--units", 3, "--list", 100, "--json").json
    assert (fiber["cells"], fiber["by_dimension"]) == (36, {"3": 12, "4": 24})
    assert (fiber["components"], fiber["components_mod_permutations"]) == (13, 3)
    mixed = [c for c in fiber["list"] if any({f"fold {j} +", f"fold {j} -"} <= set(c["roles"]) for j in (0, 1))]
    assert len(mixed) == 12 and {c["dimension"] for c in mixed} == {3}
    off = write(tmp_path / "o.npz", examples.boundary_off_the_folds().truth)
    listed = run("shallow", "fiber", off, "--units", 3, "--list", 1000, "--json").json
    assert listed["by_dimension"] == {"4": 6, "5": 19, "6": 18, "7": 3}
    assert any("fresh 0 +" in c["roles"] for c in listed["list"])
    assert run("shallow", "fiber", off, "--units", 3, "--list", 5, "--json").json["truncated"] is True


NAMED = [
    ("x", net([[1], [-1]], [0, 0], [[1, -1]], [0]), 0, 2, 1),
    ("|x| + 3x", net([[1], [-1]], [0, 0], [[4, -2]], [0]), 1, 2, 2),
    ("|x1| + x2", net([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4, [[1, 1, 1, -1]], [0]), 1, 3, 2),
    ("|x1| + |x2|", net([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4, [[1, 1, 1, 1]], [0]), 2, 4, 3),
    ("identity of R^3", net(np.vstack([np.eye(3), -np.eye(3)]), [0] * 6, np.hstack([np.eye(3), -np.eye(3)]), [0] * 3),
     0, 6, 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "model", "folds", "everywhere", "on_box"), NAMED, ids=[row[0] for row in NAMED])
def test_minimal_widths(
    name: str, model: ShallowModel, folds: int, everywhere: int, on_box: int, tmp_path: Path, run: Run
):
    path, small = write(tmp_path / "m.npz", model), tmp_path / "small.npz"
    for box, units in (([], everywhere), (["--box", -1, 1], on_box)):
        found = run("shallow", "minimize", path, "-o", small, *box, "--json").json
        assert set(found) >= MINIMIZE
        assert (found["folds"], found["minimal_units"], found["lower"], found["upper"]) == (folds, units, units, units)
        with np.load(small) as arrays:
            written = net(*(arrays[key] for key in ("W1", "b1", "W2", "b2")))
        assert written.units == units
        rng = np.random.default_rng(0)
        near = [[v / 30 for v in x] for x in points(rng, model.inputs)] if box else points(rng, model.inputs)
        assert all(value(written, x) == value(model, x) for x in near if not box or max(map(abs, x)) <= 1)


def test_bounds_without_proof_are_undecided(tmp_path: Path, run: Run):
    """Whether integers split into two halves of one sum (PARTITION) is not settled at once: status 3, true bounds."""
    rng = np.random.default_rng(0)
    units = 60
    numbers = rng.integers(1 << 39, 1 << 40, units).astype(float)
    W1, b1 = np.append(np.ones(units), [1, -1])[:, None], np.append(np.arange(units), [0.5, -0.5])
    model = net(W1, b1, [np.append(numbers, [12345678, -12345678])], [0])  # and a linear function, of two units
    path, small = write(tmp_path / "m.npz", model), tmp_path / "small.npz"
    done = run("shallow", "minimize", path, "--budget", 0, "-o", small, "--json")
    found = done.json
    assert (done.status, found["proved"], found["minimal_units"]) == (3, False, None)
    assert units <= found["lower"] < found["upper"] <= units + 2
    with np.load(small) as arrays:
        assert arrays["W1"].shape[0] == found["upper"]
    said = run("shallow", "minimize", path, "--budget", 0)
    assert said.status == 3 and "between" in said.out and "--budget" in said.out


# -- fisher and potential against numbers got otherwise ----------------------------------------------------------------


def jacobian(model: ShallowModel, x: np.ndarray) -> np.ndarray:
    """df/dw at every row of x, straight from the formula."""
    z = x @ model.W1.T + model.b1
    on = (z > 0).astype(float)
    out = []
    for output, q in enumerate(model.W2):
        w1 = (on * q)[:, :, None] * x[:, None, :]
        w2 = np.zeros((len(x), model.outputs, model.units))
        w2[:, output] = on * z
        b2 = np.zeros((len(x), model.outputs))
        b2[:, output] = 1.0
        out.append(np.hstack([w1.reshape(len(x), -1), on * q, w2.reshape(len(x), -1), b2]))
    return np.vstack(out)


@pytest.mark.parametrize("seed", range(5))
def test_fisher_rank_against_singular_values(seed: int, tmp_path: Path, run: Run):
    rng = np.random.default_rng(seed)
    n, d, k = 2, 5, 1 + seed % 2
    model = random_net(rng, n, d, k)
    W1, b1, W2 = model.W1.copy(), model.b1.copy(), model.W2.copy()
    W1[1], b1[1] = 2 * W1[0], 2 * b1[0]  # on one boundary
    W1[2], b1[2] = -W1[0], -b1[0]  # the other side of it
    if seed > 2:
        W2[:, 3] = 0.0  # nothing reads it
        W1[4], b1[4] = 0.0, 1.0  # constant
    model = ShallowModel(W1, b1, W2, model.b2)
    found = run("shallow", "fisher", write(tmp_path / "m.npz", model), "--exact", "--json").json
    values = np.linalg.svd(jacobian(model, rng.uniform(-6, 6, (4000, n))), compute_uv=False)
    rank = int((values > 1e-9 * values[0]).sum())
    assert (found["rank"], found["parameters"]) == (rank, d * (n + 1 + k) + k)
    assert found["nullity"] == len(found["null_vectors"]) == found["parameters"] - rank
    assert {"exchange", "scaling"} <= {v["kind"] for v in found["null_vectors"]}


def test_a_dead_unit_on_a_box(tmp_path: Path, run: Run):
    path = write(tmp_path / "m.npz", net([[1], [1]], [0, -5], [[1, 1]], [0]))
    everywhere = run("shallow", "fisher", path, "--json").json
    inside = run("shallow", "fisher", path, "--box", -1, 1, "--json").json
    assert (everywhere["nullity"], inside["nullity"]) == (2, 4)
    assert [v for v in inside["null_vectors"] if v["kind"] == "dead"] == [{"kind": "dead", "units": [1]}] * 3


@pytest.mark.parametrize("seed", range(3))
def test_potential_in_one_input_against_quadrature(seed: int, tmp_path: Path, run: Run):
    rng = np.random.default_rng(seed)
    a, b = random_net(rng, 1, 3), random_net(rng, 1, 4)
    files = write(tmp_path / "a.npz", a), write(tmp_path / "b.npz", b)
    found = run("shallow", "potential", *files, "--box", -1.5, 2, "--json").json

    def f(model: ShallowModel, x: float) -> float:
        return (model.W2 @ np.maximum(model.W1[:, 0] * x + model.b1, 0) + model.b2).item()

    kinks = sorted(float(-b0 / w) for m in (a, b) for (w,), b0 in zip(m.W1, m.b1, strict=True) if -1.5 < -b0 / w < 2)
    sure = quad(lambda x: (f(a, x) - f(b, x)) ** 2, -1.5, 2, points=kinks or None, limit=200)[0] / (2 * 3.5)
    assert found["k"] == pytest.approx(sure, rel=1e-9)
    assert found["error_bound"] < 1e-12
    assert {name: np.shape(g) for name, g in found["gradient"].items()} == {
        "W1": (3, 1), "b1": (3,), "W2": (1, 3), "b2": (1,)
    }  # fmt: skip


def test_the_landscape_is_the_potential_point_by_point(tmp_path: Path, run: Run):
    e = examples.reversed_pair()
    truth = write(tmp_path / "t.npz", e.truth)
    arguments = ["--vary", "W1[0,0]", "b1[1]", "--span", 1, "--points", 3, "--json"]
    model = write(tmp_path / "m.npz", e.model)
    land = run("shallow", "potential", model, truth, "--box", -2, 2, *arguments).json["landscape"]
    assert land["entries"] == ["W1[0,0]", "b1[1]"] and land["here"] == [-1.0, 1.0]
    for i, w in enumerate(land["axes"][0]):
        for j, b in enumerate(land["axes"][1]):
            W1, b1 = e.model.W1.copy(), e.model.b1.copy()
            W1[0, 0], b1[1] = w, b
            moved = write(tmp_path / "moved.npz", ShallowModel(W1, b1, e.model.W2, e.model.b2))
            k = run("shallow", "potential", moved, truth, "--box", -2, 2, "--json").json["k"]
            assert land["values"][i][j] == pytest.approx(k, abs=1e-12)


def test_words_after_vary():
    assert joined(["a.npz", "--vary", "W1[0,0]", "W2[0,1]", "--plot", "k.svg"]) == [
        "a.npz", "--vary", "W1[0,0];W2[0,1]", "--plot", "k.svg"
    ]  # fmt: skip
    assert joined(["--vary=W1[0,0]", "b1[0]", "a.npz", "t.onnx"]) == ["--vary", "W1[0,0];b1[0]", "a.npz", "t.onnx"]
    assert joined(["a.npz", "--json"]) == ["a.npz", "--json"]
    assert named(None) == []
    with pytest.raises(InputError, match="3 weights"):
        named("a;b;c")


# -- words, trouble, pictures ------------------------------------------------------------------------------------------


def test_in_words(tmp_path: Path, run: Run):
    e = examples.reversed_pair()
    model, truth = write(tmp_path / "m.npz", e.model), write(tmp_path / "t.npz", e.truth)
    assert "2 folds" in run("shallow", "normal-form", model).out
    assert "and 1 more" in run("shallow", "normal-form", model, "--limit", 1).out
    assert "needs 2: proved" in run("shallow", "minimize", model).out
    assert "556 cells" in run("shallow", "fiber", model, "--units", 4).out
    assert "2 sets" in run("shallow", "reversals", model).out
    assert "scale against each other" in run("shallow", "fisher", model).out
    assert "K = 0" in run("shallow", "potential", model, truth, "--box", -1, 1).out


def test_other_activations(tmp_path: Path, run: Run):
    leaky = write(tmp_path / "l.npz", net([[1], [-1]], [1, 1], [[1, 1]], [0], "leaky_relu(0.25)"))
    assert run("shallow", "normal-form", leaky, "--exact", "--json").json["folds"][0]["kink"] == ["3/4"]
    gelu = write(tmp_path / "g.npz", net([[1], [-1]], [1, 1], [[1, 1]], [0], "gelu"))
    assert run("shallow", "reversals", gelu, "--json").json["sets"] == [[], [0, 1]]


TROUBLE: list[tuple[list[object], str]] = [
    (["normal-form", "deep"], "more than one hidden layer"),
    (["minimize", "deep"], "more than one hidden layer"),
    (["fiber", "deep", "--units", 3], "more than one hidden layer"),
    (["reversals", "deep"], "more than one hidden layer"),
    (["fisher", "deep"], "more than one hidden layer"),
    (["potential", "good", "deep", "--box", -1, 1], "deep.npz"),
    (["normal-form", "unknown"], "frobnicate"),
    (["normal-form", "tanh"], "tanh"),
    (["fisher", "tanh"], "tanh"),
    (["reversals", "tanh"], "tanh"),
    (["normal-form", "missing"], "missing.npz"),
    (["normal-form", "affine"], "no hidden layer"),
    (["fiber", "good", "--units", 2], "2 units"),
    (["fiber", "good", "--units", 0], "3 folds"),
    (["fiber", "good", "--units", -1], "--units"),
    (["fiber", "wide", "--units", 33], "--max"),
    (["normal-form", "good", "--box", 1, -1], "LO 1 is above HI -1"),
    (["normal-form", "good", "--box", "1,2,3", "4,5,6"], "box"),
    (["normal-form", "good", "--box", "x", 1], "'x'"),
    (["normal-form", "good", "--limit", -1], "--limit"),
    (["normal-form", "good", "--plot", "picture.doc"], ".svg"),
    (["normal-form", "good", "--plot", "nowhere/picture.svg"], "nowhere"),
    (["normal-form", "good", "--plot", "picture.svg", "--output", 1], "output 1"),
    (["minimize", "good", "-o", "small.onnx"], ".npz"),
    (["minimize", "good", "-o", "nowhere/small.npz"], "nowhere"),
    (["minimize", "good", "--budget", "nan"], "--budget"),
    (["potential", "good", "good"], "--box"),
    (["potential", "good", "good", "--box", 1, 1], "box"),
    (["potential", "good", "one", "--box", -1, 1], "2 inputs"),
    (["potential", "good", "good", "--box", -1, 1, "--vary", "W3[0,0]"], "--vary"),
    (["potential", "good", "good", "--box", -1, 1, "--vary", "W1[9,0]"], "(3, 2)"),
    (["potential", "good", "good", "--box", -1, 1, "--vary", "W1[0,0]", "W1[0,0]"], "two different"),
    (["potential", "good", "good", "--box", -1, 1, "--vary", "b1[0]", "b1[1]", "b1[2]"], "3 weights"),
    (["potential", "good", "good", "--box", -1, 1, "--vary"], "--vary"),
    (["potential", "good", "good", "--box", -1, 1, "--span", 1], "--vary"),
    (["potential", "good", "good", "--box", -1, 1, "--vary", "b1[0]", "--span", -1], "--span"),
    (["nonsense"], "nonsense"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    perceptron(folder / "deep.npz", (2, 3, 3, 1))
    perceptron(folder / "affine.npz", (2, 1))
    rng = np.random.default_rng(0)
    write(folder / "good.npz", random_net(rng, 2, 3))
    write(folder / "one.npz", random_net(rng, 1, 3))
    write(folder / "wide.npz", random_net(rng, 3, 30))
    for name, activation in (("unknown", "frobnicate"), ("tanh", "tanh")):
        perceptron(folder / f"{name}.npz", (2, 3, 1), activation=activation)
    return folder


@pytest.mark.parametrize(("arguments", "said"), TROUBLE)
def test_one_clear_line(arguments: list[object], said: str, files: Path, monkeypatch: pytest.MonkeyPatch, run: Run):
    monkeypatch.chdir(files)
    names = {path.stem for path in files.iterdir()} | {"missing"}
    words = [f"{a}.npz" if a in names else a for a in arguments]
    for extra in ([], ["--json"]):
        done = run("shallow", *words, *extra)
        assert (done.status, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert said in done.err
        assert "bug" not in done.err


PLOTS = {
    "normal-form": (["normal-form", "m.npz"], "folds"),
    "graph": (["normal-form", "t1.npz"], "active"),
    "kinks": (["normal-form", "wide.npz"], "distance"),
    "fiber": (["fiber", "t1.npz", "--units", 3], "36"),
    "reversals": (["reversals", "m.npz"], "turned round"),
    "listed": (["reversals", "t1.npz"], "turned round"),
    "fisher": (["fisher", "m.npz"], "scaling"),
    "map": (
        ["potential", "m1.npz", "t1.npz", "--box", -1, 1, "--vary", "W1[0,0]", "W2[0,1]", "--points", 9],
        "W2[0,1]",
    ),
    "curve": (["potential", "m1.npz", "t1.npz", "--box", -1, 1, "--vary", "b1[0]"], "b1[0]"),
    "default": (["potential", "m1.npz", "t1.npz", "--box", -1, 1, "--points", 9], "W2[0,0]"),
}


@pytest.mark.parametrize(
    ("name", "suffix"), [(n, s) for n in PLOTS for s in (".svg", ".html")] + [("fiber", ".pdf"), ("map", ".png")]
)
def test_plots(name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run):
    monkeypatch.chdir(tmp_path)
    e = examples.reversal_without_annihilation()
    write(Path("m.npz"), examples.m_symmetric(6))
    write(Path("m1.npz"), e.model)
    write(Path("t1.npz"), e.truth)
    write(Path("wide.npz"), random_net(np.random.default_rng(0), 5, 9, 2))
    arguments, said = PLOTS[name]
    done = run("shallow", *arguments, "--plot", f"p{suffix}", "--json")
    assert done.status == 0 and done.json
    data = Path(f"p{suffix}").read_bytes()
    assert data.startswith({".svg": b"<svg", ".html": b"<!doctype html", ".pdf": b"%PDF", ".png": b"\x89PNG"}[suffix])
    if suffix in (".svg", ".html"):
        assert said in data.decode()
        assert b"<script" not in data
    if suffix == ".svg":
        ElementTree.fromstring(data)


def test_nothing_heavy_before_a_command_runs():
    heavy = ("numpy", "torch", "scipy", "flint", "networkx", "matplotlib")
    code = f"import sys, fiberscope.cli.shallow.app; print(*(m for m in sys.modules if m in {heavy!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# -- near misses and large networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_one_weight_off_by_one_ulp_is_another_function(seed: int, tmp_path: Path, run: Run):
    rng = np.random.default_rng(seed)
    e = examples.reversal_without_annihilation()
    arrays = {name: getattr(e.model, name).copy() for name in ("W1", "b1", "W2", "b2")}
    name = ("W1", "b1", "W2", "b2")[seed % 4]
    place = tuple(int(rng.integers(size)) for size in arrays[name].shape)
    arrays[name][place] = np.nextafter(arrays[name][place], rng.choice([-9.0, 9.0]))
    near = write(tmp_path / "n.npz", ShallowModel(**arrays))
    truth = write(tmp_path / "t.npz", e.truth)
    assert run("compare", near, truth, "--exact", "--json").json["verdict"] == "different"
    forms = [run("shallow", "normal-form", path, "--exact", "--json").json for path in (near, truth)]
    assert forms[0] != forms[1]
    exact = run("shallow", "potential", near, truth, "--box", -2, 3, "--exact", "--json").json["k"]
    assert Fraction(exact) > 0


@pytest.mark.slow
def test_the_normal_form_of_a_hundred_thousand_units(tmp_path: Path, run: Run):
    """100,000 units, 100 inputs: seconds, and no more folds on the terminal than asked for."""
    import time

    path = write(tmp_path / "m.npz", random_net(np.random.default_rng(0), 100, 100_000))
    start = time.process_time()
    found = run("shallow", "normal-form", path, "--limit", 10, "--json").json
    spent = time.process_time() - start
    assert (found["folds_total"], len(found["folds"])) == (100_000, 10)
    assert spent < 30
