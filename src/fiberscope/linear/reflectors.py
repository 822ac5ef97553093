"""Householder reflectors in LAPACK's storage: ``Q = H_1 H_2 ... H_k``, column j of the array describes H_j."""

from __future__ import annotations

from typing import Any

import numpy as np

_PANEL = 64  # columns that LAPACK handles at once; only decides the size of the workspace
_MASK = np.triu(np.ones((_PANEL, _PANEL)))


def _lapack() -> Any:
    from scipy.linalg import lapack

    return lapack


def qr(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(packed, taus)`` of ``block = Q R``: R in the upper triangle, reflectors below the diagonal."""
    packed, taus, _, info = _lapack().dgeqrf(block, lwork=max(1, _PANEL * block.shape[1]))
    return _checked(packed, info), taus


def pivoted_qr(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(packed, taus, order)`` of ``block[:, order] = Q R`` with ``|R_11| >= |R_22| >= ...`` (Businger-Golub)."""
    workspace = 2 * block.shape[1] + (block.shape[1] + 1) * _PANEL
    packed, order, taus, _, info = _lapack().dgeqp3(block, lwork=workspace)
    return _checked(packed, info), taus, order - 1


def apply_transposed(packed: np.ndarray, taus: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``Q^T C`` for a matrix C with as many rows as `packed`."""
    out, _, info = _lapack().dormqr("L", "T", packed, taus, target, lwork=max(1, _PANEL * target.shape[1]))
    return _checked(out, info)


def orthogonal(packed: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """The square orthogonal matrix ``Q``, in the place of `packed`, whose columns beyond ``len(taus)`` are not read."""
    if not len(taus):
        return np.eye(len(packed), order="F")
    out, _, info = _lapack().dorgqr(packed, taus, lwork=_PANEL * len(packed), overwrite_a=True)
    return _checked(out, info)


def upper_triangle(packed: np.ndarray, rows: int) -> np.ndarray:
    """The first rows of R in an array of its own, with zeros below the diagonal; panel by panel, as memory lies."""
    out = np.array(packed[:rows], order="F")
    for start in range(0, min(out.shape), _PANEL):
        stop = min(start + _PANEL, out.shape[1])
        corner = out[start : start + _PANEL, start:stop]
        corner *= _MASK[: corner.shape[0], : corner.shape[1]]
        out[start + _PANEL :, start:stop] = 0.0
    return out


def _checked(result: Any, info: int) -> Any:
    if info:
        raise ArithmeticError(f"LAPACK reports {info}")  # an illegal argument: a bug of this file, never of the input
    return result
