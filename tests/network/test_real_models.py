"""Published networks against onnxruntime on random inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.network.onnx_models import oracle

from fiberscope.network import Network, load


def random_inputs(network: Network, samples: int, seed: int = 0) -> list[np.ndarray]:
    """Uniform floats and integers in range, ``samples`` of them along the batch axis."""
    rng = np.random.default_rng(seed)
    made = []
    for spec in network.inputs:
        shape = (samples, *spec.sample_shape) if spec.batched else spec.shape
        dtype = torch.empty(0, dtype=spec.dtype).numpy().dtype
        floats = rng.uniform(0, 1, shape) if spec.dtype.is_floating_point else rng.integers(0, spec.high or 2, shape)
        made.append(floats.astype(dtype))
    return made


def outputs(result: torch.Tensor | tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    """One or several outputs as arrays."""
    return [x.numpy() for x in (result if isinstance(result, tuple) else (result,))]


def check(path: Path, *, samples: tuple[int, ...]) -> Network:
    """Outputs agree with onnxruntime within rounding: 1e-5, or 8 times what our own float32 run is off float64."""
    network = load(path)
    for count in samples:
        inputs = random_inputs(network, count)
        expected = oracle(str(path), {s.name: x for s, x in zip(network.inputs, inputs, strict=True)})
        got, exact = (outputs(network.run(*inputs, dtype=dtype)) for dtype in (None, torch.float64))
        for mine, best, theirs in zip(got, exact, expected, strict=True):
            assert mine.shape == theirs.shape
            tolerance = 1e-5 * max(1.0, np.abs(theirs).max()) + 8 * np.abs(mine - best).max()
            assert tolerance < 0.01 * max(1.0, np.abs(theirs).max())
            assert np.abs(mine - theirs).max() <= tolerance
    return network


@pytest.mark.parametrize("name", ["rapidocr_cls", "magika", "basic_pitch"])
def test_models_inside_packages(name: str, subject: Callable[[str], Path], tmp_path: Path) -> None:
    network = check(subject(name), samples=(1,) if name == "basic_pitch" else (1, 2, 3))
    assert network.batched
    network.save(tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == subject(name).read_bytes()


@pytest.mark.parametrize("name", ["ch_PP-OCRv4_det_infer", "ch_PP-OCRv4_rec_infer"])
def test_text_detection_and_recognition(name: str, subject: Callable[[str], Path]) -> None:
    check(subject("rapidocr_cls").with_name(f"{name}.onnx"), samples=(2, 1))


def test_constant_nodes_are_weights(subject: Callable[[str], Path], tmp_path: Path) -> None:
    """rapidocr keeps its weights in Constant nodes: doubling one changes the file there and nowhere else."""
    network = load(subject("rapidocr_cls"))
    name = max(network.weights, key=lambda key: network.weights[key].numel())
    other = network.replace({name: network.weights[name] * 2})
    other.save(tmp_path / "other.onnx")
    again = load(tmp_path / "other.onnx")
    assert again.weights.keys() == network.weights.keys()
    for key, tensor in again.weights.items():
        assert torch.equal(tensor, other.weights[key])
    assert (tmp_path / "other.onnx").stat().st_size == subject("rapidocr_cls").stat().st_size


def test_magika_reads_bytes_in_range(subject: Callable[[str], Path]) -> None:
    """The one-hot comparison tells the range of the integer input."""
    spec = load(subject("magika")).inputs[0]
    assert (spec.dtype, spec.low, spec.high) == (torch.int32, 0, 257)


@pytest.mark.parametrize("folder", ["original", "plain"])
def test_acasxu_first(acasxu: Path, folder: str) -> None:
    path = sorted((acasxu / folder).glob("*.onnx"))[0]
    network = load(path)
    assert network.batched == (folder == "original")
    assert (network.n_in, network.n_out) == (5, 5)
    assert len([w for w in network.weights.values() if w.ndim == 2]) == 7


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_acasxu_all(acasxu: Path, step: int) -> None:
    paths = sorted(acasxu.rglob("*.onnx"))
    assert paths
    for path in paths[::step]:
        check(path, samples=(1,))


def test_acasxu_flat_agrees_between_layouts(acasxu: Path) -> None:
    """original/ (Sub, Flatten, x @ W) and plain/ (W @ x) are the same function, to rounding, at many points."""
    for path in sorted((acasxu / "plain").glob("*.onnx"))[:3]:
        one, two = load(path), load(acasxu / "original" / path.name)
        x = np.random.default_rng(1).uniform(-0.5, 0.5, (37, 5))
        a, b = one.run_flat(x), two.run_flat(x)
        assert a.shape == b.shape == (37, 5)
        assert np.abs(a - b).max() <= 1e-5 * max(1.0, np.abs(b).max())
