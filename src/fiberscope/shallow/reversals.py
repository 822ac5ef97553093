"""Orientation reversal: which sets of hidden units may be turned round together without changing the function.

With the reflection law sigma(t) - sigma(-t) = L t, turning the units of E, (w_i, b_i) -> (-w_i, -b_i), changes f by
-L sum_E q_i (<w_i, x> + b_i). So f is kept, with c' = c + L sum_E q_i b_i, iff L sum_E q_i w_i^T = 0 (the weights of E
annihilate; Carroll, "DSLT 3: Neural Networks are Singular", 2023, for ReLU).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction, nearest_floats, rational, rationals
from fiberscope.numerics.tolerance import ZERO_SUM
from fiberscope.shallow.bend import checked_model
from fiberscope.shallow.circuits import components
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.near_sums import near_sums
from fiberscope.shallow.reflection import reflection
from fiberscope.shallow.subset_sums import MAX_SUMS, zero_sums


@dataclass(frozen=True)
class Reversals:
    """``count`` sets, the empty one included; ``sets``: the first of them, by size and then in order, 0-based units.

    ``gap``: in floats, the least relative size |sum_E v| / sum_E |v| of a sum that was not taken for zero (a lower
    bound; inf if there is none); ``accepted``: the largest that was. Both are None over the rationals.
    """

    count: int
    sets: tuple[tuple[int, ...], ...]
    gap: float | None
    accepted: float | None

    @property
    def exact(self) -> bool:
        """Whether sums were decided over the rationals."""
        return self.gap is None

    @property
    def truncated(self) -> bool:
        """Whether ``sets`` is only a part."""
        return len(self.sets) < self.count

    def __repr__(self) -> str:
        how = "over the rationals" if self.gap is None else f"in floats, gap {self.gap:.2g}"
        return f"Reversals({self.count} sets of units can be turned round, {how})"

    def to_json(self) -> dict[str, Any]:
        """Plain types; an infinite gap is null."""
        gap = self.gap if self.gap is not None and math.isfinite(self.gap) else None
        sets = [list(s) for s in self.sets]
        return {"count": self.count, "sets": sets, "gap": gap, "exact": self.exact, "truncated": self.truncated}


def reversals(
    model: ShallowModel, *, exact: bool = False, tol: float = ZERO_SUM, limit: int = 10_000, max_sums: int = MAX_SUMS
) -> Reversals:
    """All sets of hidden units of ``model`` that can be turned round together: L sum_E q_i w_i^T = 0.

    Decided over the rationals if ``exact`` or if the model holds rationals, else up to ``tol`` times sum_E |q_i w_i|.

    Errors: InputError for an activation without reflection law, or when the search would be too large.

    >>> from fiberscope.shallow.examples import m_symmetric, four_hyperplanes
    >>> reversals(four_hyperplanes()).sets
    ((), (0, 2), (1, 3), (0, 1, 2, 3))
    >>> reversals(m_symmetric(6)).count
    10
    """
    law = reflection(checked_model(model).activation)
    exact = exact or any(a.dtype == object for a in (model.W1, model.b1, model.W2, model.b2))
    if law == 0:  # an even activation: any set
        return zero_sum_subsets(rationals(np.zeros((model.units, 1))), limit=limit)
    W1, W2 = (rationals(model.W1), rationals(model.W2)) if exact else (model.W1, model.W2)
    vectors = (W2.T[:, :, None] * W1[:, None, :]).reshape(model.units, -1)
    return zero_sum_subsets(vectors, tol=tol, limit=limit, max_sums=max_sums)


def zero_sum_subsets(
    vectors: np.ndarray, *, tol: float = ZERO_SUM, limit: int = 10_000, max_sums: int = MAX_SUMS
) -> Reversals:
    """All subsets of ``vectors`` (s x r) that sum to zero: integers and rationals exactly, floats up to ``tol``.

    Errors: InputError when the search would be too large.

    >>> from fiberscope.shallow.examples import cyclotomic_weights
    >>> [zero_sum_subsets(cyclotomic_weights(m)).count for m in range(2, 13)]
    [2, 2, 4, 2, 10, 2, 16, 8, 34, 2, 100]
    """
    if vectors.dtype.kind == "i":
        vectors = rationals(vectors)
    if vectors.dtype != object:
        if not np.isfinite(vectors).all():
            raise InputError("products of weights overflow float64; decide over the rationals")
        return _near(vectors, tol, limit)
    parts = components(vectors)
    found = [zero_sums(_integers(vectors[part]), max_sums=max_sums) for part in parts]
    count = math.prod(f.count() for f in found)
    lists = [[[part[i] for i in s] for s in islice(f.subsets(), limit)] for part, f in zip(parts, found, strict=True)]
    return Reversals(count, _first(lists, limit), None, None)


def _near(vectors: np.ndarray, tol: float, limit: int) -> Reversals:
    size = np.linalg.norm(vectors, axis=1).max(initial=0.0)
    scaled = vectors / size if size > 0 else vectors  # no overflow in squares
    # A short list is enumerated whole, so that the gap is the true one; a longer one is split where it falls apart.
    parts = [list(range(len(vectors)))] if 0 < len(vectors) <= 16 else components(scaled)
    found = [near_sums(scaled[part], tol=tol) for part in parts]
    lists = [
        [[part[i] for i in range(len(part)) if mask >> i & 1] for mask in f.masks.tolist()]
        for part, f in zip(parts, found, strict=True)
    ]
    count = math.prod(len(f.masks) for f in found)
    gap = min((f.rejected for f in found), default=math.inf)
    return Reversals(count, _first(lists, limit), gap, max((f.accepted for f in found), default=0.0))


def _first(lists: list[list[list[int]]], limit: int) -> tuple[tuple[int, ...], ...]:
    """Unions of one set from every list, at most ``limit`` of them, by size and then in order."""
    sets = (tuple(sorted(chain.from_iterable(choice))) for choice in _choices(lists))
    return tuple(sorted(islice(sets, limit), key=lambda s: (len(s), s)))


def _choices(lists: list[list[list[int]]]) -> Iterator[list[list[int]]]:
    """One entry from every list, the first list turning fastest (lazily, for any number of lists)."""
    place = [0] * len(lists)
    while True:
        yield [entries[p] for entries, p in zip(lists, place, strict=True)]
        wheel = 0
        while wheel < len(lists) and place[wheel] + 1 == len(lists[wheel]):
            place[wheel] = 0
            wheel += 1
        if wheel == len(lists):
            return
        place[wheel] += 1


def _integers(vectors: np.ndarray) -> list[list[int]]:
    """Every coordinate times the common denominator of its column."""
    columns = []
    for column in vectors.T.tolist():
        common = math.lcm(*(int(v.q) for v in column))
        columns.append([int(v.p) * (common // int(v.q)) for v in column])
    return [list(row) for row in zip(*columns, strict=True)]


def reverse(model: ShallowModel, units: Iterable[int], *, tol: float = ZERO_SUM) -> ShallowModel:
    """Turn the units of a zero-sum set round: (w, b) -> (-w, -b) for them, c -> c + L sum q b; the same function.

    Rationals give rationals. Floats give floats: then only the new c is rounded (once), and a set that sums to zero
    only up to ``tol`` changes the function by that little.

    Errors: InputError for an activation without reflection law, a unit that does not exist, or a set that does not sum
    to zero.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> reverse(reversed_pair().truth, [0, 1]).b2
    array([-2.])
    """
    law = reflection(checked_model(model).activation)
    chosen = sorted(set(units))
    if any(isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not 0 <= i < model.units for i in chosen):
        raise InputError(f"units {chosen}: expected numbers from 0 to {model.units - 1}")
    W1, b1, W2, b2 = (rationals(a) for a in (model.W1, model.b1, model.W2, model.b2))
    zero, law = rational(0), rational(law)
    left = W2[:, chosen] @ W1[chosen] if chosen else np.full((1, 1), zero)
    if law != 0 and any(v != 0 for v in left.ravel()):
        size = sum(float(abs(fraction(q) * fraction(w))) for i in chosen for q in W2[:, i] for w in W1[i])
        residual = float(max(abs(fraction(v)) for v in left.ravel()))
        exact = any(a.dtype == object for a in (model.W1, model.b1, model.W2, model.b2))
        if exact or residual > tol * size:
            raise InputError(f"units {chosen}: their weights sum to {residual:.3g}, not to zero; see reversals()")
    W1, b1 = model.W1.copy(), model.b1.copy()
    W1[chosen], b1[chosen] = 0 - W1[chosen], 0 - b1[chosen]
    moved = b2 + law * (W2[:, chosen] @ rationals(model.b1)[chosen]) if chosen else b2
    return replace(model, W1=W1, b1=b1, b2=moved if model.b2.dtype == object else nearest_floats(moved)[0])
