"""Planted redundancy of every kind, in chains with every kind of activation: all of it goes, near misses stay."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.verify.forge import npy, pack
from tests.verify.test_stable_certificates import forged, opened

import fiberscope as fs
from fiberscope.equivalence.compression.result import Compression
from fiberscope_verify import verify
from fiberscope_verify.archive import parse_npy

RNG = np.random.default_rng
Layers = list[tuple[np.ndarray, np.ndarray]]
ACTIVATIONS = ["relu", "leaky_relu(0.25)", "tanh", "gelu", "sigmoid", "softplus"]


def stored(path: Path, layers: Layers, activation: str, dtype: Any = np.float32) -> Path:
    arrays = {f"W{l}": w.astype(dtype) for l, (w, _) in enumerate(layers, 1)}
    arrays |= {f"b{l}": b.astype(dtype) for l, (_, b) in enumerate(layers, 1)}
    np.savez(path, activation=np.array(activation), **arrays)  # type: ignore[arg-type]
    return path


def compressed(folder: Path, layers: Layers, activation: str, dtype: Any = np.float32, **options: Any) -> Compression:
    """The compression, after its certificate and its outputs were checked."""
    a, b, proof = stored(folder / "a.npz", layers, activation, dtype), folder / "b.npz", folder / "c.fsc"
    net = fs.load(a)
    result = fs.compress(net, out=b, certificate=proof, **options)
    report = verify(str(proof), str(a), str(b))
    assert report.valid, report.reason
    lo, hi = options.get("box") or (-3.0, 3.0)
    x = RNG(5).uniform(lo, hi, (2000, net.n_in))
    before, after = net.run_flat(x), fs.load(b).run_flat(x)
    assert result.error_bound is not None
    assert np.abs(before - after).max() <= result.error_bound + 1e-12 * np.abs(before).max()
    return result


def eighths(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers whose sums and small multiples float32 holds."""
    return np.where((x := rng.integers(-24, 25, shape)) == 0, 25, x) / 8.0


def chain(seed: int, widths: tuple[int, ...] = (3, 8, 7, 2)) -> Layers:
    rng = RNG(seed)
    return [(eighths(rng, m, n), eighths(rng, m)) for n, m in pairwise(widths)]


def plant(layers: Layers, l: int, activation: str) -> int:
    """Five redundant units at the end of hidden layer l; how many of them can go for every input."""
    (w, b), (v, c) = layers[l], layers[l + 1]
    rng = RNG(l)
    scale = {"relu": 4.0, "leaky_relu(0.25)": 0.5, "tanh": -1.0}.get(activation, 1.0)
    rows = [w[0], scale * w[1], w[2], np.zeros(w.shape[1]), 2 * w[3]]
    biases = [b[0], scale * b[1], b[2], 1.0 if activation.endswith(("relu", "(0.25)")) else 0.0, 2 * b[3]]
    read = eighths(rng, len(v), 5)
    read[:, 2] = 0.0
    w, b = np.concatenate([w, rows]), np.concatenate([b, biases])
    layers[l], layers[l + 1] = (w, b), (np.concatenate([v, read], axis=1), c)
    doubled = activation in ("relu", "leaky_relu(0.25)")
    known = activation != "softplus"  # its value at 0 is log 2
    return 3 + known + doubled


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_units_that_repeat_or_do_nothing(tmp_path: Path, activation: str):
    """Duplicates (also scaled, also of the other sign), unread units, constants; in both layers, on both domains."""
    layers = chain(0)
    gone = [plant(layers, 0, activation), plant(layers, 1, activation)]
    result = compressed(tmp_path, layers, activation)
    assert [layer.before - layer.after for layer in result.layers] == gone
    assert result.error_bound == 0
    result = compressed(tmp_path, layers, activation, box=(-1, 1), budget=5)
    assert all(layer.before - layer.after >= count for layer, count in zip(result.layers, gone, strict=True))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
def test_near_misses_stay(tmp_path: Path, activation: str, box: Any):
    """Relative differences of 1e-6, weights of 1e-6, and multiples that the activation does not let through."""
    rng = RNG(1)
    w, b = eighths(rng, 8, 3), eighths(rng, 8) / 40
    w[1], b[1] = w[0] * (1 + 1e-6), b[0]
    w[3], b[3] = -w[2] * (1 + 1e-6), -b[2]
    w[4], b[4] = 0.0, 0.25
    w[4, 0] = 1e-6
    v = eighths(rng, 2, 8)
    v[:, 5] = [0.0, 1e-6]
    if activation not in ("relu", "leaky_relu(0.25)"):
        w[7], b[7] = 2 * w[6], 2 * b[6]
    result = compressed(tmp_path, [(w, b), (v, eighths(rng, 2))], activation, np.float64, box=box, budget=5)
    assert (result.units_after, result.methods.get("duplicate")) == (8, None)


def test_a_multiple_in_front_of_what_it_is_a_multiple_of(tmp_path: Path):
    """A third of a weight is no stored number; three times a weight is."""
    layers = chain(3, (3, 5, 2))
    (w, b), _ = layers
    w[0], b[0] = 3 * w[4], 3 * b[4]
    result = compressed(tmp_path, layers, "relu")
    assert (result.units_after, result.error_bound) == (4, 0.0)


