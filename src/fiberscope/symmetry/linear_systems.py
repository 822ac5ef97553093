"""Null spaces of the small exact systems that charges obey: over Q for exponents, over F2 for signs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

V = TypeVar("V", bound=Hashable)
Row = dict[V, Fraction]


def rational_modes(
    equations: Iterable[Iterable[tuple[V, Fraction]]],
    occurrences: Sequence[Iterable[tuple[V, Fraction]]],
) -> list[tuple[int, ...]]:
    """Return the independent solutions as integer exponents on ``occurrences``.

    ``equations`` are linear forms that vanish; each occurrence is a linear form in the same
    variables. A solution that is zero on every occurrence acts trivially and is left out.
    """
    reduced = _echelon(equations)
    forms = [_reduce(dict(o), reduced) for o in occurrences]
    free = sorted({v for f in forms for v in f}, key=repr)
    rows = [[f.get(v, Fraction(0)) for f in forms] for v in free]
    basis = _row_echelon(rows)
    integral = [_primitive(r) for r in basis]
    return _sparsify([tuple(r) for r in integral])


def _echelon(equations: Iterable[Iterable[tuple[V, Fraction]]]) -> dict[V, Row]:
    """Solve each equation for one variable: pivot -> its expression in the others."""
    solved: dict[V, Row] = {}
    for equation in equations:
        row = _reduce(dict(equation), solved)
        if not row:
            continue
        pivot = max(row, key=repr)
        q = row.pop(pivot)
        expression = {v: -c / q for v, c in row.items()}
        for other, form in solved.items():
            if pivot in form:
                solved[other] = _reduce(form, {pivot: expression})
        solved[pivot] = expression
    return solved


def _reduce(form: Row, solved: dict[V, Row]) -> Row:
    out: Row = {}
    for v, q in form.items():
        for u, c in solved[v].items() if v in solved else ((v, Fraction(1)),):
            out[u] = out.get(u, Fraction(0)) + q * c
    return {v: q for v, q in out.items() if q}


def _row_echelon(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    done: list[list[Fraction]] = []
    rows = [r for r in rows if any(r)]
    columns = len(rows[0]) if rows else 0
    for j in range(columns):
        pivot = next((r for r in rows if r[j]), None)
        if pivot is None:
            continue
        rows = [r for r in rows if r is not pivot]
        pivot = [x / pivot[j] for x in pivot]
        rows = [[x - r[j] * p for x, p in zip(r, pivot, strict=True)] if r[j] else r for r in rows]
        done = [[x - r[j] * p for x, p in zip(r, pivot, strict=True)] if r[j] else r for r in done]
        done.append(pivot)
        rows = [r for r in rows if any(r)]
    return done


def _primitive(row: list[Fraction]) -> list[int]:
    scale = math.lcm(*(x.denominator for x in row))
    whole = [int(x * scale) for x in row]
    g = math.gcd(*whole)
    return [x // g for x in whole]


def _support(row: tuple[int, ...]) -> int:
    return sum(1 for x in row if x)


def _sparsify(rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Make the modes touch as few occurrences as simple differences allow."""
    changed = True
    while changed and len(rows) <= 64:
        changed = False
        for i in range(len(rows)):
            for j in range(len(rows)):
                if i == j:
                    continue
                for sign in (1, -1):
                    made = tuple(x + sign * y for x, y in zip(rows[i], rows[j], strict=True))
                    if _support(made) < _support(rows[i]):
                        rows[i], changed = made, True
    return rows


def parity_modes(equations: Iterable[frozenset[V]], occurrences: Sequence[frozenset[V]]) -> list[tuple[int, ...]]:
    """Return the independent sign fields as 0/1 parities on ``occurrences``."""
    solved: dict[V, frozenset[V]] = {}

    def reduce(form: frozenset[V]) -> frozenset[V]:
        out: frozenset[V] = frozenset()
        for v in form:
            out ^= solved.get(v, frozenset({v}))
        return out

    for equation in equations:
        row = reduce(equation)
        if not row:
            continue
        pivot = max(row, key=repr)
        expression = row - {pivot}
        for other, form in list(solved.items()):
            if pivot in form:
                solved[other] = (form - {pivot}) ^ expression
        solved[pivot] = expression
    forms = [reduce(o) for o in occurrences]
    free = sorted({v for f in forms for v in f}, key=repr)
    basis: list[tuple[int, ...]] = []
    pivots: list[int] = []
    for v in free:
        row = tuple(int(v in f) for f in forms)
        for p, b in zip(pivots, basis, strict=True):
            if row[p]:
                row = tuple(x ^ y for x, y in zip(row, b, strict=True))
        if not any(row):
            continue
        p = row.index(1)
        basis = [tuple(x ^ y for x, y in zip(b, row, strict=True)) if b[p] else b for b in basis]
        basis.append(row)
        pivots.append(p)
    return _sparsify_parity(basis)


def _sparsify_parity(rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    changed = True
    while changed and len(rows) <= 64:
        changed = False
        for i in range(len(rows)):
            for j in range(len(rows)):
                made = tuple(x ^ y for x, y in zip(rows[i], rows[j], strict=True))
                if i != j and sum(made) < sum(rows[i]):
                    rows[i], changed = made, True
    return rows
