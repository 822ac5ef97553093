"""A random network in a cell of the fiber, exactly: rational weights that compute the function.

Order of choices: V = (v_g) and the fresh normals with V Y = R modulo the mixed folds, then the v_j of the mixed folds,
then the sums P = (K + s v) / 2 of the classes, their shares p_i, scales r_i and offsets, last the output bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.bend import bend
from fiberscope.shallow.cell import Cell, pieces
from fiberscope.shallow.fiber_equation import FiberEquation
from fiberscope.shallow.linear_relations import reduce_columns
from fiberscope.shallow.model import ShallowModel

_TRIES = 200


def random_point(equation: FiberEquation, cell: Cell, *, seed: int | np.random.Generator = 0) -> ShallowModel:
    """A network of the cell with small random rationals, in exact arithmetic (object arrays of ``flint.fmpq``).

    Errors: InputError for an empty cell.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> form = normal_form(reversed_pair().truth, exact=True)
    >>> cell = Cell((("fold", 0, 1), ("fold", 1, -1), "N"))
    >>> normal_form(random_point(FiberEquation.of(form), cell, seed=3), exact=True) == form
    True
    """
    if pieces(equation, cell) is None:
        raise InputError(f"{cell!r} is empty for this function")
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        found = _draw(equation, cell, rng)
        if found is not None:
            return found
    raise InputError(f"{cell!r}: no generic point in {_TRIES} draws")  # pragma: no cover


def _draw(equation: FiberEquation, cell: Cell, rng: np.random.Generator) -> ShallowModel | None:
    """One attempt; None if a number that must not vanish does, or two hyperplanes coincide."""
    found = pieces(equation, cell)
    assert found is not None
    state, carrying, idle = found
    n, k, d = equation.inputs, equation.outputs, len(cell.roles)

    def draw(*shape: int) -> np.ndarray:
        return rationals(rng.integers(-9, 10, shape)) / rational(int(rng.integers(1, 5)))

    mixed_fresh = [g for g, sides in cell.fresh.items() if len(sides) == 2]
    carry = carrying is not None and (idle is None or carrying >= idle)
    solved = _fresh_part(equation, state.signs, state.rank, len(mixed_fresh), carry, draw)
    if solved is None:
        return None
    V, U = solved
    v = dict(zip([("fresh", g) for g in mixed_fresh], V.T, strict=True))
    folds = list(state.mixed)
    left = equation.residual(state.signs) - (V @ U if mixed_fresh else rational(0))
    v |= dict(zip([("fold", j) for j in folds], _solve(equation.normals[folds].T, left.T, draw), strict=True))
    planes: dict[tuple[str, int], tuple[np.ndarray, Any]] = {}
    for j in range(equation.folds):
        planes["fold", j] = (equation.normals[j], equation.offsets[j])
    for place, g in enumerate(mixed_fresh):
        planes["fresh", g] = (U[place], draw(1)[0])
    for g in set(cell.fresh) - set(mixed_fresh):
        planes["fresh", g] = (draw(n) if n > 1 else draw(1) * 0 + 1, draw(1)[0])
    if not _distinct(planes, n):
        return None
    W1, b1, W2 = draw(d, n), draw(d), draw(k, d)
    moved = np.full(k, rational(0), dtype=object)  # what the affine parts of the units add up to at x = 0
    mean = rational(bend(equation.activation).mean)
    for (kind, number, side), members in cell.classes.items():
        total = equation.kinks[number] if kind == "fold" else moved * 0
        if (kind, number) in v:
            total = (total + v[kind, number] * side) / 2
        shares = draw(len(members), k)
        shares[-1] = total - shares[:-1].sum(axis=0)
        if not all((share != 0).any() for share in shares):
            return None
        normal, offset = planes[kind, number]
        for i, share in zip(members, shares, strict=True):
            r = rational(int(rng.integers(1, 9))) / int(rng.integers(1, 9))
            W1[i], b1[i], W2[:, i] = normal * (r * side), offset * (r * side), share / r
            moved = moved + share * (offset * side * mean)
    law = bend(equation.activation)
    for i, role in enumerate(cell.roles):
        if role == "Z":
            W2[:, i] = W2[:, i] * 0
        elif isinstance(role, str):
            W1[i] = W1[i] * 0
            b1[i] = (abs(b1[i]) + 1) * (1 if role == "P" else -1)
            if not (W2[:, i] != 0).any():
                return None
            moved = moved + W2[:, i] * (b1[i] * rational(law.slope(1 if role == "P" else -1)))
    return ShallowModel(W1, b1, W2, equation.constant - moved, equation.activation)


def _fresh_part(
    equation: FiberEquation, signs: tuple[int, ...], r: int, G: int, carry: bool, draw: Callable[..., np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """V (k x G) and normals U (G x n) with V U = R modulo the span of the mixed folds."""
    n, k = equation.inputs, equation.outputs
    folds = [j for j, s in enumerate(signs) if s == 0]
    if G == 0 or not carry:
        U = draw(G, n) if n > 1 else draw(G, 1) * 0 + 1
        return draw(k, G) * 0, U
    across = equation.mixed(tuple(folds)).across
    reduced = equation.residual(signs) @ across
    width = across.shape[1]
    ranks = [a for a in range(max(1, r), min(k, G) + 1) if not (a == G and r == 0 and width == n)]
    a = max(ranks, key=lambda a: (a - r) * (k - a) + a * G + (G - a) * width)
    pivots = reduce_columns(reduced)[0] if width else []
    C = np.hstack([reduced[:, pivots], draw(k, a - r)])  # columns: the column space of V
    if len(reduce_columns(C)[0]) < a:
        return None
    X = _solve(C, reduced, draw) if width else np.empty((a, 0), dtype=object)
    S = draw(a, G)
    if len(reduce_columns(S)[0]) < a:
        return None
    Y = _solve(S, X, draw)
    lift = _solve(across.T, _identity(width), draw).T if width else np.empty((0, n), dtype=object)
    U = Y @ lift if width else draw(G, n) * 0
    if folds:
        U = U + draw(G, len(folds)) @ equation.normals[folds]
    V = C @ S
    if n == 1:  # the normal of a point is 1
        if any(u == 0 for u in U[:, 0]):
            return None
        V, U = V * U[:, 0], U * 0 + 1
    return V, U


def _solve(A: np.ndarray, B: np.ndarray, draw: Callable[..., np.ndarray]) -> np.ndarray:
    """A random X with A X = B (A: r x s, B: r x c, solvable); X is s x c."""
    s, c = A.shape[1], B.shape[1]
    X = draw(s, c)
    if s == 0 or c == 0:
        return X
    pivots, table, _ = reduce_columns(np.hstack([A, B]))
    pivots = [p for p in pivots if p < s]
    free = [j for j in range(s) if j not in pivots]
    for row, p in enumerate(pivots):
        X[p] = table[row, s:] - (table[row, free] @ X[free] if free else rational(0))
    return X


def _identity(size: int) -> np.ndarray:
    return rationals(np.eye(size))


def _distinct(planes: dict[tuple[str, int], tuple[np.ndarray, Any]], n: int) -> bool:
    """No normal is zero and no two hyperplanes agree."""
    seen = set()
    for normal, offset in planes.values():
        lead = next((v for v in normal.tolist() if v != 0), None)
        if lead is None:
            return False
        seen.add(tuple(v / lead for v in (*normal.tolist(), offset)))
    return len(seen) == len(planes)
