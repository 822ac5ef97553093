"""Models read as graphs of units: the same function, the right units, clear refusals; and written back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.affine.planting import random_dag
from torch import Tensor, nn

import fiberscope as fs
from fiberscope.affine.count import count_networks
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.from_network import from_network
from fiberscope.affine.sussmann import reduce_network
from fiberscope.affine.to_network import layers_of, save, to_network
from fiberscope.errors import InputError


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return module.double().eval()


def read(module: nn.Module, n_in: int = 3, seed: int = 0) -> tuple[DagNetwork, fs.Network]:
    net = fs.load(seeded(module, seed), (torch.zeros(2, n_in, dtype=torch.float64),))
    return from_network(net), net


def agrees(dag: DagNetwork, net: fs.Network, seed: int = 0) -> None:
    x = np.random.default_rng(seed).normal(size=(20, net.n_in))
    np.testing.assert_allclose(dag.evaluate(x), net.run_flat(x), rtol=1e-12, atol=1e-12)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        h = h + torch.tanh(self.b(h))
        h = h + torch.tanh(self.c(h))
        return self.d(h)


class Dense(nn.Module):
    """Concatenations, a skip from the input to the output, slices, several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(7, 5), nn.Linear(10, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.a(x))
        g = torch.sigmoid(self.b(torch.cat([h, x], 1)) * 2 - 0.5)
        first, second = g.split([2, 3], 1)
        return self.c(torch.cat([second, h, first, x[:, :1]], 1)), (1.5 * x).sum(1, keepdim=True) - h[:, 1:2]


class Stream(nn.Module):
    """A linear residual stream: the factors compose exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.u, self.v, self.o = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.e((x - 0.25) / 3)
        return self.o(h + self.v(torch.erf(self.u(h))))


class OnInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.o = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.o(x + torch.tanh(self.a(x)))


def test_a_residual_network_has_one_space():
    dag, net = read(Residual())
    agrees(dag, net)
    assert dag.widths == (3, 4, 4, 4, 2)
    assert count_networks(dag).count == 2**4 * 24


def test_concatenations_splits_and_outputs():
    dag, net = read(Dense())
    agrees(dag, net)
    assert dag.widths == (3, 4, 5, 3)
    assert dag.activations == ("tanh", "sigmoid")
    found = count_networks(dag)
    assert found.count == 2**8 * 6 * 120 and found.complete  # unit 1 of the first layer is itself an output: it stays


def test_a_linear_stream_is_composed_exactly():
    dag, net = read(Stream())
    agrees(dag, net)
    assert dag.widths == (3, 4, 2)
    found = count_networks(dag)
    assert found.count == 2**4 * 24
    assert not found.complete and "multiplied" in str(found.reason)  # o, e and o, v: a continuum of factors


def test_a_sum_with_its_own_activation():
    """(h + tanh(h)) / 2 - 1 of a layer without activation: h is linear in the input, so only the tanh units move."""

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.o = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            return self.o((h + torch.tanh(h)) / 2 - 1)

    dag, net = read(Own())
    agrees(dag, net)
    assert dag.widths == (3, 4, 2)
    assert count_networks(dag).count == 2**4 * 24


def test_units_added_to_inputs_stay_where_they_are():
    dag, net = read(OnInput())
    agrees(dag, net)
    assert count_networks(dag).count == 1


def test_units_that_are_outputs_stay_where_they_are():
    dag, net = read(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh()))
    agrees(dag, net)
    assert dag.widths == (3, 4, 2, 2)
    assert count_networks(dag).count == 2**4 * 24


ACTIVATIONS = {
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "arctan": torch.atan, "softsign": F.softsign,
    "relu": F.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "softplus": F.softplus, "mish": F.mish, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "relu6": F.relu6,
    "hardtanh": F.hardtanh, "tanhshrink": F.tanhshrink, "logsigmoid": F.logsigmoid,
    "gaussian": lambda x: torch.exp(-x * x), "leaky_relu(0.2)": lambda x: F.leaky_relu(x, 0.2), "selu": F.selu,
    "elu(0.5)": lambda x: F.elu(x, 0.5), "sin": torch.sin, "cos": torch.cos, "abs": torch.abs, "square": torch.square,
    "softshrink": F.softshrink, "hardshrink": F.hardshrink,
}  # fmt: skip


def test_activations_as_torch_spells_them():
    """All of them side by side in one model."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList(nn.Linear(3, 2) for _ in ACTIVATIONS)
            self.o = nn.Linear(2 * len(ACTIVATIONS), 2)

        def forward(self, x: Tensor) -> Tensor:
            pairs = zip(self.heads, ACTIVATIONS.values(), strict=True)
            return self.o(torch.cat([function(head(x)) for head, function in pairs], 1))

    dag, net = read(Net())
    agrees(dag, net)
    assert dag.activations == tuple(ACTIVATIONS)
    assert dag.widths == (3, *[2] * len(ACTIVATIONS), 2)


