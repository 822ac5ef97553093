"""The shipped digits network: redundancy planted into it goes away, and its accuracy and size come back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import fiberscope as fs
from fiberscope.affine.count import count_networks, decimal
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.equality import same_function
from fiberscope.affine.from_network import from_network
from fiberscope.affine.sussmann import reduce_network
from fiberscope.affine.to_network import layers_of, save

Layers = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def shipped() -> Path:
    return Path(fs.__file__).parent / "models" / "digits_tanh.onnx"


def plant(layers: Layers, seed: int) -> Layers:
    """In both hidden layers: 5 units split in two (one half turned round), 3 constant, 2 unread; all moved about."""
    rng = np.random.default_rng(seed)
    layers = [(w.astype(np.float64), b.astype(np.float64)) for w, b in layers]
    for l in (0, 1):
        (w, b), (w_next, b_next) = layers[l], layers[l + 1]
        for unit in rng.choice(len(b), size=5, replace=False):
            sign = rng.choice([-1.0, 1.0])
            part = rng.normal(size=len(b_next)) * 0.3
            w, b = np.vstack([w, sign * w[unit]]), np.append(b, sign * b[unit])
            w_next = np.column_stack([w_next, sign * part])
            w_next[:, unit] -= part
        for level in (0.5, -1.25, 2.0):
            w, b = np.vstack([w, np.zeros(w.shape[1])]), np.append(b, level)
            column = rng.normal(size=len(b_next))
            w_next, b_next = np.column_stack([w_next, column]), b_next - column * math.tanh(level)
        for _ in range(2):
            w, b = np.vstack([w, rng.normal(size=w.shape[1])]), np.append(b, rng.normal())
            w_next = np.column_stack([w_next, np.zeros(len(b_next))])
        order = rng.permutation(len(b))
        layers[l], layers[l + 1] = (w[order], b[order]), (w_next[:, order], b_next)
    return layers


def test_the_count_has_fifty_digits(shipped: Path):
    found = count_networks(from_network(fs.load(shipped)))
    assert found.complete
    assert found.count == 2**40 * math.factorial(24) * math.factorial(16)
    assert len(decimal(found.count)) == 50 and found.log10 == pytest.approx(49.1545, abs=1e-4)


def test_planted_redundancy_goes_away(shipped: Path, tmp_path: Path):
    pytest.importorskip("sklearn", reason="needs scikit-learn for the digits")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    original = fs.load(shipped)
    stored = layers_of(from_network(original))
    assert stored is not None
    big = DagNetwork.from_layers(plant(stored[0], seed=0), "tanh")
    assert big.widths == (64, 34, 26, 10)
    wide = fs.load(save(big, tmp_path / "big.npz"))
    reduction = reduce_network(from_network(wide))
    small = fs.load(save(reduction.network, tmp_path / "small.npz"))
    assert reduction.network.widths == (64, 24, 16, 10)
    assert (reduction.units_before, reduction.units_after, reduction.strength) == (60, 40, "rounding")
    assert small.parameters == original.parameters == 2130
    kinds = [step.kind for step in reduction.steps]
    assert [kinds.count(kind) for kind in ("merge", "constant", "unread")] == [10, 6, 4]
    assert same_function(from_network(original), from_network(wide)).strength == "rounding"
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16.0, y, test_size=0.25, random_state=0, stratify=y)
    test_x, test_y = np.asarray(parts[1]), np.asarray(parts[3])
    accuracy = [(net.run_flat(test_x).argmax(axis=1) == test_y).mean() for net in (original, wide, small)]
    told = json.loads((shipped.parent / "models.json").read_text())["digits_tanh.onnx"]["test_accuracy"]
    assert accuracy[0] == accuracy[1] == accuracy[2] == pytest.approx(told, abs=1e-3)
    assert np.abs(small.run_flat(test_x) - original.run_flat(test_x)).max() < 1e-10


def test_planted_in_exact_numbers_the_very_weights_come_back(shipped: Path):
    """Splits whose halves add up exactly, and unread units: the reduction returns the stored float32 weights."""
    net = from_network(fs.load(shipped))
    stored = layers_of(net)
    assert stored is not None
    (w, b), (w_next, b_next), last = stored[0]
    rng = np.random.default_rng(0)
    for unit in range(4):
        part = rng.integers(-64, 65, size=len(b_next)) / 64.0
        w, b = np.vstack([w, -w[unit]]), np.append(b, -b[unit])
        w_next = np.column_stack([w_next, -part])
        w_next[:, unit] -= part
    big = DagNetwork.from_layers([(w, b), (w_next, b_next), last], "tanh")
    reduction = reduce_network(big, ulp=0)
    assert reduction.strength == "exact"
    assert reduction.network.units == net.units and reduction.network.outputs == net.outputs
