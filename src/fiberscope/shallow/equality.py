"""Whether two models with one hidden layer of ReLU-like units are the same function: decided, always, in rationals.

f_a = f_b on a domain iff the normal form of f_a - f_b is zero there: the units of both are grouped by boundary, the
second model's with negative weight, and every kink, and then the affine part, must be exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import add, rationals
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.boundaries import boundaries
from fiberscope.shallow.box import Box
from fiberscope.shallow.evaluation import exact_value
from fiberscope.shallow.folds import kinked
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm, domain_of, exact_affine, normal_form, sides_on
from fiberscope.shallow.witness import affine_points, fold_points, random_points


@dataclass(frozen=True, eq=False)
class Answer:
    """``answer`` is "equal" or "different"; ``why`` names what differs.

    A different pair has a ``witness`` x (n,), float64 or, where no float shows it, rationals, and the exact ``gap``
    f_a(x) - f_b(x) (rationals, (k,)). An equal pair has its common normal form as evidence: :attr:`form`.
    """

    answer: str
    why: str
    a: ShallowModel = field(repr=False)
    b: ShallowModel = field(repr=False)
    box: Box | None = None
    witness: np.ndarray | None = None
    gap: np.ndarray | None = None

    @property
    def equal(self) -> bool:
        """Whether the functions are the same."""
        return self.answer == "equal"

    @cached_property
    def form(self) -> NormalForm:
        """The exact normal form of the first model on the box (of both, if they are equal)."""
        return normal_form(self.a, exact=True, box=self.box)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; exact numbers are strings."""
        witness = self.witness
        if witness is not None:
            witness = [str(v) for v in witness] if witness.dtype == object else witness.tolist()
        return {
            "answer": self.answer,
            "why": self.why,
            "domain": "all" if self.box is None else self.box.to_json(),
            "witness": witness,
            "gap": None if self.gap is None else [str(v) for v in self.gap],
        }

    def __repr__(self) -> str:
        where = "all inputs" if self.box is None else str(self.box)
        return f"Answer: {self.answer} on {where} (exact)\n  {self.why}"


def same_function(a: ShallowModel, b: ShallowModel, *, box: Any = None) -> Answer:
    """Decide exactly whether two models are the same function on R^n or on a box.

    Errors: InputError when inputs or outputs differ in number or an activation is not ReLU-like; WeightError.

    >>> def model(w, b, q, c):
    ...     return ShallowModel(np.array(w)[:, None], np.array(b), np.array(q)[None, :], np.array([c]))
    >>> left = model([1.0, 1.0], [0.0, -1.0], [1.0, 1.0], 0.0)
    >>> right = model([1.0, -1.0, -1.0], [0.0, 0.0, 1.0], [2.0, -1.0, 1.0], -1.0)
    >>> same_function(left, right).answer
    'equal'
    >>> same_function(left, model([1.0, 1.0], [0.0, -1.0], [1.0, 1.0 + 2**-52], 0.0)).answer
    'different'
    """
    if (checked_model(a).inputs, a.outputs) != (checked_model(b).inputs, b.outputs):
        raise InputError(
            f"two functions R^{a.inputs} -> R^{a.outputs} and R^{b.inputs} -> R^{b.outputs}: they can only be "
            "compared with equal numbers of inputs and of outputs"
        )
    domain = domain_of(a, box, None)
    assert domain is None or isinstance(domain, Box)
    normals, offsets, linear, constant = _difference(a, b, domain)
    if not len(normals) and not (linear != 0).any() and not (constant != 0).any():
        return Answer("equal", "every kink and the affine part agree in rational arithmetic", a, b, domain)
    if len(normals):
        why = f"{len(normals)} folds have different kinks"
        points = (
            x for source in (random_points(a.inputs, domain), fold_points(normals, offsets, domain)) for x in source
        )
    else:
        why = "the kinks agree, the affine parts do not"
        points = affine_points(linear, constant, domain)
    for x in points:
        gap = exact_value(a, x) - exact_value(b, x)
        if (gap != 0).any():
            return Answer("different", why, a, b, domain, x, gap)
    raise AssertionError("a nonzero normal form has a witness")


def _difference(
    a: ShallowModel, b: ShallowModel, domain: Box | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The boundaries with a nonzero kink in f_a - f_b (any scale), and its affine part over Q."""
    if bend(a.activation) != bend(b.activation):
        form = normal_form(a, exact=True, box=domain) - normal_form(b, exact=True, box=domain)
        return form.normals, form.offsets, form.linear, form.constant
    both = stacked(a, b)
    if domain is not None:
        both = domain.without_fixed(both)
    sides = sides_on(both, domain)
    crossing = (sides == 0) & (bend(a.activation).jump != 0)
    W, t = both.W1[crossing], both.b1[crossing]
    found = boundaries(W, t)
    leader = found.leader[kinked(found, both.W2[:, crossing].T)]
    return W[leader], t[leader], *exact_affine(both, sides)


def stacked(a: ShallowModel, b: ShallowModel) -> ShallowModel:
    """f_a - f_b as one model with the units of both (equal activations)."""
    return ShallowModel(
        _joined(a.W1, b.W1),
        _joined(a.b1, b.b1),
        _joined(a.W2, b.W2 * -1, axis=1),
        add(a.b2, b.b2 * -1),
        a.activation,
    )


def _joined(x: np.ndarray, y: np.ndarray, axis: int = 0) -> np.ndarray:
    if x.dtype != y.dtype:
        x, y = rationals(x), rationals(y)
    return np.concatenate([x, y], axis=axis)
