"""ONNX: round trips, encodings, symbolic sizes, external data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.network.onnx_models import TensorProto, helper, model, numpy_helper, onnx, oracle, perceptron, write

from fiberscope.errors import InputError, LoadError, UnsupportedOperatorError, WeightError
from fiberscope.network import load

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def own_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test draws from the start, whatever ran before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(3))


def f(*shape: int) -> np.ndarray:
    """Random float32."""
    return RNG.standard_normal(shape).astype(np.float32)


def test_names_counts_and_shapes(tmp_path: Path) -> None:
    network = load(write(perceptron(RNG), tmp_path / "mlp.onnx"))
    assert list(network.weights) == ["W1", "b1", "W2", "b2"]
    assert network.parameters == 4 * 6 + 6 + 6 * 3 + 3
    assert (network.name, network.format, network.batched, network.inputs[0].shape) == ("mlp", "onnx", True, (2, 4))
    assert network.inputs[0].name == "x"


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("declared", ["N", 1, 3])
def test_any_batch_size(batch: int, declared: Any, tmp_path: Path) -> None:
    """A symbolic or unit batch takes any number of samples; a fixed larger one is no batch axis."""
    network = load(write(perceptron(RNG, batch=declared), tmp_path / "mlp.onnx"))
    x = f(batch, 4)
    if declared == 3:
        assert not network.batched
        assert network.run(f(3, 4)).shape == (3, 3)  # type: ignore[union-attr]
        return
    expected = oracle(perceptron_like(network), {"x": x})[0]
    np.testing.assert_allclose(network.run(x).numpy(), expected, rtol=1e-5, atol=1e-5)  # type: ignore[union-attr]
    np.testing.assert_allclose(network.module()(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(network.run_flat(x), expected, rtol=1e-5, atol=1e-5)


def perceptron_like(network: Any) -> Any:
    """The file of a network, with a free batch."""
    made = onnx.load(network.path)
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("raw", [True, False])
def test_round_trip_is_bit_equal_in_dtype_and_encoding(dtype: Any, raw: bool, tmp_path: Path) -> None:
    weight, bias = RNG.standard_normal((4, 3)).astype(dtype), RNG.standard_normal(3).astype(dtype)
    node = [helper.make_node("MatMul", ["x", "W"], ["y"]), helper.make_node("Add", ["y", "b"], ["z"])]
    made = model(node, {"x": np.zeros((1, 4), dtype)}, ["z"], {"W": weight, "b": bias})
    if not raw:
        for tensor in made.graph.initializer:
            value = numpy_helper.to_array(tensor)
            flat = value.view(np.uint16).reshape(-1) if dtype == np.float16 else value.reshape(-1)
            tensor.CopyFrom(helper.make_tensor(tensor.name, tensor.data_type, value.shape, value.reshape(-1)))
            assert len(flat) == value.size
            assert not tensor.HasField("raw_data")
    network = load(write(made, tmp_path / "a.onnx"))
    assert network.weights["W"].numpy().dtype == dtype
    assert np.array_equal(network.weights["W"].numpy(), weight)
    other = network.replace({"W": network.weights["W"] * 3, "b": network.weights["b"].double() - 1})
    other.save(tmp_path / "b.onnx")
    again = onnx.load(tmp_path / "b.onnx")
    assert [t.HasField("raw_data") for t in again.graph.initializer] == [raw, raw]
    assert np.array_equal(numpy_helper.to_array(again.graph.initializer[0]), other.weights["W"].numpy())
    assert load(tmp_path / "b.onnx").sha256 != network.sha256
    other.replace({"W": torch.from_numpy(weight), "b": torch.from_numpy(bias)}).save(tmp_path / "c.onnx")
    assert onnx.load(tmp_path / "c.onnx") == made


def test_bfloat16_is_kept(tmp_path: Path) -> None:
    bits = torch.tensor([[1.5, -2.0], [0.25, 3.0]], dtype=torch.bfloat16)
    tensor = TensorProto(name="W", data_type=TensorProto.BFLOAT16, dims=[2, 2])
    tensor.raw_data = bits.view(torch.uint8).numpy().tobytes()
    nodes = [helper.make_node("Cast", ["W"], ["V"], to=1), helper.make_node("MatMul", ["x", "V"], ["y"])]
    made = model(nodes, {"x": np.zeros((1, 2), np.float32)}, ["y"])
    made.graph.initializer.append(tensor)
    network = load(write(made, tmp_path / "a.onnx"))
    assert torch.equal(network.weights["W"], bits)
    network.replace({"W": bits * 2}).save(tmp_path / "b.onnx")
    assert torch.equal(load(tmp_path / "b.onnx").weights["W"], bits * 2)


def test_the_module_of_a_file_can_be_traced_trained_and_moved(tmp_path: Path) -> None:
    """Names with dots and slashes survive as parameter names; gradients flow; the module loads as a network again."""
    made = perceptron(RNG)
    made.graph.initializer[0].name = made.graph.node[0].input[1] = "block/0.weight"
    network = load(write(made, tmp_path / "a.onnx"))
    module = network.module()
    assert set(module.state_dict()) == set(network.weights) == {"block/0.weight", "b1", "W2", "b2"}
    module.load_state_dict(network.state_dict())
    x = torch.randn(2, 4)
    module(x).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    again = load(module, x)
    assert again.parameters == network.parameters
    torch.testing.assert_close(again.run(x), network.run(x))


def test_unwritable_paths_are_named(tmp_path: Path) -> None:
    network = load(write(perceptron(RNG), tmp_path / "a.onnx"))
    with pytest.raises(InputError, match="nowhere"):
        network.save(tmp_path / "nowhere" / "b.onnx")


def test_initialisers_listed_as_inputs_are_not_inputs(tmp_path: Path) -> None:
    made = perceptron(RNG, batch=1)
    made.ir_version = 3
    made.graph.input.append(helper.make_tensor_value_info("W1", 1, [6, 4]))
    assert [s.name for s in load(write(made, tmp_path / "a.onnx")).inputs] == ["x"]


def test_numbers_are_constants_and_gains_are_weights(tmp_path: Path) -> None:
    constants = {
        "half": np.array(0.5, np.float32),
        "three": np.array([3.0], np.float32),
        "gain": f(4),
        "two": np.array(2.0, np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["a"]),
        helper.make_node("Add", ["a", "three"], ["b"]),
        helper.make_node("Mul", ["b", "gain"], ["c"]),
        helper.make_node("Pow", ["c", "two"], ["y"]),
    ]
    network = load(write(model(nodes, {"x": f(1, 4)}, ["y"], constants), tmp_path / "a.onnx"))
    assert list(network.weights) == ["gain"]
    assert set(network.state_dict()) == {"half", "three", "gain", "two"}


def test_a_bias_of_one_unit_is_a_weight(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "W"], ["y"]), helper.make_node("Add", ["y", "b"], ["z"])]
    made = model(nodes, {"x": f(1, 4)}, ["z"], {"W": f(4, 1), "b": f(1)})
    assert list(load(write(made, tmp_path / "a.onnx")).weights) == ["W", "b"]


def test_unused_initialisers_do_not_count(tmp_path: Path) -> None:
    made = perceptron(RNG)
    made.graph.initializer.append(numpy_helper.from_array(f(5, 5), "idle"))
    network = load(write(made, tmp_path / "a.onnx"))
    assert "idle" not in network.weights
    assert "idle" in network.state_dict()


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    """x.reshape(x.shape[0], -1) as PyTorch's exporter writes it: Shape, Gather, Unsqueeze, Concat, Reshape."""
    constants = {"zero": np.array(0, np.int64), "axes": np.array([0]), "rest": np.array([-1]), "W": f(12, 5)}
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["m"]),
        helper.make_node("Concat", ["m", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "W"], ["y"]),
    ]
    made = model(nodes, {"x": f(1, 3, 4)}, ["y"], constants, dims={"x": ["batch", 3, 4]})
    network = load(write(made, tmp_path / "a.onnx"))
    targets = [str(n.target) for n in network.graph.nodes if n.op == "call_function"]
    assert targets == ["aten.view.default", "aten.mm.default"]
    x = f(5, 3, 4)
    np.testing.assert_allclose(network.run(x).numpy(), oracle(made, {"x": x})[0], rtol=1e-4, atol=1e-5)  # type: ignore[union-attr]


