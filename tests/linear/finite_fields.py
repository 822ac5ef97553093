"""Brute force over F_2 and F_3: all weights of small widths, their ranks, counts of points. Nothing of the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

Ranks = tuple[tuple[int, int, int], ...]  # sorted (k, i, r_{k~i}) with k > i


def all_weights(widths: Sequence[int], q: int) -> list[np.ndarray]:
    """All of ``F_q^D``: one array (N, d_j, d_{j-1}) per layer, N = q^D."""
    sizes = [a * b for a, b in pairwise(widths)]
    digits = (np.arange(q ** sum(sizes))[:, None] // q ** np.arange(sum(sizes))) % q
    parts = np.split(digits.astype(np.int8), np.cumsum(sizes)[:-1], axis=1)
    return [p.reshape(-1, widths[j + 1], widths[j]) for j, p in enumerate(parts)]


def ranks_mod(matrices: np.ndarray, q: int) -> np.ndarray:
    """Ranks of N matrices (N, m, n) over F_q by elimination, all at once."""
    a = matrices.astype(np.int64) % q
    count, rows, columns = a.shape
    rank = np.zeros(count, dtype=np.int64)
    every = np.arange(count)
    for c in range(columns):
        usable = (a[:, :, c] != 0) & (np.arange(rows) >= rank[:, None])
        found = usable.any(axis=1)
        b, p, r = every[found], usable.argmax(axis=1)[found], rank[found]
        a[b, p], a[b, r] = a[b, r], a[b, p].copy()
        pivot = a[b, r]
        pivot = pivot * pivot[:, c : c + 1] % q  # x^{-1} = x in F_2^*, F_3^*
        a[b, r] = pivot
        factors = a[b][:, :, c].copy()
        factors[np.arange(len(b)), r] = 0
        a[b] = (a[b] - factors[:, :, None] * pivot[:, None, :]) % q
        rank[found] += 1
    return rank


def rank_lists(widths: Sequence[int], q: int) -> Counter[Ranks]:
    """How many weights over F_q have which ranks."""
    layers = [w.astype(np.int64) for w in all_weights(widths, q)]
    columns = []
    names = []
    for i in range(len(layers)):
        running = layers[i]
        for k in range(i + 1, len(layers) + 1):
            running = running if k == i + 1 else layers[k - 1] @ running % q
            names.append((k, i))
            columns.append(ranks_mod(running, q))
    table, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return Counter(
        {
            tuple(sorted((k, i, int(r)) for (k, i), r in zip(names, row, strict=True))): int(n)
            for row, n in zip(table, counts, strict=True)
        }
    )


def general_linear(n: int, q: int) -> int:
    """``|GL_n(F_q)|``."""
    return prod(q**n - q**j for j in range(n))


def matrices_of_rank(rows: int, columns: int, rank: int, q: int) -> int:
    """The number of matrices of a rank over F_q: column space times row space, up to GL of the rank."""
    one, other, both = (prod(q**n - q**j for j in range(rank)) for n in (rows, columns, rank))
    return one * other // both


def points(bars: Sequence[tuple[int, int]], widths: Sequence[int], q: int) -> int:
    """The number of weights over F_q with these single bars: an orbit of ``prod GL(d_j)``, so ``|G| / |Aut|``.

    ``|Aut| = q^(dim Hom - sum m^2) prod |GL_m|``, Hom counted over all pairs of single bars by its definition.
    """
    multiplicities = Counter(bars).values()
    homs = sum(1 for (i, k) in bars for (a, b) in bars if a <= i <= b <= k)
    automorphisms = q ** (homs - sum(m * m for m in multiplicities))
    automorphisms *= prod(general_linear(m, q) for m in multiplicities)
    total, rest = divmod(prod(general_linear(d, q) for d in widths), automorphisms)
    assert rest == 0
    return total
