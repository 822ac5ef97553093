"""The normal form of a function with one hidden layer of ReLU-like units.

    f(x) = linear x + constant + sum_H kink_H |<u_H, x> + t_H| / 2,        kinks nonzero, hyperplanes H distinct.

Two such functions agree on R^n iff the three parts agree: near a point of H that lies on no other hyperplane, every
term but the one of H is affine. With |u| = 1, kink_H is the jump of the normal derivative across H. The map from
functions to normal forms is linear. On a domain with interior the same holds for the hyperplanes that meet the
interior, units that keep one sign there being affine.

Sources: Petzka, Trimmel, Sminchisescu, "Notes on the symmetries of 2-layer ReLU-networks" (2020); Dereich, Kassing,
"On minimal representations of shallow ReLU networks" (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import nearest_floats, rational, rationals
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.box import Box
from fiberscope.shallow.folds import Folds, exact_folds, float_folds
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.polytope import Polytope
from fiberscope.shallow.sums import as_rational, exact_product

Domain = Box | Polytope | None


@dataclass(frozen=True, eq=False)
class NormalForm:
    """``normals`` (m, n), ``offsets`` (m,), ``kinks`` (m, k), ``linear`` (k, n), ``constant`` (k,).

    Exact forms hold ``flint.fmpq`` (object arrays), the first nonzero entry of every normal 1. Float forms hold
    float64, normals of length 1 with first nonzero entry positive; ``gap`` then tells how many times farther apart the
    closest boundaries that were kept apart are than the farthest that were merged (near 1: do not trust the form).
    ``domain`` is where the form holds: None (all inputs), a Box or a Polytope.
    """

    normals: np.ndarray
    offsets: np.ndarray
    kinks: np.ndarray
    linear: np.ndarray
    constant: np.ndarray
    gap: float | None = None
    domain: Domain = None

    @property
    def inputs(self) -> int:
        """n."""
        return self.linear.shape[1]

    @property
    def outputs(self) -> int:
        """k."""
        return self.linear.shape[0]

    @property
    def folds(self) -> int:
        """m, the number of hyperplanes along which the function is not differentiable."""
        return len(self.normals)

    @property
    def exact(self) -> bool:
        """Whether the numbers are rationals."""
        return self.linear.dtype == object

    @property
    def is_zero(self) -> bool:
        """Whether every part is exactly 0."""
        return self.folds == 0 and not (self.linear != 0).any() and not (self.constant != 0).any()

    def __call__(self, x: Any) -> np.ndarray:
        """f at x (n,) or at every row of x (N, n): shape (k,) or (N, k); rationals for an exact form."""
        points = np.atleast_2d(np.asarray(x))
        if points.ndim != 2 or points.shape[1] != self.inputs:
            raise InputError(f"x: has shape {np.shape(x)}, expected ({self.inputs},) or (N, {self.inputs})")
        points = rationals(points) if self.exact else points.astype(np.float64)
        half = rational(0.5) if self.exact else 0.5
        values = points @ self.linear.T + self.constant
        if self.folds:
            values = values + abs(points @ self.normals.T + self.offsets) @ (self.kinks * half)
        return values[0] if np.ndim(x) == 1 else values

    def __add__(self, other: NormalForm) -> NormalForm:
        return self._plus(other, 1)

    def __sub__(self, other: NormalForm) -> NormalForm:
        return self._plus(other, -1)

    def __neg__(self) -> NormalForm:
        return self * -1

    def __mul__(self, factor: Any) -> NormalForm:
        """The form of ``factor * f`` for a number."""
        number = as_rational(factor) if self.exact else float(factor)
        parts = Folds(self.normals, self.offsets, self.kinks * number)
        if number == 0:
            parts = Folds(self.normals[:0], self.offsets[:0], self.kinks[:0])
        linear, constant = self.linear * number, self.constant * number
        return NormalForm(parts.normals, parts.offsets, parts.kinks, linear, constant, self.gap, self.domain)

    __rmul__ = __mul__

    def _plus(self, other: NormalForm, sign: int) -> NormalForm:
        if (self.inputs, self.outputs, self.exact) != (other.inputs, other.outputs, other.exact):
            raise InputError("normal forms: both must have the same inputs and outputs, and both be exact or neither")
        if not same_domain(self.domain, other.domain):
            raise InputError("normal forms: they hold on different domains; compute both with the same box")
        parts = (exact_folds if self.exact else float_folds)(
            np.concatenate([self.normals, other.normals]),
            np.concatenate([self.offsets, other.offsets]),
            np.concatenate([self.kinks, other.kinks * sign]),
        )
        linear, constant = self.linear + other.linear * sign, self.constant + other.constant * sign
        return NormalForm(parts.normals, parts.offsets, parts.kinks, linear, constant, parts.gap, self.domain)

    def __eq__(self, other: object) -> bool:
        """Whether every number agrees: for exact forms on one domain, whether the functions are the same there."""
        if not isinstance(other, NormalForm) or not same_domain(self.domain, other.domain):
            return NotImplemented
        mine = (self.normals, self.offsets, self.kinks, self.linear, self.constant)
        theirs = (other.normals, other.offsets, other.kinks, other.linear, other.constant)
        return all(a.shape == b.shape and bool((a == b).all()) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def floats(self) -> NormalForm:
        """The nearest float64 form with unit normals (of an exact form: rounded once per number, nothing merged)."""
        if not self.exact:
            return self
        normals, offsets, kinks, linear, constant = (
            nearest_floats(a)[0] for a in (self.normals, self.offsets, self.kinks, self.linear, self.constant)
        )
        length = np.linalg.norm(normals, axis=1)
        return NormalForm(
            normals / length[:, None], offsets / length, kinks * length[:, None], linear, constant, None, self.domain
        )

    def to_json(self, limit: int | None = None) -> dict[str, Any]:
        """Plain JSON types; exact numbers are strings such as "-3/8". ``limit``: at most so many folds are listed."""
        show = [slice(None), slice(limit)][limit is not None]

        def plain(array: np.ndarray) -> list[Any]:
            values = array.tolist()
            if not self.exact:
                return values
            return [[str(v) for v in row] if isinstance(row, list) else str(row) for row in values]

        listed = zip(plain(self.normals[show]), plain(self.offsets[show]), plain(self.kinks[show]), strict=True)
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "folds": [{"normal": u, "offset": t, "kink": kink} for u, t, kink in listed],
            "folds_total": self.folds,
            "linear": plain(self.linear),
            "constant": plain(self.constant),
            "gap": self.gap,
            "exact": self.exact,
            "domain": "all" if self.domain is None else self.domain.to_json(),
        }

    def __repr__(self) -> str:
        kind = "exact" if self.exact else "floats" + ("" if self.gap is None else f", gap {self.gap:.3g}")
        where = "all inputs" if self.domain is None else str(self.domain)
        return f"NormalForm: R^{self.inputs} -> R^{self.outputs}, {self.folds} folds ({kind})\n  on {where}"


def normal_form(model: ShallowModel, *, exact: bool = False, box: Any = None, polytope: Any = None) -> NormalForm:
    """The normal form of the function of a model, on all inputs, on a box, or on a polytope.

    With sigma(z) = mean z + jump |z| / 2 (ReLU: 1/2 and 1), units i crossing their boundary inside the domain, and s
    the side (+1, -1) of every other unit:
    ``kink_H = jump sum_{i on H} q_i r_i``, ``linear = sum_i slope_i q_i w_i^T`` and
    ``constant = c + sum_i slope_i q_i b_i`` with slope_i = mean for crossing units, mean + s jump / 2 for the others.

    ``exact``: over Q (float64 weights are dyadic rationals). ``box``: a pair (lo, hi); ``polytope``: a Polytope.
    Errors: WeightError for bad arrays, InputError for another activation or a bad domain, or a polytope on which the
    side of a unit could not be proved.

    >>> model = ShallowModel(np.array([[1.0], [-2.0]]), np.zeros(2), np.array([[1.0, 1.0]]), np.zeros(1))
    >>> form = normal_form(model, exact=True)
    >>> form.to_json()["folds"], form.to_json()["linear"]
    ([{'normal': ['1'], 'offset': '0', 'kink': ['3']}], [['-1/2']])
    """
    law = bend(checked_model(model).activation)
    domain = domain_of(model, box, polytope)
    if isinstance(domain, Box):
        model = domain.without_fixed(model)
    sides = sides_on(model, domain)
    if not exact and any(a.dtype == object for a in (model.W1, model.b1, model.W2, model.b2)):
        arrays = (nearest_floats(a)[0] if a.dtype == object else a for a in (model.W1, model.b1, model.W2, model.b2))
        model = ShallowModel(*arrays, activation=model.activation)
    crossing = (sides == 0) & (law.jump != 0)
    W, b, q = model.W1[crossing], model.b1[crossing], model.W2[:, crossing].T
    if exact:
        jump = as_rational(law.jump)
        parts = exact_folds(W, b, q)
        linear, constant = exact_affine(model, sides)
    else:
        jump = float(law.jump)
        parts = float_folds(W, b, q) if len(W) else Folds(W, b, q)
        slope = np.array([float(law.slope(s)) for s in (-1, 0, 1)])[sides + 1]
        linear, constant = (model.W2 * slope) @ model.W1, model.b2 + (model.W2 * slope) @ model.b1
    return NormalForm(parts.normals, parts.offsets, parts.kinks * jump, linear, constant, parts.gap, domain)


def exact_affine(model: ShallowModel, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(linear, constant)`` over Q, given the side of every unit."""
    law = bend(model.activation)
    joined = np.column_stack([model.W1, model.b1])
    total = rationals(np.zeros((model.outputs, model.inputs + 1)))
    for side in (-1, 0, 1):
        rows = sides == side
        if law.slope(side) != 0 and rows.any():
            total = total + exact_product(model.W2[:, rows], joined[rows]) * as_rational(law.slope(side))
    return total[:, :-1], rationals(model.b2) + total[:, -1]


def domain_of(model: ShallowModel, box: Any, polytope: Any) -> Domain:
    """The domain asked for, checked; errors: InputError."""
    if box is not None and polytope is not None:
        raise InputError("box, polytope: give one of them; a polytope can hold the bounds of the box")
    if polytope is not None:
        return Polytope.of(polytope, model.inputs)
    return None if box is None else Box.of(box, model.inputs)


def sides_on(model: ShallowModel, domain: Domain) -> np.ndarray:
    """Per unit: 0 if its boundary meets the interior of the domain, else the side (+1 or -1) that it stays on."""
    if domain is not None:
        return domain.sides(model.W1, model.b1)
    flat = ~np.asarray(model.W1 != 0, dtype=bool).any(axis=1)
    return np.where(flat, np.where(np.asarray(model.b1 > 0, dtype=bool), 1, -1), 0)


def same_domain(a: Domain, b: Domain) -> bool:
    """Whether two domains are written the same."""
    if a is None or b is None:
        return a is b
    return type(a) is type(b) and a.equals(b)  # type: ignore[arg-type]
