"""Rows of stored numbers that are combinations of others, exactly, with coefficients as simple as can be found.

The integer relations of the rows (vectors r with sum_i r_i row_i = 0) form a lattice. Its reduced basis (Lenstra,
Lenstra, Lovasz 1982) shows the short ones: those that somebody planted, or that symmetric weights have. A unit whose
coefficient there is a power of two is a combination with dyadic coefficients, which floats can hold.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fiberscope.numerics.exact import _integers

PRIME = (1 << 61) - 1
LATTICE = 48
"""More rows than this are only eliminated in order: a later one by earlier ones."""

Terms = dict[int, Fraction]


def combinations(rows: np.ndarray, *, simple: bool = False) -> dict[int, Terms]:
    """Rows as combinations of rows that are no keys themselves, as many as their rank allows; or only the ``simple``
    ones, with dyadic coefficients.

    >>> combinations(np.array([[1.0, 2.0], [0.5, 3.0], [2.0, 8.0]]))
    {1: {0: Fraction(-1, 2), 2: Fraction(1, 2)}}
    """
    return solved(relations(rows), simple)


def combination(rows: np.ndarray, unit: int) -> Terms | None:
    """One row as a combination of the others, or None.

    >>> combination(np.array([[1.0, 2.0], [0.5, 3.0], [2.0, 8.0]]), 1)
    {0: Fraction(-1, 2), 2: Fraction(1, 2)}
    """
    found = [primitive(r) for r in relations(rows) if unit in r]
    if not found:
        return None
    best = min(found, key=lambda r: (not dyadic(r[unit]), cost(r)))
    return {k: -c / best[unit] for k, c in best.items() if k != unit}


def relations(rows: np.ndarray) -> list[Terms]:
    """Independent relations of the rows that are not zero, as many as there are."""
    kept = np.flatnonzero((rows != 0).any(axis=1))
    if len(kept) < 2:
        return []
    whole = integer_rows(rows[kept])
    rank = modular_rank(whole)
    if rank == len(kept):  # modulo a prime the rank is never too large
        return []
    found = reduced(whole, rank) if len(kept) <= LATTICE else None
    found = in_order(whole) if found is None else found
    return [{int(kept[i]): Fraction(v) for i, v in enumerate(r) if v} for r in found]


def integer_rows(rows: np.ndarray) -> list[list[int]]:
    """The rows as whole numbers on one scale."""
    numbers, _ = _integers(rows)
    width = rows.shape[1]
    return [numbers[i * width : (i + 1) * width] for i in range(len(rows))]


def modular_rank(whole: list[list[int]]) -> int:
    from flint import nmod_mat

    return nmod_mat(len(whole), len(whole[0]), [v % PRIME for row in whole for v in row], PRIME).rank()


def projected(whole: list[list[int]], count: int) -> Any:
    """``count`` random combinations of the columns, or all of them where there are no more."""
    from flint import fmpz_mat

    matrix = fmpz_mat(whole)
    if matrix.ncols() <= count:
        return matrix
    rng = np.random.default_rng(0)
    mix = rng.integers(-(1 << 20), 1 << 20, size=(matrix.ncols(), count))
    return matrix * fmpz_mat(mix.tolist())


def reduced(whole: list[list[int]], rank: int) -> list[list[int]] | None:
    """A reduced basis of the relations; None where the random combinations of columns lost something."""
    from flint import fmpz_mat

    count, columns = len(whole), projected(whole, rank + 2)
    size = max(abs(int(v)) for v in columns.entries())
    heavy = size << (count + 8)
    table = [
        [int(i == j) for j in range(count)] + [int(columns[i, j]) * heavy for j in range(columns.ncols())]
        for i in range(count)
    ]
    basis = fmpz_mat(table).lll().tolist()
    short = [[int(v) for v in row[:count]] for row in basis if not any(row[count:])]
    good = [r for r in short if (fmpz_mat([r]) * fmpz_mat(whole)).is_zero()]
    return good if len(good) == count - rank else None


def in_order(whole: list[list[int]]) -> list[list[int]]:
    """Relations of every dependent row with the first independent ones."""
    from flint import fmpz_mat

    columns = projected(whole, len(whole) + 2).transpose()
    echelon, denominator, rank = columns.rref()
    pivots = [next(j for j in range(columns.ncols()) if echelon[i, j] != 0) for i in range(rank)]
    out = []
    for j in sorted(set(range(len(whole))) - set(pivots)):
        relation = [0] * len(whole)
        relation[j] = -int(denominator)
        for i, pivot in enumerate(pivots):
            relation[pivot] = int(echelon[i, j])
        if (fmpz_mat([relation]) * fmpz_mat(whole)).is_zero():
            out.append(relation)
    return out


def solved(left: list[Terms], simple: bool) -> dict[int, Terms]:
    """One row per relation in terms of the others; where a power of two can be divided by, the last such one."""
    left, out = list(left), dict[int, Terms]()
    while left:
        relation = min(left, key=cost)
        if simple and cost(relation)[0]:
            break
        left.remove(relation)
        unit = pivot(relation)
        terms = {k: -c / relation[unit] for k, c in relation.items() if k != unit}
        out = {i: substituted(row, unit, terms) for i, row in out.items()}
        left = [r for r in (substituted(row, unit, terms) for row in left) if r]
        out[unit] = terms
    return out


def cost(relation: Terms) -> tuple[bool, int, Fraction]:
    """Relations with a dyadic solution first; short ones before long ones."""
    whole = primitive(relation)
    return not any(dyadic(c) for c in whole.values()), len(whole), max(abs(c) for c in whole.values())


def pivot(relation: Terms) -> int:
    """The unit to solve for: the last of the largest coefficients that are powers of two, else of all."""
    whole = primitive(relation)
    usable = {i: c for i, c in whole.items() if dyadic(c)} or whole
    return max(usable, key=lambda i: (abs(usable[i]), i))


def primitive(relation: Terms) -> Terms:
    """The same relation in whole numbers without a common factor."""
    import math

    scale = math.lcm(*(c.denominator for c in relation.values()))
    shared = math.gcd(*(int(c * scale) for c in relation.values()))
    return {i: c * scale / shared for i, c in relation.items()}


def dyadic(c: Fraction) -> bool:
    n = abs(c.numerator)
    return c.denominator == 1 and n & (n - 1) == 0


def substituted(row: Terms, unit: int, terms: Terms) -> Terms:
    """A sum with one unit replaced by a sum."""
    if unit not in row:
        return row
    out = {k: c for k, c in row.items() if k != unit}
    for k, c in terms.items():
        out[k] = out.get(k, Fraction(0)) + row[unit] * c
    return {k: c for k, c in out.items() if c}
