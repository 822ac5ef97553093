"""One hidden layer out of files and modules: exactly what is stored, and a clear line for anything else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.shallow.oracle import model
from torch import nn

import fiberscope as fs
from fiberscope.activations.in_torch import torch_function
from fiberscope.errors import FiberscopeError, InputError
from fiberscope.numerics.exact import nearest_floats
from fiberscope.shallow.equality import same_function
from fiberscope.shallow.from_network import shallow_model, write_npz
from fiberscope.shallow.minimal import minimal_width
from fiberscope.shallow.model import ShallowModel


def loaded(module: nn.Module, *shape: int) -> fs.Network:
    return fs.load(module.double().eval(), (torch.zeros(2, *shape, dtype=torch.float64),), name="it")


def values(net: ShallowModel, x: np.ndarray) -> np.ndarray:
    W1, b1, W2, b2 = (nearest_floats(a)[0] if a.dtype == object else a for a in (net.W1, net.b1, net.W2, net.b2))
    hidden = torch_function(net.activation)(torch.from_numpy(x @ W1.T + b1)).numpy()
    return hidden @ W2.T + b2


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.ReLU(), "relu"),
        (nn.LeakyReLU(0.1), "leaky_relu(0.1)"),
        (nn.GELU(), "gelu"),
        (nn.SiLU(), "silu"),
        (nn.Softplus(), "softplus"),
    ],
)
def test_modules(layer, name):
    net = loaded(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), layer, nn.Linear(5, 2)), 2, 3)
    got = shallow_model(net)
    assert got.activation == name
    x = np.random.default_rng(0).standard_normal((20, 6))
    assert np.allclose(values(got, x), net.run_flat(x), atol=1e-12)
    stored = {n: t.numpy() for n, t in net.weights.items()}
    assert np.array_equal(got.W1, stored["1.weight"]) and np.array_equal(got.b2, stored["3.bias"])


class Spelled(nn.Module):
    """A mean to subtract, an activation as max(x, 0), a permutation, a negated and scaled output, two linear maps."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(3, 4, bias=False), nn.Linear(4, 5), nn.Linear(5, 2)
        self.register_buffer("mean", torch.tensor([0.5, 0.25, -1.0]))

    def forward(self, x):
        h = self.two(self.one((x - self.mean) / 3.0)).clamp(min=0.0)
        return -(self.three(h) * 0.5 - 1.0)


def test_arithmetic_on_weights_is_exact():
    net = loaded(Spelled(), 3)
    got = shallow_model(net)
    assert got.activation == "relu" and got.W1.dtype == object
    x = np.random.default_rng(1).standard_normal((20, 3))
    assert np.allclose(values(got, x), net.run_flat(x), atol=1e-12)


def test_npz_round_trip_and_onnx(tmp_path, models):
    rng = np.random.default_rng(2)
    net = ShallowModel(*(rng.standard_normal(s) for s in ((6, 3), (6,), (2, 6), (2,))), activation="leaky_relu(0.3)")
    path = tmp_path / "one.npz"
    write_npz(net, path)
    back = shallow_model(fs.load(path))
    assert back.activation == net.activation
    for name in ("W1", "b1", "W2", "b2"):
        assert np.array_equal(getattr(back, name), getattr(net, name))
    small = minimal_width(net).rounded().model
    write_npz(small, path)
    assert same_function(shallow_model(fs.load(path)), small).equal
    nothing = minimal_width(model([[1.0]], [0], [[0.0]], [3.0])).network
    write_npz(nothing, path)
    assert same_function(shallow_model(fs.load(path)), model([[1.0]], [0], [[0.0]], [3.0])).equal
    with pytest.raises(InputError, match="more than one hidden layer"):
        shallow_model(fs.load(models / "digits_relu.onnx"))


def test_onnx_with_a_mean_and_a_gemm(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)
    arrays = {"m": (3,), "W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    stored = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in arrays.items()}
    nodes = [
        helper.make_node("Sub", ["x", "m"], ["centred"]),
        helper.make_node("MatMul", ["centred", "W1"], ["h"]),
        helper.make_node("Add", ["h", "b1"], ["z"]),
        helper.make_node("LeakyRelu", ["z"], ["a"], alpha=0.25),
        helper.make_node("Gemm", ["a", "W2", "b2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(a, n) for n, a in stored.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    onnx.save(made, tmp_path / "m.onnx")
    net = fs.load(tmp_path / "m.onnx")
    got = shallow_model(net)
    assert got.activation == "leaky_relu(0.25)"
    x = rng.standard_normal((20, 3))
    assert np.allclose(values(got, x), net.run_flat(x), atol=1e-12)


@pytest.mark.parametrize(
    ("module", "shape", "words"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)), (3,), "more than one"),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), (3,), "no hidden layer"),
        (nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), nn.ReLU(), nn.Linear(4, 1)), (1, 3), "convolution"),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 1)), (3,), "cannot be read"),
    ],
)
def test_what_is_not_one_hidden_layer_is_refused_in_one_line(module, shape, words):
    with pytest.raises(InputError, match=words) as error:
        shallow_model(loaded(module, *shape))
    assert "\n" not in str(error.value) and str(error.value).startswith("it:")


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(3, 3), nn.Linear(3, 1), nn.Linear(3, 1)

    def forward(self, x):
        h = self.one(x).relu()
        return self.two(h) + self.three(x)


class TwoReaders(Skip):
    def forward(self, x):
        h = self.one(x)
        return self.two(h.relu() * h.relu()) if self.training else self.two(h.relu()) * 2 + 1


class Mixed(Skip):
    def forward(self, x):
        return self.two(self.one(x).relu() + x)


@pytest.mark.parametrize("module", [Skip(), Mixed()])
def test_skip_connections_are_not_one_hidden_layer(module):
    with pytest.raises(FiberscopeError, match="different tensors"):
        shallow_model(loaded(module, 3))


def test_outer_arithmetic():
    net = loaded(TwoReaders(), 3)
    x = np.random.default_rng(4).standard_normal((20, 3))
    assert np.allclose(values(shallow_model(net), x), net.run_flat(x), atol=1e-12)
