"""Fingerprints: one text for exact copies, a sketch whose distance follows the distance of weights."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.programs import program
from tests.symmetry.test_elements import BUILDERS
from torch import nn

from fiberscope.equivalence.fingerprint import distance, fingerprint
from fiberscope.network import Network, load
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import symmetries

EXACT = ["relu_tanh", "square_gelu_relu", "abs_signs", "per_token", "conv_norm"]
SHIPPED = ["digits_relu.onnx", "digits_tanh.onnx", "digits_conv.onnx"]


def mlp(seed: int, activation: Callable[[], nn.Module] = nn.ReLU, widths: tuple[int, ...] = (6, 16, 12, 3)) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            layers += [nn.Linear(a, b), *([activation()] if i < len(widths) - 2 else [])]
    return load(nn.Sequential(*layers).double().eval(), (torch.zeros(2, widths[0], dtype=torch.float64),))


def changed(net: Network, name: str, place: tuple[int, ...], by: float) -> Network:
    weight = net.weights[name].clone()
    weight[place] = weight[place] * (1 + by) if by else weight[place]
    return net.replace({name: weight})


def noisy(net: Network, size: float, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    return net.replace(
        {n: w * (1 + size * torch.from_numpy(rng.standard_normal(w.shape))) for n, w in net.weights.items()}
    )


@pytest.mark.parametrize("name", EXACT)
def test_one_text_for_exact_copies(name: str):
    net = BUILDERS[name]()
    sym, text = symmetries(net), fingerprint(net).text
    assert re.fullmatch(r"fs1:[0-9a-f]{40}", text)
    assert not any(g.mixing > Mixing.permutation for g in sym.groups.values() if not g.trivial)
    for seed in range(8):
        assert fingerprint(sym.random(seed, power_of_two=True)(net)).text == text


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_the_sketch_of_every_copy(name: str):
    net = BUILDERS[name]()
    sym = symmetries(net)
    for seed in range(5):
        assert distance(net, sym.random(seed)(net)) < 1e-8


@pytest.mark.parametrize("file", SHIPPED)
def test_shipped_networks(models: Path, file: str):
    net = load(models / file)
    sym, own = symmetries(net), fingerprint(net)
    assert fingerprint(load(models / file)).text == own.text
    for seed in range(3):
        assert fingerprint(sym.random(seed, power_of_two=True)(net)).text == own.text
        assert own.distance(fingerprint(sym.random(seed)(net))) < 1e-5


def test_shipped_networks_are_told_apart(models: Path):
    prints = [fingerprint(load(models / f)) for f in SHIPPED]
    assert len({p.text for p in prints}) == 3
    assert all(a.distance(b) > 0.01 for i, a in enumerate(prints) for b in prints[:i])


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_every_single_weight_counts(activation: Callable[[], nn.Module]):
    net = mlp(0, activation)
    text = fingerprint(net).text
    for name, weight in net.weights.items():
        place = tuple(int(n) // 2 for n in weight.shape)
        other = fingerprint(changed(net, name, place, 1e-6))
        assert other.text != text, name
        assert other.distance(fingerprint(net)) < 1e-5


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_distance_shrinks_with_the_perturbation(activation: Callable[[], nn.Module]):
    net = mlp(1, activation)
    far = [distance(net, noisy(net, 10.0**-k)) for k in range(1, 8)]
    assert all(b < 0.5 * a for a, b in itertools.pairwise(far)), far
    assert far[-1] < 1e-5


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_continuous_at_duplicates_dead_units_and_ties(activation: Callable[[], nn.Module]):
    """Where every canonical order jumps, the sketch does not."""
    net = mlp(2, activation)
    weights = {n: w.clone() for n, w in net.weights.items()}
    weights["0.weight"][3], weights["0.bias"][3] = weights["0.weight"][1], weights["0.bias"][1]
    weights["0.weight"][5], weights["0.bias"][5] = -weights["0.weight"][1], -weights["0.bias"][1]
    weights["0.weight"][7], weights["0.bias"][7] = weights["0.weight"][6].flip(0), weights["0.bias"][6]
    weights["2.weight"][:, 9] = 0.0
    base = net.replace(weights)
    far = []
    for k in range(3, 10):
        rng = np.random.default_rng(0)
        near = {n: w + 10.0**-k * torch.from_numpy(rng.standard_normal(w.shape)) for n, w in weights.items()}
        far.append(distance(base, base.replace(near)))
    assert all(b < 0.5 * a for a, b in itertools.pairwise(far)), far


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_other_trainings_are_far(activation: Callable[[], nn.Module]):
    """Networks of other seeds are much further than noisy copies of one network."""
    nets = [mlp(seed, activation) for seed in range(5)]
    between = min(distance(a, b) for i, a in enumerate(nets) for b in nets[:i])
    within = max(distance(a, noisy(a, 1e-3)) for a in nets)
    assert between > 10 * within


def test_other_graphs():
    net = mlp(0)
    assert fingerprint(net).distance(fingerprint(mlp(0, widths=(6, 16, 3)))) == float("inf")
    assert fingerprint(net).text != fingerprint(mlp(0, nn.Tanh)).text


GRAPHS: dict[str, Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "slope 0.1": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c + y[:, :2],
    "slope 0.3": lambda s, x, y: F.leaky_relu(x @ s.w, 0.3) @ s.c + y[:, :2],
    "the other input": lambda s, x, y: F.leaky_relu(y @ s.w, 0.1) @ s.c + x[:, :2],
    "another slice": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c + y[:, 1:3],
    "minus": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c - y[:, :2],
    "minus the other way": lambda s, x, y: y[:, :2] - F.leaky_relu(x @ s.w, 0.1) @ s.c,
    "a constant": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c + torch.ones(2, dtype=x.dtype),
    "another constant": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c + torch.arange(2, dtype=x.dtype),
    "twice": lambda s, x, y: F.leaky_relu(x @ s.w, 0.1) @ s.c + y[:, :2] * 2,
}


def test_the_same_weights_in_another_graph():
    """Settings, wiring and constants belong to the text."""
    parts = {"w": torch.ones(4, 5), "c": torch.arange(10.0).view(5, 2)}
    texts = {name: fingerprint(program(rule, (3, 4), (3, 4), **parts)).text for name, rule in GRAPHS.items()}
    assert len(set(texts.values())) == len(texts), texts
    again = fingerprint(program(GRAPHS["slope 0.1"], (3, 4), (3, 4), **parts)).text
    assert again == texts["slope 0.1"]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_linear_chains(depth: int):
    """Only the whole product can be seen; it is seen through every change of basis."""
    names = "abcd"[: depth + 1]

    def chain(s: Any, x: torch.Tensor) -> torch.Tensor:
        for n in names:
            x = x @ getattr(s, n)
        return x

    widths = [*[3, 6, 4, 5][: depth + 1], 2]
    net = program(chain, (2, 3), **{n: (widths[i], widths[i + 1]) for i, n in enumerate(names)})
    sym = symmetries(net)
    assert fingerprint(net).sketch and max(fingerprint(net).sketch) > 0
    for seed in range(4):
        assert distance(net, sym.random(seed)(net)) < 1e-8
    assert distance(net, noisy(net, 1e-2)) > 1e-5
    assert distance(net, noisy(net, 1e-5)) < 1e-3


def test_forms():
    made = fingerprint(mlp(0))
    assert str(made) == made.text and len(repr(made).splitlines()) == 3
    data = made.to_json()
    assert list(data) == ["fingerprint", "sketch", "sketch_of"] and json.loads(json.dumps(data)) == data
    assert made.distance(made) == 0
