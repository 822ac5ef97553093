"""Linear chains inside models: every other pair with the same product must give the same function."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import fiberscope as fs
from fiberscope.errors import InputError
from fiberscope.linear.chains import chains
from fiberscope.linear.from_network import from_network

RNG = np.random.default_rng(5)


def loaded(module: nn.Module, *shape: int) -> fs.Network:
    torch_rng = torch.Generator().manual_seed(1)
    return fs.load(module.eval(), (torch.randn(*shape, generator=torch_rng),))


class Adapter(nn.Module):
    """A low-rank adapter beside a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.down, self.up = nn.Linear(8, 6), nn.Linear(8, 2, bias=False), nn.Linear(2, 6, bias=False)
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.base(x) + self.up(self.down(x))))


class TwoWriters(nn.Module):
    """A linear space written by two matrices and a bias, and read by two."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(5, 3, bias=False)
        self.c, self.d = nn.Linear(3, 2), nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.a(x[:, :4]) + self.b(torch.relu(x[:, 4:]))
        return torch.cat([torch.relu(self.c(hidden)), torch.tanh(self.d(hidden))], dim=1)


def test_two_layers_in_a_row():
    net = loaded(nn.Sequential(nn.Linear(6, 4, bias=False), nn.Linear(4, 5, bias=False), nn.Linear(5, 3)), 2, 6)
    (chain,) = chains(net)
    assert chain.widths == (6, 4, 5, 3)
    assert [list(w) for w in chain.weights] == [["0.weight"], ["1.weight"], ["2.weight"]]
    for factor, name in zip(chain.factors, ("0.weight", "1.weight", "2.weight"), strict=True):
        np.testing.assert_array_equal(factor, net.weights[name].double().numpy())


def test_a_bias_inside_ends_a_chain_and_becomes_a_column():
    net = loaded(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 5), nn.Linear(5, 3)), 2, 6)
    assert [c.widths for c in chains(net)] == [(7, 4, 5), (5, 5, 3)]
    (aside,) = chains(net, biases="aside")
    assert aside.widths == (6, 4, 5, 3)
    assert aside.aside == ("0.bias", "1.bias")


def test_an_activation_ends_a_chain():
    net = loaded(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), 2, 6)
    assert chains(net) == ()


def test_adapter():
    net = loaded(Adapter(), 2, 8)
    (chain,) = chains(net)
    assert chain.widths == (8, 2, 6)
    assert chain.weights == (("down.weight",), ("up.weight",))


def test_every_head_is_a_pair_of_chains():
    layer = nn.TransformerEncoderLayer(12, 3, 16, batch_first=True, dropout=0.0)
    net = loaded(layer, 2, 5, 12)
    packed = layer.self_attn.in_proj_weight.detach().double().numpy()
    bias = layer.self_attn.in_proj_bias.detach().double().numpy()[:, None]
    out = layer.self_attn.out_proj.weight.detach().double().numpy()
    q, k, v = np.split(np.hstack([packed, bias]), 3)
    want = [q[4 * h : 4 * h + 4].T @ k[4 * h : 4 * h + 4] for h in range(3)]
    want += [out[:, 4 * h : 4 * h + 4] @ v[4 * h : 4 * h + 4] for h in range(3)]
    got = [c.factors[1] @ c.factors[0] for c in chains(net)]
    assert len(got) == 6
    for product in want:
        near = [min(np.abs(g - p).max() for p in (product, product.T) if p.shape == g.shape) for g in got
                if g.shape in (product.shape, product.T.shape)]  # fmt: skip
        assert min(near) < 1e-12


def test_other_points_of_the_fiber_compute_the_same_function():
    """Beyond the group's orbit: the pair is replaced by one of another rank, or spread, with the same product."""
    net = loaded(TwoWriters(), 2, 9)
    (chain,) = chains(net)
    assert chain.widths == (4 + 1 + 5, 3, 2 + 4)
    a, b = chain.factors
    names = list(zip(chain.weights[0], (4, 1, 5), strict=False))
    assert {n for n, _ in names} == {"a.weight", "a.bias", "b.weight"}
    g = RNG.normal(size=(3, 3)) + 2 * np.eye(3)
    moved, readers = g @ a, b @ np.linalg.inv(g)
    weights, start = {}, 0
    for name in chain.weights[0]:
        size = net.weights[name].shape[1] if net.weights[name].ndim == 2 else 1
        weights[name] = torch.from_numpy(moved[:, start : start + size]).reshape(net.weights[name].shape)
        start += size
    start = 0
    for name in chain.weights[1]:
        size = net.weights[name].shape[0]
        weights[name] = torch.from_numpy(readers[start : start + size])
        start += size
    x = RNG.normal(size=(20, 9))
    np.testing.assert_allclose(net.run_flat(x, weights=weights), net.run_flat(x), rtol=0, atol=1e-12)


def test_tied_weights_are_no_chain():
    """One tensor that writes and reads the same space is not a pair of free factors."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.step, self.out = nn.Linear(3, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.step(self.step(self.into(x))))

    assert all("step.weight" not in group for c in chains(loaded(Recurrent(), 2, 3)) for group in c.weights)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_linear_model_is_read_whole(depth: int):
    widths = [5, 3, 4, 6, 2][: depth + 1]
    layers = [nn.Linear(a, b, bias=False) for a, b in pairwise(widths)]
    factors = from_network(loaded(nn.Sequential(*layers), 2, 5))
    assert [f.shape for f in factors] == [(b, a) for a, b in pairwise(widths)]


def test_zero_biases_are_none():
    module = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 4))
    for layer in module:
        nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    assert [f.shape for f in from_network(loaded(module, 2, 5))] == [(3, 5), (4, 3)]


class FarClamp(nn.Module):
    """Linear wherever anyone would look, and not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(self.a(x), -1e6, 1e6)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False)),
        FarClamp(),
    ],
    ids=["biases", "relu", "far clamp"],
)
def test_what_is_not_linear_is_refused(module: nn.Module):
    with pytest.raises(InputError, match="not a linear network without biases"):
        from_network(loaded(module, 2, 3))


def test_a_chain_is_chosen_by_name():
    net = loaded(Adapter(), 2, 8)
    (chain,) = chains(net)
    assert from_network(net, chain.id)[0].shape == (2, 8)
    with pytest.raises(InputError, match=r"no linear chain 'nope'; its linear chains are s\d \(8 2 6\)"):
        from_network(net, "nope")
