"""The sign rule: a ReLU of values that are never negative, with no positive weight and no positive bias, is zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.verify.forge import certificate, match_steps, mlp, save

import fiberscope as fs
from fiberscope_verify import verify


def planted(seed: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    """3-6-5-2 with a unit of the second layer that reads only with weights <= 0."""
    net = mlp(np.random.default_rng(seed), [3, 6, 5, 2], "relu")
    net["W2"][3] = -np.abs(net["W2"][3])
    net["W2"][3, 0] = 0.0
    net["b2"][3] = 0.0
    return net | changes


def without(net: dict, unit: int) -> dict:
    keep = np.arange(5) != unit
    return net | {"W2": net["W2"][keep], "b2": net["b2"][keep], "W3": net["W3"][:, keep]}


def report(folder: Path, net: dict, small: dict, **step):
    a, b = save(folder / "a.npz", net), save(folder / "b.npz", small)
    first = {"step": "never-positive", "side": "a", "layer": 2, "unit": 3} | step
    steps, arrays = match_steps([(np.arange(len(small[f"b{l}"])), np.ones(len(small[f"b{l}"]))) for l in (1, 2)])
    return verify(certificate(a, b, [first, *steps], arrays), a, b)


def test_the_step(tmp_path: Path):
    net = planted(0)
    assert report(tmp_path, net, without(net, 3)).valid


@pytest.mark.parametrize("value", [1e-45, 1.0])
@pytest.mark.parametrize("place", ["W2", "b2"])
def test_one_positive_number_is_enough_to_refuse(place: str, value: float, tmp_path: Path):
    net = planted(0)
    net[place] = net[place].copy()
    net[place][(3, 0) if place == "W2" else 3] = np.float32(value)
    assert "may be positive" in (report(tmp_path, net, without(net, 3)).reason or "")


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu(0.25)"])
def test_other_activations_are_refused(activation: str, tmp_path: Path):
    net = planted(0, activation=np.array(activation))
    assert not report(tmp_path, net, without(net, 3)).valid


def test_the_first_layer_reads_inputs_of_either_sign(tmp_path: Path):
    net = planted(0)
    net["W1"][2], net["b1"][2] = -1.0, -1.0
    keep = np.arange(6) != 2
    small = net | {"W1": net["W1"][keep], "b1": net["b1"][keep], "W2": net["W2"][:, keep]}
    assert "may be positive" in (report(tmp_path, net, small, layer=1, unit=2).reason or "")


@pytest.mark.parametrize("seed", range(3))
def test_compress_finds_it_without_a_domain(seed: int, tmp_path: Path):
    net = planted(seed)
    net["W3"][:, 1] = 0.0  # and an unread one
    path = save(tmp_path / "a.npz", net)
    out, proof = tmp_path / "b.npz", tmp_path / "p.fsc"
    result = fs.compress(fs.load(path), out=out, certificate=proof)
    assert (result.units_before, result.units_after, result.error_bound) == (11, 9, 0.0)
    assert result.methods == {"unread": 1, "sign rule": 1}
    assert (result.layers[1].dead, result.layers[1].constant) == (2, 0)
    assert verify(str(proof), path, out).valid
    x = np.random.default_rng(1).normal(size=(500, 3)) * 10
    np.testing.assert_allclose(fs.load(path).run_flat(x), fs.load(out).run_flat(x), rtol=1e-12, atol=1e-12)


def test_a_removed_unit_can_silence_the_next(tmp_path: Path):
    """Removing one unit leaves the next layer's unit with weights <= 0 only: the rules run to a fixpoint."""
    net = mlp(np.random.default_rng(3), [3, 4, 4, 4, 1], "relu")
    net["W2"][1], net["b2"][1] = -np.abs(net["W2"][1]), -1.0
    net["W3"][2] = [-1.0, 5.0, -0.5, 0.0]  # the 5 reads the silent unit
    net["b3"][2] = -0.25
    result = fs.compress(fs.load(save(tmp_path / "a.npz", net)))
    assert [layer.dead for layer in result.layers] == [0, 1, 1]


def test_units_on_one_boundary(tmp_path: Path):
    """a relu(z) + b relu(-z) absorbs all others of the boundary: six units become two."""
    net = mlp(np.random.default_rng(4), [3, 7, 2], "relu", np.float64)
    w, b = np.array([1.0, -0.5, 0.25]), 0.75
    for unit, scale in enumerate([1.0, -2.0, 4.0, -1.0, 0.5, -8.0]):
        net["W1"][unit], net["b1"][unit] = scale * w, scale * b
    net["W2"] = np.round(16 * net["W2"]) / 16
    path = save(tmp_path / "a.npz", net)
    result = fs.compress(fs.load(path), out=tmp_path / "b.npz", certificate=tmp_path / "p.fsc")
    assert (result.layers[0].duplicate, result.units_after) == (4, 3)
    assert verify(str(tmp_path / "p.fsc"), path, tmp_path / "b.npz").valid
