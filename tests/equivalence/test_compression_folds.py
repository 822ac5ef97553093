"""Linear channels of any graph: planted ones go with a proof, near misses stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.equivalence.folds import KINDS, WANTED, planted
from tests.equivalence.test_compression_graph import compress, exported
from tests.network.onnx_models import oracle
from torch import nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.compression.dependence import combination, combinations
from fiberscope.equivalence.compression.result import Compression

BOX = (0.0, 1.0)
RECTIFIERS = {"relu": nn.ReLU(), "leaky": nn.LeakyReLU(0.25)}


def agree(a: fs.Network, b: fs.Network, tolerance: float = 1e-12) -> None:
    x = np.random.default_rng(1).uniform(*BOX, (200, a.n_in))
    before = a.run_flat(x)
    np.testing.assert_allclose(b.run_flat(x), before, rtol=0, atol=tolerance * np.abs(before).max())


def removed(result: Compression) -> dict[str, int]:
    """How many channels went for which reason."""
    words = ("dead", "constant", "duplicate", "folded", "opposite")
    return {word: result.methods[word] for word in words if word in result.methods}


CASES = [
    pytest.param(k, r, marks=() if (k, r) == ("joined", "leaky") else pytest.mark.slow)
    for k in KINDS
    for r in RECTIFIERS
]


@pytest.mark.parametrize(("kind", "rho"), CASES)
def test_planted_channels_go(kind: str, rho: str):
    module, example = planted(kind, RECTIFIERS[rho])
    net = fs.load(module, (example,))
    result = compress(net, box=BOX)
    assert removed(result) == WANTED
    assert (result.error_bound, result.proved) == (0.0, True)
    assert [(r.folded, r.duplicate) for r in result.layers if r.folded or r.duplicate] == [(2, 1)]
    assert result.units_before - result.units_after == 3
    agree(net, result.network)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("block", "onnx"), *(pytest.param(k, e, marks=pytest.mark.slow) for k in KINDS for e in ("onnx", "pt2"))],
)
def test_files_are_cut_and_proved(kind: str, ending: str, tmp_path: Path):
    module, example = planted(kind, nn.ReLU(), 1)
    a, b, p = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}", tmp_path / "p.fsc"
    if ending == "onnx":
        exported(module, example, a)
    else:
        fs.load(module, (example,)).save(a)
    net = fs.load(a)
    result = compress(net, box=BOX, out=b, certificate=p)
    assert removed(result) == WANTED
    assert result.no_certificate is None  # another layer may hold units that stay open
    assert fiberscope_verify.verify(p, str(a), str(b)).valid
    agree(net, fs.load(b))
    if ending == "onnx":
        x = np.random.default_rng(0).uniform(*BOX, (50, net.n_in)).astype(np.float32).reshape(-1, *example.shape[1:])
        before, after = (oracle(str(file), {"x": x})[0] for file in (a, b))
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


@pytest.mark.slow
@pytest.mark.parametrize("rho", [nn.Tanh(), nn.GELU()])
def test_other_activations_bend(rho: nn.Module):
    module, example = planted("block", rho)
    assert removed(compress(fs.load(module, (example,)), box=BOX)) == {}


@pytest.mark.slow
def test_no_channel_is_folded_through_a_maximum():
    module, example = planted("largest", nn.ReLU())
    assert removed(compress(fs.load(module, (example,)), box=BOX)) == {}


@pytest.mark.slow
def test_without_a_domain_signs_show_it():
    """c2 reads what is never negative; its units 0 to 3 have neither weights nor biases below 0."""
    module: Any = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 1), nn.ReLU(), nn.Conv2d(6, 2, 1))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((torch.randn(parameter.shape, generator=generator) * 64).round() / 256)
        w, b = module[2].weight, module[2].bias
        w[:3], b[:3] = w[:3].abs(), b[:3].abs()
        w[3], b[3] = 2 * w[0] + w[1] / 4, 0.5
    net = fs.load(module.eval(), (torch.zeros(2, 2, 4, 4),))
    result = compress(net)
    assert (removed(result), result.to_json()["domain"]) == ({"folded": 1}, "all")
    x = 1000 * np.random.default_rng(1).normal(size=(50, net.n_in))
    np.testing.assert_allclose(result.network.run_flat(x), net.run_flat(x), rtol=1e-11, atol=1e-8)


def near_misses() -> list[Any]:
    """What is changed in unit 4 = 0.5 u0 + 0.75 u1 + 0.25 of float64 weights, and whether it still goes."""
    return [
        pytest.param("row", 1e-6, False, id="a weight off by 1e-6", marks=pytest.mark.slow),
        pytest.param("bend", -1e-9, False, id="crossing zero by 1e-9"),
        pytest.param("bend", 0.0, True, id="touching zero", marks=pytest.mark.slow),
    ]


@pytest.mark.parametrize(("what", "by", "goes"), near_misses())
def test_near_misses_stay(what: str, by: float, goes: bool):
    module, example = planted("block", nn.ReLU(), double=True)
    with torch.no_grad():
        module.c1.weight[5] = module.c1.weight[8]
        module.c1.bias[7] += 0.125
        if what == "row":
            module.c1.weight[4, 0] *= 1 + by
        else:
            module.c1.bias[4] = by
    net = fs.load(module, (example,))
    result = compress(net, box=BOX)
    assert removed(result) == ({"folded": 1} if goes else {})
    agree(net, result.network)


def test_combinations_are_found_among_random_rows():
    """Whatever the order, and with generic relations (more rows than columns) beside the planted ones."""
    rng = np.random.default_rng(0)
    for count, width in ((8, 20), (14, 9)):
        rows = rng.normal(size=(count, width)).astype(np.float32).astype(np.float64)
        rows[3] = 0.5 * rows[0] - 1.25 * rows[5]
        rows[6] = rows[1] + rows[2]
        order = rng.permutation(count)
        found = combinations(rows[order], simple=True)
        assert len(found) == 2
        for i, terms in found.items():
            assert not set(terms) & set(found)
            mixed = sum((float(c) * rows[order][k] for k, c in terms.items()), np.zeros(width))
            np.testing.assert_array_equal(mixed, rows[order][i])
    assert combinations(rng.normal(size=(6, 7))) == {}
    assert combination(np.eye(3), 1) is None
