"""A table: which kind of planted redundancy goes, by activation, by format of the file; and what must stay.

Each kind plants units in the second hidden layer of the same random network of eighths. What goes is counted, never
more than was planted; certificates verify; the files run elsewhere too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.equivalence.test_compression_graph import ACTIVATIONS as GRAPH_ACTIVATIONS
from tests.equivalence.test_compression_graph import KINDS as GRAPHS
from tests.equivalence.test_compression_graph import exported, made, plant
from tests.network.onnx_models import oracle
from torch import nn

import fiberscope as fs
from fiberscope.network.onnx_activations import regions
from fiberscope.network.stack import Stack, at_points
from fiberscope_verify import verify

Layers = list[tuple[np.ndarray, np.ndarray]]
WIDTHS = (3, 6, 7, 2)
PLANTED = 1  # the hidden layer, from 0
HINGES = ("relu", "leaky_relu(0.25)")
SMOOTH = ("tanh", "gelu", "sigmoid", "silu")
SIGMAS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu"}


def eighths(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Multiples of 1/8, none of them 0."""
    return np.where((x := rng.integers(-24, 25, shape)) == 0, 25, x) / 8.0


def random_layers() -> Layers:
    rng = np.random.default_rng(11)
    return [(eighths(rng, m, n), eighths(rng, m)) for n, m in pairwise(WIDTHS)]


def add(layers: Layers, rows: Any, biases: Any, read: Any = None) -> None:
    """More units in the planted layer; ``read`` [2, k], by default some eighths."""
    (w, b), (v, c) = layers[PLANTED : PLANTED + 2]
    rows, biases = np.atleast_2d(rows), np.atleast_1d(biases)
    read = eighths(np.random.default_rng(5), len(v), len(rows)) if read is None else read
    layers[PLANTED] = np.concatenate([w, rows]), np.concatenate([b, biases])
    layers[PLANTED + 1] = np.concatenate([v, read], axis=1), c


def unread(layers: Layers, activation: str) -> None:
    w, b = layers[PLANTED]
    add(layers, w[0] / 2, b[1], np.zeros((2, 1)))


def silent(layers: Layers, activation: str) -> None:
    add(layers, np.zeros(6), -1.0 if activation == "relu" else 0.0)


def constant(layers: Layers, activation: str) -> None:
    add(layers, np.zeros(6), 0.75 if activation in HINGES else 0.0)


def sign_rule(layers: Layers, activation: str) -> None:
    add(layers, -np.abs(layers[PLANTED][0][0]), -0.125)


def dead_on_the_box(layers: Layers, activation: str) -> None:
    add(layers, layers[PLANTED][0][0], -4096.0)


def duplicate(layers: Layers, activation: str) -> None:
    w, b = layers[PLANTED]
    add(layers, w[2], b[2])


def duplicate_up_to_the_group(layers: Layers, activation: str) -> None:
    w, b = layers[PLANTED]
    scale = {"relu": 4.0, "leaky_relu(0.25)": 0.5, "tanh": -1.0, "sigmoid": -1.0}[activation]
    add(layers, scale * w[2], scale * b[2])


def opposite_pair(layers: Layers, activation: str) -> None:
    """Pairs on one boundary whose bends cancel: rho(z) - rho(-z) is linear, and so is what the second pair adds."""
    w, _ = layers[PLANTED]
    z, t = np.repeat(w[3:4], 2, axis=0) / 2 + 1, np.array([-5.0, 7.0])
    read = np.array([[1.0, -1.0], [0.5, -0.5]])
    add(layers, np.concatenate([z, -z]), np.concatenate([t, -t]), np.concatenate([read, -read], axis=1))


def always_active(layers: Layers, activation: str) -> None:
    """Five units that are linear on the box; two outputs read them."""
    rng = np.random.default_rng(6)
    add(layers, eighths(rng, 5, 6), np.full(5, 4096.0))


