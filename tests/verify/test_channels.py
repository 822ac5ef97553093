"""Certificates of units taken out of any graph: every relation holds at random points, forgeries are refused."""

from __future__ import annotations

import copy
import functools
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.equivalence.test_compression_graph import ACTIVATIONS, KINDS, compress, exported, made, plant
from torch import nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope_verify.certificate import read_certificate
from fiberscope_verify.chain import reachable
from fiberscope_verify.channel_claims import read_claims
from fiberscope_verify.channel_constants import difference, ratio
from fiberscope_verify.channel_ranges import ranges
from fiberscope_verify.channel_steps import Walk
from fiberscope_verify.channels import OPEN
from fiberscope_verify.core import Graph
from fiberscope_verify.evaluate import Ball, step
from fiberscope_verify.lower import lower


def values(graph: Graph, x: list[np.ndarray]) -> dict[int, np.ndarray]:
    """Every value of a graph at one input, by the checker's own arithmetic (centres only)."""
    out: dict[int, Ball] = {v: Ball(part, np.zeros(part.shape)) for v, part in zip(graph.inputs, x, strict=True)}
    for v in reachable(graph):
        if v not in out:
            out[v] = step(graph, v, graph.nodes[v], [out[u] for u in graph.nodes[v].args])
    return {v: ball.mid for v, ball in out.items()}


def holds(walk: Walk, seed: int = 0) -> int:
    """All relations of a walk at random inputs; returns how many were not plain equality."""
    rng, cut = np.random.default_rng(seed), 0
    for size in (1.0, 30.0):
        x = [size * rng.normal(size=walk.a.shape(v)) for v in walk.a.inputs]
        a, b = values(walk.a, x), values(walk.b, x)
        for v, relation in walk.relations.items():
            p, q = a[v], b[walk.matcher.image[v]]
            scale = max(np.abs(p).max(), 1.0)
            if relation is None:
                np.testing.assert_allclose(p, q, atol=1e-12 * scale)
                continue
            cut += 1
            p, q = np.moveaxis(p, relation.axis, 0), np.moveaxis(q, relation.axis, 0)
            for i, u in enumerate(relation.unit):
                if u != OPEN:
                    linear = float(Fraction(int(relation.scale[i].p), int(relation.scale[i].q))) * q[u] if u >= 0 else 0
                    shift = float(Fraction(int(relation.shift[i].p), int(relation.shift[i].q)))
                    np.testing.assert_allclose(p[i], np.broadcast_to(linear + shift, p[i].shape), atol=1e-12 * scale)
    return cut


