"""Files of networks with one hidden layer for the tests of `fiberscope shallow`, and the plainest way to run them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fiberscope.shallow.model import ShallowModel

Number = Any


def write(path: Path, model: ShallowModel) -> Path:
    """Saves a model as an .npz perceptron."""
    np.savez(path, W1=model.W1, b1=model.b1, W2=model.W2, b2=model.b2, activation=model.activation)
    return path


def net(W1: Any, b1: Any, W2: Any, b2: Any, activation: str = "relu") -> ShallowModel:
    arrays = [np.array(a, dtype=np.float64) for a in (W1, b1, W2, b2)]
    return ShallowModel(*arrays, activation)  # pyright: ignore[reportCallIssue]


def random_net(rng: np.random.Generator, n: int, d: int, k: int = 1, *, whole: bool = False) -> ShallowModel:
    """Normal weights, or small whole numbers."""

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-3, 4, shape).astype(np.float64) if whole else rng.standard_normal(shape)

    return ShallowModel(draw(d, n), draw(d), draw(k, d), draw(k))


def value(model: ShallowModel, x: list[Fraction]) -> list[Fraction]:
    """f(x) for a ReLU network in fractions, unit by unit."""
    out = [Fraction(c) for c in model.b2.tolist()]
    for row, b, q in zip(model.W1.tolist(), model.b1.tolist(), model.W2.T.tolist(), strict=True):
        z = Fraction(b) + sum(Fraction(w) * v for w, v in zip(row, x, strict=True))
        out = [c + Fraction(weight) * max(z, Fraction(0)) for c, weight in zip(out, q, strict=True)]
    return out


def form_value(result: dict[str, Any], x: list[Fraction]) -> list[Fraction]:
    """f(x) from the JSON of `normal-form`: linear x + constant + sum of kink |normal x + offset| / 2."""

    def exact(v: Number) -> Fraction:
        return Fraction(v)

    out = [
        exact(c) + sum(exact(a) * v for a, v in zip(row, x, strict=True))
        for row, c in zip(result["linear"], result["constant"], strict=True)
    ]
    for fold in result["folds"]:
        z = abs(exact(fold["offset"]) + sum(exact(u) * v for u, v in zip(fold["normal"], x, strict=True)))
        out = [c + exact(kink) * z / 2 for c, kink in zip(out, fold["kink"], strict=True)]
    return out


def points(rng: np.random.Generator, n: int, count: int = 40) -> list[list[Fraction]]:
    """Points with small rational coordinates, near and far."""
    return [[Fraction(int(v), 7) * int(rng.integers(1, 9)) for v in rng.integers(-20, 21, n)] for _ in range(count)]