def test_weights_used_twice_are_named():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.o = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.o(torch.tanh(self.a(torch.tanh(self.a(x)))))

    dag, net = read(Tied())
    agrees(dag, net)
    found = count_networks(dag)
    assert not found.complete and "a.weight" in str(found.reason)


@pytest.mark.parametrize(
    ("module", "n_in", "why"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), 3, "cannot be read as a network of single units"),
        (nn.Sequential(nn.Linear(3, 4), nn.Softmax(1)), 3, "softmax"),
        (nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 2, 2)), 6, "fiberscope inspect"),
        (nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Linear(3, 4)), 6, "single units"),
        (nn.Bilinear(3, 3, 2), 3, "single units"),
    ],
)
def test_what_cannot_be_read_is_refused_on_one_line(module: nn.Module, n_in: int, why: str):
    if isinstance(module, nn.Bilinear):

        class Square(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.tanh(x) * x.flip(1)

        module = Square()
    net = fs.load(seeded(module), (torch.zeros(2, n_in, dtype=torch.float64),))
    with pytest.raises(InputError, match=why) as error:
        from_network(net)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_graphs_are_written_and_read_back(suffix: str, tmp_path: Path):
    for module in (Residual(), Dense(), Stream(), OnInput()):
        dag, net = read(module)
        again = fs.load(save(dag, tmp_path / f"model{suffix}"))
        x = np.random.default_rng(0).normal(size=(20, 3))
        np.testing.assert_allclose(again.run_flat(x), net.run_flat(x), rtol=1e-12, atol=1e-12)
        back = from_network(again)
        assert len(back.units) == len(dag.units)
        np.testing.assert_allclose(back.evaluate(x), net.run_flat(x), rtol=1e-12, atol=1e-12)


def test_random_graphs_as_modules():
    for seed in range(2):
        dag = random_dag(np.random.default_rng(seed), units=6, eighths=True)
        net = to_network(dag)
        agrees(dag, net)
        back = from_network(net)
        agrees(back, net)
        assert reduce_network(back).units_after == reduce_network(dag).units_after


def test_plain_mlps_are_npz_and_others_are_not(tmp_path: Path):
    rng = np.random.default_rng(0)
    sizes = [(4, 3), (5, 4), (2, 5)]
    dag = DagNetwork.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in sizes], "erf", "float32")
    found = layers_of(dag)
    assert found is not None and [w.shape for w, _ in found[0]] == sizes and found[1] == "erf"
    net = fs.load(save(dag, tmp_path / "a.npz"))
    assert {str(t.dtype) for t in net.weights.values()} == {"torch.float32"}
    np.testing.assert_allclose(net.run_flat(np.ones((1, 3))), dag.evaluate([[1.0, 1.0, 1.0]]), rtol=1e-5)
    with pytest.raises(InputError, match="plain MLP"):
        save(read(Residual())[0], tmp_path / "b.npz")
    with pytest.raises(InputError, match="unknown ending"):
        save(dag, tmp_path / "b.txt")
    with pytest.raises(InputError, match="not one operator"):
        save(DagNetwork.from_layers([(np.eye(2), None), (np.eye(2), None)], "tanhshrink"), tmp_path / "b.onnx")


def test_a_network_without_units_is_still_a_file(tmp_path: Path):
    """tanh of constants only: the reduction leaves one affine layer."""
    dag = DagNetwork.from_layers([(np.zeros((3, 2)), np.ones(3)), (np.ones((2, 3)), None)])
    small = reduce_network(dag).network
    for suffix in (".npz", ".onnx", ".pt2"):
        net = fs.load(save(small, tmp_path / f"c{suffix}"))
        np.testing.assert_allclose(net.run_flat(np.ones((1, 2))), dag.evaluate([[1.0, 1.0]]), rtol=1e-15)


def test_arrays_that_are_not_the_weights_of_the_graph_are_a_caveat():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.o = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
            self.gain = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(self.a(x))
            return self.o(h + self.gain * torch.tanh(self.b(h)))

    dag, net = read(Scaled())
    agrees(dag, net)
    found = count_networks(dag)
    assert not found.complete and "gain" in str(found.reason)


