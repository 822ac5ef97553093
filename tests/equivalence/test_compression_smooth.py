"""Chains of smooth activations on a box: what is redundant goes although sums round; without a box it stays."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.equivalence.test_compression_planted import Layers, compressed, stored
from tests.verify.forge import pack
from tests.verify.test_stable_certificates import opened

import fiberscope as fs
from fiberscope.report.compression_page import compression_page
from fiberscope_verify import verify

RNG = np.random.default_rng
ACTIVATIONS = ["tanh", "gelu", "sigmoid", "softplus"]


def planted(activation: str) -> tuple[Layers, list[int]]:
    """Layers of any numbers; how many units of each can go: repeated, constant, and constant because those are."""
    rng = RNG(3)
    layers = [(rng.normal(size=(m, n)) / 2, rng.normal(size=m)) for n, m in ((3, 7), (7, 8), (8, 6), (6, 2))]
    (w, b), (v, c), (u, _), _ = layers
    w[1], b[1] = w[0], b[0]
    w[2] = 0.0
    v[5], c[5] = v[4], c[4]
    v[6], v[6, 2], u[3], u[3, 6] = 0.0, 1.5, 0.0, -0.75
    odd = activation == "tanh"
    if odd or activation == "sigmoid":
        v[7], c[7] = -v[3], -c[3]
    return layers, [2, 2 + (odd or activation == "sigmoid"), 1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_all_of_it_goes_on_a_box(tmp_path: Path, activation: str):
    layers, gone = planted(activation)
    for dtype, most in (np.float32, 3e-6), (np.float64, 3e-14):
        result = compressed(tmp_path, layers, activation, dtype, box=(-1.0, 1.0))
        assert [layer.before - layer.after for layer in result.layers] == gone
        assert result.error_bound is not None
        assert 0 < result.error_bound < most * result.scale
        assert result.notes == ()


def test_without_a_box_it_stays_and_is_named(tmp_path: Path):
    layers, gone = planted("tanh")
    result = compressed(tmp_path, layers, "tanh")
    assert (result.units_after, result.error_bound) == (result.units_before, 0.0)
    assert [note.split(" ")[0] for note in result.notes] == [str(sum(gone))]
    assert "--box" in result.notes[0]
    assert result.to_json()["notes"] == [*result.notes]
    assert result.notes[0] in compression_page("a.npz", result.to_json())


def test_a_bound_that_says_nothing_is_not_used(tmp_path: Path):
    """Slopes of 1e9 and more: the sum of two repeated weights may be off by too much."""
    layers, _ = planted("gelu")
    layers[2] = (1e9 * layers[2][0], layers[2][1])
    layers[3] = (1e9 * layers[3][0] - 1e9 * layers[3][0].mean(axis=1, keepdims=True), layers[3][1])
    result = compressed(tmp_path, layers, "gelu", box=(-1e9, 1e9))
    assert result.error_bound is not None
    assert result.error_bound <= 1e-2 * result.scale


def test_all_units_of_a_layer_are_constant(tmp_path: Path):
    """A file keeps one unit that nobody reads."""
    layers, _ = planted("tanh")
    layers[1][0][:] = 0.0
    result = compressed(tmp_path, layers, "tanh", box=(-2.0, 2.0))
    assert [layer.after for layer in result.layers] == [1, 1, 1]


def test_forged_certificates(tmp_path: Path):
    """Every step left out, moved or changed is refused, and so is a smaller bound."""
    layers, _ = planted("tanh")
    compressed(tmp_path, layers, "tanh", box=(-1.0, 1.0))
    a, b = stored(tmp_path / "a.npz", layers, "tanh"), tmp_path / "b.npz"
    top, members = opened((tmp_path / "c.fsc").read_bytes())
    assert (top["method"], top["strength"]) == ("lipschitz", "bound")

    def answer(**changes: Any) -> str | None:
        report = verify(pack(json.dumps({**top, **changes}).encode(), members), a, b)
        assert report.valid is (report.reason is None)
        return report.reason

    steps = top["steps"]
    assert answer() is None
    for i, step in enumerate(steps):
        assert answer(steps=steps[:i] + steps[i + 1 :])
        forgeries: list[dict] = [
            {"unit": step["unit"] + 1},
            {"side": "b"},
            {"side": "c"},
            {"step": "replace"},
            {"x": 1},
        ]
        forgeries += [{"layer": 0}, {"unit": 99}, {"layer": step["layer"] + 1}]
        if step["step"] == "merge":
            forgeries += [
                {"into": step["into"] + 1},
                {"scale": "2/1"},
                {"scale": "-1/1" if step["scale"] == "1/1" else "1/1"},
            ]
        for change in forgeries:
            assert answer(steps=[*steps[:i], {**step, **change}, *steps[i + 1 :]]), (step, change)
    assert "bounded by" in (answer(error_bound=top["error_bound"] * 0.999) or "")
    assert answer(error_bound=None)
    assert answer(strength="exact", error_bound=None)
    assert answer(domain="all")
    wider = {"lo": [-9.0] * 3, "hi": [9.0] * 3}
    assert answer(domain=wider) is None or "bounded by" in (answer(domain=wider) or "")


def test_units_with_an_uncertain_bias_are_not_merged(tmp_path: Path):
    """Equal once tanh(0.3) is rounded into their biases, but not shown to be equal."""
    w, b = np.array([[1.0], [0.0]]), np.array([0.0, 0.3])
    v, c = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([0.0, float(np.tanh(0.3))])
    layers = [(w, b), (v, c), (np.array([[1.0, 2.0]]), np.zeros(1))]
    result = compressed(tmp_path, layers, "tanh", np.float64, box=(-1.0, 1.0))
    assert [layer.after for layer in result.layers] == [1, 2]
    top, members = opened((tmp_path / "c.fsc").read_bytes())
    top["steps"].append({"step": "merge", "side": "a", "layer": 2, "unit": 1, "into": 0, "scale": "1/1"})
    report = verify(pack(json.dumps(top).encode(), members), tmp_path / "a.npz", tmp_path / "b.npz")
    assert "not known exactly" in (report.reason or "")


def test_onnx_files_with_gelu(tmp_path: Path):
    """Written with the operator that they were read with."""
    from onnx import TensorProto, helper, numpy_helper, save

    layers, gone = planted("gelu")
    nodes, numbers, last = [], [], "x"
    for l, (w, b) in enumerate(layers, 1):
        numbers += [numpy_helper.from_array(v.astype(np.float32), f"{k}{l}") for k, v in (("w", w), ("b", b))]
        nodes.append(helper.make_node("Gemm", [last, f"w{l}", f"b{l}"], [f"z{l}" if l < 4 else "y"], transB=1))
        if l < 4:
            nodes.append(helper.make_node("Gelu", [f"z{l}"], [f"h{l}"]))
        last = f"h{l}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in (("x", 3), ("y", 2))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], numbers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    a, b, proof = tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path / "c.fsc"
    save(model, a)
    result = fs.compress(fs.load(a), box=(-1, 1), out=b, certificate=proof)
    assert [layer.before - layer.after for layer in result.layers] == gone
    assert verify(str(proof), str(a), str(b)).valid


def in_balls(path: Path, activation: str, x: list) -> list:
    """The outputs in 300 bits, from what is stored."""
    from flint import arb, ctx

    from fiberscope_verify.ball import scalar_function

    ctx.prec, before = 300, ctx.prec
    try:
        stored_arrays = np.load(path)
        depth = sum(name.startswith("W") for name in stored_arrays.files)
        h = [arb(float(v)) for v in x]
        for l in range(1, depth + 1):
            w, b = stored_arrays[f"W{l}"], stored_arrays[f"b{l}"]
            h = [
                sum((arb(float(p)) * q for p, q in zip(row, h, strict=True)), arb(float(t)))
                for row, t in zip(w, b, strict=True)
            ]
            if l < depth:
                beta = [1.0, float("inf")] if activation == "softplus" else []
                h = [scalar_function(activation, beta, t) for t in h]
        return h
    finally:
        ctx.prec = before


def one_case(folder: Path, seed: int) -> bool:
    """Weights of many sizes, planted units, boxes of any width; whether something went."""
    rng = RNG(seed)
    activation = str(rng.choice(["tanh", "gelu", "sigmoid", "softplus"]))
    widths = [int(rng.integers(1, 5)), *rng.integers(2, 9, rng.integers(1, 4)).tolist(), int(rng.integers(1, 4))]
    layers = []
    for n, m in pairwise(widths):
        w, b = rng.normal(size=(m, n)), rng.normal(size=m)
        if rng.random() < 0.3:
            w = w * rng.choice([0, 1e-30, 1, 1e3, 1e-8], w.shape)
        i, j, k = rng.integers(0, m, 3)
        sign = float(rng.choice([1, -1]))
        w[i], b[i] = sign * w[j], sign * b[j]
        w[k] = 0.0
        layers.append((w, b))
    lo = rng.normal(size=widths[0]) * rng.choice([1, 1e-30, 10])
    hi = lo + np.abs(rng.normal(size=widths[0])) * rng.choice([1, 0, 1e-12, 5])
    dtype = np.float32 if rng.random() < 0.6 else np.float64
    a, b, proof = stored(folder / "a.npz", layers, activation, dtype), folder / "b.npz", folder / "c.fsc"
    result = fs.compress(fs.load(a), box=(lo, hi), out=b, certificate=proof)
    report = verify(str(proof), str(a), str(b))
    assert report.valid, (seed, report.reason)
    assert result.error_bound is not None
    for x in [lo, hi, *(lo + (hi - lo) * rng.random((6, len(lo))))]:
        x = np.clip(x, lo, hi)
        gaps = [abs(p - q) for p, q in zip(in_balls(a, activation, x), in_balls(b, activation, x), strict=True)]
        assert all(gap <= result.error_bound * (1 + 1e-12) + 1e-80 for gap in gaps), (seed, gaps, result.error_bound)
    return result.units_after < result.units_before


def test_three_networks_in_high_precision(tmp_path: Path):
    assert sum(one_case(tmp_path, seed) for seed in range(3)) > 0


@pytest.mark.slow
def test_many_networks_in_high_precision(tmp_path: Path):
    assert sum(one_case(tmp_path, seed) for seed in range(100, 400)) > 200