def affine_dependence(layers: Layers, activation: str) -> None:
    """Three active units, one of them the sum of the others."""
    rows = eighths(np.random.default_rng(7), 2, 6)
    add(layers, np.concatenate([rows, rows.sum(axis=0, keepdims=True)]), np.array([4096.0, 4096.0, 8192.0]))


Plant = Callable[[Layers, str], None]
KINDS: dict[str, tuple[Plant, dict[str, int], bool]] = {
    "unread": (unread, dict.fromkeys((*HINGES, *SMOOTH), 1), False),
    "zero in": (silent, dict.fromkeys((*HINGES, *SMOOTH), 1), False),
    "constant": (constant, dict.fromkeys((*HINGES, *SMOOTH), 1), False),
    "sign rule": (sign_rule, {"relu": 1}, False),
    "bounds": (dead_on_the_box, {"relu": 1}, True),
    "duplicate": (duplicate, dict.fromkeys((*HINGES, *SMOOTH), 1), False),
    "group": (duplicate_up_to_the_group, dict.fromkeys((*HINGES, "tanh", "sigmoid"), 1), False),
    "opposite": (opposite_pair, dict.fromkeys(HINGES, 4), False),
    "active": (always_active, dict.fromkeys(HINGES, 3), True),
    "dependence": (affine_dependence, dict.fromkeys(HINGES, 1), True),
}
"""How many units go at least, for each activation; whether a box is needed."""

CASES = [(kind, activation) for kind, (_, gone, _) in KINDS.items() for activation in gone]
SPELLED = ("zero in", "constant")
"""What is not found yet where a GELU is spelled out in five operations with erf."""
FORMATS = ("npz", "module", "pt2", "onnx", "nodes")


def model(layers: Layers, activation: str) -> tuple[nn.Module, torch.Tensor]:
    arrays = [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
    names = [activation] * (len(layers) - 1)
    return Stack(arrays, names, (layers[0][0].shape[1],), (len(layers[-1][1]),), True).eval(), torch.zeros(2, 3)


def network(folder: Path, layers: Layers, activation: str, form: str) -> tuple[fs.Network, str]:
    """The planted network, loaded from a file of this form; the ending of what `compress` writes."""
    module, example = model(layers, activation)
    if form == "npz":
        arrays: dict[str, Any] = {"activation": np.array(activation)}
        for l, (w, b) in enumerate(layers, 1):
            arrays |= {f"W{l}": w.astype(np.float32), f"b{l}": b.astype(np.float32)}
        np.savez(folder / "a.npz", **arrays)
        return fs.load(folder / "a.npz"), "npz"
    if form in ("module", "pt2"):
        loaded = fs.load(module, (example,))
        if form == "module":
            return loaded, "pt2"
        loaded.save(folder / "a.pt2")
        return fs.load(folder / "a.pt2"), "pt2"
    if form == "onnx":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ends = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}, "opset_version": 17}
            torch.onnx.export(module, (example,), str(folder / "a.onnx"), dynamo=False, **ends)
    else:
        onnx.save(nodes(layers, activation), folder / "a.onnx")
    return fs.load(folder / "a.onnx"), "onnx"


