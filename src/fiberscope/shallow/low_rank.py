"""Signs that make a matrix of low rank: rank(T - sum_j s_j M_j) <= r, with r >= 1, by going through all sums.

Matrices M_j on one line only matter through their sum, so the search is over the sums that each line reaches. The rank
modulo a prime is never more than the rank over Q: a larger one refutes, and what is left is checked over Q.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.rational_solve import rank

PRIME = 2_147_483_629  # below 2**31, so that products of residues fit in 62 bits
MOST = 1 << 20
"""Most combinations that are gone through."""
_CHUNK = 1 << 15


def low_rank_signs(
    T: np.ndarray, M: list[np.ndarray], r: int, deadline: float = np.inf
) -> tuple[bool | None, np.ndarray | None]:
    """``(True, s)``, ``(False, None)`` as a proof that there are no such signs, or ``(None, None)``: too many to try.

    T and all M_j are k x n, rationals (object arrays).

    >>> one = rationals(np.array([[1.0, 0.0], [0.0, 0.0]])); two = rationals(np.array([[0.0, 0.0], [0.0, 1.0]]))
    >>> low_rank_signs(one + two * 2, [one, two], 1)[1].tolist()
    [1, 1]
    """
    lines = _lines(M)
    if np.prod([float(len(options)) for _, options in lines] or [1.0]) > MOST:
        return None, None
    T = rationals(T)
    try:
        base = _residues(T)
        values = [np.array([_residues(sum_) for sum_, _ in options]) for _, options in lines]
    except ZeroDivisionError:
        return None, None
    sizes = [len(v) for v in values]
    total = int(np.prod(sizes)) if sizes else 1
    for start in range(0, total, _CHUNK):
        if time.monotonic() > deadline:
            return None, None
        codes = np.arange(start, min(start + _CHUNK, total))
        matrices = np.broadcast_to(base, (len(codes), *T.shape)).copy()
        digits, rest = [], codes
        for value, size in zip(values, sizes, strict=True):
            digits.append(rest % size)
            rest = rest // size
            matrices = (matrices - value[digits[-1]]) % PRIME
        for c in np.flatnonzero(_ranks(matrices) <= r):
            picked = [options[int(digit[c])] for (_, options), digit in zip(lines, digits, strict=True)]
            rest_matrix = T
            for sum_, _ in picked:
                rest_matrix = rest_matrix - sum_
            if rank(rest_matrix) <= r:
                signs = np.ones(len(M), dtype=np.int64)
                for (members, _), (_, pattern) in zip(lines, picked, strict=True):
                    signs[members] = pattern
                return True, signs
    return False, None


def _lines(M: list[np.ndarray]) -> list[tuple[list[int], list[tuple[np.ndarray, list[int]]]]]:
    """Matrices by line: the members, and each reachable signed sum with one sign pattern that gives it."""
    members: dict[tuple, list[int]] = {}
    factors: dict[int, Any] = {}
    for j, matrix in enumerate(M):
        entries = matrix.ravel().tolist()
        lead = next((v for v in entries if v != 0), None)
        if lead is not None:
            members.setdefault(tuple(v / lead for v in entries), []).append(j)
            factors[j] = lead
    out = []
    for line, numbers in members.items():
        sums: dict[Any, list[int]] = {factors[numbers[0]] * 0: []}
        for j in numbers:
            grown: dict[Any, list[int]] = {}
            for value, pattern in sums.items():
                for s in (1, -1):
                    grown.setdefault(value + factors[j] * s, [*pattern, s])
            sums = grown
            if len(sums) > MOST:
                break
        direction = np.array(line, dtype=object).reshape(M[numbers[0]].shape)
        out.append((numbers, [(direction * value, pattern) for value, pattern in sums.items()]))
    return out


def _residues(matrix: np.ndarray) -> np.ndarray:
    """Rationals modulo PRIME; errors: ZeroDivisionError if it divides a denominator."""
    out = np.empty(matrix.size, dtype=np.int64)
    for i, v in enumerate(rationals(matrix).ravel().tolist()):
        q = int(v.q) % PRIME
        if not q:
            raise ZeroDivisionError("the prime divides a denominator")
        out[i] = int(v.p) % PRIME * pow(q, -1, PRIME) % PRIME
    return out.reshape(matrix.shape)


def _ranks(matrices: np.ndarray) -> np.ndarray:
    """Ranks modulo PRIME of a batch (N, k, n) of residues, by elimination."""
    A = matrices.copy()
    N, k, n = A.shape
    ranks = np.zeros(N, dtype=np.int64)
    batch = np.arange(N)
    for column in range(n):
        rows = np.arange(k)[None, :]
        usable = (A[:, :, column] != 0) & (rows >= ranks[:, None])
        has = usable.any(axis=1)
        pivot = usable.argmax(axis=1)
        here, at = batch[has], ranks[has]
        swap = A[here, pivot[has]].copy()
        A[here, pivot[has]] = A[here, at]
        A[here, at] = swap
        inverse = _inverses(swap[:, column])
        normal = swap * inverse[:, None] % PRIME
        for row in range(k):
            below = row > at
            factor = np.where(below, A[here, row, column], 0)
            A[here, row] = (A[here, row] - factor[:, None] * normal % PRIME) % PRIME
        ranks[has] += 1
    return ranks


def _inverses(values: np.ndarray) -> np.ndarray:
    """Inverses modulo PRIME by Fermat's little theorem."""
    out, base, power = np.ones_like(values), values.copy(), PRIME - 2
    while power:
        if power & 1:
            out = out * base % PRIME
        base = base * base % PRIME
        power >>= 1
    return out
