"""A random point of a stratum: random bases around the barcode's 0/1 pattern, with a given product if asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode
from fiberscope.linear.exact import from_flint, to_flint
from fiberscope.linear.flow import Flow
from fiberscope.linear.products import identity
from fiberscope.numerics.tolerance import PRODUCT_RANK

_CONDITION = 4.0
"""Condition number that a random basis has at most: far from the strata below, so that its ranks are plain to see."""

Seed = int | np.random.Generator


def random_point(barcode: Barcode, *, seed: Seed, product: Any = None, exact: bool = False) -> tuple[np.ndarray, ...]:
    """Random factors ``W_j = F_j P_j F_{j-1}^{-1}`` with the given barcode.

    The bases ``F_j`` (d_j x d_j, of both orientations) range over an open set: ``Q S Q'`` with Haar distributed
    ``Q``, ``Q'`` and singular values in a ratio of at most 4; with ``exact`` they are integer matrices of determinant
    +-1, and ``W_j`` are matrices of integers (object arrays of ``flint.fmpq``). With ``product`` = W, a d_L x d_0
    matrix whose rank is ``barcode.full``, the bases of both ends are chosen so that ``W_L ... W_1 = W`` (exactly so
    with ``exact``). Returns ``(W_1, ..., W_L)``, ``W_j`` of shape d_j x d_{j-1}. `InputError` for a product of
    another shape or rank.

    >>> barcode = Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 1): 1, (2, 2): 1})
    >>> w1, w2 = random_point(barcode, seed=0, product=[[2, 4], [1, 2]], exact=True)
    >>> (w2 @ w1).tolist() == [[2, 4], [1, 2]]
    True
    """
    rng = np.random.default_rng(seed)
    basis = _unimodular if exact else _conditioned
    bases = [basis(d, rng) for d in barcode.widths]
    if product is not None:
        target = _checked_product(product, barcode, exact)
        ends = _exact_ends if exact else _float_ends
        bases[0], bases[-1], scale = ends(target, barcode.full, rng)
        for j in range(1, barcode.length):  # the size of the product is shared by all layers
            bases[j][:, : barcode.full] *= scale ** (j / barcode.length) if not exact else 1
    return Flow.standard(barcode, bases).factors()


def _conditioned(size: int, rng: np.random.Generator) -> np.ndarray:
    """``Q S Q'``, condition at most 4."""
    spread = math.log(_CONDITION) / 2
    sizes = np.exp(rng.uniform(-spread, spread, size))
    return (_haar(size, rng) * sizes) @ _haar(size, rng)


def _haar(size: int, rng: np.random.Generator) -> np.ndarray:
    """An orthogonal matrix from the uniform distribution (Mezzadri 2007: QR with the signs of R's diagonal)."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)


def _unimodular(size: int, rng: np.random.Generator) -> np.ndarray:
    """An integer matrix of determinant +-1: unit lower times unit upper triangular, entries -1, 0, 1, rows permuted."""
    from fiberscope.numerics.exact import rationals

    lower = np.tril(rng.integers(-1, 2, (size, size)), -1) + np.eye(size, dtype=int)
    upper = np.triu(rng.integers(-1, 2, (size, size)), 1) + np.diag(rng.choice([-1, 1], size))
    return rationals((lower @ upper)[rng.permutation(size)])


def _checked_product(product: Any, barcode: Barcode, exact: bool) -> np.ndarray:
    from fiberscope.linear.factors import checked_factors

    (matrix,) = checked_factors([product], exact=exact)
    expected = (barcode.widths[-1], barcode.widths[0])
    if matrix.shape != expected:
        raise InputError(f"product: its shape is {matrix.shape}, expected {expected}, the widths at both ends")
    if exact:
        rank, why = int(to_flint(matrix).rank()), ""
    else:
        sizes = np.linalg.svd(matrix, compute_uv=False)
        rank = int((sizes > PRODUCT_RANK * sizes[0]).sum())
        why = f" (singular values above {PRODUCT_RANK:g} of the largest)"
    if rank != barcode.full:
        raise InputError(f"product: its rank is {rank}{why}, expected {barcode.full}, the full bars of {barcode!r}")
    return matrix


def _ends(
    kernel: np.ndarray, support: np.ndarray, image: np.ndarray, rest: np.ndarray, mix: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """``F_0 = [support A + kernel B, kernel C]``, ``F_L = [W support A, image D + rest E]`` from ``mix = A, B, C, D,
    E``."""
    a, b, c, d, e = mix
    first = np.hstack([support @ a + kernel @ b, kernel @ c])
    last = np.hstack([image @ a, image @ d + rest @ e])
    return first, last


def _float_ends(w: np.ndarray, rank: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    left, sizes, right = np.linalg.svd(w)
    support, kernel = right[:rank].T, right[rank:].T
    image, rest = left[:, :rank] * sizes[:rank], left[:, rank:]
    shear = 0.5 / math.sqrt(max(w.shape))
    scale = float(np.exp(np.log(sizes[:rank]).mean())) if rank else 1.0
    mix = (
        _conditioned(rank, rng),
        shear * rng.standard_normal((kernel.shape[1], rank)),
        _conditioned(kernel.shape[1], rng),
        shear * rng.standard_normal((rank, rest.shape[1])) / scale,
        _conditioned(rest.shape[1], rng),
    )
    return (*_ends(kernel, support, image, rest, mix), scale)


def _exact_ends(w: np.ndarray, rank: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    from fiberscope.numerics.exact import rationals

    support, kernel = _support_and_kernel(w)
    image = w @ support
    pivots = _support_and_kernel(image.T)[0]  # d_L x rank
    missing = [r for r in range(w.shape[0]) if not pivots[r].any()]
    rest = identity(w.shape[0], w)[:, missing]
    mix = (
        _unimodular(rank, rng),
        rationals(rng.integers(-1, 2, (kernel.shape[1], rank))),
        _unimodular(kernel.shape[1], rng),
        rationals(rng.integers(-1, 2, (rank, rest.shape[1]))),
        _unimodular(rest.shape[1], rng),
    )
    return (*_ends(kernel, support, image, rest, mix), 1.0)


def _support_and_kernel(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors at the pivot columns of ``w`` (so that ``w @ support`` is a basis of its image), and a basis of
    its null space."""
    echelon, rank = to_flint(w).rref()
    rows = from_flint(echelon)
    pivots = [next(c for c in range(w.shape[1]) if rows[r, c] != 0) for r in range(rank)]
    free = [c for c in range(w.shape[1]) if c not in pivots]
    unit = identity(w.shape[1], w)
    kernel = unit[:, free]
    if rank and free:
        kernel[pivots] = -rows[:rank][:, free]
    return unit[:, pivots], kernel
