"""Changes of axes near the true ones, on the zoo's architectures: what the checker accepts leaves the outputs alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.verify.programs import proof
from tests.zoo import ZOO

from fiberscope.equivalence.axis_profile import NotMonomial, axis_profiles
from fiberscope.equivalence.isomorphism import monomial_part
from fiberscope.network import load
from fiberscope.symmetry.symmetries import symmetries
from fiberscope_verify import read_model, verify

QUICK = [
    "mlp_prelu",
    "mlp_width_one",
    "depthwise_multiplier",
    "attention_module",
    "llama_like",
    "cnn_batchnorm",
    "pixel_shuffle",
    "gru_module",
    "weight_norm",
    "bilinear_form",
]


def true_change(net) -> dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """A random symmetry as permutation and factor per axis of each weight; the identity where it is not one."""
    sym = monomial_part(symmetries(net))
    element = sym.random(5, power_of_two=True)
    change = {}
    for name in sym.layouts:
        try:
            profiles = axis_profiles(element, sym, name)
        except NotMonomial:
            return {n: {i: (np.arange(k), np.ones(k)) for i, k in enumerate(w.shape)} for n, w in net.weights.items()}
        change[name] = {}
        for i, profile in enumerate(profiles):
            factor = profile.sign.astype(np.float64)
            for scale, exponent in profile.scales:
                factor = factor * scale.astype(np.float64) ** exponent
            change[name][i] = (np.array(profile.source), factor)
    return change


def damaged(rng: np.random.Generator, change: dict) -> dict:
    """One axis, or most axes of one size, moved and scaled once more."""
    out = {name: {i: (p.copy(), f.copy()) for i, (p, f) in axes.items()} for name, axes in change.items()}
    if rng.random() < 0.3:
        out = {n: {i: (np.arange(len(p)), np.ones(len(p))) for i, (p, _) in axes.items()} for n, axes in out.items()}
    every = [(n, i, len(p)) for n, axes in out.items() for i, (p, _) in axes.items()]
    _, _, size = every[rng.integers(len(every))]
    same = [(n, i) for n, i, k in every if k == size]
    chosen = [same[rng.integers(len(same))]] if rng.random() < 0.5 else [s for s in same if rng.random() < 0.9]
    move, factor = np.arange(size), np.ones(size)
    if rng.random() < 0.6:
        i, j = rng.integers(size, size=2)
        move[[i, j]] = move[[j, i]]
    if rng.random() < 0.7:
        factor[rng.integers(size) if rng.random() < 0.6 else slice(None)] = rng.choice([-1.0, 2.0, 0.5])
    for name, i in chosen:
        p, f = out[name][i]
        out[name][i] = (p[move], f[move] * factor ** rng.choice([1, -1]))
    return out


def campaign(name: str, count: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    net = load(*ZOO[name].make(torch.float64))
    model, true = read_model(net.neutral()), true_change(net)
    points = [
        rng.normal(size=(5, s.size))
        if s.dtype.is_floating_point
        else rng.integers(s.low or 0, max(s.high or 2, (s.low or 0) + 1), (5, s.size)).astype(float)
        for s in net.inputs
    ]
    x = np.concatenate(points, axis=1)
    before = net.run_flat(x)
    accepted = 0
    for _ in range(count):
        change = damaged(rng, true)
        weights = {}
        for weight, axes in change.items():
            w = net.weights[weight].numpy().astype(np.float64)
            for i, (source, factor) in axes.items():
                w = np.take(w, source, axis=i) * factor.reshape([-1 if k == i else 1 for k in range(w.ndim)])
            weights[weight] = torch.tensor(w)
        other = net.replace(weights)
        image = read_model(other.neutral())
        if verify(proof(model, image, change), model, image).valid:
            accepted += 1
            after = other.run_flat(x)
            assert np.allclose(before, after, rtol=1e-7, atol=1e-7, equal_nan=True), change
    return accepted


@pytest.mark.parametrize("name", QUICK)
def test_damaged_changes(name):
    assert campaign(name, 16, 0) < 16


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ZOO))
@pytest.mark.filterwarnings("ignore")
def test_many_damaged_changes(name):
    campaign(name, 40, 1)
