"""Linear layers in a row: merged where that is exact or bounded and no larger, and where not left as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.network.onnx_models import helper, write
from tests.network.onnx_models import model as onnx_model
from torch import nn

import fiberscope as fs
from fiberscope_verify import verify


def model(widths: list[int], bends: tuple[int, ...], *, eighths: bool) -> nn.Sequential:
    """Linear layers, a ReLU after those of ``bends``; weights that are multiples of 1/8, or any."""
    generator = torch.Generator().manual_seed(sum(widths))
    parts: list[nn.Module] = []
    for l in range(len(widths) - 1):
        parts.append(nn.Linear(widths[l], widths[l + 1]))
        if l in bends:
            parts.append(nn.ReLU())
    made = nn.Sequential(*parts).eval()
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) / 2)
            if eighths:
                p.copy_(torch.round(p * 8) / 8 + 0.125)
    return made


def stored(made: nn.Module, path: Path) -> Path:
    """The file of such a network: ONNX node by node, or traced."""
    layers, size = list(made.children()), next(made.parameters()).shape[1]
    if path.suffix == ".pt2":
        fs.load(made, (torch.zeros(2, size),)).save(path)
        return path
    nodes, arrays, last = [], {}, "x"
    for l, layer in enumerate(layers):
        value = f"v{l}" if l < len(layers) - 1 else "y"
        if isinstance(layer, nn.Linear):
            arrays[f"w{l}"], arrays[f"b{l}"] = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            nodes.append(helper.make_node("Gemm", [last, f"w{l}", f"b{l}"], [value], transB=1))
        else:
            nodes.append(helper.make_node("Relu", [last], [value]))
        last = value
    x = np.zeros((2, size), dtype=np.float32)
    return write(onnx_model(nodes, {"x": x}, ["y"], arrays, dims={"x": ["n", size]}), path)


CASES = [([3, 6, 5, 2], (1,), [6, 0]), ([3, 6, 7, 2], (0,), [0, 7])]


@pytest.mark.parametrize(("widths", "bends", "gone"), CASES)
@pytest.mark.parametrize("eighths", [True, False])
@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
def test_linear_layers_in_a_row(
    tmp_path: Path, widths: list[int], bends: tuple[int, ...], gone: list[int], eighths: bool, box: Any
):
    ending = "pt2" if eighths and box is None and 0 in bends else "onnx"
    a, b, proof = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}", tmp_path / "c.fsc"
    net = fs.load(stored(model(widths, bends, eighths=eighths), a))
    result = fs.compress(net, box=box, out=b, certificate=proof, budget=2)
    report = verify(str(proof), str(a), str(b))
    assert report.valid, report.reason
    smaller = fs.load(b)
    assert smaller.parameters == result.parameters_after <= net.parameters
    assert [layer.before for layer in result.layers] == widths[1:-1]
    if box is None and not eighths:  # products that float32 does not hold
        assert (result.units_after, result.methods) == (result.units_before, {})
        assert b.read_bytes() == a.read_bytes()
    else:
        assert result.methods["affine layers merged"] == 1
        assert [layer.after for layer, was in zip(result.layers, gone, strict=True) if was] == [0]
    x = np.random.default_rng(0).uniform(-1, 1, (300, widths[0]))
    assert result.error_bound is not None
    assert np.abs(smaller.run_flat(x) - net.run_flat(x)).max() <= result.error_bound + 1e-13


@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
@pytest.mark.parametrize("eighths", [True, False])
def test_linear_layers_alone(tmp_path: Path, box: Any, eighths: bool):
    a, b, proof = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "c.fsc"
    made = model([5, 9, 8, 3], (), eighths=eighths)
    arrays: dict[str, Any] = {
        f"{'Wb'[p.ndim == 1]}{i // 2 + 1}": p.detach().numpy() for i, p in enumerate(made.parameters())
    }
    np.savez(a, activation=np.array("identity"), **arrays)
    net = fs.load(a)
    result = fs.compress(net, box=box, out=b, certificate=proof)
    assert verify(str(proof), str(a), str(b)).valid
    if box is None and not eighths:
        assert b.read_bytes() == a.read_bytes()
        return
    assert (result.units_before, result.units_after, fs.load(b).parameters) == (17, 0, 18)
    assert result.error_bound == 0 if eighths else 0 < (result.error_bound or 0) < 1e-5
    x = np.random.default_rng(0).uniform(-1, 1, (300, 5))
    assert np.abs(fs.load(b).run_flat(x) - net.run_flat(x)).max() <= (result.error_bound or 0) + 1e-13


@pytest.mark.parametrize("box", [None, (-1.0, 1.0)])
def test_a_bottleneck_is_left(tmp_path: Path, box: Any):
    """9 -> 2 -> 8 holds 44 numbers, its product 80; a ReLU that nobody reads goes all the same."""
    a, b, c = tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path / "c.fsc"
    made = model([9, 2, 8, 4], (1,), eighths=True)
    result = fs.compress(fs.load(stored(made, a)), box=box, out=b, certificate=c)
    assert (result.units_before, result.units_after, result.error_bound) == (10, 10, 0.0)
    assert b.read_bytes() == a.read_bytes()
    assert verify(str(c), str(a), str(b)).valid
    if box is None:
        with torch.no_grad():
            list(made.parameters())[4][:, 2] = 0
        result = fs.compress(fs.load(stored(made, a)), box=box, out=b, certificate=c)
        assert (result.error_bound, fs.load(b).parameters) == (0.0, fs.load(a).parameters - 7)
        assert verify(str(c), str(a), str(b)).valid
