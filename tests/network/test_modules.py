"""Modules: tracing, names, ties, batch sizes, dtypes, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiberscope.errors import InputError, LoadError, WeightError
from fiberscope.network import Network, load


class Residual(nn.Module):
    """Two convolutions with batch norm around a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.n = nn.BatchNorm2d(3)
        self.n.running_mean, self.n.running_var = torch.randn(3), torch.rand(3) + 0.5

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(torch.relu(self.n(self.a(x))))


class Tied(nn.Module):
    """A language model whose last layer is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight
        self.spare = nn.Linear(2, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(torch.tanh(self.embed(tokens)))


class Attention(nn.Module):
    """Causal attention by the fused operator, its result reshaped and projected by a matrix product as in GPT-2."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(12, 36)
        self.weight, self.bias = nn.Parameter(torch.randn(12, 12)), nn.Parameter(torch.randn(12))

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = (part.view(b, t, 2, 6).transpose(1, 2) for part in self.qkv(x).split(12, -1))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        return torch.addmm(self.bias, y.view(-1, d), self.weight).view(b, t, d)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)), (2, 4)),
    "unit batch": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh()), (1, 4)),
    "residual": (Residual, (2, 3, 5, 7)),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), (2, 3, 8)),
    "attention": (Attention, (2, 5, 12)),
    "norms": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True), nn.LayerNorm(6)), (2, 4, 6)),
}


@pytest.mark.parametrize("name", MODULES)
def test_runs_like_the_module_at_any_batch_size(name: str) -> None:
    make, shape = MODULES[name]
    module = make().eval()
    network = load(module, torch.randn(shape))
    assert network.batched
    for batch in (1, 2, 7):
        x = torch.randn(batch, *shape[1:])
        with torch.no_grad():
            expected = module(x)
        for got in (network.run(x), network.module()(x)):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
        flat = network.run_flat(x.flatten(1).numpy())
        np.testing.assert_allclose(flat, expected.flatten(1).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_interpret_is_differentiable_in_float64(name: str) -> None:
    make, shape = MODULES[name]
    network = load(make().eval(), torch.randn(shape))
    weights = {key: tensor.double().requires_grad_() for key, tensor in network.weights.items()}
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output = network.interpret([x], weights, dtype=torch.float64)[0]
    assert output.dtype == torch.float64
    (output**3).sum().backward()
    assert x.grad is not None
    assert all(tensor.grad is not None for tensor in weights.values())


def test_float32_casts_inside_are_rewritten() -> None:
    class Casts(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.softmax(x, -1, dtype=torch.float32).to(torch.float16).to(torch.float32)

    network = load(Casts().eval(), torch.zeros(2, 3, dtype=torch.float64))
    x = np.random.default_rng(0).standard_normal((4, 3))
    exact = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert np.abs(network.run_flat(x) - exact).max() < 1e-15
    assert np.abs(network.run(x).numpy() - exact).max() > 1e-6  # type: ignore[union-attr]


def test_tied_weights_are_one_weight() -> None:
    module = Tied().eval()
    network = load(module, torch.zeros(2, 5, dtype=torch.int64))
    assert network.aliases == {"head.weight": "embed.weight"}
    assert set(network.weight_of.values()) == {"embed.weight", "spare.weight", "spare.bias"}
    assert set(network.unused) == {"spare.weight", "spare.bias"}
    assert network.parameters == 66
    assert (network.inputs[0].low, network.inputs[0].high) == (0, 11)
    other = network.replace({"head.weight": torch.ones(11, 6)})
    assert torch.equal(other.weights["embed.weight"], torch.ones(11, 6))
    assert list(other.state_dict()) == list(module.state_dict())
    copy: Any = other.module()
    assert copy.head.weight is copy.embed.weight
    assert torch.equal(copy.head.weight, torch.ones(11, 6))


def test_parameters_that_share_storage_are_tied() -> None:
    """Two parameter objects over one storage are one weight, although copying separates them."""
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).eval()
    second: Any = module[2]
    first: Any = module[0]
    second.weight = nn.Parameter(first.weight.data)
    assert load(module, torch.zeros(2, 3)).aliases == {"2.weight": "0.weight"}


def test_batch_norm_statistics_are_weights_and_counters_are_kept() -> None:
    module = Residual().eval()
    network = load(module, torch.randn(2, 3, 4, 4))
    assert {"n.running_mean", "n.running_var"} <= set(network.weights)
    assert "n.num_batches_tracked" not in network.weights
    assert list(network.state_dict()) == list(module.state_dict())


def test_the_module_is_copied() -> None:
    module = nn.Linear(2, 2).eval()
    network = load(module, torch.zeros(2, 2))
    before = network.run(torch.ones(1, 2))
    with torch.no_grad():
        module.weight.zero_()
    torch.testing.assert_close(network.run(torch.ones(1, 2)), before)


def test_structured_inputs_and_outputs() -> None:
    class Pair(nn.Module):
        def forward(self, a: Tensor, b: Tensor, scale: float = 1.0) -> dict[str, Any]:
            return {"sum": a + b * scale, "none": None, "b": b.sum(1)}

    network = load(Pair().eval(), {"a": torch.ones(2, 3), "b": torch.ones(2, 3)})
    assert (network.n_in, network.n_out, len(network.outputs)) == (6, 4, 2)
    total, second = network.run(torch.ones(5, 3), torch.zeros(5, 3))
    assert total.shape == (5, 3)
    assert second.shape == (5,)


def test_no_batch_axis() -> None:
    class Gram(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.T

    network = load(Gram().eval(), torch.randn(3, 4))
    assert not network.batched
    x = torch.randn(6, 3, 4)
    torch.testing.assert_close(network.run(x), x @ x.mT)
    torch.testing.assert_close(network.run(x[0]), x[0] @ x[0].T)
    assert network.run_flat(np.zeros((2, 12))).shape == (2, 9)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(3)])
