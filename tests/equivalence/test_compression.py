"""Compression: what is removed is redundant, what is redundant in a known way is removed, and the checker agrees."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.compression.chain import ChainCompression
from fiberscope.errors import InputError

RNG = np.random.default_rng


def compress(net: fs.Network, **options: Any) -> ChainCompression:
    result = fs.compress(net, **options)
    assert isinstance(result, ChainCompression)
    return result


def saved(
    path: Path, layers: list[tuple[np.ndarray, np.ndarray]], activation: str = "relu", dtype: Any = np.float32
) -> Path:
    arrays = {}
    for l, (w, b) in enumerate(layers, 1):
        arrays[f"W{l}"], arrays[f"b{l}"] = w.astype(dtype), b.astype(dtype)
    np.savez(path, activation=np.array(activation), **arrays)
    return path


def random_layers(rng: np.random.Generator, widths: list[int], spread: float = 1.0) -> list:
    return [(rng.normal(size=(m, n)) / np.sqrt(n), spread * rng.normal(size=m)) for n, m in pairwise(widths)]


def ranges(layers: list, lo: float, hi: float) -> list[list[tuple[Fraction, Fraction]]]:
    """Exact range of every hidden pre-activation of a one-input ReLU network on [lo, hi], by its breakpoints."""
    points = [Fraction(lo), Fraction(hi)]
    exact = [([[Fraction(float(v)) for v in row] for row in w], [Fraction(float(v)) for v in b]) for w, b in layers]

    def values(x: Fraction) -> list[list[Fraction]]:
        h, out = [x], []
        for w, b in exact:
            z = [sum((a * c for a, c in zip(row, h, strict=True)), start=t) for row, t in zip(w, b, strict=True)]
            out.append(z)
            h = [max(v, Fraction(0)) for v in z]
        return out

    for l in range(len(layers) - 1):  # between the kinks found so far, layer l is linear: its zeros are new kinks
        points.sort()
        for left, right in list(pairwise(points)):
            for a, b in zip(values(left)[l], values(right)[l], strict=True):
                if a * b < 0:
                    points.append(left + (right - left) * a / (a - b))
    table = [values(x) for x in points]
    return [
        [(min(row[l][u] for row in table), max(row[l][u] for row in table)) for u in range(len(layers[l][1]))]
        for l in range(len(layers) - 1)
    ]


def check(net: fs.Network, result, small: Path, path: Path, lo, hi, count: int = 3000) -> None:
    """Same function in memory and in the file, within what is claimed; the certificate of the file verifies."""
    x = RNG(7).uniform(lo, hi, (count, net.n_in))
    a = net.run_flat(x)
    scale = np.abs(a).max() + 1e-300
    np.testing.assert_allclose(result.network.run_flat(x), a, rtol=0, atol=1e-11 * scale)
    b = fs.load(small).run_flat(x)
    assert np.abs(a - b).max() <= result.error_bound + 1e-12 * scale
    proof = small.with_suffix(".fsc")
    assert fiberscope_verify.verify(str(proof), str(path), str(small)).valid


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_one_input_networks_against_exact_ranges(tmp_path_factory, seed: int):
    """With one input the truth is computable: every unit that is linear is found, and none that is not."""
    rng = RNG(seed)
    folder = tmp_path_factory.mktemp("c")
    widths = [1, *rng.integers(2, 7, rng.integers(1, 4)).tolist(), 2]
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in random_layers(rng, widths)]
    path = saved(folder / "a.npz", layers)
    lo, hi = -float(rng.uniform(0, 2)), float(rng.uniform(0, 2))
    net = fs.load(path)
    result = compress(net, box=(lo, hi), out=folder / "b.npz", certificate=folder / "b.fsc", budget=20)
    check(net, result, folder / "b.npz", path, lo, hi)
    truth = ranges(layers, lo, hi)
    margin = min((abs(v) for layer in truth for ends in layer for v in ends), default=Fraction(1))
    if margin > Fraction(1, 10**5):  # a unit that only touches its threshold may stay open
        assert result.open_units == 0
        for l, layer in enumerate(truth):
            bending = sum(low < 0 < high for low, high in layer)
            linear = sum(low >= 0 for low, _ in layer)
            assert result.layers[l].after <= max(1, bending + min(linear, 2 * 2 + 1))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.1)"])
@pytest.mark.parametrize("widths", [[3, 12, 2], [2, 8, 8, 8, 1], [6, 20, 15, 3], [30, 10, 10, 4]])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))])
def test_random_networks(tmp_path: Path, widths: list[int], activation: str, seed: int):
    path = saved(tmp_path / "a.npz", random_layers(RNG(seed), widths, spread=1.5), activation)
    net = fs.load(path)
    result = compress(net, box=(-0.5, 0.75), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc", budget=10)
    check(net, result, tmp_path / "b.npz", path, -0.5, 0.75)
    assert result.units_before == sum(widths[1:-1])
    assert result.error_bound <= 1e-4 * result.scale


def planted() -> list[tuple[np.ndarray, np.ndarray]]:
    """Twelve units: dead on the box, unread, constant, duplicate, always active, and six that matter."""
    rng = RNG(3)
    w, b = rng.normal(size=(14, 3)), rng.normal(size=14) * 0.1
    w[0], b[0] = 0.1, -5.0  # dead on [-1, 1]^3
    w[1] = 0.0  # constant
    b[1] = 2.0
    w[2], b[2] = 4 * w[3], 4 * b[3]  # duplicate
    for unit in (4, 5, 6, 7, 8):
        b[unit] = 20.0  # active: five in three inputs
    v = rng.normal(size=(2, 14))
    v[:, 9] = 0.0  # unread
    v[:, 1:4] = np.round(8 * v[:, 1:4]) / 8  # their sums are float32 numbers
    return [(w.astype(np.float32), b.astype(np.float32)), (v.astype(np.float32), np.array([0.25, -0.5]))]


def test_planted_redundancy_is_found_whole(tmp_path: Path):
    path = saved(tmp_path / "a.npz", planted())
    net = fs.load(path)
    result = compress(net, box=(-1, 1), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc")
    check(net, result, tmp_path / "b.npz", path, -1, 1)
    (layer,) = result.layers
    assert (layer.dead, layer.constant, layer.duplicate, layer.open) == (2, 1, 1, 0)
    assert layer.after <= 5 + 2 + 3  # five bending units, two outputs to carry, and their low parts


def test_everywhere_only_what_holds_everywhere_goes(tmp_path: Path):
    path = saved(tmp_path / "a.npz", planted())
    result = compress(fs.load(path), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc")
    (layer,) = result.layers
    assert (layer.dead, layer.constant, layer.duplicate, layer.folded) == (1, 1, 1, 0)
    assert result.units_after == 11
    assert result.error_bound == 0.0
    assert fiberscope_verify.verify(str(tmp_path / "b.fsc"), str(path), str(tmp_path / "b.npz")).valid


def test_near_misses_are_kept(tmp_path: Path):
    """A duplicate up to 1e-6, and bounds that cross zero by 1e-9, are no redundancy."""
    w = np.array([[1.0, 0.5], [2.0, 1.0 + 1e-6], [1.0, 0.0], [-1.0, 0.0], [0.3, 0.7], [0.7, -0.2]])
    b = np.array([0.1, 0.2, 1.0 - 1e-9, -1.0 + 1e-9, 0.0, 0.01])
    path = saved(tmp_path / "a.npz", [(w, b), (RNG(0).normal(size=(1, 6)), np.zeros(1))], dtype=np.float64)
    result = compress(fs.load(path), box=(-1, 1), budget=5)
    assert result.units_after == 6
    touching = b.copy()
    touching[2:4] = 1.0, -1.0
    path = saved(tmp_path / "b.npz", [(w, touching), (RNG(0).normal(size=(1, 6)), np.zeros(1))], dtype=np.float64)
    result = compress(fs.load(path), box=(-1, 1), budget=5)
    assert (result.layers[0].dead, result.units_after) == (1, 5)  # the active one is carried by itself


def test_a_network_that_is_affine_on_the_box(tmp_path: Path):
    layers = random_layers(RNG(1), [3, 7, 6, 2])
    layers = [(w, b + 30.0) if l < 2 else (w, b) for l, (w, b) in enumerate(layers)]
    path = saved(tmp_path / "a.npz", [(np.abs(w), b) for w, b in layers])
    net = fs.load(path)
    result = compress(net, box=(-1, 1), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc")
    check(net, result, tmp_path / "b.npz", path, -1, 1)
    assert result.open_units == 0
    assert result.units_after <= 2 * (2 * 3 + 1)


def test_a_network_that_is_constant_on_the_box(tmp_path: Path):
    layers = random_layers(RNG(1), [3, 5, 4, 2])
    layers[0] = (layers[0][0], layers[0][1] - 50)
    path = saved(tmp_path / "a.npz", layers)
    net = fs.load(path)
    result = compress(net, box=(-1, 1), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc")
    check(net, result, tmp_path / "b.npz", path, -1, 1)
    assert result.layers[0].after == 1  # a layer keeps one unit


def test_a_point_as_box(tmp_path: Path):
    path = saved(tmp_path / "a.npz", random_layers(RNG(2), [3, 6, 5, 2]))
    net = fs.load(path)
    result = compress(
        net, box=([0.1, -0.2, 0.3], [0.1, -0.2, 0.3]), out=tmp_path / "b.npz", certificate=tmp_path / "b.fsc"
    )
    check(net, result, tmp_path / "b.npz", path, [0.1, -0.2, 0.3], [0.1, -0.2, 0.3], 3)


def test_wrong_arguments_are_refused(tmp_path: Path):
    path = saved(tmp_path / "a.npz", random_layers(RNG(2), [3, 6, 2]))
    with pytest.raises(InputError, match="budget"):
        compress(fs.load(path), box=(-1, 1), budget=0)
    with pytest.raises(InputError, match="larger than HI"):
        compress(fs.load(path), box=(1, -1))


def test_a_result_is_shown_in_three_lines(tmp_path: Path):
    result = compress(fs.load(saved(tmp_path / "a.npz", random_layers(RNG(2), [3, 6, 2]))), box=(-1, 1))
    assert repr(result).startswith("Compression: 6 -> ")
    assert repr(result).count("\n") == 2


def test_same_seed_same_bytes(tmp_path: Path):
    path = saved(tmp_path / "a.npz", random_layers(RNG(4), [3, 12, 8, 2], spread=1.5))
    for name in ("x", "y"):
        compress(fs.load(path), box=(-1, 1), out=tmp_path / f"{name}.npz", certificate=tmp_path / f"{name}.fsc")
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_acasxu_property_3(acasxu: Path, tmp_path: Path):
    from fiberscope.equivalence.vnnlib import input_box

    path = acasxu / "original" / "ACASXU_run2a_1_1_batch_2000.onnx"
    lo, hi = input_box(acasxu / "specs" / "properties" / "prop_3.vnnlib", 5)
    net = fs.load(path)
    result = compress(net, box=(lo, hi), out=tmp_path / "b.onnx", certificate=tmp_path / "b.fsc")
    check(net, result, tmp_path / "b.onnx", path, lo, hi, 20_000)
    assert result.units_after <= 135
    assert result.error_bound <= 1e-4 * result.scale
    runtime = pytest.importorskip("onnxruntime")
    x = RNG(0).uniform(lo, hi, (300, 1, 1, 1, 5)).astype(np.float32)
    outputs = []
    for file in (path, tmp_path / "b.onnx"):
        session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        outputs.append(np.array([session.run(None, {session.get_inputs()[0].name: row})[0] for row in x]))
    assert np.abs(outputs[0] - outputs[1]).max() <= 5e-5 * result.scale


def test_pruned_networks_lose_exactly_their_dead_units(acasxu: Path, tmp_path: Path):
    for path in sorted((acasxu / "pruned").glob("*_1_*pruned10.onnx"))[:3]:
        net = fs.load(path)
        dead = len(fs.inspect(net).redundant.dead)
        result = compress(net, out=tmp_path / "b.onnx", certificate=tmp_path / "b.fsc")
        assert (result.units_before - result.units_after, result.error_bound) == (dead, 0.0)
        assert result.methods == {"unread": dead}
        x = RNG(0).uniform(-1, 1, (500, 5))
        before = net.run_flat(x)
        assert np.abs(result.network.run_flat(x) - before).max() <= 1e-12 * np.abs(before).max()
        assert fiberscope_verify.verify(str(tmp_path / "b.fsc"), str(path), str(tmp_path / "b.onnx")).valid


def test_the_network_is_made_when_asked_for(tmp_path: Path):
    net = fs.load(saved(tmp_path / "a.npz", random_layers(RNG(2), [3, 6, 2])))
    result = compress(net, box=(-1, 1))
    assert "network" not in vars(result)
    assert result.network is result.network
    assert compress(net).network is net  # nothing to remove
    with pytest.raises(AttributeError):
        _ = result.nothing


@pytest.mark.slow
@pytest.mark.parametrize(("name", "prop", "most"), [("1_1", 3, 135), ("1_1", 1, 150), ("3_3", 1, 225)])
def test_acasxu_on_many_points(acasxu: Path, tmp_path: Path, name: str, prop: int, most: int):
    """The promised sizes, with the stated bound, and onnxruntime's own outputs on 100,000 points of the box."""
    from fiberscope.equivalence.vnnlib import input_box

    runtime = pytest.importorskip("onnxruntime")
    path = acasxu / "original" / f"ACASXU_run2a_{name}_batch_2000.onnx"
    lo, hi = input_box(acasxu / "specs" / "properties" / f"prop_{prop}.vnnlib", 5)
    net = fs.load(path)
    result = compress(net, box=(lo, hi), out=tmp_path / "b.onnx", certificate=tmp_path / "b.fsc", budget=240)
    check(net, result, tmp_path / "b.onnx", path, lo, hi, 100_000)
    assert result.units_after <= most
    assert result.error_bound <= 1e-4 * result.scale
    x = RNG(1).uniform(lo, hi, (20_000, 5))
    in_memory = np.abs(net.run_flat(x) - result.network.run_flat(x)).max()
    assert in_memory <= 1e-12 * result.scale
    rows = RNG(0).uniform(lo, hi, (100_000, 1, 1, 1, 5)).astype(np.float32)
    outputs = []
    for file in (path, tmp_path / "b.onnx"):
        session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        outputs.append(np.array([session.run(None, {session.get_inputs()[0].name: row})[0] for row in rows]))
    assert np.abs(outputs[0] - outputs[1]).max() <= 5e-5 * result.scale
