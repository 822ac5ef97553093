"""rho-modifications on random graphs: the function stays, certificates hold, damaged ones do not."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from tests.affine.planting import random_dag

from fiberscope.affine.activation import from_expression
from fiberscope.affine.custom_law import law_of
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.enclosure import enclose
from fiberscope.affine.identity_proof import AffineSymmetry, holds
from fiberscope.affine.isomorphism import check
from fiberscope.affine.modification import Rewriter
from fiberscope.affine.scalar import exact, text
from fiberscope.affine.tanh_type import geometric
from fiberscope.affine.unit_law import UnitLaw, unit_law
from fiberscope.errors import InputError

# rho(t) = 1/2 + tanh(t) + 2 tanh(t - 1) - tanh(t - 2)/2: sum c_k [rho(t + k) + rho(-t + k)] = 2 C sum c_k
SIX = UnitLaw("six_terms", "six_terms", expansion=(0.5, "tanh", ((1.0, 1.0, 0.0), (2.0, 1.0, -1.0), (-0.5, 1.0, -2.0))))
SIX_SYMMETRY = AffineSymmetry.of(
    [(c, sign, k) for k, c in enumerate((1.0, 2.0, -0.5)) for sign in (1, -1)], constant=2.5
)
SYMMETRIES = {
    "tanh": AffineSymmetry.of([(1, 1, 0), (1, -1, 0)]),
    "erf": AffineSymmetry.of([(1, 2, 1), (1, -2, -1)]),
    "sigmoid": AffineSymmetry.of([(1, 1, 0.5), (1, -1, -0.5)], constant=1),
    "hardtanh": AffineSymmetry.of([(1, 2, 1), (1, 2, -1), (-2, 1, 0)]),
    "relu6": AffineSymmetry.of([(1, 2, 0), (1, 2, -6), (-2, 1, 0)]),
    "gelu": AffineSymmetry.of([(1, 1, 1), (-1, -1, -1), (-1, 1, 0), (1, -1, 0)], constant=1),
    "silu": AffineSymmetry.of([(1, 2, 0), (-1, -2, 0), (-2, 1, 0), (2, -1, 0)]),
    "softplus": AffineSymmetry.of([(1, 1, 0), (-1, -1, 0)], linear=1),
    "relu": AffineSymmetry.of([(1, 1, 2), (-1, -1, -2), (-1, 1, 0), (1, -1, 0)], constant=2),
    "leaky_relu(0.25)": AffineSymmetry.of([(1, 1, 0), (-1, -1, 0)], linear=1.25),
    "six_terms": SIX_SYMMETRY,
}


def with_law(net: DagNetwork) -> DagNetwork:
    return DagNetwork(net.n_inputs, net.units, net.outputs, laws={"six_terms": SIX})


def dag(rng: np.random.Generator, name: str) -> DagNetwork:
    net = random_dag(rng, units=5, name="tanh")
    units = tuple(Unit(name, unit.row) for unit in net.units)
    return DagNetwork(2, units, net.outputs, laws={"six_terms": SIX})


@pytest.mark.parametrize("name", list(SYMMETRIES))
def test_successive_modifications_keep_the_function(name: str):
    symmetry = SYMMETRIES[name]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        net = dag(rng, name)
        work = Rewriter(net)
        counts = [len(net.units)]
        for _ in range(2):
            unit = int(rng.choice(sorted(work.units)))
            term = int(rng.integers(len(symmetry.terms)))
            factors = None if rng.random() < 0.5 else {reader: rng.normal() for reader in work.readers(unit)}
            work.modify(unit, symmetry, term=term, factors=factors)
            counts.append(len(work.units))
        new = work.network()
        x = rng.normal(size=(40, 2))
        before, after = net.evaluate(x), new.evaluate(x)
        assert np.abs(after - before).max() <= 1e-12 * max(1.0, np.abs(before).max(), _size(new))
        assert len(new.units) == counts[-1]
        proof = json.loads(json.dumps(work.certificate()))
        assert check(proof, net, new) is None
        assert new == net or check(proof, new, net) is not None
        exact = [enclose(n, x[0].tolist(), 200) for n in (net, new)]
        if exact[0] is not None and exact[1] is not None:
            for p, q in zip(exact[0], exact[1], strict=True):
                assert p.overlaps(q) and float((p - q).abs_upper()) < 1e-40


def _size(net: DagNetwork) -> float:
    rows = [*(unit.row for unit in net.units), *net.outputs]
    return max(abs(float(w)) for row in rows for w in (*row.weights, row.bias))


def test_a_unit_is_replaced_and_put_back():
    """Three terms: v -> the two others and back: the certificate of both steps ends where it began."""
    net = dag(np.random.default_rng(0), "hardtanh")
    work = Rewriter(net)
    symmetry = SYMMETRIES["hardtanh"]
    target = 2 + 2
    made = work.modify(target, symmetry, term=2)
    assert len(made) == 2 and target not in work.units
    back = work.modify(made[0], symmetry, term=0)
    assert len(work.units) == len(net.units) and len(back) == 1
    assert not set(made) & set(work.units)
    again = work.network()
    x = np.random.default_rng(1).normal(size=(9, 2))
    np.testing.assert_allclose(again.evaluate(x), net.evaluate(x), atol=1e-13)
    assert check(work.certificate(), net, again) is None


def test_a_modification_at_a_unit_that_does_not_exist():
    """Zero times nothing: a symmetry of fresh units is added at any affine function of any nodes."""
    net = dag(np.random.default_rng(0), "tanh")
    work = Rewriter(net)
    made = work.modify_at("tanh", {0: 0.5, 3: 2.0}, 0.25, SYMMETRIES["tanh"], {("output", 0): 1.5, ("output", 1): -2})
    assert len(made) == 2
    new = work.network()
    x = np.random.default_rng(1).normal(size=(9, 2))
    np.testing.assert_allclose(new.evaluate(x), net.evaluate(x), atol=1e-13)
    assert check(work.certificate(), net, new) is None


def custom() -> dict[str, tuple[UnitLaw, AffineSymmetry]]:
    """Activations of one's own: of tanh type with 4 and 6 terms, an expression with a reflection law, an odd one."""
    half = geometric([1, Fraction(-1, 2)]).activation("four")
    cubic = geometric([1, Fraction(1, 4), Fraction(1, 4)]).activation("six")
    soft = from_expression("x*sigmoid(1.5*x)", "soft")
    odd = from_expression("x/(1 + x^2)", "bump")
    return {
        "four": (law_of(half), AffineSymmetry.of([(a, s, -k) for k, a in enumerate((1, -0.5)) for s in (1, -1)])),
        "six": (law_of(cubic), AffineSymmetry.of([(a, s, -k) for k, a in enumerate((1, 0.25, 0.25)) for s in (1, -1)])),
        "soft": (law_of(soft), AffineSymmetry.of([(1, 1, 1), (-1, -1, -1), (-1, 1, 0), (1, -1, 0)], constant=1)),
        "bump": (law_of(odd), AffineSymmetry.of([(1, 2, 1), (1, -2, -1)])),
    }


