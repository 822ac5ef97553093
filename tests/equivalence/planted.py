"""Planted truth for comparisons: random chains, members of their orbit, and near misses."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from fiberscope.equivalence.chain import Chain, plain_chain
from fiberscope.equivalence.chain_activations import law

Layers = list[tuple[np.ndarray, np.ndarray]]

ACTIVATIONS = [
    "relu", "leaky_relu(0.1)", "abs", "square", "cube", "sign", "heaviside", "tanh", "erf", "softsign", "arctan",
    "sin", "hardtanh", "tanhshrink", "hardshrink", "softshrink", "gaussian", "cos", "sigmoid", "hardsigmoid",
    "relu6", "exp", "elu(1.0)", "selu", "celu(1.0)", "gelu", "gelu_tanh", "silu", "softplus", "hardswish", "mish",
    "logsigmoid",
]  # fmt: skip


def random_layers(rng: np.random.Generator, widths: list[int], dtype: type = np.float32) -> Layers:
    """Weights of a random network, representable in ``dtype``."""
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        weight = rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)
        layers.append((rounded(weight, dtype), rounded(0.3 * rng.standard_normal(outputs), dtype)))
    return layers


def rounded(values: np.ndarray, dtype: type) -> np.ndarray:
    return values.astype(dtype).astype(np.float64)


def member(rng: np.random.Generator, layers: Layers, activation: str, scales: str, dtype: type = np.float32) -> Layers:
    """A random member of the orbit: permutations, allowed signs, and scales "one", "pow2" or "real"."""
    rule = law(activation)
    out: Layers = []
    order, factor = np.arange(layers[0][0].shape[1]), np.ones(layers[0][0].shape[1])
    for l, (weight, bias) in enumerate(layers):
        count = len(bias)
        last = l == len(layers) - 1
        perm = np.arange(count) if last else rng.permutation(count)
        scale = np.ones(count)
        if not last and rule.log is not None and scales == "pow2":
            scale = 2.0 ** rng.integers(-2, 3, count)
        if not last and rule.log is not None and scales == "real":
            scale = np.exp(0.4 * rng.standard_normal(count))
        if not last and rule.sign is not None:
            scale = scale * rng.choice([-1.0, 1.0], count)
        moved = scale[:, None] * weight[np.ix_(perm, order)] / factor
        out.append((rounded(moved, dtype), rounded(scale * bias[perm], dtype)))
        order, factor = perm, rule.multipliers(scale)
    return out


def nudge(layers: Layers, l: int, place: tuple[int, int], ulps: int, dtype: type = np.float32) -> Layers:
    """The same weights with one of them moved by some units in its last place."""
    out = [(w.copy(), b.copy()) for w, b in layers]
    value = dtype(out[l][0][place])
    for _ in range(ulps):
        value = np.nextafter(value, dtype(np.inf))
    out[l][0][place] = float(value)
    return out


def shift(layers: Layers, l: int, place: tuple[int, int], amount: float, dtype: type = np.float32) -> Layers:
    """The same weights with one of them changed by ``amount``, relative to the largest of its row."""
    out = [(w.copy(), b.copy()) for w, b in layers]
    row = np.abs(out[l][0][place[0]]).max()
    out[l][0][place] = float(dtype(out[l][0][place] + amount * row))
    return out


def chain(layers: Layers, activation: str, dtype: type = np.float32) -> Chain:
    return plain_chain([*layers], activation, np.dtype(dtype).name)


def save(path: Path, layers: Layers, activation: str, dtype: type = np.float32) -> Path:
    """Write the plain-MLP form."""
    arrays = {f"W{l}": w.astype(dtype) for l, (w, _) in enumerate(layers, start=1)}
    arrays |= {f"b{l}": b.astype(dtype) for l, (_, b) in enumerate(layers, start=1)}
    arrays["activation"] = np.array(activation)
    np.savez(path, allow_pickle=False, **arrays)
    return path
