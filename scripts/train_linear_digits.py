"""Trains a deep linear classifier on scikit-learn's digits and keeps where it lingered, as factors in .npz files.

    python scripts/train_linear_digits.py          # into src/fiberscope/models/

The inputs are the digits' whitened principal components, so that the square loss to the one-hot labels is, up to a
constant, 1/2 |W_3 W_2 W_1 - T|^2 with T = Y X^T / N (10 x 24): the loss whose critical points theory describes
completely. Started from small weights, gradient descent stays near one saddle after another, where the product holds
the 0, 1, 2, ... largest singular triples of T (Saxe, McClelland and Ganguli 2014). One plateau is moved to the critical
point beside it.

`digits_linear.npz`          W1 (8 x 24), W2 (6 x 8), W3 (10 x 6): the trained network, rank 6
`digits_linear_saddle.npz`   the critical point beside the plateau of rank 3 on the way: a spurious saddle
`digits_linear_target.npz`   T
`digits_linear.json`         how they came about
"""

from __future__ import annotations

import argparse
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

WIDTHS = (24, 8, 6, 10)
START, RATE, SEED, SADDLE = 1e-4, 0.15, 0, 3


def whitened(components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Whitened training inputs (components x N), one-hot labels (10 x N), and the same for the test images."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16.0, y, test_size=0.25, random_state=0, stratify=y)
    x_train, x_test, y_train, y_test = parts
    mean = x_train.mean(axis=0)  # pyright: ignore[reportAttributeAccessIssue]
    _, s, vt = np.linalg.svd(x_train - mean, full_matrices=False)
    basis = vt[:components].T / s[:components] * np.sqrt(len(x_train))
    labels = np.eye(10)
    return ((x_train - mean) @ basis).T, labels[y_train].T, ((x_test - mean) @ basis).T, labels[y_test].T


def product(factors: list[np.ndarray]) -> np.ndarray:
    out = factors[0]
    for w in factors[1:]:
        out = w @ out
    return out


def gradients(factors: list[np.ndarray], target: np.ndarray) -> list[np.ndarray]:
    """d/dW_j of 1/2 |W_L..W_1 - T|^2 = (W_L..W_{j+1})^T (W - T) (W_{j-1}..W_1)^T."""
    residual = product(factors) - target
    out = []
    for j in range(len(factors)):
        left = product([*factors[j + 1 :]]) if j + 1 < len(factors) else np.eye(residual.shape[0])
        right = product(factors[:j]) if j else np.eye(residual.shape[1])
        out.append(left.T @ residual @ right.T)
    return out


def size(matrices: list[np.ndarray]) -> float:
    return float(np.sqrt(sum((m**2).sum() for m in matrices)))


def descend(factors: list[np.ndarray], target: np.ndarray) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Where gradient descent comes to rest, and the factors at every plateau: the local minima of the gradient."""
    plateaus, norms, before = [], [], factors
    for _ in range(60_000):
        step = gradients(factors, target)
        norms.append(size(step))
        if len(norms) > 2 and norms[-2] < min(norms[-1], norms[-3]):
            plateaus.append(before)
        if norms[-1] < 1e-14:
            break
        before = factors
        factors = [w - RATE * g for w, g in zip(factors, step, strict=True)]
    return factors, plateaus


def polish(factors: list[np.ndarray], target: np.ndarray, rank: int) -> list[np.ndarray]:
    """The critical point that a plateau comes near: cut to `rank` carrying directions, then descend to rest.

    W_j -> P_j W_j P_{j-1} with the projections P onto what carries the product's top `rank` singular triples. Hidden
    directions that are zero in both neighbours stay zero under gradient descent, so the rank never grows again.
    """
    subspace = np.linalg.svd(product(factors))[2][:rank].T
    cut = []
    for w in factors:
        carried = np.linalg.qr(w @ subspace)[0]
        cut.append(carried @ (carried.T @ w @ subspace) @ subspace.T)
        subspace = carried
    return descend(cut, target)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "src" / "fiberscope" / "models")
    folder = parser.parse_args().out
    x, y, x_test, y_test = whitened(WIDTHS[0])
    y_mean = y.mean(axis=1, keepdims=True)
    target = (y - y_mean) @ x.T / x.shape[1]
    rng = np.random.default_rng(SEED)
    start = [START ** (1 / 3) * rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(WIDTHS)]
    factors, plateaus = descend(start, target)
    right = ((product(factors) @ x_test + y_mean).argmax(axis=0) == y_test.argmax(axis=0)).mean()
    written = {"digits_linear_target.npz": {"T": target}}
    written["digits_linear.npz"] = named(factors)
    rank = SADDLE
    saddle = polish(plateaus[rank - 1], target, rank)
    written["digits_linear_saddle.npz"] = named(saddle)
    facts = {
        "test_accuracy": round(float(right), 4),
        "seed": SEED,
        "widths": list(WIDTHS),
        "gradient": size(gradients(factors, target)),
        "saddle": {
            "rank": rank,
            "gradient": size(gradients(saddle, target)),
            "distance_to_plateau": round(size([a - b for a, b in zip(saddle, plateaus[rank - 1], strict=True)]), 4),
            "loss": round(float(((product(saddle) - target) ** 2).sum() / 2), 6),
            "loss_when_trained": round(float(((product(factors) - target) ** 2).sum() / 2), 6),
        },
        "singular_values_of_target": [round(float(v), 4) for v in np.linalg.svd(target)[1]],
        "sha256": {},
    }
    for name, arrays in written.items():
        np.savez(folder / name, **arrays)
        facts["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "digits_linear.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


def named(factors: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Factors as a plain linear network: W1, ..., WL and the activation's name."""
    return {**{f"W{l}": w for l, w in enumerate(factors, 1)}, "activation": np.array("identity")}


if __name__ == "__main__":
    main()
