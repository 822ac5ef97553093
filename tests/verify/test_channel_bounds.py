"""Compressions of graphs that round, on a box: every value stays within the error derived for it; forgeries fail."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flint import fmpq
from tests.equivalence.test_compression_graph import Unpadded, compress, exported, filled
from tests.network.onnx_models import oracle
from tests.verify.test_channels import Gated, values
from torch import nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.certificate import Certificate
from fiberscope_verify.ball import Ball, function
from fiberscope_verify.certificate import read_certificate
from fiberscope_verify.channel_claims import read_claims
from fiberscope_verify.channel_errors import ErrorPass
from fiberscope_verify.channel_lipschitz import enlarged
from fiberscope_verify.channel_near import near_entry
from fiberscope_verify.channel_products import bound as slope_bound
from fiberscope_verify.channel_ranges import ranges
from fiberscope_verify.channel_steps import Walk, facts
from fiberscope_verify.channels import OPEN
from fiberscope_verify.lower import lower


class Normed(nn.Module):
    """Batch norms after convolutions with and without a bias, in a residual block, and after a matrix."""

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(2, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.c2, self.n2 = nn.Conv2d(5, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.f, self.n3, self.g = nn.Linear(20, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)
        self.rho = rho

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.rho(self.n1(self.c1(x)))
        h = nn.functional.avg_pool2d(self.rho(h + self.n2(self.c2(h))), 2, padding=1)[:, :, 1:, 1:]
        return self.g(self.rho(self.n3(self.f(h.flatten(1))))).softmax(1)


def random(module: nn.Module, seed: int = 0) -> Any:
    """Weights with all their digits, batch norms that change what they see."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *(b for n, b in module.named_buffers() if n.endswith("mean"))):
            tensor.copy_(torch.randn(tensor.shape, generator=rng) * 0.4)
        for name, tensor in module.named_buffers():
            if name.endswith("var"):
                tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.3)
    return module.eval()


KINDS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "relu": (lambda: Normed(nn.ReLU()), (2, 4, 4)),
    "silu": (lambda: Normed(nn.SiLU()), (2, 4, 4)),
    "hardswish": (lambda: Normed(nn.Hardswish()), (2, 4, 4)),
    "gated": (Gated, (2, 6, 6)),
}


class Depthwise(nn.Module):
    """As in small image networks: expand, a convolution per channel, a gate, project; a maximum and a join."""

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(2, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.c2, self.n2 = nn.Conv2d(6, 6, 3, 2, padding=1, groups=6, bias=False), nn.BatchNorm2d(6)
        self.squeeze, self.excite = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 6, 1)
        self.c3, self.n3, self.side = nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(2, 3, 3, 2, padding=1)
        self.out, self.rho, self.gate = nn.Linear(7, 3), rho, nn.Hardsigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.rho(self.n2(self.c2(self.rho(self.n1(self.c1(x))))))
        h = h * self.gate(self.excite(self.rho(self.squeeze(h.mean((2, 3), keepdim=True)))))
        h = torch.cat([self.n3(self.c3(h)), self.side(x)], dim=1)
        return self.out(nn.functional.max_pool2d(h, 2).flatten(2).sum(2))


SMOOTH = (nn.Tanh, nn.GELU, nn.Sigmoid, nn.ELU, nn.LeakyReLU, nn.ReLU6)
MORE: dict[str, tuple[Any, tuple[int, ...]]] = {
    f"{build.__name__} {rho.__name__}": (functools.partial(lambda b, r: b(r()), build, rho), (2, 4, 4))
    for build, rho in itertools.product((Normed, Depthwise), SMOOTH)
}


@functools.cache
def compressed(kind: str, seed: int = 0) -> Any:
    build, shape = KINDS[kind] if kind in KINDS else MORE[kind]
    return compress(fs.load(random(build(), seed), (torch.zeros(2, *shape),)), box=(-0.5, 1.0))


@functools.cache
def folded(kind: str, seed: int = 0) -> tuple[Certificate, fs.Network, fs.Network, float]:
    """A proof with a bound, both networks, and the bound that was derived."""
    result = compressed(kind, seed)
    proof = result.ledger.certificate(result.original, result.network, result.error_bound)
    return proof, result.original, result.network, result.error_bound