def test_training_mode_is_refused(layer: nn.Module) -> None:
    with pytest.raises(LoadError, match=r"eval\(\)"):
        load(nn.Sequential(nn.Linear(3, 3), layer).train(), torch.zeros(2, 3))


def test_random_numbers_and_state_are_refused() -> None:
    class Noise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x)

    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("n", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.n += 1
            return x + self.n

    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(LoadError, match="random"):
        load(Noise().eval(), torch.zeros(2, 3))
    with pytest.raises(LoadError, match="writes to"):
        load(Counter().eval(), torch.zeros(2, 3))
    with pytest.raises(LoadError, match="branch"):
        load(Branch().eval(), torch.zeros(2, 3))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_are_refused(value: float) -> None:
    module = nn.Linear(3, 3).eval()
    with torch.no_grad():
        module.weight[1, 2] = value
    with pytest.raises(WeightError, match="'weight'"):
        load(module, torch.zeros(2, 3))


def test_overlapping_views_are_refused() -> None:
    class Overlap(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4, bias=False)
            self.register_buffer("row", self.linear.weight.detach()[1])

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) + self.row

    with pytest.raises(LoadError, match="share memory"):
        load(Overlap().eval(), torch.zeros(2, 4))


def test_replace_checks_everything() -> None:
    network = load(nn.Linear(3, 2).half().eval(), torch.zeros(2, 3, dtype=torch.float16))
    with pytest.raises(WeightError, match="no weight 'gain'"):
        network.replace({"gain": torch.ones(2)})
    with pytest.raises(WeightError, match=r"shape \[2, 3\]"):
        network.replace({"weight": torch.ones(3, 2)})
    with pytest.raises(WeightError, match="infinite"):
        network.replace({"bias": torch.tensor([1e6, 0.0])})
    assert network.replace({"bias": torch.tensor([1e3, 0.0])}).weights["bias"].dtype == torch.float16


def test_wrong_inputs_are_named() -> None:
    network = load(nn.Linear(3, 2).eval(), torch.zeros(2, 3))
    with pytest.raises(InputError, match="2 inputs given"):
        network.run(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(InputError, match=r"\[N, 3\]"):
        network.run(torch.zeros(2, 4))
    with pytest.raises(InputError, match=r"\[N, 3\]"):
        network.run_flat(np.zeros((2, 4)))
    with pytest.raises(InputError, match="example inputs"):
        load(nn.Linear(3, 2))
    assert network.run(torch.zeros(0, 3)).shape == (0, 2)  # type: ignore[union-attr]


def test_the_neutral_form_is_plain_data_and_its_hash_sees_every_weight() -> None:
    import json

    network = load(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval(), torch.randn(2, 3, 8))
    form = network.neutral()
    arrays = {**form.pop("weights"), **form.pop("constants")}
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    text = json.dumps(form, allow_nan=False)
    assert {"aten.bmm.default", "getitem"} <= {node["op"] for node in json.loads(text)["nodes"]}
    names = {node["name"] for node in form["nodes"]} | {x["name"] for x in form["inputs"]} | set(form["weight_of"])
    assert set(form["outputs"]) <= names
    hashes = {network.sha256}
    for name, tensor in network.weights.items():
        hashes.add(network.replace({name: torch.nextafter(tensor, torch.tensor(9.0))}).sha256)
    assert len(hashes) == len(network.weights) + 1


def test_modules_save_as_pt2(tmp_path: Path) -> None:
    network = load(Tied().eval(), torch.zeros(2, 5, dtype=torch.int64))
    other = network.replace({"embed.weight": torch.randn(11, 6)})
    other.save(tmp_path / "tied.pt2")
    again: Network = load(tmp_path / "tied.pt2")
    tokens = torch.randint(0, 11, (3, 5))
    torch.testing.assert_close(again.run(tokens), other.run(tokens), rtol=0, atol=0)
    assert again.aliases == network.aliases
    assert list(again.state_dict()) == list(network.state_dict())
    assert b"site-packages" not in (tmp_path / "tied.pt2").read_bytes()


def test_a_name_of_another_format_is_refused(tmp_path):
    net = load(torch.nn.Linear(2, 2).eval(), (torch.zeros(2, 2),))
    for ending in (".onnx", ".npz"):
        with pytest.raises(InputError, match=r"ends in \.pt2"):
            net.save(tmp_path / f"x{ending}")
        assert not (tmp_path / f"x{ending}").exists()
