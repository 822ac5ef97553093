"""Canonical form and fingerprint of a wide perceptron, against reading the same file and sorting rows with numpy.

    python benchmarks/canonical.py [--width 4096] [--rounds 3]

The peer does the least that any canonical form must do: read the arrays, sort each hidden layer's rows by their first
entry, and gather the rows and the next layer's columns. Goal: within 5 times the peer.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from clock import race, show

import fiberscope as fs


def write_perceptron(path: Path, widths: list[int], seed: int = 0) -> None:
    """A ReLU perceptron with float32 weights as plain `.npz`."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {"activation": np.array("relu")}
    for layer, (a, b) in enumerate(pairwise(widths), start=1):
        arrays[f"W{layer}"] = (rng.standard_normal((b, a)) / np.sqrt(a)).astype(np.float32)
        arrays[f"b{layer}"] = rng.standard_normal(b).astype(np.float32)
    np.savez(path, **arrays)


def read_and_sort(path: Path, layers: int) -> dict[str, np.ndarray]:
    """The peer: read, then per hidden layer sort rows by the first entry and follow with the next columns."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for layer in range(1, layers):
        order = np.argsort(arrays[f"W{layer}"][:, 0], kind="stable")
        arrays[f"W{layer}"] = arrays[f"W{layer}"][order]
        arrays[f"b{layer}"] = arrays[f"b{layer}"][order]
        arrays[f"W{layer + 1}"] = arrays[f"W{layer + 1}"][:, order]
    return arrays


def read_and_sort_whole_rows(path: Path, layers: int) -> dict[str, np.ndarray]:
    """A stricter peer: rows scaled to a largest entry of one and sorted lexicographically as whole rows."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for layer in range(1, layers):
        scale = np.abs(arrays[f"W{layer}"]).max(axis=1)
        rows = np.ascontiguousarray(arrays[f"W{layer}"] / scale[:, None])
        order = np.lexsort(rows.T[::-1])
        arrays[f"W{layer}"] = rows[order]
        arrays[f"b{layer}"] = (arrays[f"b{layer}"] / scale)[order]
        arrays[f"W{layer + 1}"] = (arrays[f"W{layer + 1}"] * scale)[:, order]
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    widths = [784, arguments.width, arguments.width, 10]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.npz"
        write_perceptron(path, widths)
        layers = len(widths) - 1
        seconds = race(
            {
                "numpy: read, sort rows by first entry": lambda: read_and_sort(path, layers),
                "numpy: read, scale, sort whole rows": lambda: read_and_sort_whole_rows(path, layers),
                "fiberscope: load": lambda: fs.load(path),
                "fiberscope: load, canonicalize": lambda: fs.canonicalize(fs.load(path)),
                "fiberscope: load, fingerprint": lambda: fs.fingerprint(fs.load(path)),
            },
            rounds=arguments.rounds,
        )
    show(
        f"perceptron {'-'.join(map(str, widths))}, float32, .npz",
        seconds,
        "numpy: read, sort rows by first entry",
        goal=5,
    )


if __name__ == "__main__":
    main()
