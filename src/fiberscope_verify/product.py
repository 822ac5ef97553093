"""A matrix product without rounding, through integers on a common scale."""

from __future__ import annotations

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from .exact import MAX_EXACT, exact
from .report import need

CHUNK = 1 << 20


def integers(array: np.ndarray) -> tuple[list[int], int]:
    """Whole numbers m and an exponent e with array.flat = m 2^e, for finite float64."""
    mantissa, exponent = np.frexp(array.reshape(-1))
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    least = int(exponent[whole != 0].min(initial=0))
    shift = np.where(whole != 0, exponent - least, 0).tolist()
    return [m << s for m, s in zip(whole.tolist(), shift, strict=True)], least - 53


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b as fmpq, a [r, s] and b [s, t] of finite float64 or fmpq."""
    (rows, inner), columns = a.shape, b.shape[1]
    need(inner * (rows + columns) <= 4 * MAX_EXACT, "too much exact arithmetic")
    total = np.full((rows, columns), fmpq(0), dtype=object)
    step = max(1, CHUNK // (rows + columns))
    for at in range(0, inner, step):
        p, q = a[:, at : at + step], b[at : at + step]
        if object in (p.dtype, q.dtype):
            left, right = (exact(v).reshape(-1).tolist() for v in (p, q))
            part = (fmpq_mat(rows, len(q), left) * fmpq_mat(len(q), columns, right)).entries()
        else:
            (m, e), (n, f) = integers(p), integers(q)
            scale = fmpq(2) ** (e + f)
            whole = fmpz_mat(rows, len(q), m) * fmpz_mat(len(q), columns, n)
            part = [fmpq(v) * scale for v in whole.entries()]
        total += np.array(part, dtype=object).reshape(rows, columns)
    return total