@pytest.mark.parametrize("name", ["four", "six", "soft", "bump"])
def test_activations_of_ones_own(name: str):
    law, symmetry = custom()[name]
    assert holds(law, symmetry)
    assert not holds(law, AffineSymmetry.of(symmetry.terms, symmetry.constant + 1.0))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        net = random_dag(rng, units=4)
        net = DagNetwork(2, tuple(Unit(name, unit.row) for unit in net.units), net.outputs, laws={name: law})
        work = Rewriter(net)
        for _ in range(2):
            work.modify(int(rng.choice(sorted(work.units))), symmetry, term=int(rng.integers(len(symmetry.terms))))
        new = work.network()
        x = rng.normal(size=(10, 2))
        before = net.evaluate(x)
        assert np.abs(new.evaluate(x) - before).max() <= 1e-12 * max(1.0, np.abs(before).max(), _size(new))
        assert check(work.certificate(), net, new) is None
        pair = [enclose(n, x[0].tolist(), 128) for n in (net, new)]
        assert pair[0] is not None and pair[1] is not None
        assert all(float((p - q).abs_upper()) < 1e-20 for p, q in zip(pair[0], pair[1], strict=True))


def damage(proof: dict, rng: np.random.Generator) -> dict:
    """One number of the certificate changed."""
    places: list[tuple] = []

    def visit(value: object, path: tuple) -> None:
        if isinstance(value, Mapping):
            for key in value:
                visit(value[key], (*path, key))
        elif isinstance(value, list):
            for k, item in enumerate(value):
                visit(item, (*path, k))
        else:
            places.append(path)

    visit(proof, ())
    path = places[int(rng.integers(len(places)))]
    wrong = copy.deepcopy(proof)
    holder = wrong
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    if isinstance(old, int):
        holder[path[-1]] = old + 1
    elif path[-1] in ("activation", "format") or old in ("unit", "output"):
        holder[path[-1]] = "erf" if path[-1] == "activation" else "other"
    else:
        holder[path[-1]] = "0x1.8p+3" if old != "0x1.8p+3" else "0x1.9p+3"
    return wrong


@pytest.mark.parametrize("name", ["tanh", "hardtanh", "gelu", "six_terms"])
def test_damaged_certificates_are_refused(name: str):
    refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        net = dag(rng, name)
        work = Rewriter(net)
        for _ in range(2):
            work.modify(int(rng.choice(sorted(work.units))), SYMMETRIES[name])
        proof = json.loads(json.dumps(work.certificate()))
        assert check(proof, net, work.network()) is None
        wrong = damage(proof, rng)
        refused += check(wrong, net, work.network()) is not None
    assert refused == 60


