"""Chains of matrices whose barcode is known because they are built from it, and ranks by brute force."""

from __future__ import annotations

import numpy as np
from flint import fmpq_mat
from hypothesis import strategies as st

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.exact import to_flint
from fiberscope.linear.flow import Flow


def random_barcode(widths: tuple[int, ...], rng: np.random.Generator, death: float = 0.4) -> Barcode:
    """Each bar that fits into the next layer goes on with probability ``1 - death``; the rest is born."""
    alive, bars = {0: widths[0]}, {}
    for layer in range(1, len(widths)):
        room, after = widths[layer], {}
        for birth in rng.permutation(list(alive)):
            birth = int(birth)
            going = min(int(rng.binomial(alive[birth], 1 - death)), room)
            bars[birth, layer - 1] = alive[birth] - going
            room -= going
            after[birth] = going
        alive = after | {layer: room}
    for birth, count in alive.items():
        bars[birth, len(widths) - 1] = count
    return Barcode.from_bars(len(widths) - 1, bars)


def random_widths(rng: np.random.Generator, most_layers: int = 5, most: int = 6) -> tuple[int, ...]:
    return tuple(int(d) for d in rng.integers(1, most + 1, int(rng.integers(2, most_layers + 2))))


def float_bases(barcode: Barcode, rng: np.random.Generator, spread: float = 2.0) -> list[np.ndarray]:
    """Random bases ``U diag(s) V`` with singular values in ``[1/spread, spread]``."""
    out = []
    for d in barcode.widths:
        left, right = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
        out.append(left * np.exp(rng.uniform(-1, 1, d) * np.log(spread)) @ right)
    return out


def planted(barcode: Barcode, rng: np.random.Generator, spread: float = 2.0) -> tuple[np.ndarray, ...]:
    return Flow.standard(barcode, float_bases(barcode, rng, spread)).factors()


def integer_basis(size: int, rng: np.random.Generator) -> np.ndarray:
    """A random integer matrix of determinant 1 or -1: rows added to rows."""
    out = np.eye(size, dtype=int)[rng.permutation(size)]
    for _ in range(2 * size if size > 1 else 0):
        a, b = rng.choice(size, 2, replace=False)
        out[a] += int(rng.integers(-2, 3)) * out[b]
    return out


def integer_factors(barcode: Barcode, rng: np.random.Generator) -> list[np.ndarray]:
    """Integer matrices with exactly this barcode."""
    standard = Flow.standard(barcode)
    bases = [integer_basis(d, rng) for d in barcode.widths]
    inverses = [np.round(np.linalg.inv(b)).astype(int) for b in bases]
    return [bases[j] @ standard.pattern(j).astype(int) @ inverses[j - 1] for j in range(1, barcode.length + 1)]


def ranks_by_brute_force(factors: list[np.ndarray]) -> dict[tuple[int, int], int]:
    """The rank over Q of every product, each formed."""
    widths = (factors[0].shape[1], *(w.shape[0] for w in factors))
    out = {(j, j): d for j, d in enumerate(widths)}
    for i in range(len(factors)):
        product: fmpq_mat = to_flint(np.eye(widths[i]))
        for k in range(i + 1, len(widths)):
            product = to_flint(np.asarray(factors[k - 1])) * product
            out[k, i] = product.rank()
    return out


def ranks_by_singular_values(
    factors: list[np.ndarray], relative: float, *, one_scale: bool = False
) -> dict[tuple[int, int], int]:
    """The rival: the singular values of every product above `relative` times the largest.

    With `one_scale` the rival at its best: a product of m factors is measured by (largest norm of a factor)^m, so that
    noise alone is not of full rank.
    """
    norm = float(max(np.linalg.norm(w, 2) for w in factors))
    widths = (factors[0].shape[1], *(w.shape[0] for w in factors))
    out = {(j, j): d for j, d in enumerate(widths)}
    for i in range(len(factors)):
        product, size = np.eye(widths[i]), 1.0
        for k in range(i + 1, len(widths)):
            product, size = factors[k - 1] @ product, size * norm
            values = np.linalg.svd(product, compute_uv=False)
            out[k, i] = int((values > relative * (size if one_scale else values[0])).sum())
    return out


def noisy(factors: tuple[np.ndarray, ...], size: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Gaussian noise of total Frobenius norm `size` added to all layers."""
    noise = [rng.standard_normal(w.shape) for w in factors]
    norm = np.sqrt(sum(float((e**2).sum()) for e in noise))
    return [w + e * (size / norm) for w, e in zip(factors, noise, strict=True)]


seeds = st.integers(0, 2**32 - 1)
