"""Method "reversal": how the units of b sit on those of a: permutation, scales, reversed units, assignment.

Unit j of b is assigned to a unit i of a, to a unit i of b (for a boundary that the function does not see), or to none;
(w, b)_j = s_j r_j (w, b)_i, with s_j = -1 for the reversed units E. Where sigma(r z) = lambda sigma(z) for the scale r
and sigma(z) - sigma(-z) = L z, unit j is q_j lambda_j sigma(z_i), less L q_j lambda_j z_i if it is reversed. So
f_a = f_b if, units without assignment having w = 0 or q = 0,

    sum_{j on i} q_j lambda_j = q_i  (0 for i in b),      L sum_E q_j lambda_j w_i = 0,
    c_a = c_b - L sum_E q_j lambda_j b_i + sum_{no unit} q_j sigma(b_j).

Source: Carroll, "DSLT 3: Neural Networks are Singular" (2023), completed by the degenerate units.
"""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .certificate import Certificate, fields
from .chain import Chain
from .exact import MAX_EXACT, exact, mismatch, parse_rational, rational
from .hinge import hinge_of
from .product import product
from .report import Reject, need
from .shallow import joined
from .trees import Tree, X, tree_law, tree_value

SIGMOID: Tree = ("map", "sigmoid", (), X)
RAMP = ("map", "clip", ((0.0).hex(), (6.0).hex()), ("add", ("lit", "3"), X))  # ramp(z) + ramp(-z) = 6
EVEN_AND_HALF = (
    ("map", "gelu", (), X),
    ("map", "gelu_tanh", (), X),
    ("mul", SIGMOID, X),
    ("mul", ("mul", ("lit", "1/6"), RAMP), X),
)


def reflection(tree: Tree) -> fmpq:
    """L with sigma(z) - sigma(-z) = L z for all z; Reject if none is known."""
    if tree in EVEN_AND_HALF:
        return fmpq(1)
    hinge = hinge_of(tree)
    need(hinge.corner == 0, "no reflection law is known for the activation")
    return 2 * hinge.mean


def scales_of(certificate: Certificate, given: object, count: int) -> np.ndarray:
    """The scales, as an array of floats or as texts p/q."""
    if isinstance(given, list):
        scale = np.empty(len(given), dtype=object)
        scale[:] = [parse_rational(text) for text in given]
    else:
        scale = certificate.array(given, "f")
    need(len(scale) == count and not np.any(scale == 0), "one scale, not 0, for every unit of b")
    return scale


def check_reversal(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """All conditions of the module, weight by weight."""
    need(len(certificate.steps) == 1, "a reversal certificate has one step")
    unit, scale, turned = fields(certificate.steps[0], "reversal", "unit", "scale", "reversed")
    need(len(a.layers) == len(b.layers) == 2, "not one hidden layer")
    need((a.n_in, a.n_out) == (b.n_in, b.n_out), "the networks have different inputs or outputs")
    certificate.box(a.n_in)
    tree = a.layers[0].activation
    need(tree is not None and tree == b.layers[0].activation, "the activations differ")
    assert tree is not None
    rows_a, rows_b = (joined(c.layers[0].weight, c.layers[0].bias[:, None], 1) for c in (a, b))
    q_a, q_b = a.layers[1].weight, b.layers[1].weight
    place, factor = certificate.array(unit, "i"), scales_of(certificate, scale, len(rows_b))
    flipped = certificate.array(turned, "i")
    every = len(rows_a) + len(rows_b)
    need(len(place) == len(rows_b) and np.all((place >= -1) & (place < every)), "one unit, or -1, for every unit of b")
    need(len(set(flipped.tolist())) == len(flipped), "a unit is reversed twice")
    need(np.all((flipped >= 0) & (flipped < len(rows_b))), "the reversed units are units of b")
    on = place >= 0
    need(on[flipped].all(), "a reversed unit is assigned to no unit")
    rows = joined(rows_a, rows_b, 0)
    sign = np.ones(len(rows_b))
    sign[flipped] = -1.0
    wrong = mismatch(rows[place[on]], rows_b[on], [factor[on, None], sign[on, None]], np.zeros(rows_b[on].shape), None)
    need(wrong is None, f"a unit is not the multiple claimed: {wrong}")
    laws = {s: tree_law(tree, rational(s)) for s in set(factor.tolist())}
    need(all(v is not None for v in laws.values()), "the activation does not let these scales pass")
    need(q_b.size + q_a.size <= MAX_EXACT, "too much exact arithmetic")
    passed = np.array([laws[s] for s in factor.tolist()], dtype=object)
    weight = exact(q_b) * passed
    total = np.full((q_a.shape[0], every), fmpq(0), dtype=object)
    np.add.at(total.T, place[on], weight[:, on].T)
    target = np.full(total.shape, fmpq(0), dtype=object)
    target[:, : len(rows_a)] = exact(q_a)
    need(np.all(total == target), "the weights of the units on one boundary do not add up")
    c = exact(b.layers[1].bias)
    for j in np.flatnonzero(~on & np.any(q_b != 0, axis=0)):
        need(not np.any(rows_b[j, :-1] != 0), f"unit {j} of b is assigned to no unit, but is not constant")
        value = tree_value(tree, rational(rows_b[j, -1]))
        if value is None:
            raise Reject(f"the constant value of unit {j} of b is not rational")
        c = c + exact(q_b[:, j]) * value
    if len(flipped):
        law = reflection(tree)
        spread = product(weight[:, flipped], rows[place[flipped]]) * law
        need(not np.any(spread[:, :-1] != 0), "the reversed units leave a linear function behind")
        c = c - spread[:, -1]
    need(np.all(c == exact(a.layers[1].bias)), "the output biases do not fit")
    kinds = f"{len(flipped)} reversed, {int((~on).sum())} without effect or constant"
    checked.append(f"{len(rows_b)} units of b on {len(rows_a)} units of a: {kinds}")