def test_tied_units_that_are_read_alike_are_a_caveat():
    module = seeded(Residual())
    for name, level in (("d", 1.0), ("b", 0.5), ("c", 0.25)):
        module.get_parameter(f"{name}.weight").data.fill_(level)
    net = fs.load(module, (torch.zeros(2, 3, dtype=torch.float64),))
    found = count_networks(from_network(net))
    assert not found.complete and "move apart" in str(found.reason)


class Made(nn.Module):
    """Layers by name and a forward pass."""

    def __init__(self, forward: Any, **sizes: tuple[int, int]) -> None:
        super().__init__()
        for name, (n_in, n_out) in sizes.items():
            setattr(self, name, nn.Linear(n_in, n_out))
        self.shift = nn.Parameter(torch.ones(3))
        self.way = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.way(self, x)


t = torch.tanh
BOUND = {
    "a bottleneck": ("multiplied", lambda m, x: m.c(t(m.q(m.p(t(m.a(x)))))), {"p": (3, 2), "q": (2, 3)}),
    "a linear skip": ("multiplied", lambda m, x: m.c(t(m.a(x)) + m.b(x)), {"b": (3, 3)}),
    "a shift of hidden units": ("multiplied", lambda m, x: m.c(t(m.a(x)) + m.shift), {}),
    "two biases": ("added", lambda m, x: m.c(t(m.a(x) + m.q(t(m.b(x))))), {"b": (3, 3), "q": (3, 3)}),
    "two matrices on one input": ("added", lambda m, x: m.c(t(m.a(x) + F.linear(x, m.b.weight))), {"b": (3, 3)}),
    "units read twice": ("read twice", lambda m, x: m.e(torch.cat([t(m.a(x))] * 2, 1)), {"e": (6, 2)}),
    "a mean of units": ("added up", lambda m, x: m.e(t(m.a(x)).mean(1, keepdim=True)), {"e": (1, 2)}),
    "one layer under two activations": (
        "read by several",
        lambda m, x: (lambda z: m.e(torch.cat([t(z), torch.sigmoid(z + 1)], 1)))(m.a(x)),
        {"e": (6, 2)},
    ),
    "a gain before the activation": ("multiplied", lambda m, x: m.c(t(m.shift * m.a(x))), {}),
    "branches side by side": (
        "trade places",
        lambda m, x: m.e(torch.cat([t(m.a(x)), t(m.b(x))], 1)),
        {"b": (3, 3), "e": (6, 2)},
    ),
}


@pytest.mark.parametrize("kind", BOUND)
def test_other_arrays_may_give_the_same_graph(kind: str):
    """Each has networks with the same function outside the group that is counted, most of them a continuum."""
    why, forward, sizes = BOUND[kind]
    dag, net = read(Made(forward, **{"a": (3, 3), "c": (3, 2), **sizes}))
    agrees(dag, net)
    found = count_networks(dag)
    assert not found.complete and found.theorem is None
    assert why in str(found.reason)


FREE = {
    "fixed numbers": (2**3 * 6, lambda m, x: m.c(2.0 * t(0.5 * m.a(x) - 1.0) + 0.25), {}),
    "one layer cut in two": (2**6 * 36, lambda m, x: m.c(t(m.b(t(m.a(x)[:, :3])))), {"a": (3, 3), "b": (3, 3)}),
    "a skip around a layer, read by an activation": (
        2**6 * 36,
        lambda m, x: (lambda h: m.c(t(m.b(h) + h)))(t(m.a(x))),
        {},
    ),
    "units read and added to the outputs": (2**3 * 6, lambda m, x: (lambda h: m.c(h) + h[:, :2])(t(m.a(x))), {}),
    "units read and given out": (2 * 1, lambda m, x: (lambda h: torch.cat([m.c(h), h[:, :2]], 1))(t(m.a(x))), {}),
    "unequal branches": (2**9 * 6**3, lambda m, x: m.e(torch.cat([t(m.a(x)), t(m.d(t(m.b(x))))], 1)), {"d": (3, 3)}),
}


@pytest.mark.parametrize("kind", FREE)
def test_every_weight_is_a_number_of_its_own(kind: str):
    count, forward, sizes = FREE[kind]
    dag, net = read(Made(forward, **{"a": (3, 3), "b": (3, 3), "c": (3, 2), "e": (6, 2), **sizes}))
    agrees(dag, net)
    found = count_networks(dag)
    assert (found.count, found.complete) == (count, True)
