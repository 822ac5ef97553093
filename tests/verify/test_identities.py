"""Identities of activations in "names" certificates: proved ones are used, false ones rejected."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.affine.planting import random_dag
from tests.verify.forge import certificate

import fiberscope as fs
from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.identity_proof import AffineSymmetry
from fiberscope.affine.modification import Rewriter
from fiberscope.affine.to_network import save
from fiberscope_verify import Reject, verify
from fiberscope_verify.identities import read_identity

CLIP = [(-1.0).hex(), (1.0).hex()]
PLAIN = [(1.0).hex(), math.inf.hex()]
# activation, the checker's function and parameters, terms, constant, linear
TRUE = [
    ("tanh", "tanh", [], [(1, 1, 0), (1, -1, 0)], 0, 0),
    ("sigmoid", "sigmoid", [], [(1, 1, 0), (1, -1, 0)], 1, 0),
    ("gelu", "gelu", [], [(1, 1, 0), (-1, -1, 0)], 0, 1),
    ("softplus", "softplus", PLAIN, [(2, 1, 0), (-2, -1, 0)], 0, 2),
    ("leaky_relu(0.25)", "leaky_relu", [(0.25).hex()], [(1, 1, 0), (-1, -1, 0)], 0, Fraction(5, 4)),
    ("hardtanh", "clip", CLIP, [(1, 2, 1), (1, 2, -1), (-2, 1, 0)], 0, 0),
    ("relu", "relu", [], [(1, 1, 0), (-1, -1, 0)], 0, 1),
    ("relu", "relu", [], [(1, 1, 0), (-1, 1, 0.0), (3, 1, 1), (-3, 1, 1)], 0, 0),
]


def step(function: str, parameters: list, terms: list, constant, linear) -> dict:
    texts = [[str(Fraction(v)) for v in term] for term in terms]
    ends = {"constant": str(Fraction(constant)), "linear": str(Fraction(linear))}
    return {"step": "identity", "function": function, "parameters": parameters, "terms": texts, **ends}


@pytest.mark.parametrize("case", TRUE)
def test_true_identities_are_proved_and_near_ones_are_not(case: tuple):
    _, function, parameters, terms, constant, linear = case
    read_identity(step(function, parameters, terms, constant, linear))
    near, (alpha, beta, gamma) = Fraction(1, 10**9), terms[0]
    for changed in (
        step(function, parameters, terms, constant + near, linear),
        step(function, parameters, terms, constant, linear + near),
        step(function, parameters, [(alpha + near, beta, gamma), *terms[1:]], constant, linear),
        step(
            function, parameters, [(terms[0][0], terms[0][1] * (1 + near), terms[0][2]), *terms[1:]], constant, linear
        ),
        step(function, parameters, [(alpha, beta, gamma + near), *terms[1:]], constant, linear),
    ):
        with pytest.raises(Reject, match="not proved"):
            read_identity(changed)


def test_what_is_no_identity_is_rejected():
    good = step("gelu", [], [(1, 1, 0), (-1, -1, 0)], 0, 1)
    for change in (
        {"function": "reciprocal"}, {"function": ["gelu"]}, {"parameters": "x"}, {"parameters": [1.0]},
        {"terms": [["1", "1", "0"]]}, {"terms": [["1", "0", "0"], ["-1", "0", "0"]]}, {"terms": "x"},
        {"constant": 0}, {"linear": "1.0"}, {"more": 1}, {"function": "silu"}, {"function": "elu"},
    ):  # fmt: skip
        with pytest.raises(Reject):
            read_identity({**good, **change})
    limited = step("softplus", [(1.0).hex(), (20.0).hex()], [(1, 1, 0), (-1, -1, 0)], 0, 1)
    with pytest.raises(Reject, match="not proved"):  # beyond its threshold this softplus is another function
        read_identity(limited)


def modified(net: DagNetwork, rng: np.random.Generator, symmetry: AffineSymmetry, times: int) -> DagNetwork:
    """Units written through the other terms of an identity (a reading of the theory other than the checker's)."""
    work = Rewriter(net)
    for _ in range(times):
        work.modify(int(rng.choice(sorted(work.units))), symmetry, term=int(rng.integers(len(symmetry.terms))))
    return work.network()


@pytest.mark.parametrize(("case", "seed"), [(2, 0), (2, 1), (2, 2), (5, 0)])
def test_modified_networks_have_equal_names(tmp_path: Path, case: int, seed: int):
    name, function, parameters, terms, constant, linear = TRUE[case]
    rng = np.random.default_rng(seed)
    net = random_dag(rng, units=3, name=name, eighths=True)
    other = modified(net, rng, AffineSymmetry.of(terms, constant, linear), 1)
    ending = "onnx" if name == "gelu" else "pt2"
    a, b = (save(n, tmp_path / f"{k}.{ending}") for k, n in enumerate((net, other)))
    steps = [step(function, parameters, terms, constant, linear), {"step": "names"}]

    def valid(steps: list) -> bool:
        return verify(certificate(a, b, steps, {}, method="names"), a, b).valid

    assert valid(steps) and not valid(steps[1:]) and not valid(steps[:1])


def test_compare_turns_units_of_deep_networks_round(tmp_path: Path):
    rng = np.random.default_rng(0)
    net = random_dag(rng, units=4, name="gelu", eighths=True)
    other = modified(net, rng, AffineSymmetry.of([(1, 1, 0), (-1, -1, 0)], 0, 1), 2)
    a, b = (save(n, tmp_path / f"{k}.onnx") for k, n in enumerate((net, other)))
    proof = tmp_path / "proof.fsc"
    verdict = fs.compare(a, b, certificate=proof)
    assert (verdict.answer, verdict.strength, verdict.method) == ("equal", "exact", "names")
    assert fs.verify(proof, a, b).valid
