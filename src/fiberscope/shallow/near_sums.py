"""All subsets of a list of float vectors that sum to zero up to rounding, and how clear that is.

A subset E counts when |sum_E v| <= tol sum_E |v|. Short lists are enumerated whole. Longer ones meet in the middle
along one line: |<xi, sum_E v>| <= |sum_E v| for a unit vector xi, so pairs of halves whose projections nearly cancel
hold every subset that counts, and each pair is measured in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.modular_sums import LONG, MAX_PAIRS, matching_halves

SHORT = 18
"""Up to this many vectors, all 2^s sums are formed."""

_WINDOW = 1024.0  # rejected sums are measured up to this many tolerances


@dataclass(frozen=True, eq=False)
class NearSums:
    """``masks``: the subsets that count, bit i for vector i; ``accepted``: their largest |sum_E v| / sum_E |v|;
    ``rejected``: a lower bound for that ratio over all other subsets (exact for short lists; inf if there are none)."""

    masks: np.ndarray
    accepted: float
    rejected: float


def near_sums(vectors: np.ndarray, *, tol: float) -> NearSums:
    """The subsets of ``vectors`` (s x r) that sum to zero within ``tol``.

    Errors: InputError for more than 44 vectors, or when too many subsets nearly vanish.

    >>> near_sums(np.array([[0.1], [0.2], [-0.3]]), tol=1e-12).masks.tolist()
    [0, 7]
    """
    count = len(vectors)
    sizes = np.linalg.norm(vectors, axis=1)
    if count <= SHORT:
        masks = np.arange(1 << count)
        norms = np.sqrt(sum(_sums(column) ** 2 for column in vectors.T)) if vectors.shape[1] else np.zeros(1 << count)
        return _decide(masks, norms, _sums(sizes), tol, np.inf)
    if count > LONG:
        raise InputError(f"{count} dependent units: sets are searched up to {LONG}; decide over the rationals instead")
    window = _WINDOW * tol * float(sizes.sum())
    masks = _candidates(vectors, window)
    chosen = (masks[:, None] >> np.arange(count)) & 1
    norms = np.linalg.norm(chosen @ vectors, axis=1)
    return _decide(masks, norms, chosen @ sizes, tol, _WINDOW * tol)


def _decide(masks: np.ndarray, norms: np.ndarray, scales: np.ndarray, tol: float, beyond: float) -> NearSums:
    good = norms <= tol * scales
    ratio = np.divide(norms, scales, out=np.zeros_like(norms), where=scales > 0)
    rejected = float(ratio[~good].min(initial=np.inf))
    return NearSums(masks[good], float(ratio[good].max(initial=0.0)), min(rejected, beyond))


def _sums(values: np.ndarray) -> np.ndarray:
    """All 2^s subset sums of s numbers, indexed by the subset's bits."""
    out = np.zeros(1)
    for value in values:
        out = np.concatenate([out, out + value])
    return out


def _candidates(vectors: np.ndarray, window: float) -> np.ndarray:
    """Masks of all subsets whose projection on a fixed random line is within ``window`` of zero."""
    xi = np.random.default_rng(0).standard_normal(vectors.shape[1])
    line = vectors @ (xi / np.linalg.norm(xi))
    half = len(vectors) // 2
    left, right = _sums(line[:half]), _sums(line[half:])
    head, tail = matching_halves(left, right, -left - window, MAX_PAIRS, -left + window)
    return head | (tail << half)
