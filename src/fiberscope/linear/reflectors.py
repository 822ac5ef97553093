"""Householder reflectors in LAPACK's storage: ``Q = H_1 H_2 ... H_k``, column j of the array describes H_j."""

from __future__ import annotations

from typing import Any

import numpy as np

_PANEL = 64  # columns that LAPACK handles at once; only decides the size of the workspace


def _lapack() -> Any:
    from scipy.linalg import lapack

    return lapack


def qr(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(packed, taus)`` of ``block = Q R``: R in the upper triangle, reflectors below the diagonal."""
    packed, taus, _, info = _lapack().dgeqrf(block, lwork=max(1, _PANEL * block.shape[1]))
    return _checked(packed, info), taus


def pivoted_qr(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(packed, taus, order)`` of ``block[:, order] = Q R`` with ``|R_11| >= |R_22| >= ...`` (Businger-Golub)."""
    packed, order, taus, _, info = _lapack().dgeqp3(block, lwork=2 * block.shape[1] + (block.shape[1] + 1) * _PANEL)
    return _checked(packed, info), taus, order - 1


def apply(packed: np.ndarray, taus: np.ndarray, target: np.ndarray, *, side: str, transpose: bool) -> np.ndarray:
    """``Q C`` or ``C Q`` (side "L" or "R"), with ``Q^T`` for `transpose`; Q has as many rows as `packed`."""
    if not len(taus) or not target.size:
        return target
    free = target.shape[1] if side == "L" else target.shape[0]
    out, _, info = _lapack().dormqr(side, "T" if transpose else "N", packed, taus, target, lwork=max(1, _PANEL * free))
    return _checked(out, info)


def orthogonal(packed: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """The square orthogonal matrix ``Q`` itself."""
    size = len(packed)
    if not len(taus):
        return np.eye(size, order="F")
    square = np.zeros((size, size), order="F")
    square[:, : len(taus)] = packed
    out, _, info = _lapack().dorgqr(square, taus, lwork=_PANEL * size)
    return _checked(out, info)


def _checked(result: Any, info: int) -> Any:
    if info:
        raise ArithmeticError(f"LAPACK reports {info}")  # an illegal argument: a bug of this file, never of the input
    return result
