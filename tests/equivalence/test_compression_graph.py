"""Compression beyond chains: planted channels go, near misses stay, and what is written runs elsewhere too."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.network.onnx_models import oracle
from torch import Tensor, nn

import fiberscope as fs
from fiberscope.equivalence.compression.graph_result import GraphCompression

ACTIVATIONS = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "gelu": nn.GELU()}


def compress(net: fs.Network, **options: Any) -> GraphCompression:
    result = fs.compress(net, **options)
    assert isinstance(result, GraphCompression)
    return result


class Convolutions(nn.Module):
    """Two convolutions, pooled, flattened into a linear layer."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 7, 3, padding=1)
        self.fc, self.rho = nn.Linear(7 * 4, 3), activation

    def forward(self, x: Tensor) -> Tensor:
        h = self.rho(self.c1(x))
        return self.fc(nn.functional.max_pool2d(self.rho(self.c2(h)), 2).flatten(1))


class Residual(nn.Module):
    """A stream of 6 channels, a block of 8."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.stem, self.c1, self.c2 = (nn.Conv2d(n, m, 3, padding=1) for n, m in ((2, 6), (6, 8), (8, 6)))
        self.fc, self.rho = nn.Linear(6 * 16, 3), activation

    def forward(self, x: Tensor) -> Tensor:
        h = self.rho(self.stem(x))
        return self.fc((h + self.c2(self.rho(self.c1(h)))).flatten(1))


class Branches(nn.Module):
    """Two hidden layers side by side, concatenated."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.c1, self.side, self.c2 = nn.Linear(5, 8), nn.Linear(5, 4), nn.Linear(12, 3)
        self.rho = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.c2(torch.cat([self.rho(self.side(x)), self.rho(self.c1(x))], dim=1))


KINDS: dict[str, tuple[Callable[[nn.Module], nn.Module], tuple[int, ...], int]] = {
    "convolutions": (Convolutions, (2, 4, 4), 0),
    "residual": (Residual, (2, 4, 4), 0),
    "branches": (Branches, (5,), 4),
}


def made(kind: str, activation: str, seed: int = 0) -> tuple[Any, Tensor, int]:
    """A random module whose c2 has weights with few digits (sums of two are stored numbers)."""
    build, shape, first = KINDS[kind]
    return filled(build(ACTIVATIONS[activation]), seed), torch.zeros(2, *shape), first