class Gated(nn.Module):
    """Depthwise, squeeze and excite, an average pool with padding, batch norm, concatenation, a split."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.deep = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm, self.squeeze, self.excite = nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.side, self.c2 = nn.Conv2d(2, 5, 3), nn.Conv2d(8, 6, 3)
        self.out = nn.Linear(11, 4)
        self.rho: nn.Module = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(self.deep(self.rho(self.c1(x)))).relu()
        gate = self.excite(self.squeeze(h.mean((2, 3), keepdim=True)).relu()).sigmoid()
        h = nn.functional.avg_pool2d(h * gate, 3, 1, 1)
        h = torch.cat([self.c2(h).relu(), self.side(x).relu()], dim=1)
        return self.out(h.amax((2, 3)))


def gated() -> tuple[Any, torch.Tensor]:
    module: Any = Gated()
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((torch.randn(parameter.shape, generator=rng) * 64).round() / 256)
        module.norm.running_mean.copy_((torch.randn(8, generator=rng) * 64).round() / 256)
        module.norm.running_var.copy_(torch.rand(8, generator=rng) + 0.5)
        module.squeeze.weight[2], module.squeeze.bias[2] = 2 * module.squeeze.weight[0], 2 * module.squeeze.bias[0]
        module.c2.weight[4], module.c2.bias[4] = 0.0, -1.0
        module.side.weight[3], module.side.bias[3] = module.side.weight[1], module.side.bias[1]
    return module.eval(), torch.zeros(2, 2, 6, 6)


@functools.cache
def planted(kind: str, activation: str) -> tuple[Certificate, fs.Network, fs.Network]:
    """A proof, the network and the smaller one."""
    module, example, first = made(kind, activation)
    plant(module, activation, first)
    return proof_of(fs.load(module, (example,)))


def proof_of(net: fs.Network) -> tuple[Certificate, fs.Network, fs.Network]:
    result = compress(net)
    assert result.ledger is not None
    return result.ledger.certificate(net, result.network), net, result.network


def walked(proof: Certificate, a: Any, b: Any) -> Walk:
    first, second = fiberscope_verify.read_model(a), fiberscope_verify.read_model(b)
    parsed = read_certificate(proof.to_bytes())
    walk = Walk(lower(first), lower(second), read_claims(parsed, first))
    walk.run()
    return walk


@pytest.mark.parametrize(("kind", "activation"), list(itertools.product(KINDS, ACTIVATIONS)))
def test_every_relation_holds(kind: str, activation: str):
    proof, net, small = planted(kind, activation)
    assert proof.document["strength"] == "exact"
    report = fiberscope_verify.verify(proof.to_bytes(), net.neutral(), small.neutral())
    assert report.valid, report.reason
    assert holds(walked(proof, net.neutral(), small.neutral())) > 0


@pytest.mark.parametrize(("kind", "ending"), [("convolutions", "onnx"), ("residual", "pt2")])
def test_files_come_with_a_certificate(kind: str, ending: str, tmp_path: Path):
    module, example, first = made(kind, "relu")
    plant(module, "relu", first)
    net = fs.load(exported(module, example, tmp_path / "a.onnx") if ending == "onnx" else module, (example,))
    a, b, p = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}", tmp_path / "p.fsc"
    net.save(a)
    result = compress(net, out=b, certificate=p)
    assert result.proved
    assert result.no_certificate is None
    report = fiberscope_verify.verify(p, str(a) if ending == "onnx" else net.neutral(), str(b))
    assert report.valid, report.reason
    if ending == "onnx":
        assert not fiberscope_verify.verify(p, str(a), str(a)).valid


def test_gates_pools_batch_norms_and_joins():
    module, example = gated()
    net = fs.load(module, (example,))
    result = compress(net)
    assert result.methods == {"dead": 1, "duplicate": 2}
    assert holds(walked(*(proof_of(net)[0], net.neutral(), result.network.neutral()))) > 0


def forged(proof: Certificate, rng: np.random.Generator) -> Certificate:
    """One number of a certificate changed."""
    document, arrays = copy.deepcopy(proof.document), {k: v.copy() for k, v in proof.arrays.items()}
    name = sorted(arrays)[rng.integers(len(arrays))]
    i = rng.integers(len(arrays[name]))
    kind = rng.integers(4)
    if kind == 0:
        arrays[name][i] = arrays[name][i] + rng.choice([-1, 1])
    elif kind == 1:
        arrays[name] = rng.permutation(arrays[name])
    elif kind == 2:
        j = rng.integers(len(arrays[name]))
        arrays[name][i] = arrays[name][j]
    else:
        units = [step for step in document["steps"] if step["step"] == "units"]
        step = units[rng.integers(len(units))]
        count = len(arrays[step["unit"]])
        step["scale"] = step["scale"] or ["1/1"] * count
        step["scale"][rng.integers(count)] = str(rng.choice(["2/1", "-1/1", "0/1", "1/3"]))
    return Certificate(document, arrays)


@pytest.mark.parametrize(("kind", "activation"), [("convolutions", "relu"), ("residual", "tanh"), ("branches", "gelu")])
def test_forged_certificates_are_refused_or_say_something_true(kind: str, activation: str):
    proof, net, small = planted(kind, activation)
    rng, refused, models = np.random.default_rng(0), 0, (net.neutral(), small.neutral())
    for _ in range(60):
        other = forged(proof, rng)
        report = fiberscope_verify.verify(other.to_bytes(), *models)
        if not report.valid:
            refused += 1
        else:  # a unit that is zero may be called a multiple of any other
            holds(walked(other, *models))
    assert refused > 30


@pytest.mark.parametrize(("kind", "activation"), [("convolutions", "relu"), ("residual", "tanh"), ("branches", "gelu")])
def test_no_weight_of_the_smaller_network_may_move(kind: str, activation: str):
    """One unit in the last place of any weight is another function, and no certificate of "exact"."""
    proof, net, small = planted(kind, activation)
    rng = np.random.default_rng(1)
    for name, tensor in small.weights.items():
        for _ in range(3):
            moved = tensor.clone().reshape(-1)
            i = int(rng.integers(len(moved)))
            moved[i] = torch.nextafter(moved[i], torch.tensor(float(rng.choice([-9, 9]))))
            other = small.replace({name: moved.reshape(tensor.shape)})
            models = [proof.document["models"][0], {"sha256": other.sha256, "format": other.format}]
            about = Certificate({**proof.document, "models": models}, proof.arrays)
            assert not fiberscope_verify.verify(about.to_bytes(), net.neutral(), other.neutral()).valid


def test_a_constant_in_front_of_zero_padding_is_not_uniform():
    """relu(0.75) = 0.75 inside, 0 around: moving it into the next bias would be wrong at the edges."""
    module, example, _ = made("convolutions", "relu", 5)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
        other = copy.deepcopy(module)
        other.c2.bias += 0.75 * module.c2.weight[:, 2].sum((1, 2))
        other.c2.weight[:, 2] = 0.0
    a, b = (fs.load(m, (example,)) for m in (module, other))
    document = {"step": "units", "weight": "c1.weight", "unit": "v0", "scale": None}
    unit = np.arange(8)
    unit[2] = -1
    proof = certificate(a, b, claim="equal", strength="exact", method="channels", steps=[document], arrays={"v0": unit})
    report = fiberscope_verify.verify(proof.to_bytes(), a.neutral(), b.neutral())
    assert not report.valid


def sharp(bias: float, kind: str = "relu") -> fs.Network:
    """Two convolutions; unit 1 of the second is at most ``bias`` for every input, unit 2 nowhere above 0 on [-1, 1]."""
    module, example, _ = made("convolutions", kind)
    with torch.no_grad():
        module.c2.weight[1] = -module.c2.weight[1].abs()
        module.c2.bias[1] = bias
        module.c1.bias[2] = -module.c1.weight[2].abs().sum() - bias - 0.5
    return fs.load(module, (example,))


def test_claims_of_constant_units_are_derived_again():
    net = sharp(-0.25)
    for box, gone in ((None, 1), ((-1.0, 1.0), 2)):
        result = compress(net, box=box)
        assert result.methods == {"dead": gone}
        assert result.ledger is not None
        proof = result.ledger.certificate(net, result.network)
        models = net.neutral(), result.network.neutral()
        assert fiberscope_verify.verify(proof.to_bytes(), *models).valid
        assert [s["step"] for s in proof.document["steps"]].count("steady") == gone
        other = copy.deepcopy(proof.document)
        if box is not None:
            assert proof.document["domain"] == {"lo": [-1.0] * 32, "hi": [1.0] * 32}
            other["domain"]["hi"][3] = 40.0
            assert not fiberscope_verify.verify(Certificate(other, proof.arrays).to_bytes(), *models).valid
            other["domain"] = "all"
            assert not fiberscope_verify.verify(Certificate(other, proof.arrays).to_bytes(), *models).valid
        for claim in (s for s in proof.document["steps"] if s["step"] == "steady"):
            wrong = {**proof.arrays, claim["units"]: (proof.arrays[claim["units"]] + 2) % 6}
            assert not fiberscope_verify.verify(Certificate(proof.document, wrong).to_bytes(), *models).valid
        without = [s for s in proof.document["steps"] if s["step"] != "steady"]
        arrays = {s["unit"]: proof.arrays[s["unit"]] for s in without}
        about = Certificate({**proof.document, "steps": without}, arrays)
        assert not fiberscope_verify.verify(about.to_bytes(), *models).valid


def test_intervals_hold_at_random_points():
    net = sharp(-0.25)
    module, example = gated()
    for other in (net, fs.load(module, (example,))):
        graph, rng = lower(fiberscope_verify.read_model(other.neutral())), np.random.default_rng(0)
        for size in (None, 2.0):
            lo, hi = (None, None) if size is None else (np.full(other.n_in, -size), np.full(other.n_in, size))
            known = ranges(graph, lo, hi)
            for _ in range(5):
                x = [rng.uniform(-(size or 50.0), size or 50.0, size=graph.shape(v)) for v in graph.inputs]
                for v, value in values(graph, x).items():
                    if v in known:
                        low, high = known[v]
                        assert np.all((low - 1e-12 <= value) & (value <= high + 1e-12))


def test_linear_forms_see_what_cancels():
    """(x + y) + (x - y) - 3 is below 0 on [-1, 1], though both brackets reach 2."""
    module: Any = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]).reshape(2, 2, 1, 1))
        module[0].bias.zero_()
        module[1].weight[1], module[1].bias[1] = 1.0, -3.0
        module[1].bias[0], module[1].bias[2] = 9.0, 0.0
        near = copy.deepcopy(module)
        near[1].bias[1] = -2.0 + 1e-6
    example = torch.zeros(2, 2, 3, 3)
    assert compress(fs.load(module.eval(), (example,)), box=(-1, 1)).methods == {"dead": 1}
    assert compress(fs.load(module.eval(), (example,)), box=(-1, 2)).methods == {}
    assert compress(fs.load(near.eval(), (example,)), box=(-1, 1)).methods == {}


def test_differences_and_ratios():
    third, x, y = 1 / 3, np.array([3.0, 4.0]), np.array([1.0, 2.0])
    assert difference(x, y, fs_number(1)) == 2
    assert difference(x, y, fs_number(2)) is None
    assert ratio(2 * y, y) == 2
    assert ratio(x, y) is None
    assert ratio(np.zeros(2), np.zeros(2)) == 1
    assert ratio(np.array([third]), np.array([1.0])) == fs_number(*third.as_integer_ratio())


def fs_number(p: int, q: int = 1) -> Any:
    from flint import fmpq

    return fmpq(p, q)
