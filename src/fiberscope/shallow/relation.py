"""How two networks with the same function and one unit per boundary are related: a certificate that is easy to check.

    (w, b)_{pi(i)} = s_i r_i (w, b)_i,     q_{pi(i)} = q_i / r_i,     c' = c + L sum_{i in E} q_i b_i,

pi a permutation of the units, r_i > 0 scales (all 1 unless the activation is homogeneous), E = {i: s_i = -1} a set
whose weights L q_i w_i^T sum to zero, L the constant of the reflection law. For ReLU networks with as many units as
folds every network with the same function is related in this way (Carroll, "DSLT 3: Neural Networks are Singular",
2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.activations.table import parse_activation
from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.shallow.bend import checked_model
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.reflection import reflection


@dataclass(frozen=True)
class Relation:
    """``permutation[i]``: the unit of the second network that unit i becomes; ``scales[i]`` = r_i, exact rationals;
    ``reversed``: the set E, units of the first network."""

    permutation: tuple[int, ...]
    scales: tuple[Any, ...]
    reversed: tuple[int, ...]

    def __call__(self, model: ShallowModel) -> ShallowModel:
        """The related network, in exact rationals.

        Errors: InputError if the weights of the reversed units do not sum to zero: then the function would change.
        """
        W1, b1, W2, b2 = (rationals(a) for a in (model.W1, model.b1, model.W2, model.b2))
        turned = list(self.reversed)
        law = rational(reflection(model.activation)) if turned else rational(0)
        if turned and law != 0 and ((W2[:, turned] @ W1[turned]) != 0).any():
            raise InputError(f"units {turned}: their weights do not sum to zero, reversing them changes the function")
        new_W1, new_b1, new_W2 = W1.copy(), b1.copy(), W2.copy()
        for i, (place, scale) in enumerate(zip(self.permutation, self.scales, strict=True)):
            sign = -1 if i in self.reversed else 1
            new_W1[place], new_b1[place] = W1[i] * scale * sign, b1[i] * scale * sign
            new_W2[:, place] = W2[:, i] / scale
        moved = b2 + (W2[:, turned] @ b1[turned]) * law if turned else b2
        return ShallowModel(new_W1, new_b1, new_W2, moved, model.activation)

    def maps(self, first: ShallowModel, second: ShallowModel) -> bool:
        """Whether the relation takes the first network to the second one, every weight compared exactly."""
        try:
            found = self(first)
        except InputError:
            return False
        pairs = [(getattr(found, name), rationals(getattr(second, name))) for name in ("W1", "b1", "W2", "b2")]
        return found.activation == second.activation and all(np.array_equal(a, b) for a, b in pairs)

    def to_json(self) -> dict[str, Any]:
        """Plain types; scales are strings such as "3/2"."""
        scales = [str(r) for r in self.scales]
        return {"permutation": list(self.permutation), "scales": scales, "reversed": list(self.reversed)}


def relation(first: ShallowModel, second: ShallowModel) -> Relation | None:
    """The permutation, scales and reversed units that take ``first`` to ``second``, exactly; None if there are none.

    Errors: InputError for networks of different sizes or activations, for an activation without a reflection law (or a
    linear or even one), for units with w = 0, or for two units on one boundary (reduce such networks first: their
    functions are compared by normal forms).

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> pair = reversed_pair()
    >>> relation(pair.truth, pair.model)
    Relation(permutation=(0, 1), scales=(1, 1), reversed=(0, 1))
    """
    shapes = [(checked_model(net).inputs, net.units, net.outputs, net.activation) for net in (first, second)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"networks of different make: (inputs, units, outputs, activation) {shapes[0]} and {shapes[1]}"
        )
    row, _ = parse_activation(first.activation)
    homogeneous = row.log == 1
    if row.linear or reflection(first.activation) == 0:
        raise InputError(f"activation {first.activation!r}: units have more symmetries than these")
    places = [_keyed(net, homogeneous, name) for net, name in ((first, "first"), (second, "second"))]
    if set(places[0]) != set(places[1]):
        return None
    permutation, scales, turned = [0] * first.units, [rational(1)] * first.units, []
    for key, (i, lead) in places[0].items():
        j, other = places[1][key]
        permutation[i], scales[i] = j, abs(other / lead)
        if other / lead < 0:
            turned.append(i)
    found = Relation(tuple(permutation), tuple(scales), tuple(sorted(turned)))
    return found if found.maps(first, second) else None


def _keyed(model: ShallowModel, homogeneous: bool, name: str) -> dict[tuple, tuple[int, Any]]:
    """{boundary: (unit, leading weight)}; without homogeneity, (w, b) up to sign takes the boundary's place."""
    out: dict[tuple, tuple[int, Any]] = {}
    rows = np.column_stack([rationals(model.W1), rationals(model.b1)]).tolist()
    for i, row in enumerate(rows):
        lead = next((w for w in row[:-1] if w != 0), None)
        if lead is None:
            raise InputError(f"the {name} network: unit {i} has w = 0; reduce it first")
        unit = lead if homogeneous else (lead / abs(lead))
        key = tuple(v / unit for v in row)
        if key in out:
            raise InputError(f"the {name} network: units {out[key][0]} and {i} share a boundary; reduce it first")
        out[key] = (i, unit)
    return out