def filled(module: nn.Module, seed: int) -> Any:
    """Random weights that are whole 256ths."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((torch.randn(parameter.shape, generator=rng) * 64).round() / 256)
    return module.eval()


def plant(module: Any, activation: str, first: int) -> dict[str, int]:
    """An unread unit, a silent one, and duplicates in c1; what must be found."""
    c1, c2 = module.c1, module.c2
    with torch.no_grad():
        c2.weight[:, first + 5] = 0.0
        c1.weight[6], c1.bias[6] = 0.0, -1.0 if activation == "relu" else 0.0
        factor = {"relu": 4.0, "tanh": -1.0, "gelu": 1.0}[activation]
        c1.weight[3], c1.bias[3] = factor * c1.weight[1], factor * c1.bias[1]
        c1.weight[7], c1.bias[7] = c1.weight[1], c1.bias[1]
    return {"dead": 2, "duplicate": 2}


def exported(module: nn.Module, example: Tensor, path: Path, **options: Any) -> Path:
    free = {"x": {0: "n"}, "y": {0: "n"}}
    names: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": free}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old exporter, which needs no further package, says that it is old
        torch.onnx.export(module, (example,), str(path), dynamo=False, **names, **options)
    return path


def same(a: fs.Network, b: fs.Network, tolerance: float = 1e-11) -> None:
    rng = np.random.default_rng(5)
    for size in (1.0, 30.0, 1000.0):
        x = size * rng.normal(size=(40, a.n_in))
        before = a.run_flat(x)
        np.testing.assert_allclose(b.run_flat(x), before, rtol=0, atol=tolerance * np.abs(before).max())


SOME = {("convolutions", "relu"), ("residual", "tanh"), ("branches", "gelu")}
PAIRS = [
    pytest.param(*pair, marks=() if pair in SOME else pytest.mark.slow)
    for pair in itertools.product(KINDS, ACTIVATIONS)
]


@pytest.mark.parametrize(("kind", "activation"), PAIRS)
def test_planted_units_go_and_nothing_else(kind: str, activation: str):
    module, example, first = made(kind, activation)
    plain = compress(fs.load(module, (example,)))
    assert plain.units_after == plain.units_before
    wanted = plant(module, activation, first)
    net = fs.load(module, (example,))
    result = compress(net)
    assert result.methods == wanted
    assert result.units_before - result.units_after == sum(wanted.values())
    assert result.error_bound == 0.0
    same(net, result.network)
    assert result.network.parameters == result.to_json()["parameters_after"] < net.parameters


def test_cuts_that_the_checker_cannot_follow_are_not_called_proved(monkeypatch: pytest.MonkeyPatch):
    """As with an operation that it does not know: the cuts are made, and nothing is claimed of them."""
    monkeypatch.setattr("fiberscope.equivalence.compression.graph.Proof", lambda *_: SimpleNamespace(reason="no rule"))
    kind = next(iter(KINDS))
    module, example, first = made(kind, "relu")
    plain = compress(fs.load(module, (example,)))
    assert plain.proved and plain.error_bound == 0.0  # nothing was cut
    plant(module, "relu", first)
    result = compress(fs.load(module, (example,)))
    assert result.units_after < result.units_before
    assert not result.proved and result.error_bound is None and result.no_certificate == "no rule"
    assert "not proved" in repr(result)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_files_are_rewritten(kind: str, tmp_path: Path):
    module, example, first = made(kind, "relu", 1)
    wanted = plant(module, "relu", first)
    path = exported(module, example, tmp_path / "a.onnx")
    net = fs.load(path)
    result = compress(net, out=tmp_path / "b.onnx")
    assert result.methods == wanted
    same(net, fs.load(tmp_path / "b.onnx"))
    onnx.checker.check_model(str(tmp_path / "b.onnx"), full_check=True)
    x = np.random.default_rng(0).normal(size=(3, *example.shape[1:])).astype(np.float32)
    before, after = (oracle(str(p), {"x": x})[0] for p in (path, tmp_path / "b.onnx"))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("kind", KINDS)
def test_near_misses_stay(kind: str):
    """A reader of 1e-30, a duplicate off by 1e-6, a silent unit with one weight: all of them matter."""
    module, example, first = made(kind, "relu", 2)
    plant(module, "relu", first)
    with torch.no_grad():
        module.c2.weight[0, first + 5] = 1e-30
        module.c1.weight[6, 0] = 1e-3
        module.c1.bias[3] *= 1 + 1e-6
        module.c1.bias[7] += 1e-6
    result = compress(fs.load(module, (example,)))
    assert result.units_after == result.units_before


def test_a_negative_multiple_is_no_duplicate_of_a_relu():
    module, example, _ = made("convolutions", "relu", 3)
    with torch.no_grad():
        module.c1.weight[3], module.c1.bias[3] = -module.c1.weight[1], -module.c1.bias[1]
    result = compress(fs.load(module, (example,)))
    assert result.units_after == result.units_before


def test_sums_that_are_no_stored_numbers_are_not_made():
    """Merging would round a weight: the duplicate stays, the dead unit goes."""
    module, example, _ = made("convolutions", "relu", 4)
    plant(module, "relu", 0)
    with torch.no_grad():
        module.c2.weight[0, 1, 0, 0], module.c2.weight[0, 3, 0, 0] = 1.0, 1e-9
    result = compress(fs.load(module, (example,)))
    assert result.methods == {"dead": 2}
    same(fs.load(module, (example,)), result.network)


def test_a_constant_channel_in_front_of_zero_padding_stays():
    module, example, _ = made("convolutions", "relu", 5)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
    result = compress(fs.load(module, (example,)))
    assert result.units_after == result.units_before


class Unpadded(nn.Module):
    """Two convolutions without padding."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.fc = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 6, 2), nn.Linear(6, 3)
        self.rho = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rho(self.c2(self.rho(self.c1(x)))).mean((2, 3)))


def test_constants_go_where_a_bias_can_hold_them(tmp_path: Path):
    module, example = filled(Unpadded(nn.ReLU()), 0), torch.zeros(2, 2, 5, 5)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
        module.c1.weight[5], module.c1.bias[5] = 0.0, -2.0
        module.c2.weight[3], module.c2.bias[3] = 0.0, 0.5
    for net, ending in (
        (fs.load(module, (example,)), "pt2"),
        (fs.load(exported(module, example, tmp_path / "a.onnx")), "onnx"),
    ):
        result = compress(net, out=tmp_path / f"b.{ending}", certificate=tmp_path / "p.fsc")
        assert result.methods == {"dead": 1, "constant": 2}
        assert result.proved
        assert [layer.constant for layer in result.layers] == [1, 1]
        same(net, fs.load(tmp_path / f"b.{ending}"))


