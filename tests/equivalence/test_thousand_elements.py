"""The canonical form is one and the same for 1,000 members of an orbit; duplicates, ties, dead units are planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import fiberscope as fs
from fiberscope.equivalence.canonical import canonical_form, canonicalize
from fiberscope.network import Network, load
from fiberscope.symmetry.symmetries import symmetries


def planted(activation: nn.Module, seed: int) -> Network:
    """A 4-8-6-3 network in float64 with a duplicate, a tie in the first column, a dead and a constant unit."""
    first, second, last = nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(6, 3)
    net = nn.Sequential(first, activation, second, activation, last).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.uniform_(-0.5, 0.5, generator=generator)
        first.weight[1], first.bias[1] = first.weight[0], first.bias[0]  # same writers, other readers
        first.weight[3, 0] = first.weight[2, 0] * 2.0
        first.weight[3, 1:], first.bias[3] = first.weight[2, 1:] * 2.0, first.bias[2] * 3.0  # differs in the bias alone
        first.weight[4], first.bias[4] = 0.0, 0.0  # zero row, read by others
        first.weight[5] = 0.0  # constant
        second.weight[:, 6] = 0.0  # unread
        second.weight[2], second.bias[2] = second.weight[1], second.bias[1]
        last.weight[:, 2] = last.weight[:, 1]  # a true twin: same writers and same readers
    return load(net.eval(), (torch.zeros(2, 4, dtype=torch.float64),))


def difference(x: dict[str, np.ndarray], y: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(x[n] - y[n]).max() / max(1e-300, np.abs(x[n]).max())) for n in x)


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.Tanh(), nn.LeakyReLU(0.1), nn.GELU()], ids=["relu", "tanh", "leaky", "gelu"]
)
@pytest.mark.parametrize("count", [40, pytest.param(250, marks=pytest.mark.slow)])
def test_the_same_for_many_members(activation, count: int):
    net = planted(activation, 3)
    sym = symmetries(net)
    home = canonical_form(net, sym).weights
    for seed in range(count):
        exact = sym.random(seed, power_of_two=True)(net)
        assert difference(home, canonical_form(exact, sym).weights) == 0.0, seed
        real = sym.random(10_000 + seed)(net)
        assert difference(home, canonical_form(real, sym).weights) < 1e-9, seed


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()], ids=["relu", "tanh"])
def test_idempotent_and_the_same_function(activation):
    net = planted(activation, 5)
    once = canonicalize(net)
    twice = canonicalize(once)
    assert all(torch.equal(once.weights[n], twice.weights[n]) for n in once.weights)
    x = np.random.default_rng(0).standard_normal((64, 4))
    assert np.abs(net.run_flat(x) - once.run_flat(x)).max() < 1e-13


def test_the_shipped_networks_in_float32(tmp_path):
    for name in ("digits_relu", "digits_tanh", "digits_conv"):
        from importlib.resources import files

        net = load(str(files("fiberscope") / "models" / f"{name}.onnx"))
        once = canonicalize(net)
        assert all(torch.equal(once.weights[n], w) for n, w in canonicalize(once).weights.items())
        text = fs.fingerprint(net).text
        for seed in range(20):
            copy = symmetries(net).random(seed, power_of_two=True)(net)
            assert fs.fingerprint(copy).text == text
            assert all(torch.equal(once.weights[n], w) for n, w in canonicalize(copy).weights.items())
            rounded = symmetries(net).random(seed)(net)
            assert fs.fingerprint(rounded).distance(fs.fingerprint(net)) < 1e-5


def test_another_weight_another_text():
    net = planted(nn.ReLU(), 3)
    weights = {n: w.clone() for n, w in net.weights.items()}
    weights["0.weight"][0, 0] *= 1 + 1e-9
    near = net.replace(weights)
    assert fs.fingerprint(near).text != fs.fingerprint(net).text
    assert fs.fingerprint(near).distance(fs.fingerprint(net)) < 1e-8


def test_a_hidden_layer_wider_than_what_it_reads_and_writes():
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5, bias=False), nn.Linear(5, 6, bias=False), nn.Linear(6, 2, bias=False)).double()
    with torch.no_grad():
        for p in net.parameters():
            p.uniform_(-1, 1, generator=generator)
    loaded = load(net.eval(), (torch.zeros(2, 3, dtype=torch.float64),))
    sym = symmetries(loaded)
    home = canonical_form(loaded, sym).weights
    for seed in range(50):
        assert difference(home, canonical_form(sym.random(seed)(loaded), sym).weights) < 1e-8, seed
    x = np.random.default_rng(0).standard_normal((32, 3))
    assert np.abs(canonicalize(loaded).run_flat(x) - loaded.run_flat(x)).max() < 1e-12
