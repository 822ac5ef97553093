"""Random barcodes and an independent look at ranks, for the tests of moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq_mat
from hypothesis import strategies as st

from fiberscope.linear.barcode import Barcode


def random_barcode(rng: np.random.Generator, length: int, bars: int, full: int = 0) -> Barcode:
    """Random bars, then single ones where a layer would be empty."""
    counts: dict[tuple[int, int], int] = {(0, length): full} if full else {}
    for _ in range(bars):
        i, k = sorted(rng.integers(0, length + 1, 2).tolist())
        if (i, k) != (0, length):
            counts[i, k] = counts.get((i, k), 0) + 1
    for j in range(length + 1):
        if not any(i <= j <= k for i, k in counts):
            counts[j, j] = 1
    return Barcode.from_bars(length, counts)


@st.composite
def barcodes(draw: st.DrawFn, longest: int = 4, most: int = 7) -> Barcode:
    """Any barcode over at most ``longest`` matrices."""
    length = draw(st.integers(1, longest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random_barcode(rng, length, draw(st.integers(1, most)), draw(st.integers(0, 2)))


def exact_ranks(factors: Sequence[np.ndarray]) -> dict[tuple[int, int], int]:
    """``{(k, i): rank W_k .. W_{i+1}}`` by multiplying out over Q: no staircase, no flow."""
    mats = []
    for w in factors:
        rows, columns = w.shape
        mats.append(fmpq_mat(rows, columns, list(w.ravel())))
    out = {(j, j): w.shape[1] for j, w in enumerate(factors)} | {(len(factors), len(factors)): factors[-1].shape[0]}
    for i in range(len(mats)):
        running = None
        for k in range(i + 1, len(mats) + 1):
            running = mats[k - 1] if running is None else mats[k - 1] * running
            out[k, i] = int(running.rank())
    return out


def mu(factors: Sequence[np.ndarray]) -> np.ndarray:
    """The product, by another order of multiplication than the library's."""
    out = factors[-1]
    for w in reversed(factors[:-1]):
        out = out @ w
    return out