def walked(kind: str, seed: int = 0) -> tuple[Walk, tuple[np.ndarray, np.ndarray]]:
    proof, net, small, _ = folded(kind, seed)
    first, second = (fiberscope_verify.read_model(n.neutral()) for n in (net, small))
    parsed = read_certificate(proof.to_bytes())
    graph = lower(first)
    walk = Walk(graph, lower(second), read_claims(parsed, first), *facts(parsed, graph, first), slack=True)
    walk.run()
    assert parsed.lo is not None and parsed.hi is not None
    return walk, (parsed.lo, parsed.hi)


@pytest.mark.parametrize("kind", ["relu", "hardswish"])
def test_every_value_is_within_its_error(kind: str):
    within(kind, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), list(itertools.product((*KINDS, *MORE), range(3))))
def test_more_values_are_within_their_errors(kind: str, seed: int):
    within(kind, seed)


def within(kind: str, seed: int) -> None:
    """Every value of a at random points of the box, against what its relation says."""
    proof, net, small, bound = folded(kind, seed)
    report = fiberscope_verify.verify(proof.to_bytes(), net.neutral(), small.neutral())
    assert report.valid, report.reason
    walk, box = walked(kind, seed)
    found = ErrorPass(walk, ranges(walk.a, *box), ranges(walk.b, *box))
    assert found.bound() <= bound
    rng, told = np.random.default_rng(1), 0
    for _ in range(6):
        x = [rng.uniform(-0.5, 1.0, size=walk.a.shape(v)) for v in walk.a.inputs]
        a, b = values(walk.a, x), values(walk.b, x)
        for v, relation in walk.relations.items():
            p, q, error = a[v], b[walk.matcher.image[v]], found.errors[v]
            error = np.zeros(p.shape) if error is None else error
            noise = 1e-13 * max(np.abs(p).max(), 1.0)
            if relation is None:
                assert np.all(np.abs(p - q) <= error + noise)
                continue
            p, q, error = (np.moveaxis(t, relation.axis, 0) for t in (p, q, error))
            for i, u in enumerate(relation.unit):
                if u != OPEN:
                    linear = float(relation.scale[i].p) / float(relation.scale[i].q) * q[u] if u >= 0 else 0.0
                    shift = float(relation.shift[i].p) / float(relation.shift[i].q)
                    assert np.all(np.abs(p[i] - linear - shift) <= error[i] + noise)
                    told += 1
    assert told > 0
    outputs = net.run_flat(np.random.default_rng(2).uniform(-0.5, 1, (500, net.n_in)))
    seen = np.abs(outputs - small.run_flat(np.random.default_rng(2).uniform(-0.5, 1, (500, net.n_in)))).max()
    assert 0 < seen <= bound < 1e-2


@pytest.mark.slow
def test_where_no_bound_is_known_nothing_is_claimed():
    """A softplus with a threshold is a choice between two values, for which there is no rule."""
    net = fs.load(random(Depthwise(nn.Softplus())), (torch.zeros(2, 2, 4, 4),))
    result = compress(net, box=(0, 1))
    assert result.error_bound == 0.0 and "batch norm" not in result.methods


def test_forged_bounds_are_refused():
    proof, net, small, bound = folded("relu")
    models = net.neutral(), small.neutral()

    def valid(**changes: Any) -> bool:
        forged = replace(proof, document={**proof.document, **changes})
        return fiberscope_verify.verify(forged.to_bytes(), *models).valid

    domain = proof.document["domain"]
    assert valid()
    assert not valid(error_bound=bound / 2)
    assert not valid(error_bound=None)
    assert not valid(strength="exact", error_bound=None)
    assert not valid(domain={**domain, "hi": [4.0] * len(domain["hi"])})
    assert valid(domain={**domain, "hi": [0.9] * len(domain["hi"])})
    assert not valid(domain="all")
    assert not valid(domain={"lo": domain["lo"][1:], "hi": domain["hi"][1:]})
    steps = [dict(step) for step in proof.document["steps"]]
    steps[0]["scale"] = [steps[0]["scale"][1], *steps[0]["scale"][1:]]
    assert not valid(steps=steps)
    assert not valid(steps=[*proof.document["steps"], {"step": "sizes", "shapes": [[3, 2, 4, 4]]}])