def test_samples_that_mix_are_traced_one_by_one(tmp_path: Path) -> None:
    """A model that subtracts the mean over its whole batch is read as a function of one sample."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"]), helper.make_node("Sub", ["x", "m"], ["y"])]
    made = model(nodes, {"x": f(1, 4)}, ["y"], dims={"x": ["N", 4]})
    network = load(write(made, tmp_path / "a.onnx"))
    assert network.inputs[0].shape == (1, 4)
    x = f(3, 4)
    np.testing.assert_allclose(network.run(x).numpy(), x - x.mean(1, keepdims=True), rtol=1e-5, atol=1e-6)  # type: ignore[union-attr]


def test_input_shapes_fix_symbolic_sizes(tmp_path: Path) -> None:
    made = model(
        [helper.make_node("MatMul", ["x", "W"], ["y"])], {"x": f(1, 6)}, ["y"], {"W": f(6, 2)}, dims={"x": ["N", "K"]}
    )
    path = write(made, tmp_path / "a.onnx")
    with pytest.raises(LoadError, match="input_shapes"):
        load(path)
    assert load(path, input_shapes={"x": (2, 6)}).n_in == 6
    with pytest.raises(LoadError, match="names 'z'"):
        load(path, input_shapes={"z": (2, 6)})


def test_unsupported_operator_names_it_and_its_node(tmp_path: Path) -> None:
    made = model([helper.make_node("NonZero", ["x"], ["y"], name="seek")], {"x": f(2, 2)}, ["y"])
    with pytest.raises(UnsupportedOperatorError, match=r"'NonZero' \(node 'seek'\)"):
        load(write(made, tmp_path / "a.onnx"))


def test_nan_weights_are_refused_and_masks_are_not(tmp_path: Path) -> None:
    made = perceptron(RNG)
    bad = numpy_helper.to_array(made.graph.initializer[0]).copy()
    bad[0, 0] = np.nan
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(bad, "W1"))
    with pytest.raises(LoadError, match="'W1' holds 1 NaN"):
        load(write(made, tmp_path / "nan.onnx"))
    bias = np.array([np.inf, 0, 0], np.float32)
    nodes = [helper.make_node("MatMul", ["x", "W"], ["y"]), helper.make_node("Add", ["y", "b"], ["z"])]
    with pytest.raises(LoadError, match="'b' holds 0 NaN and 1 infinite"):
        load(write(model(nodes, {"x": f(1, 4)}, ["z"], {"W": f(4, 3), "b": bias}), tmp_path / "inf.onnx"))
    mask = np.where(np.tri(3) > 0, 0, -np.inf).astype(np.float32)
    nodes = [helper.make_node("Add", ["x", "mask"], ["y"]), helper.make_node("Softmax", ["y"], ["z"])]
    network = load(write(model(nodes, {"x": f(1, 3, 3)}, ["z"], {"mask": mask}), tmp_path / "mask.onnx"))
    assert not network.weights
    with pytest.raises(WeightError, match="no weight"):
        network.replace({"mask": torch.zeros(3, 3)})


def external(tmp_path: Path) -> Path:
    """A perceptron with its weights in ``weights.bin``."""
    path = tmp_path / "model.onnx"
    onnx.save(
        perceptron(RNG),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
        convert_attribute=False,
    )
    return path


def test_external_data_round_trip(tmp_path: Path) -> None:
    path = external(tmp_path)
    network = load(path)
    (tmp_path / "out").mkdir()
    other = network.replace({"W1": network.weights["W1"] * 2})
    other.save(tmp_path / "out" / "model.onnx")
    again = load(tmp_path / "out" / "model.onnx")
    assert all(torch.equal(again.weights[k], other.weights[k]) for k in other.weights)
    assert np.array_equal(
        numpy_helper.to_array(onnx.load(tmp_path / "out" / "model.onnx").graph.initializer[0]),
        other.weights["W1"].numpy(),
    )
    sha = network.sha256
    data = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert load(path).sha256 != sha


def test_hub_cache_links_are_followed(tmp_path: Path) -> None:
    """A hub cache keeps blobs in one folder and links to them from the snapshot."""
    (tmp_path / "work").mkdir()
    path = external(tmp_path / "work")
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    path.rename(blobs / "1111")
    (tmp_path / "work" / "weights.bin").rename(blobs / "2222")
    (snapshot / "model.onnx").symlink_to("../../blobs/1111")
    (snapshot / "weights.bin").symlink_to("../../blobs/2222")
    assert load(snapshot / "model.onnx").parameters == 51
