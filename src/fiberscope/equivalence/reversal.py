"""How the hidden units of one network sit on those of another, as a certificate: permutation, scales, reversed units.

Unit j of b is assigned to the unit of a (or, on a boundary that a does not have, to a unit of b) on its own boundary,
(w, b)_j = s_j r_j (w, b)_i; the set E = {s_j = -1} is reversed; units without effect or constant are assigned to none.
This is the relation between two members of one fiber in Carroll, "DSLT 3: Neural Networks are Singular" (2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate, certificate
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.rigorous import accepts
from fiberscope.equivalence.shallow_route import shallow_of
from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction, rationals
from fiberscope.shallow.model import ShallowModel

if TYPE_CHECKING:
    from fiberscope.equivalence.chain import Chain
    from fiberscope.network import Network

Step = tuple[list[dict[str, Any]], dict[str, np.ndarray]]


def reversal_certificate(a: Network, b: Network) -> Certificate | None:
    """A certificate that b's hidden units are those of a, permuted, scaled, split or reversed, and units of no effect.

    None where a and b are not related in this way (a must have at most one unit on each boundary); then compare still
    decides. ReLU-like activations, and those with sigma(z) - sigma(-z) = L z such as GELU and SiLU (scales 1).

    >>> import torch, fiberscope.network as fn
    >>> def pair(sign):
    ...     first, last = torch.nn.Linear(1, 2, bias=False), torch.nn.Linear(2, 1, bias=False)
    ...     with torch.no_grad():
    ...         _ = first.weight.copy_(sign * torch.tensor([[1.0], [2.0]]))
    ...         _ = last.weight.copy_(torch.tensor([[1.0, -0.5]]))
    ...     return fn.load(torch.nn.Sequential(first, torch.nn.GELU(), last).eval(), (torch.zeros(2, 1),))
    >>> reversal_certificate(pair(1.0), pair(-1.0)).method
    'reversal'
    """
    found = reversal_step(chain_of(a), chain_of(b))
    if found is None:
        return None
    steps, arrays = found
    proof = certificate(a, b, claim="equal", strength="exact", method="reversal", steps=steps, arrays=arrays)
    return proof if accepts(proof, a, b) is None else None


def reversal_step(a: Chain | None, b: Chain | None) -> Step | None:
    """The step and arrays of the certificate, before it is checked; None if the units do not even match."""
    if a is None or b is None or not len(a.layers) == len(b.layers) == 2 or a.activations != b.activations:
        return None
    if (a.widths[0], a.widths[-1]) != (b.widths[0], b.widths[-1]):
        return None
    first, second = shallow_of(a), shallow_of(b)
    if first is None or second is None:
        return turned_round(a, b)
    return _assignment(first, second)


def _assignment(first: ShallowModel, second: ShallowModel) -> Step:
    from fiberscope.shallow.boundaries import boundaries
    from fiberscope.shallow.equality import stacked

    both = stacked(first, second)
    rows = np.flatnonzero(np.asarray(both.W1 != 0, dtype=bool).any(axis=1))
    found = boundaries(both.W1[rows], both.b1[rows])
    place = np.full(both.units, -1, dtype=np.int64)
    place[rows] = rows[found.leader[found.label]]
    lead = np.zeros(both.units, dtype=object)
    lead[rows] = rationals(found.lead)
    count = first.units
    ratios = [lead[j] / lead[i] if i >= 0 else 1 for j, i in enumerate(place.tolist())][count:]
    idle = ~np.asarray(second.W2 != 0, dtype=bool).any(axis=0)
    unit = np.where(idle, -1, place[count:])
    turned = np.array([j for j, ratio in enumerate(ratios) if ratio < 0 and unit[j] >= 0], dtype=np.int64)
    return _step(unit, [abs(r) if i >= 0 else 1 for r, i in zip(ratios, unit.tolist(), strict=True)], turned)


def turned_round(a: Chain | None, b: Chain | None) -> Step | None:
    """The same for networks with as many units each and an activation that is not ReLU-like (no splitting)."""
    from fiberscope.shallow.relation import relation

    if a is None or b is None or not len(a.layers) == len(b.layers) == 2 or shallow_of(a) is not None:
        return None
    models = [ShallowModel(*_arrays(c), activation=c.activations[0]) for c in (a, b)]
    try:
        found = relation(*models)
    except InputError:
        return None
    if found is None:
        return None
    unit = np.empty(models[0].units, dtype=np.int64)
    unit[list(found.permutation)] = np.arange(len(unit))
    turned = np.array(sorted(found.permutation[i] for i in found.reversed), dtype=np.int64)
    return _step(unit, [found.scales[i] for i in unit.tolist()], turned)


def _arrays(chain: Chain) -> tuple[np.ndarray, ...]:
    first, last = chain.layers
    return first.weight, first.bias, last.weight, last.bias


def _step(unit: np.ndarray, scales: list[Any], turned: np.ndarray) -> Step:
    arrays = {"unit": unit, "reversed": turned}
    exact = [fraction(r) for r in scales]
    scale: Any = [str(r) for r in exact]
    floats = [r.numerator / r.denominator for r in exact]
    if all(fraction(f) == r for f, r in zip(floats, exact, strict=True)):
        scale, arrays["scale"] = "scale", np.array(floats, dtype=np.float64)
    return [{"step": "reversal", "unit": "unit", "scale": scale, "reversed": "reversed"}], arrays