def nodes(layers: Layers, activation: str) -> onnx.ModelProto:
    """The same by hand: MatMul and Add, and the activation in other words than an exporter's."""
    made, stored, last = [], [], "x"
    for l, (w, b) in enumerate(layers):
        stored += [numpy_helper.from_array(w.T.astype(np.float32), f"w{l}")]
        stored += [numpy_helper.from_array(b.astype(np.float32), f"b{l}")]
        made.append(helper.make_node("MatMul", [last, f"w{l}"], [f"m{l}"]))
        made.append(helper.make_node("Add", [f"b{l}", f"m{l}"], ["y" if l == len(layers) - 1 else f"z{l}"]))
        last = f"h{l}"
        if l < len(layers) - 1:
            made += activation_nodes(activation, f"z{l}", last)
    numbers = {"half": 0.5, "one": 1.0, "root": np.sqrt(0.5)}
    stored += [numpy_helper.from_array(np.array(v, dtype=np.float32), n) for n, v in numbers.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", k]) for n, k in (("x", 3), ("y", 2))]
    graph = helper.make_graph(made, "g", ends[:1], ends[1:], stored)
    out = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    out.ir_version = 8
    return out


def activation_nodes(activation: str, z: str, h: str) -> list[Any]:
    node = helper.make_node
    if activation == "gelu":
        steps = [node("Mul", [z, "root"], [f"{h}a"]), node("Erf", [f"{h}a"], [f"{h}b"])]
        steps += [node("Add", ["one", f"{h}b"], [f"{h}c"]), node("Mul", ["half", z], [f"{h}d"])]
        return [*steps, node("Mul", [f"{h}d", f"{h}c"], [h])]
    if activation == "silu":
        return [node("Sigmoid", [z], [f"{h}s"]), node("Mul", [f"{h}s", z], [h])]
    if activation.startswith("leaky"):
        return [node("LeakyRelu", [z], [h], alpha=0.25)]
    return [node(SIGMAS[activation], [z], [h])]


def check(folder: Path, kind: str, activation: str, form: str) -> None:
    plant, counts, boxed = KINDS[kind]
    gone = 0 if activation == "gelu" and form in ("onnx", "nodes") and kind in SPELLED else counts[activation]
    layers = random_layers()
    box = (-1.0, 1.0) if boxed else None
    bare, _ = network(folder, layers, activation, form)
    least = fs.compress(bare, box=box, budget=5).units_after
    plant(layers, activation)
    net, ending = network(folder, layers, activation, form)
    out, proof = folder / f"b.{ending}", folder / "c.fsc"
    result = fs.compress(net, box=box, budget=5, out=out, certificate=proof)
    planted = result.units_before - sum(WIDTHS[1:-1])
    assert gone <= result.units_before - result.units_after
    assert result.units_after <= least + planted - gone
    assert fs.verify(proof, net, out).valid
    if net.path is not None:
        assert verify(str(proof), str(net.path), str(out)).valid
    x = np.random.default_rng(1).uniform(-1, 1, (500, 3))
    before, after = net.run_flat(x), fs.load(out).run_flat(x)
    scale = np.abs(before).max()
    assert result.error_bound is not None
    assert np.abs(before - after).max() <= result.error_bound + 1e-12 * scale
    if ending == "onnx":
        onnx.checker.check_model(str(out), full_check=True)
        rows = {"x": x.astype(np.float32)}
        one, other = (oracle(str(p), rows)[0] for p in (net.path, out))
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * scale)


FEW = [
    ("group", "tanh", "npz"),
    ("opposite", "relu", "npz"),
    ("active", "relu", "nodes"),
    ("duplicate", "gelu", "nodes"),
]


@pytest.mark.parametrize(("kind", "activation", "form"), FEW)
def test_some_kinds(kind: str, activation: str, form: str, tmp_path: Path):
    check(tmp_path, kind, activation, form)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("kind", "activation"), CASES)
def test_every_kind_in_every_format(kind: str, activation: str, form: str, tmp_path: Path):
    check(tmp_path, kind, activation, form)


@pytest.mark.parametrize("activation", [*HINGES, *SMOOTH])
@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
def test_near_misses_stay(activation: str, box: Any, tmp_path: Path):
    """A duplicate off by 1e-6, a read weight of 1e-30, a bound that crosses zero by 1e-9."""
    layers = random_layers()
    w, b = layers[PLANTED]
    add(layers, w[2] * (1 + 1e-6), b[2])
    add(layers, w[1] / 2, b[1], np.full((2, 1), 1e-30))
    first, c = layers[0]
    first[:2], c[:2] = np.array([[1.0, 0, 0], [0, -1.0, 0]]), [1.0 - 1e-9, -1.0 + 1e-9]
    arrays: dict[str, Any] = {f"W{l}": v for l, (v, _) in enumerate(layers, 1)}
    arrays |= {f"b{l}": v for l, (_, v) in enumerate(layers, 1)}
    np.savez(tmp_path / "a.npz", activation=np.array(activation), **arrays)
    result = fs.compress(fs.load(tmp_path / "a.npz"), box=box, budget=5)
    assert result.units_after == result.units_before == 15
    assert result.open_units == 0