def test_constants_that_no_bias_can_hold_stay():
    """tanh(0.75) is no stored number; neither is 0.75 (1 + 2^-23) beside a bias of 1024."""
    module, example = filled(Unpadded(nn.Tanh()), 0), torch.zeros(2, 2, 5, 5)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
        module.c1.weight[5], module.c1.bias[5] = 0.0, 0.0
    assert compress(fs.load(module, (example,))).methods == {"dead": 1}
    module = filled(Unpadded(nn.ReLU()), 0)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75 * (1 + 2.0**-23)
        module.c2.bias += 1024.0
    assert compress(fs.load(module, (example,))).methods == {}


def test_signs_show_a_unit_that_is_never_positive():
    module, example = filled(Unpadded(nn.ReLU()), 0), torch.zeros(2, 2, 5, 5)
    with torch.no_grad():
        module.c2.weight[3] = -module.c2.weight[3].abs()
        for bias, methods in ((-0.5, {"dead": 1}), (0.0, {"dead": 1}), (1e-9, {})):
            module.c2.bias[3] = bias
            net = fs.load(module, (example,))
            result = compress(net)
            assert result.methods == methods
            same(net, result.network)


def test_on_a_box_channels_go_that_are_nowhere_positive(tmp_path: Path):
    module, example, _ = made("residual", "relu", 9)
    with torch.no_grad():
        largest = float(module.c1.weight[4].abs().sum())
        module.stem.weight[:] *= 0.125
        reach = float((module.stem.weight.abs().sum((1, 2, 3)) + module.stem.bias).max())
        module.c1.bias[4] = -largest * max(reach, 1.0) - 1e-3
    path = exported(module, example, tmp_path / "a.onnx")
    net = fs.load(path)
    assert compress(net).methods == {}
    result = compress(net, box=(-1, 1), out=tmp_path / "b.onnx", certificate=tmp_path / "p.fsc")
    assert result.methods == {"dead": 1}
    assert result.proved
    assert result.to_json()["domain"]["lo"] == [-1.0] * 32
    x = np.random.default_rng(0).uniform(-1, 1, (50, net.n_in))
    np.testing.assert_allclose(result.network.run_flat(x), net.run_flat(x), rtol=0, atol=1e-12)
    inputs = {"x": x.reshape(50, 2, 4, 4).astype(np.float32)}
    before, after = (oracle(str(p), inputs)[0] for p in (path, tmp_path / "b.onnx"))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_pt2_files_are_cut_too(tmp_path: Path):
    module, example, first = made("residual", "relu")
    wanted = plant(module, "relu", first)
    fs.load(module, (example,)).save(tmp_path / "a.pt2")
    net = fs.load(tmp_path / "a.pt2")
    result = compress(net, out=tmp_path / "b.pt2", certificate=tmp_path / "p.fsc")
    assert result.methods == wanted
    assert result.proved
    small = fs.load(tmp_path / "b.pt2")
    assert small.batched
    same(net, small)
    assert fs.verify(tmp_path / "p.fsc", tmp_path / "a.pt2", tmp_path / "b.pt2").valid


def test_a_stream_channel_read_by_a_branch_stays():
    """The head does not read it, but the block does."""
    module, example, _ = made("residual", "relu", 6)
    with torch.no_grad():
        module.fc.weight.view(3, 6, 16)[:, 2] = 0.0
    result = compress(fs.load(module, (example,)))
    assert result.units_after == result.units_before
    with torch.no_grad():
        module.c1.weight[:, 2] = 0.0
    net = fs.load(module, (example,))
    result = compress(net)
    assert result.methods == {"dead": 1}
    same(net, result.network)


def test_a_cut_can_make_more_redundant():
    """The last layer reads nothing of channel 0 of c2, the only reader of channel 3 of c1."""
    module, example, _ = made("convolutions", "tanh", 7)
    with torch.no_grad():
        module.fc.weight.view(3, 7, 4)[:, 0] = 0.0
        module.c2.weight[1:, 3] = 0.0
    net = fs.load(module, (example,))
    result = compress(net)
    assert result.methods == {"dead": 2}
    same(net, result.network)


class Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.deep = nn.Conv2d(2, 6, 1), nn.Conv2d(6, 6, 3, groups=6, padding=1)
        self.c2 = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.c2(self.deep(self.c1(x).relu()).relu())


def test_depthwise_convolutions_lose_whole_groups(tmp_path: Path):
    module, example = filled(Depthwise(), 0), torch.zeros(2, 2, 5, 5)
    with torch.no_grad():
        for layer in (module.c1, module.deep):
            layer.weight[4], layer.bias[4] = layer.weight[1], layer.bias[1]
    for net, out in (
        (fs.load(module, (example,)), tmp_path / "b.pt2"),
        (fs.load(exported(module, example, tmp_path / "a.onnx")), tmp_path / "b.onnx"),
    ):
        result = compress(net, out=out)
        same(net, fs.load(out))
        assert result.methods == {"duplicate": 1}


def test_batch_norms_of_an_onnx_file_are_folded(tmp_path: Path):
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.normal(size=(4, 2, 3, 3)),
        "gamma": rng.normal(size=4),
        "beta": rng.normal(size=4),
        "mean": rng.normal(size=4),
        "var": rng.random(4) + 0.1,
        "v": rng.normal(size=(3, 4, 1, 1)),
    }
    arrays["gamma"][1], arrays["beta"][1] = 0.0, -0.5  # silent once folded
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "gamma", "beta", "mean", "var"], ["b"], epsilon=1e-3),
        helper.make_node("Relu", ["b"], ["h"]),
        helper.make_node("Conv", ["h", "v"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *s])]
        for n, s in (("x", [2, 6, 6]), ("y", [3, 4, 4]))
    ]
    stored = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[0], ends[1], stored), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "a.onnx")
    net = fs.load(tmp_path / "a.onnx")
    result = compress(net, out=tmp_path / "b.onnx", certificate=tmp_path / "p.fsc")
    assert result.methods == {"batch norm": 1, "dead": 1}
    assert result.error_bound is None
    assert 0 < result.difference < 1e-5 * result.scale
    assert "rounds" in (result.no_certificate or "")
    assert not (tmp_path / "p.fsc").exists()
    same(net, fs.load(tmp_path / "b.onnx"), 1e-5)
    kinds = [node.op_type for node in onnx.load(tmp_path / "b.onnx").graph.node]
    assert kinds == ["Conv", "Relu", "Conv"]


def test_nothing_to_do_writes_the_same_bytes(tmp_path: Path):
    module, example, _ = made("residual", "relu", 8)
    path = exported(module, example, tmp_path / "a.onnx")
    result = compress(fs.load(path), out=tmp_path / "b.onnx", certificate=tmp_path / "p.fsc")
    assert result.units_after == result.units_before
    assert (tmp_path / "b.onnx").read_bytes() == path.read_bytes()
    assert result.no_certificate is None
    assert (tmp_path / "p.fsc").exists()


def test_the_digits_network_with_convolutions(models: Path, tmp_path: Path):
    """Trained without waste: its batch norms are folded, every channel stays."""
    net = fs.load(models / "digits_conv.onnx")
    result = compress(net, out=tmp_path / "b.onnx")
    assert result.units_after == result.units_before > 0
    assert set(result.methods) == {"batch norm"}
    same(net, fs.load(tmp_path / "b.onnx"), 1e-5)


def test_text_direction_classifier_of_rapidocr(subject: Callable[[str], Path], tmp_path: Path):
    """35 batch norms folded; onnxruntime agrees before and after."""
    path = subject("rapidocr_cls")
    result = compress(fs.load(path), out=tmp_path / "b.onnx")
    assert result.methods["batch norm"] == 35
    assert result.difference < 1e-5 * result.scale
    x = np.random.default_rng(0).uniform(-1, 1, (3, 3, 48, 192)).astype(np.float32)
    name = onnx.load(path).graph.input[0].name
    before, after = (oracle(str(p), {name: x})[0] for p in (path, tmp_path / "b.onnx"))
    assert np.abs(after - before).max() < 1e-5
    kinds = [node.op_type for node in onnx.load(tmp_path / "b.onnx").graph.node]
    assert "BatchNormalization" not in kinds