@pytest.mark.parametrize("name", ["c1.weight", "c2.bias", "f.weight", "g.bias"])
def test_other_weights_are_refused(name: str):
    """The certificate of another smaller network, honest but for its bound."""
    _, net, small, bound = folded("relu")
    tensor = small.weights[name].clone()
    tensor.view(-1)[0] += 1e-2
    other = small.replace({name: tensor})
    forged = compressed("relu").ledger.certificate(net, other, bound)
    report = fiberscope_verify.verify(forged.to_bytes(), net.neutral(), other.neutral())
    assert not report.valid and "may differ" in str(report.reason)


def test_numbers_in_one_entry_against_brute_force():
    rng = np.random.default_rng(0)
    for op, case in itertools.product(("add", "mul", "max", "min"), range(40)):
        u = -1 if case % 4 == 0 else 0
        s, c = (fmpq(int(rng.integers(1, 9)), int(rng.integers(1, 9))) for _ in range(2))
        x, y = (rng.normal(size=1 if case % 3 else 4) for _ in range(2))
        if case % 2:
            x = float(s.p) / float(s.q) * y + 1e-6 * rng.normal(size=len(y)) + float(c.p) / float(c.q)
        rx, ry = 1e-5 * (case % 5 == 0), 1e-6 * (case % 7 == 0)
        v, t, d, by, plus = near_entry(op, u, s, c, x, rx, y, ry)
        if v == OPEN:
            continue
        rule = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[op]
        f = [float(n.p) / float(n.q) for n in (s, c, t, d)]
        for b, left, right in itertools.product(rng.normal(size=5) * 3, (-rx, rx), (-ry, ry)):
            value = f[0] * b + f[1] if u == 0 else f[1]
            there = f[2] * rule(b, y + right) + f[3] if v == 0 else f[3]
            assert np.all(np.abs(rule(value, x + left) - there) <= by * abs(b) + plus + 1e-13)


