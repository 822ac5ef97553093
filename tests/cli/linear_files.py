"""Files of factors for the tests of `fiberscope linear`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.random_point import random_point

EXAMPLE = Barcode.from_bars(
    3, {(0, 3): 2, (0, 1): 1, (0, 0): 2, (1, 2): 1, (2, 3): 1, (2, 2): 2, (3, 3): 1}
)  # widths 5, 4, 6, 4, rank 2


def write(path: Path, factors: Sequence[Any], **more: Any) -> Path:
    """Saves the matrices as W1 .. WL."""
    np.savez(path, **{f"W{n}": np.asarray(w) for n, w in enumerate(factors, 1)}, **more)
    return path


def read(path: Path) -> list[np.ndarray]:
    with np.load(path) as arrays:
        depth = sum(name.startswith("W") for name in arrays.files)
        return [arrays[f"W{n}"] for n in range(1, depth + 1)]


def point(path: Path, barcode: Barcode = EXAMPLE, seed: int = 0, product: Any = None) -> Path:
    """A random point of a stratum, as a file."""
    return write(path, random_point(barcode, seed=seed, product=product))


def product(factors: Sequence[np.ndarray]) -> np.ndarray:
    out = factors[0]
    for factor in factors[1:]:
        out = factor @ out
    return out


def ranks(factors: Sequence[np.ndarray], tol: float = 1e-9) -> dict[tuple[int, int], int]:
    """``{(k, i): rank(W_k .. W_{i+1})}`` by singular values: an independent look at well-conditioned factors."""
    length = len(factors)
    widths = [factors[0].shape[1], *(w.shape[0] for w in factors)]
    out = {(j, j): widths[j] for j in range(length + 1)}
    for i in range(length):
        for k in range(i + 1, length + 1):
            out[k, i] = int((np.linalg.svd(product(factors[i:k]), compute_uv=False) > tol).sum())
    return out
