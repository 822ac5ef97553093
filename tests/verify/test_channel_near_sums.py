"""Channels that others carry up to rounding: every value stays within its error, forgeries and near misses fail."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.equivalence.folds import KINDS
from tests.equivalence.test_compression_graph import compress
from tests.verify.test_channels import values
from torch import Tensor, nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.certificate import Certificate
from fiberscope_verify.certificate import read_certificate
from fiberscope_verify.channel_claims import read_claims
from fiberscope_verify.channel_errors import ErrorPass
from fiberscope_verify.channel_ranges import ranges
from fiberscope_verify.channel_steps import Walk, facts
from fiberscope_verify.lower import lower

SLOW = pytest.mark.slow


class Two(nn.Module):
    """Two hidden layers beside a sum; linear units of the second read what was rounded in the first."""

    shape = (3,)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.back, self.out, self.rho = (
            nn.Linear(3, 12),
            nn.Linear(12, 20),
            nn.Linear(20, 12),
            *(
                nn.Linear(12, 2),
                rho,
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.rho(self.c1(x))
        return self.out(h + self.back(self.rho(self.c2(h))))


class Deep(nn.Module):
    """Two layers that fold, one upon the other, in front of a block."""

    shape = (3,)

    def __init__(self, rho: nn.Module) -> None:
        super().__init__()
        self.c1, self.c2, self.c3 = nn.Linear(3, 12), nn.Linear(12, 20), nn.Linear(20, 4)
        self.up, self.down, self.rho = nn.Linear(4, 5), nn.Linear(5, 4), rho

    def forward(self, x: Tensor) -> Tensor:
        h = self.c3(self.rho(self.c2(self.rho(self.c1(x)))))
        return h + self.down(self.rho(self.up(h)))


OWN = {"two": Two, "deep": Deep}


def planted(kind: str, rho: nn.Module, seed: int) -> tuple[Any, Tensor]:
    """Float32 weights with all their digits; most units of c1 (and c2) barely linear, 4 times another among them."""
    module = (OWN | KINDS)[kind](rho)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.uniform_(-0.6, 0.6, generator=rng)
        layers = [module.c1, module.c2] if kind in OWN else [module.c1]
        for layer in layers:
            flat = layer.weight.flatten(1)
            reach = flat.clamp(max=0).sum(1) * (1.0 if layer is module.c1 else 6.0)
            layer.bias[3:] = -reach[3:] + 1e-3
        if kind == "deep":  # the least value of these is what rounding leaves of 0
            top = torch.relu(module.c1.weight.clamp(min=0).sum(1) + module.c1.bias)
            bottom = torch.relu(module.c1.weight.clamp(max=0).sum(1) + module.c1.bias)
            w = module.c2.weight
            module.c2.bias[3:] = (-(w.clamp(max=0) @ top + w.clamp(min=0) @ bottom) + 1e-6)[3:]
        w, b = module.c1.weight, module.c1.bias
        w[1], b[1] = 4 * w[0], 4 * b[0]
        if kind == "block":
            w[3:8, 2:] = 0  # five rows of rank two
            b[3:8] = 3.0
            w[2], b[2] = 0.3 * w[3] - 0.6 * w[4] + 0.1, 0.0  # bends, on a boundary that others nearly carry
            w[2, 2:] = 0.0
            b[2] = -w[2].sum() / 2
            w[8], b[8] = -2 * w[2], -2 * b[2]
    return module.eval(), torch.zeros(2, *module.shape)


@functools.cache
def made(kind: str, leaky: bool = False, seed: int = 0) -> tuple[Certificate, fs.Network, Any]:
    module, example = planted(kind, nn.LeakyReLU(0.25) if leaky else nn.ReLU(), seed)
    net = fs.load(module, (example,))
    result = compress(net, box=(0, 1))
    assert result.ledger is not None
    return result.ledger.certificate(net, result.network, result.error_bound), net, result


def walked(certificate: Certificate, net: fs.Network, small: fs.Network) -> tuple[Walk, ErrorPass]:
    a, b = (fiberscope_verify.read_model(n.neutral()) for n in (net, small))
    parsed, graph = read_certificate(certificate.to_bytes()), lower(a)
    walk = Walk(graph, lower(b), read_claims(parsed, a), *facts(parsed, graph, a), slack=True)
    walk.run()
    assert parsed.lo is not None and parsed.hi is not None
    errors = ErrorPass(walk, ranges(walk.a, parsed.lo, parsed.hi), ranges(walk.b, parsed.lo, parsed.hi))
    errors.bound()
    return walk, errors


def sums_within(walk: Walk, errors: ErrorPass) -> int:
    """Every sum of a walk at random points and corners of [0, 1]; returns how many there are after maps."""
    rng, count = np.random.default_rng(0), 0
    for trial in range(12):
        x = [rng.uniform(0, 1, size=walk.a.shape(v)) for v in walk.a.inputs]
        x = [np.round(t) for t in x] if trial % 2 else x
        a, b = values(walk.a, x), values(walk.b, x)
        for v, relation in walk.relations.items():
            if relation is None or not relation.sums:
                continue
            found = errors.errors[v]
            error = np.zeros(a[v].shape) if found is None else found
            p, q, e = (np.moveaxis(t, relation.axis, 0) for t in (a[v], b[walk.matcher.image[v]], error))
            noise = 1e-13 * max(np.abs(p).max(), 1.0)
            for i, s in relation.sums.items():
                total = sum(float(c) * q[k] for k, c in ((k, int(c.p) / int(c.q)) for k, c in s.terms.items()))
                total = total + int(s.shift.p) / int(s.shift.q)
                assert np.all(np.abs(p[i] - total) <= e[i] + noise), (v, walk.a.nodes[v].op, i)
                count += walk.a.nodes[v].op == "map"
    return count


CASES = [(kind, leaky, seed) for seed in range(4) for kind in (*OWN, *KINDS) for leaky in (False, True)]


@pytest.mark.parametrize(
    ("kind", "leaky", "seed"), [pytest.param(*c, marks=() if c in (CASES[0], CASES[3]) else SLOW) for c in CASES]
)
def test_what_is_carried_stays_within_the_bound(kind: str, leaky: bool, seed: int):
    proof, net, result = made(kind, leaky, seed)
    assert kind in OWN or result.methods["duplicate"] == 1
    assert result.methods.get("folded", 0) >= {"two": 5, "deep": 6, "block": 3}.get(kind, 0), result.methods
    report = fiberscope_verify.verify(proof.to_bytes(), net.neutral(), result.network.neutral())
    assert report.valid, report.reason
    x = np.random.default_rng(1).uniform(0, 1, (2000, net.n_in))
    seen = np.abs(net.run_flat(x) - result.network.run_flat(x)).max()
    assert 0 < seen <= result.error_bound < 1e-3 * result.scale
    assert result.methods.get("opposite", 0) == (kind == "block")
    if "folded" in result.methods:
        assert sums_within(*walked(proof, net, result.network)) > 0


def test_forgeries_are_refused():
    proof, net, result = made("two")
    models = net.neutral(), result.network.neutral()
    steps = [dict(s) for s in proof.document["steps"]]

    def valid(**changes: Any) -> bool:
        forged = replace(proof, document={**proof.document, **changes})
        return fiberscope_verify.verify(forged.to_bytes(), *models).valid

    assert valid()
    assert not valid(error_bound=result.error_bound / 2)
    assert not valid(strength="exact", error_bound=None)
    assert not valid(steps=[s for s in steps if s["step"] != "linear"])
    domain = proof.document["domain"]
    assert not valid(domain={**domain, "lo": [-0.5] * 3})  # there the units bend
    for n, step in enumerate(steps):
        if step["step"] == "sums":
            times = list(step["times"])
            p, q = times[0].split("/")
            for changed in (f"-{times[0]}".replace("--", ""), f"{1001 * int(p)}/{1000 * int(q)}"):
                forged = [{**s, "times": [changed, *times[1:]]} if k == n else s for k, s in enumerate(steps)]
                assert not valid(steps=forged)


def test_other_weights_are_refused():
    """Honest but for the numbers of the smaller network: they enter the bound."""
    proof, net, result = made("two")
    for name in ("c1.weight", "c2.weight", "back.weight", "back.bias"):
        tensor = result.network.weights[name].clone()
        tensor.view(-1)[-1] += 1e-2
        other = result.network.replace({name: tensor})
        forged = result.ledger.certificate(net, other, result.error_bound)
        assert not fiberscope_verify.verify(forged.to_bytes(), net.neutral(), other.neutral()).valid, name
    assert fiberscope_verify.verify(proof.to_bytes(), net.neutral(), result.network.neutral()).valid


@pytest.mark.parametrize("off", [1e-6, 3e-7])
def test_rows_next_to_a_combination_stay(off: float):
    module, example = planted("block", nn.ReLU(), 0)
    module = module.double()
    with torch.no_grad():
        module.c1.weight[3:8, 2:] = 0.5 * torch.eye(5, 4, dtype=torch.float64)  # of full rank, nowhere negative
        w = module.c1.weight
        w[7] = 0.3 * w[3] + 0.7 * w[4]
        w[7, 5] += off * w[7].abs().max()
    result = compress(fs.load(module, (example.double(),)), box=(0, 1))
    assert "folded" not in result.methods
