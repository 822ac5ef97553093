"""Method "stable" with programs: forged multipliers, ends, trees and domains are refused, or say what is still true."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.verify.forge import mlp, npy, pack, save
from tests.verify.test_mutations import mutate
from tests.verify.test_stable import points, preactivations
from tests.verify.test_stable_certificates import forged, opened

import fiberscope as fs
from fiberscope.equivalence.compression import stable
from fiberscope_verify import read_chain, verify
from fiberscope_verify.archive import parse_npy
from fiberscope_verify.chain import Chain

RNG = np.random.default_rng
TREE = ("axis", "at", "left", "right")
WIDTHS = [[2, 6, 5, 4, 2], [3, 6, 5, 1], [2, 7, 5, 4, 1]]


def case(folder: Path, seed: int):
    """A network compressed on a polytope (or, the last, on a box) by programs, not by splitting."""
    rng = RNG(seed)
    net = mlp(rng, WIDTHS[seed % 3], ["relu", "leaky_relu(0.25)"][seed % 2], np.float32)
    a, b, proof = folder / f"a{seed}.npz", folder / f"b{seed}.npz", folder / f"c{seed}.fsc"
    net["W1"][2], net["b1"][2] = 2 * net["W1"][3], 2 * net["b1"][3]  # something goes in any case
    save(a, net)
    n = WIDTHS[seed % 3][0]
    G = np.round(rng.normal(size=(2, n)) * 8) / 8
    polytope = (G, G @ np.full(n, 0.25) + 0.125) if seed < 3 else None
    fs.compress(fs.load(a), box=(-0.5, 1.0), polytope=polytope, out=b, certificate=proof, budget=5)
    return a, b, read_chain(a), read_chain(b), proof.read_bytes()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dual")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stable, "ROUNDS", (1,))
        return [case(folder, seed) for seed in (0, 1, 5)]


def samples(top: dict, rng: np.random.Generator, count: int) -> np.ndarray:
    """Points of the domain, checked in rationals."""
    lo, hi = (np.array(top["domain"][k], dtype=np.float64) for k in ("lo", "hi"))
    G, h = top["domain"].get("G", []), top["domain"].get("h", [])

    def inside(x: np.ndarray) -> bool:
        z = [Fraction(v) for v in x.tolist()]
        rows = zip(G, h, strict=True)
        return all(sum(Fraction(g) * v for g, v in zip(row, z, strict=True)) <= Fraction(limit) for row, limit in rows)

    return np.array([x for x in points(rng, lo, hi, count) if inside(x)])


def true(data: bytes, a: Chain, b: Chain, rng: np.random.Generator, count: int = 25) -> bool:
    """Whether no exact point of the domain contradicts what a certificate claims."""
    top, members = opened(data)
    bound = Fraction(top["error_bound"])
    values = [(preactivations(a, x), preactivations(b, x)) for x in samples(top, rng, count)]
    fine = all(abs(p - q) <= bound for u, v in values for p, q in zip(u[-1], v[-1], strict=True))
    for step in top["steps"]:
        if step["step"] in ("stable", "dual"):
            units, signs = (parse_npy(members[step[k]], step[k]) for k in ("units", "signs"))
            ends = parse_npy(members[step["ends"]], "ends") if step["step"] == "dual" else np.zeros(len(units))
            rows = [pair[0 if step["side"] == "a" else 1][step["layer"] - 1] for pair in values]
            claims = list(zip(units.tolist(), signs.tolist(), ends.tolist(), strict=True))
            fine &= all(row[u] * s >= Fraction(e) for row in rows for u, s, e in claims)
    return fine


def test_certificates_are_true(cases):
    kinds = set()
    for a, b, chain_a, chain_b, good in cases:
        report = verify(good, a, b)
        assert report.valid, report.reason
        assert true(good, chain_a, chain_b, RNG(1), 60)
        top, members = opened(good)
        for step in top["steps"]:
            deep = step["step"] == "dual" and len(parse_npy(members[step["axis"]], "axis")) > 0
            kinds.add("branching" if deep else step["step"])
    assert kinds >= {"box", "stable", "dual", "branching", "layer", "cover"}


def test_mutated_and_forged_certificates(cases):
    rng, accepted = RNG(2), 0
    for i in range(150):
        a, b, chain_a, chain_b, good = cases[i % len(cases)]
        bad = (mutate, forged)[i % 8 // 4](good, rng)
        if bad != good and verify(bad, a, b).valid:
            accepted += 1
            assert true(bad, chain_a, chain_b, rng)
    assert accepted < 75


@pytest.mark.slow
def test_thousands_of_mutated_and_forged_certificates(cases):
    rng, accepted = RNG(3), 0
    for i in range(8000):
        a, b, chain_a, chain_b, good = cases[i % len(cases)]
        bad = (mutate, forged)[i % 8 // 4](good, rng)
        if bad != good and verify(bad, a, b).valid:
            accepted += 1
            assert true(bad, chain_a, chain_b, rng)
    assert accepted < 4000


def test_every_part_of_a_dual_step_matters(cases):
    """One lie at a time, each with its reason."""
    a, b, _, _, good = next(c for c in cases if any(s["step"] == "dual" for s in opened(c[4])[0]["steps"]))
    top, members = opened(good)

    def refused(words: str, change, name: str = "dual") -> None:
        document, arrays = json.loads(json.dumps(top)), {n: parse_npy(r, n).copy() for n, r in members.items()}
        step = next(s for s in document["steps"] if s["step"] == name)
        change(document, step, arrays)
        report = verify(pack(json.dumps(document).encode(), {n: npy(v) for n, v in arrays.items()}), a, b)
        assert not report.valid
        assert words in (report.reason or ""), report.reason

    def put(name, value):
        return lambda _, step, arrays: arrays.update({step[name]: value(arrays[step[name]])})

    refused("not shown", put("ends", lambda x: x + 0.5))
    refused("not shown", put("signs", lambda x: -x))
    refused("not shown", put("mu", lambda x: x * 1e3 + 1e3))
    refused("units and ends", put("ends", lambda x: x[:-1]))
    refused("wrong size", put("mu", lambda x: x[:-1]))
    refused("negative", put("mu", lambda x: x - 1e-9))
    refused("no such unit", put("units", lambda x: x + 99))
    refused("a sign is 1 or -1", put("signs", lambda x: 2 * x))
    refused("must hold exactly", lambda _, step, __: step.pop("mu"))
    refused("must hold exactly", lambda _, step, __: step.update(step="stable"))
    refused("layer", lambda _, step, __: step.update(layer=0))
    refused("wrong size", put("mu", lambda x: x[:-1]), "box")
    refused("do not fit", put("mu", lambda x: x - 1.0), "box")
    refused("", lambda d, _, __: d["domain"].update(h=[v + 0.5 for v in d["domain"]["h"]]))
    refused("G and h", lambda d, _, __: d["domain"].update(h=d["domain"]["h"][:-1]))
    refused("right length", lambda d, _, __: d["domain"].update(G=[row[:-1] for row in d["domain"]["G"]]))
    refused("number", lambda d, _, __: d["domain"].update(h=["0"] * len(d["domain"]["h"])))
    refused("the domain is", lambda d, _, __: d["domain"].pop("h"))


CHANGES = {
    "no multipliers": ("multipliers", lambda x: x * 0, None),
    "negative": ("multipliers", lambda x: -x - 1e-6, "negative"),
    "too few": ("multipliers", lambda x: x[:-1], "wrong size"),
    "ten times": ("multipliers", lambda x: x * 10, None),
    "another cut": ("at", lambda x: x + 0.5, None),
    "two leaves less": ("left", lambda x: x * 0 - 1, None),
    "no such unit": ("axis", lambda x: x + 10**6, "cuts outside"),
    "backwards": ("right", lambda x: x * 0, "impossible child"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_trees_over_sides_matter(cases, name: str):
    """A branched claim with another tree or other multipliers is refused, or still true."""
    key, value, words = CHANGES[name]
    seen = 0
    for a, b, chain_a, chain_b, good in cases:
        top, members = opened(good)
        for step in top["steps"]:
            if step["step"] != "dual" or not len(parse_npy(members[step["axis"]], "axis")):
                continue
            seen += 1
            bad = members | {step[key]: npy(value(parse_npy(members[step[key]], key)))}
            report = verify(pack(json.dumps(top).encode(), bad), a, b)
            assert not report.valid if words else True
            assert words is None or words in (report.reason or "")
            assert not report.valid or true(pack(json.dumps(top).encode(), bad), chain_a, chain_b, RNG(0))
    assert seen


def test_other_methods_refuse_constraints(cases):
    """A bound or a chain certificate with rows in its domain is not understood, hence not accepted."""
    a, b, _, _, good = cases[0]
    top, members = opened(good)
    for method in ("bound", "witness"):
        changed = {**top, "method": method, "steps": [dict.fromkeys(TREE, "v0") | {"step": "tree"}]}
        if method == "witness":
            step = {"step": "witness", "input": "x", "gap": 1e-9}
            changed |= {"claim": "different", "strength": None, "error_bound": None, "steps": [step]}
        x = npy(np.zeros(len(top["domain"]["lo"])))
        report = verify(pack(json.dumps(changed).encode(), members | {"x": x}), a, b)
        assert not report.valid
        assert "linear constraints" in (report.reason or "")