def opposite(w: np.ndarray, b: np.ndarray, read: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs rho(z) - rho(-z) = (1 + slope) z, read with weights ``read`` [k, m] each."""
    return np.concatenate([w, -w]), np.concatenate([b, -b]), np.concatenate([read, -read], axis=1)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.25)"])
@pytest.mark.parametrize("l", [0, 1])
def test_pairs_that_cancel_for_every_input(tmp_path: Path, activation: str, l: int):
    """z - (z + 12) = -12: no unit of the two pairs is needed, whatever else the layer does."""
    layers = chain(2)
    (w, b), (v, c) = layers[l], layers[l + 1]
    row = eighths(RNG(3), 1, w.shape[1])
    read = eighths(RNG(4), len(v), 1)
    rows, biases, reads = opposite(np.repeat(row, 2, axis=0), np.array([-5.0, 7.0]), np.concatenate([read, -read], 1))
    layers[l] = np.concatenate([w, rows]), np.concatenate([b, biases])
    layers[l + 1] = np.concatenate([v, reads], axis=1), c
    result = compressed(tmp_path, layers, activation)
    assert (result.layers[l].before - result.layers[l].after, result.error_bound) == (4, 0.0)
    assert result.methods["minimal layer"] == 4
    broken = [(w.copy(), b.copy()) for w, b in layers]
    broken[l][1][-1] += 1.0  # two boundaries of one unit each are left; turned the right way these are enough
    assert compressed(tmp_path, broken, activation).layers[l].after == result.layers[l].after + 2
    broken = [(w.copy(), b.copy()) for w, b in layers]
    broken[l + 1][0][0, -1] *= 1 + 2.0**-20  # one small bend is left
    assert compressed(tmp_path, broken, activation).layers[l].after == result.layers[l].after + 1


def test_a_layer_that_is_constant_after_all(tmp_path: Path):
    """relu(x - 5) - relu(5 - x) - relu(x + 7) + relu(-x - 7) = -12."""
    rows, biases, read = opposite(np.ones((2, 1)), np.array([-5.0, 7.0]), np.array([[1.0, -1.0]]))
    result = compressed(tmp_path, [(rows, biases), (read, np.zeros(1))], "relu")
    assert result.units_after == 1  # a file needs one
    net = fs.load(tmp_path / "b.npz")
    assert (net.run_flat(np.linspace(-9, 9, 50)[:, None]) == -12).all()


def test_forged_replacements(tmp_path: Path):
    """Any change of the arrays of a replaced layer is refused."""
    rows, biases, read = opposite(np.ones((2, 1)), np.array([-5.0, 7.0]), np.array([[1.0, -1.0]]))
    w, b, v = np.array([[0.5], [2.0]]), np.array([1.0, -0.75]), np.array([[1.0, 3.0]])
    layers = [(np.concatenate([w, rows]), np.concatenate([b, biases])), (np.concatenate([v, read], 1), np.zeros(1))]
    compressed(tmp_path, layers, "relu")
    a, b_path, good = tmp_path / "a.npz", tmp_path / "b.npz", (tmp_path / "c.fsc").read_bytes()
    rng = RNG(0)
    top, members = opened(good)
    step = next(s for s in top["steps"] if s["step"] == "replace")
    used = {step[key] for key in ("weight", "bias", "next_weight", "next_bias")}
    for _ in range(60):
        bad = forged(good, rng)
        changed = opened(bad)[1]
        if any(not np.array_equal(parse_npy(changed[n], n), parse_npy(members[n], n)) for n in used):
            assert not verify(bad, a, b_path).valid
    changes = ({"layer": 2}, "layer"), ({"side": "b"}, ""), ({"side": "c"}, "side"), ({"layer": 0}, "layer")
    for change, words in changes:
        forgery = json.loads(json.dumps(top))
        next(s for s in forgery["steps"] if s["step"] == "replace").update(change)
        report = verify(pack(json.dumps(forgery).encode(), members), a, b_path)
        assert not report.valid
        assert words in (report.reason or "")
    longer = members | {step["bias"]: npy(np.append(parse_npy(members[step["bias"]], "b"), 0.0))}
    assert "wrong size" in (verify(pack(json.dumps(top).encode(), longer), a, b_path).reason or "")


def test_opposite_sigmoids(tmp_path: Path):
    """sigmoid(-z) = 1 - sigmoid(z); not so for a bias of its own, nor for tanh-like multiples."""
    layers = chain(6)
    (w, b), (v, c) = layers[0], layers[1]
    read = eighths(RNG(7), len(v), 2)
    layers[0] = np.concatenate([w, -w[:2]]), np.concatenate([b, [-b[0], -b[1] + 0.125]])
    layers[1] = np.concatenate([v, read], axis=1), c
    result = compressed(tmp_path, layers, "sigmoid")
    assert (result.layers[0].duplicate, result.layers[0].after) == (1, 9)
    top, members = opened((tmp_path / "c.fsc").read_bytes())
    step = next(s for s in top["steps"] if s["step"] == "reflect")
    step["into"] = 1
    report = verify(pack(json.dumps(top).encode(), members), tmp_path / "a.npz", tmp_path / "b.npz")
    assert "is not -1 times" in (report.reason or "")
    for activation in ("softplus", "gelu", "relu"):
        assert compressed(tmp_path, layers, activation).units_after == result.units_before


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.25)"])
def test_affine_dependence_among_active_units(tmp_path: Path, activation: str):
    """Three units that are active on the box, one the sum of the others: two carry them, three after a small change."""
    rng = RNG(8)
    w, b = eighths(rng, 7, 3), np.append(np.full(3, 40.0), eighths(rng, 4) / 40)
    w[2] = w[0] + w[1]
    layers = [(w, b), (eighths(rng, 4, 7), eighths(rng, 4))]
    result = compressed(tmp_path, layers, activation, np.float64, box=(-1.0, 1.0), budget=5)
    assert (result.layers[0].after, result.layers[0].folded) == (6, 1)
    w[2, 0] *= 1 + 1e-6
    assert compressed(tmp_path, layers, activation, np.float64, box=(-1.0, 1.0), budget=5).layers[0].after == 7