def test_garbage_is_refused_with_a_reason():
    net = dag(np.random.default_rng(0), "tanh")
    for proof in (
        {},
        {"format": "rho-isomorphism", "version": 1},
        {"format": "rho-isomorphism", "version": 1, "steps": 3},
    ):
        assert "cannot be followed" in str(check(proof, net, net))
    empty = {"format": "rho-isomorphism", "version": 1, "steps": [], "order": [2, 3, 4, 5, 6]}
    assert check(empty, net, net) is None
    assert "order" in str(check({**empty, "order": [2, 3, 4, 5]}, net, net))


def test_identities_are_proved_or_refused():
    for name, symmetry in SYMMETRIES.items():
        law = SIX if name == "six_terms" else unit_law(name)
        assert holds(law, symmetry), name
        t = np.linspace(-7, 7, 57)
        total = sum(float(a) * law.value(float(b) * t + float(c)) for a, b, c in symmetry.terms)
        np.testing.assert_allclose(total, float(symmetry.constant) + float(symmetry.linear) * t, atol=1e-12)
        for k in range(len(symmetry.terms)):
            terms = [(a + (i == k) * 0.25, b, c) for i, (a, b, c) in enumerate(symmetry.terms)]
            assert not holds(law, AffineSymmetry.of(terms, symmetry.constant, symmetry.linear))
        assert not holds(law, AffineSymmetry.of(symmetry.terms, symmetry.constant + 0.5, symmetry.linear))
        assert not holds(law, AffineSymmetry.of(symmetry.terms, symmetry.constant, symmetry.linear + 0.5))


def test_refining_a_hard_tanh():
    """sum over j < N of H(N t + N - 1 - 2 j) = N H(t)."""
    for n in (2, 3, 5, 8):
        terms = [(1, n, n - 1 - 2 * j) for j in range(n)]
        assert holds(unit_law("hardtanh"), AffineSymmetry.of([*terms, (-n, 1, 0)]))
        assert not holds(unit_law("hardtanh"), AffineSymmetry.of([*terms, (-n, 1, 1)]))


def test_piecewise_proofs_with_negative_slopes():
    law = unit_law("hardtanh")
    assert holds(law, AffineSymmetry.of([(-1, -2, -1), (1, 2, -1), (-2, 1, 0)]))
    assert holds(law, AffineSymmetry.of([(-1, -2, -1), (-1, -2, 1), (2, -1, 0)]))
    assert not holds(law, AffineSymmetry.of([(1, -2, -1), (1, 2, -1), (-2, 1, 0)]))


def test_a_circle_in_a_certificate_is_refused():
    """A step that makes a unit read its own descendants keeps all equations and is no network any more."""
    units = (Unit("tanh", Row.of({0: 1.0})), Unit("tanh", Row.of({1: 2.0})))
    net = DagNetwork(1, units, (Row.of({2: 1.0}),))
    terms = [[text(exact(v)) for v in term] for term in ((1, 1, 0), (1, -1, 0))]
    tau = {"weights": {"1": text(2.0)}, "bias": text(0.0)}
    step = {"activation": "tanh", "terms": terms, "constant": text(0.0), "linear": text(0.0), "tau": tau}
    step |= {"units": [2, 3], "readers": [["unit", 1, text(1.0)]], "removed": []}
    proof = {"format": "rho-isomorphism", "version": 1, "steps": [step], "order": [1, 2, 3]}
    assert "circle" in str(check(proof, net, net))


def test_a_unit_that_is_read_cannot_be_removed():
    net = dag(np.random.default_rng(0), "tanh")
    work = Rewriter(net)
    work.modify(6, SYMMETRIES["tanh"])
    proof = work.certificate()
    proof["steps"][0]["removed"] = [6, 7]
    assert "is read" in str(check(proof, net, work.network()))


def test_what_cannot_be_done_is_refused():
    net = DagNetwork(1, (Unit("tanh", Row.of({0: 1.0})), Unit("tanh", Row.of({1: 2.0}))), (Row.of({2: 1.0}),))
    work = Rewriter(net)
    with pytest.raises(InputError, match="not proved"):
        work.modify(1, AffineSymmetry.of([(1, 1, 0), (1, -1, 0.5)]))
    with pytest.raises(InputError, match="ancestor"):
        work.modify(2, SYMMETRIES["tanh"], factors={("unit", 1): 1.0})
    with pytest.raises(InputError, match="not a unit"):
        work.modify(0, SYMMETRIES["tanh"])
    with pytest.raises(InputError, match="does not exist"):
        work.modify(2, SYMMETRIES["tanh"], factors={("output", 3): 1.0})
    with pytest.raises(InputError, match="at least two terms"):
        AffineSymmetry.of([(1, 1, 0)])
    with pytest.raises(InputError, match="different"):
        AffineSymmetry.of([(1, 1, 0), (2, 1, 0)])
    assert work.network() == net
