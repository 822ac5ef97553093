"""A unit of network a that is a sum of several units of b, through linear operations.

``a[.., i, ..] = sum_k terms[k] b[.., k, ..] + shift`` at every place of the other axes. What acts on all units alike
and linearly passes it on; an activation does where all units named are in one linear piece of it, on the whole domain:
there ``rho(a_i) = f_i a_i`` and ``rho(b_k) = f_k b_k``.

A ReLU of slope s (0: a plain one) that turns round needs the line too: ``rho(-c t) = c rho(t) - (1 + s) c t``, c > 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from .channel_constants import Rows, difference, ratio, uniform
from .laws import number

ZERO = fmpq(0)
RECTIFIERS = ("relu", "leaky_relu")


@dataclass(frozen=True, eq=False)
class Sum:
    """See the module: the numbers of units of b with what multiplies each, and a constant."""

    terms: dict[int, fmpq]
    shift: fmpq

    def shifted(self, by: fmpq) -> Sum:
        return Sum(self.terms, self.shift + by)


Sums = dict[int, Sum]
Pieces = dict[int, fmpq]
"""Units that a function treats linearly on the domain, each with the factor of its piece."""


def both(op: str, p: Sums, q: Sums) -> Sums:
    """A sum of two values that are read off b's in the same way."""
    if op != "add":
        return {}
    return {i: s.shifted(q[i].shift) for i, s in p.items() if i in q and s.terms == q[i].terms}


def with_shared(op: str, sums: Sums) -> Sums:
    """A number that both networks have and that every unit gets, added or multiplied."""
    if op == "mul":
        return {i: s for i, s in sums.items() if s.shift == 0}
    if op == "add":
        return {i: s for i, s in sums.items() if sum(s.terms.values(), ZERO) == 1}
    return {}


def with_stored(op: str, sums: Sums, x: Callable[[int], Rows], y: Callable[[int], Rows]) -> Sums:
    """Stored numbers, x per unit of a and y per unit of b, added or multiplied."""
    rules = {"add": raised, "mul": scaled}
    if op not in rules:
        return {}
    found = {i: rules[op](s, x(i), y) for i, s in sums.items()}
    return {i: s for i, s in found.items() if s is not None}


def raised(s: Sum, x: Rows, y: Callable[[int], Rows]) -> Sum | None:
    """sum c b + shift + x = sum c (b + y) + (shift + x - sum c y), where the last is one number."""
    if len(s.terms) == 1:
        ((k, c),) = s.terms.items()
        d = difference(x, y(k), c)
        return None if d is None else s.shifted(d)
    left = uniform(x)
    for k, c in s.terms.items():
        right = uniform(y(k))
        if not (isinstance(left, fmpq) and isinstance(right, fmpq)):
            return None
        left = left - c * right
    return s.shifted(left) if isinstance(left, fmpq) else None


def scaled(s: Sum, x: Rows, y: Callable[[int], Rows]) -> Sum | None:
    """(sum c b + shift) x = sum c (x / y) (b y) + shift x."""
    terms = {}
    for k, c in s.terms.items():
        t = ratio(x, y(k))
        if t is None or t == 0:
            return None
        terms[k] = c * t
    if s.shift == 0:
        return Sum(terms, ZERO)
    factor = uniform(x)
    return Sum(terms, s.shift * factor) if isinstance(factor, fmpq) else None


def renamed(sums: Sums, places: dict[int, int], names: dict[int, int]) -> Sums:
    """Units of a (by their new places) and of b (by their old ones) under new numbers; sums of lost units go."""
    return {
        i: Sum({names[k]: c for k, c in sums[old].terms.items()}, sums[old].shift)
        for i, old in places.items()
        if old in sums and all(k in names for k in sums[old].terms)
    }


def multiplied(sums: Sums, factor: fmpq) -> Sums:
    """The constants times a number, where b's units take the number themselves (a sum over other axes)."""
    return {i: Sum(s.terms, s.shift * factor) for i, s in sums.items()}


def bare(sums: Sums) -> Sums:
    """Those without a constant."""
    return {i: s for i, s in sums.items() if s.shift == 0}


def keeping(sums: Sums, value: fmpq) -> Sums:
    """Those that are this number where all of b's units are."""
    return {i: s for i, s in sums.items() if sum(s.terms.values(), ZERO) * value + s.shift == value}


def mapped(relation: Any, function: str, parameters: tuple[str, ...], first: Pieces, second: Pieces) -> Sums:
    """After an elementwise function; ``first`` of a's units, ``second`` of b's: see the module."""
    sums: Sums = relation.sums
    if function == "float":
        return dict(sums)
    if function == "neg":
        return {i: Sum(s.terms, -s.shift) for i, s in sums.items()}
    slope = fmpq(*number(parameters[0]).as_integer_ratio()) if function == "leaky_relu" else ZERO
    out: Sums = {}
    for i, s in sums.items():
        if not all(k in second for k in s.terms):
            continue
        line = {k: c / second[k] for k, c in s.terms.items()}
        turned = relation.unit[i] >= 0 and relation.scale[i] < 0 and relation.shift[i] == 0
        if i in first:
            out[i] = Sum({k: first[i] * c for k, c in line.items()}, first[i] * s.shift)
        elif turned and function in RECTIFIERS:
            terms, u = {k: (1 + slope) * c for k, c in line.items()}, int(relation.unit[i])
            terms[u] = terms.get(u, ZERO) - relation.scale[i]
            out[i] = Sum({k: c for k, c in terms.items() if c != 0}, (1 + slope) * s.shift)
    return out


def transferred(relation: Any, function: str, first: Pieces) -> Pieces:
    """Pieces of b's units that are, up to a factor that the function lets through, units of a with known pieces."""
    return {u: first[i] for u, i in showing(relation, function, first).items()}


def showing(relation: Any, function: str, first: Pieces) -> dict[int, int]:
    """Units of b with the units of a that show their pieces."""
    through = function in (*RECTIFIERS, "abs")
    return {
        int(relation.unit[i]): i
        for i in first
        if relation.unit[i] >= 0
        and relation.shift[i] == 0
        and (relation.scale[i] == 1 or (through and relation.scale[i] > 0))
    }


def pieces(function: str, parameters: tuple[str, ...], low: np.ndarray, high: np.ndarray) -> Pieces:
    """Units [n, places] of which intervals show that a function treats them linearly everywhere."""
    low, high = low.min(axis=1), high.max(axis=1)
    above, below = np.flatnonzero(low >= 0).tolist(), np.flatnonzero(high <= 0).tolist()
    if function == "relu":
        return dict.fromkeys(above, fmpq(1))
    if function == "leaky_relu":
        slope = fmpq(*number(parameters[0]).as_integer_ratio())
        return ({} if slope == 0 else dict.fromkeys(below, slope)) | dict.fromkeys(above, fmpq(1))
    if function == "abs":
        return dict.fromkeys(below, fmpq(-1)) | dict.fromkeys(above, fmpq(1))
    if function == "clip":
        floor, ceiling = map(number, parameters)
        return dict.fromkeys(np.flatnonzero((low >= floor) & (high <= ceiling)).tolist(), fmpq(1))
    return {}
