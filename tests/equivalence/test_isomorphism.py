"""Isomorphism of networks with one graph: planted copies are found, near misses are not taken for copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.symmetry.test_elements import BUILDERS
from torch import nn

from fiberscope.equivalence.isomorphism import find_isomorphism
from fiberscope.network import Network, load
from fiberscope.symmetry.symmetries import symmetries

PLAIN = ["relu_tanh", "square_gelu_relu", "abs_signs", "conv_norm"]


def conv(dtype: torch.dtype = torch.float64) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        layers = nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 9, 3)
        )
    return load(layers.to(dtype).eval(), (torch.zeros(2, 2, 7, 7, dtype=dtype),))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("seed", range(3))
def test_exact_copies(name: str, seed: int):
    net = BUILDERS[name]()
    match = find_isomorphism(net, symmetries(net).random(seed, power_of_two=True)(net))
    assert match is not None and match.exact and match.backward_error_ulp == 0


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("seed", range(3))
def test_rounded_copies(name: str, seed: int):
    net = BUILDERS[name]()
    match = find_isomorphism(net, symmetries(net).random(seed)(net))
    assert match is not None and match.backward_error_ulp <= 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_convolutions(dtype: torch.dtype):
    net = conv(dtype)
    for seed in range(3):
        exact = find_isomorphism(net, symmetries(net).random(seed, power_of_two=True)(net))
        assert exact is not None and exact.exact
        rounded = find_isomorphism(net, symmetries(net).random(seed)(net))
        assert rounded is not None and rounded.backward_error_ulp <= 8


@pytest.mark.parametrize("by", [1e-3, 1e-6, 1e-9])
def test_a_near_miss_is_measured(by: float):
    """One altered weight is at best a match far beyond rounding."""
    net = conv()
    copy = symmetries(net).random(1)(net)
    weight = copy.weights["2.weight"].clone()
    weight[1, 2, 0, 1] *= 1 + by
    match = find_isomorphism(net, copy.replace({"2.weight": weight}))
    assert match is None or (not match.exact and match.backward_error_ulp > 0.2 * by / np.finfo(np.float64).eps)


def test_other_weights_other_graphs():
    net = BUILDERS["relu_tanh"]()
    other = net.replace({n: torch.randn_like(w) for n, w in net.weights.items()})
    assert find_isomorphism(net, other) is None
    assert find_isomorphism(net, BUILDERS["square_gelu_relu"]()) is None


def test_duplicates_and_ties_do_not_hide_a_copy():
    net: Any = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        net[0].weight[1], net[0].bias[1] = net[0].weight[0], net[0].bias[0]
        net[0].weight[3], net[0].bias[3] = 2 * net[0].weight[2], 2 * net[0].bias[2]
        net[0].weight[5] = 0.0
        net[2].weight[:, 7] = 0.0
        net[2].weight[2], net[2].bias[2] = net[2].weight[1], net[2].bias[1]
        net[4].weight[:, 2] = net[4].weight[:, 1]
    made = load(net.eval(), (torch.zeros(2, 4, dtype=torch.float64),))
    for seed in range(5):
        copy = symmetries(made).random(seed, power_of_two=True)(made)
        match = find_isomorphism(made, copy)
        assert match is not None and match.exact, seed


def test_the_steps_name_their_arrays():
    net = conv()
    match = find_isomorphism(net, symmetries(net).random(2, power_of_two=True)(net))
    assert match is not None
    steps, arrays = match.steps()
    assert steps[0]["step"] == "weights" and {s["step"] for s in steps[1:]} == {"axes"}
    named = {
        a
        for s in steps[1:]
        for axis in s["axes"]
        for value in axis.values()
        if value is not None
        for a in (value if isinstance(value, list) else [value])
    }
    assert named == set(arrays)
