"""Do two networks compute the same function? Decided by names where a theorem allows it, by a rigorous witness else.

Both networks are folded into one table (see `folding`): equal outputs there are equal functions, in exact arithmetic.
If they are unequal, numbers that arithmetic had to touch are compared up to rounding; and otherwise a point is looked
for at which enclosures of the outputs, with more and more bits, are disjoint. Distinct analytic functions differ at
almost every point, so for tanh-type networks the search ends as soon as the precision suffices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.enclosure import enclose
from fiberscope.affine.folding import Folded, Table, close, close_constants, fold
from fiberscope.affine.theorem import completeness
from fiberscope.errors import InputError
from fiberscope.numerics.tolerance import DEFAULT_ULP
from fiberscope.numerics.ulp import eps

BITS = (64, 128, 256, 1024, 4096)
"""Precisions that the search for a witness goes through."""


@dataclass(frozen=True)
class Equality:
    """``answer`` equal, different or undecided.

    ``strength`` of equal: exact or rounding. ``witness`` and ``gap``: an input at which some output differs by at least
    ``gap`` (rigorous). ``theorem``: what makes the decision complete for these networks, None where nothing does.
    """

    answer: str
    strength: str | None
    witness: tuple[float, ...] | None
    gap: float | None
    theorem: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        witness = None if self.witness is None else list(self.witness)
        shown = {"answer": self.answer, "strength": self.strength, "witness": witness}
        return {**shown, "gap": self.gap, "theorem": self.theorem}

    def __repr__(self) -> str:
        more = {"equal": self.strength, "different": f"by at least {self.gap}"}.get(self.answer, "")
        return f"Equality: {self.answer}{', ' if more else ''}{more}"


def same_function(
    a: DagNetwork, b: DagNetwork, *, exact: bool = False, ulp: float = DEFAULT_ULP, seed: int = 0
) -> Equality:
    """Equal or different functions on all inputs; ``exact=True`` does not accept equality up to rounding.

    Only a network outside the theorems (see `theorem`), or functions closer than 4096 bits show, can be undecided.
    Errors: InputError when the numbers of inputs or outputs differ, or one name means two activations.

    >>> a = DagNetwork.from_layers([([[2.0], [1.0]], [1.0, 0.5]), ([[1.0, 3.0]], None)])
    >>> b = DagNetwork.from_layers([([[-1.0], [2.0]], [-0.5, 1.0]), ([[-3.0, 1.0]], None)])
    >>> same_function(a, b)
    Equality: equal, exact
    """
    if (a.n_inputs, a.n_outputs) != (b.n_inputs, b.n_outputs):
        sizes = f"{a.n_inputs} to {a.n_outputs} and {b.n_inputs} to {b.n_outputs}"
        raise InputError(f"the two networks map {sizes} numbers: they cannot be compared")
    for name in set(a.activations) & set(b.activations):
        if a.law(name) != b.law(name):
            raise InputError(f"activation {name} is not the same function in both networks")
    theorem = completeness(a).theorem
    theorem = theorem if theorem == completeness(b).theorem else None
    if equal_in(Table(a.n_inputs), a, b):
        return Equality("equal", "exact", None, None, theorem)
    if not exact and ulp > 0:
        worst = max(eps(a.precision), eps(b.precision))
        if equal_in(Table(a.n_inputs, slack=ulp * worst), a, b):
            return Equality("equal", "rounding", None, None, theorem)
    found = separate(a, b, seed)
    if found is None:
        return Equality("undecided", None, None, None, theorem)
    return Equality("different", None, found[0], found[1], theorem)


def equal_in(table: Table, a: DagNetwork, b: DagNetwork) -> bool:
    """Whether the outputs of both networks have the same names in this table."""
    first, second = fold(a, table), fold(b, table)
    return all(_same(first, second, k) for k in range(a.n_outputs))


def _same(a: Folded, b: Folded, k: int) -> bool:
    p, q = a.outputs[k], b.outputs[k]
    if p.weights.keys() != q.weights.keys():
        return False
    weights = ((p.weights[i], q.weights[i]) for i in p.weights)
    if not all(close(v.value, w.value, v.noise + w.noise) for v, w in weights):
        return False
    return close_constants(p.bias, q.bias, p.noise + q.noise)


def separate(a: DagNetwork, b: DagNetwork, seed: int, points: int = 64) -> tuple[tuple[float, ...], float] | None:
    """``(x, gap)``: an input at which some output differs by at least ``gap`` > 0, shown by enclosures; else None.

    Points of several sizes are tried in float64 first; the most telling ones then with growing precision.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((points, a.n_inputs)) * rng.choice([0.25, 1.0, 4.0, 32.0], size=(points, 1))
    x[0] = 0.0
    with np.errstate(all="ignore"):
        gaps = np.nan_to_num(np.abs(a.evaluate(x) - b.evaluate(x)).max(axis=1), nan=0.0, posinf=0.0)
    best = x[np.argsort(-gaps, kind="stable")[:4]]
    for bits in BITS:
        for point in best if bits < 1024 else best[:1]:
            first, second = enclose(a, point.tolist(), bits), enclose(b, point.tolist(), bits)
            if first is None or second is None:
                return None
            gap = max(_lower(abs(p - q)) for p, q in zip(first, second, strict=True))
            if gap > 0.0:
                return tuple(point.tolist()), gap
    return None


def _lower(difference: Any) -> float:
    """A float below the lower end of a ball's absolute value (0 when the ball holds 0)."""
    low = float(difference.abs_lower().mid())
    return max(0.0, float(np.nextafter(low * (1.0 - 2.0**-50), 0.0)))