def test_what_a_copied_activation_computes(tmp_path: Path):
    """A GELU that is halved in between is not copied as one; whatever becomes of the model is the same function."""
    layers = random_layers()
    duplicate(layers, "gelu")
    made = nodes(layers, "gelu")
    opsets, gelu = made.opset_import, at_points("gelu")
    found = regions(made.graph)
    assert [(len(r.nodes), r.source, r.result) for r in found] == [(5, "z0", "h0"), (5, "z1", "h1")]
    assert found[0].computes(gelu, TensorProto.FLOAT, opsets)
    assert not found[0].computes(at_points("gelu_tanh"), TensorProto.FLOAT, opsets)
    made.graph.node[13].output[0] = "whole"
    made.graph.node.insert(14, helper.make_node("Mul", ["whole", "half"], ["h1"]))
    halved = regions(made.graph)[1]
    assert len(halved.nodes) == 6
    assert halved.computes(gelu / 2, TensorProto.FLOAT, opsets)
    assert not halved.computes(gelu, TensorProto.FLOAT, opsets)
    onnx.save(made, tmp_path / "a.onnx")
    net = fs.load(tmp_path / "a.onnx")
    result = fs.compress(net, out=tmp_path / "b.onnx", certificate=tmp_path / "c.fsc")
    assert result.units_after == result.units_before - 1
    x = np.random.default_rng(1).uniform(-1, 1, (500, 3))
    np.testing.assert_allclose(fs.load(tmp_path / "b.onnx").run_flat(x), net.run_flat(x), rtol=0, atol=1e-12)
    assert verify(str(tmp_path / "c.fsc"), str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")).valid


@pytest.mark.slow
@pytest.mark.parametrize("form", ["module", "pt2", "onnx"])
@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
@pytest.mark.parametrize("activation", GRAPH_ACTIVATIONS)
@pytest.mark.parametrize("kind", GRAPHS)
def test_graphs_in_every_format(kind: str, activation: str, box: Any, form: str, tmp_path: Path):
    """Unread and silent channels and duplicates up to the group: in convolutions, residual sums and branches."""
    module, example, first = made(kind, activation)
    wanted = plant(module, activation, first)
    net, ending = fs.load(module, (example,)), "pt2"
    if form == "pt2":
        net.save(tmp_path / "a.pt2")
        net = fs.load(tmp_path / "a.pt2")
    elif form == "onnx":
        net, ending = fs.load(exported(module, example, tmp_path / "a.onnx")), "onnx"
    out, proof = tmp_path / f"b.{ending}", tmp_path / "c.fsc"
    result = fs.compress(net, box=box, budget=3, out=out, certificate=proof)
    assert result.units_before - result.units_after >= sum(wanted.values())
    assert result.units_before - result.units_after == sum(wanted.values()) or box is not None
    assert fs.verify(proof, net, out).valid
    x = np.random.default_rng(1).uniform(-1, 1, (100, net.n_in))
    before, after = net.run_flat(x), fs.load(out).run_flat(x)
    assert result.error_bound is not None
    assert np.abs(before - after).max() <= result.error_bound + 1e-12 * np.abs(before).max()
    if ending == "onnx":
        rows = {"x": x.reshape(100, *example.shape[1:]).astype(np.float32)}
        one, other = (oracle(str(p), rows)[0] for p in (tmp_path / "a.onnx", out))
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * np.abs(one).max())