SHAPES = {"leaky_relu": [-2.0], "clip": [-0.5, 1.5], "elu": [1.5, 2.0, 0.7], "softplus": [2.0, 3.0]}
STEEP = ("square", "exp", "sqrt", "rsqrt", "reciprocal", "log")
FUNCTIONS = [*SHAPES, *STEEP, "relu", "abs", "tanh", "erf", "sigmoid", "gelu", "gelu_tanh", "sin", "cos", "atan"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_enlarges_more(name: str):
    rng, parameters = np.random.default_rng(3), SHAPES.get(name, [])
    lo = rng.uniform(0.05, 2, 60) if name in STEEP else rng.normal(size=60) * 3
    hi = lo + rng.random(60)
    error = 0.04 * rng.random(60)
    found = enlarged(name, parameters, error, lo, hi)
    assert found is not None
    x = lo + (hi - lo) * rng.random(60)

    def f(t: np.ndarray) -> np.ndarray:
        return function(name, parameters, Ball(t, np.zeros(t.shape))).mid

    for part in (-1.0, 0.3, 1.0):
        assert np.all(np.abs(f(x + part * error) - f(x)) <= found * (1 + 1e-12) + 1e-14)
    assert enlarged("round", [], error, lo, hi) is None


@pytest.mark.parametrize(
    ("f", "parameters"), [("clip", [0.0, 6.0]), ("clip", [-1.0, 2.0]), ("tanh", []), ("erf", []), ("sigmoid", [])]
)
def test_slopes_of_gates(f: str, parameters: list[float]):
    t = np.linspace(-9, 9, 20001)
    for alpha, beta, gamma, delta in ((1.0, 3.0, 1 / 6, 0.0), (0.5, 0.0, -2.0, 0.5), (-3.0, 0.0, 1.0, 1.0)):
        k = slope_bound(f, parameters, alpha, beta, gamma, delta)
        if k is None:
            assert beta != 0
            continue
        y = t * (gamma * function(f, parameters, Ball(alpha * t + beta, np.zeros(t.shape))).mid + delta)
        assert np.abs(np.diff(y) / np.diff(t)).max() <= k * (1 + 1e-9)


def test_constants_that_no_bias_can_hold_go_on_a_box(tmp_path: Path):
    """tanh(0.75) enters the next biases, rounded; a bound says so. Without a box, or in front of padding, it stays."""
    module, example = filled(Unpadded(nn.Tanh()), 0), torch.zeros(2, 2, 5, 5)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
    net = fs.load(module, (example,))
    assert compress(net).methods == {}
    result = compress(net, box=(-1, 1), out=tmp_path / "b.pt2", certificate=tmp_path / "p.fsc")
    assert result.methods == {"constant": 1} and result.proved
    assert result.error_bound is not None and 0 < result.error_bound < 1e-4
    x = np.random.default_rng(0).uniform(-1, 1, (300, net.n_in))
    small = fs.load(tmp_path / "b.pt2")
    assert 0 < np.abs(small.run_flat(x) - net.run_flat(x)).max() <= result.error_bound
    assert fs.verify(tmp_path / "p.fsc", net, small).valid
    module.c2 = filled(nn.Conv2d(8, 6, 2, padding=1), 1)
    assert compress(fs.load(module, (example,)), box=(-1, 1)).methods == {}


@pytest.mark.slow
def test_text_direction_classifier_of_rapidocr_on_a_box(subject: Callable[[str], Path], tmp_path: Path):
    """The bound of so deep a network says only that a softmax lies between 0 and 1, and the result does not hide it."""
    path = subject("rapidocr_cls")
    result = compress(fs.load(path), box=(-1, 1), budget=5.0, out=tmp_path / "b.onnx", certificate=tmp_path / "p.fsc")
    assert result.methods["batch norm"] == 35 and result.no_certificate is None
    assert result.error_bound is not None and result.difference < 1e-6 < 0.9 < result.error_bound < 1.01
    report = fiberscope_verify.verify(tmp_path / "p.fsc", str(path), str(tmp_path / "b.onnx"))
    assert report.valid and any("48, 96" in line for line in report.checked), report.reason
    x = np.random.default_rng(0).uniform(-1, 1, (3, 3, 48, 96)).astype(np.float32)
    before, after = (oracle(str(p), {"x": x})[0] for p in (path, tmp_path / "b.onnx"))
    assert np.abs(after - before).max() < 1e-5


@pytest.mark.slow
def test_constants_without_a_bias_to_go_into_stay():
    module, example = filled(Unpadded(nn.Tanh()), 0), torch.zeros(2, 2, 5, 5)
    module.c2 = filled(nn.Conv2d(8, 6, 2, bias=False), 1)
    with torch.no_grad():
        module.c1.weight[2], module.c1.bias[2] = 0.0, 0.75
    assert "constant" not in compress(fs.load(module, (example,)), box=(-1, 1)).methods


def test_files_with_batch_norms_come_with_a_bound(tmp_path: Path):
    module = random(Normed(nn.ReLU()), 4)
    net = fs.load(module, (torch.zeros(2, 2, 4, 4),))
    net.save(tmp_path / "a.pt2")
    with torch.no_grad():
        options = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
        exported(module, torch.zeros(2, 2, 4, 4), tmp_path / "a.onnx", **options)
    for ending in ("onnx", "pt2"):
        a, b, p = (tmp_path / f"{n}.{ending}" for n in "abp")
        result = compress(fs.load(a), box=(0, 1), out=b, certificate=p)
        assert result.methods["batch norm"] == 3 and result.methods["dead"] > 0 and result.no_certificate is None
        assert result.error_bound is not None and result.difference <= result.error_bound < 1e-3
        assert result.network.parameters < net.parameters
        report = fiberscope_verify.verify(p, str(a), str(b))
        assert report.valid, report.reason
        plain = compress(fs.load(a))
        assert (plain.error_bound is None) == ("batch norm" in plain.methods) == (ending == "onnx")
