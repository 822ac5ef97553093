"""Method "stable": certificates of compressed networks are refused when forged, or say what is still true."""

from __future__ import annotations

import io
import json
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.verify.forge import mlp, npy, pack, save
from tests.verify.test_mutations import mutate
from tests.verify.test_stable import points, preactivations

import fiberscope as fs
from fiberscope_verify import read_chain, verify
from fiberscope_verify.archive import parse_npy
from fiberscope_verify.chain import Chain

RNG = np.random.default_rng


def case(folder: Path, seed: int):
    """A network with linear, dead and duplicate units, compressed on a box: paths, chains, the certificate."""
    rng = RNG(seed)
    activation = ["relu", "leaky_relu(0.25)"][seed % 2]
    net = mlp(
        rng,
        [[2, 6, 5, 2], [2, 7, 1], [3, 5, 4, 4, 1]][seed % 3],
        activation,
        np.dtype("f8" if seed % 4 == 3 else "f4").type,
    )
    net["b1"][0] += 9.0
    net["b1"][1] -= 9.0
    net["W1"][2], net["b1"][2] = 2 * net["W1"][3], 2 * net["b1"][3]
    a, b, proof = folder / f"a{seed}.npz", folder / f"b{seed}.npz", folder / f"c{seed}.fsc"
    save(a, net)
    fs.compress(fs.load(a), box=(-0.5, 1.0), out=b, certificate=proof, budget=1)
    return a, b, read_chain(a), read_chain(b), proof.read_bytes()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stable")
    return [case(folder, seed) for seed in range(4)]


def opened(data: bytes) -> tuple[dict, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {n[7:-4]: archive.read(n) for n in archive.namelist() if n.startswith("arrays/")}
        return json.loads(archive.read("certificate.json")), members


def true(data: bytes, a: Chain, b: Chain, rng: np.random.Generator, count: int = 12) -> bool:
    """Whether no exact point of the domain contradicts what a certificate claims."""
    top, members = opened(data)
    lo, hi = (np.array(top["domain"][k], dtype=np.float64) for k in ("lo", "hi"))
    bound = Fraction(top["error_bound"])
    values = [(preactivations(a, x), preactivations(b, x)) for x in points(rng, lo, hi, count)]
    close = all(abs(p - q) <= bound for u, v in values for p, q in zip(u[-1], v[-1], strict=True))
    linear = True
    for step in top["steps"]:
        if step["step"] == "stable":
            units, signs = (parse_npy(members[step[k]], step[k]) for k in ("units", "signs"))
            side = 0 if step["side"] == "a" else 1
            rows = [pair[side][step["layer"] - 1] for pair in values]
            linear &= all(row[u] * int(s) >= 0 for row in rows for u, s in zip(units, signs, strict=True))
    return close and linear


def test_certificates_are_true_and_bounds_are_not_exact_zero_by_accident(cases):
    claims = 0
    for a, b, chain_a, chain_b, good in cases:
        report = verify(good, a, b)
        assert report.valid, report.reason
        assert true(good, chain_a, chain_b, RNG(1), 40)
        claims += sum(step["step"] == "stable" for step in opened(good)[0]["steps"])
        assert not verify(good, b, a).valid
    assert claims >= 4


def campaign(cases, count: int, seed: int) -> int:
    rng, accepted = RNG(seed), 0
    for i in range(count):
        a, b, chain_a, chain_b, good = cases[i % len(cases)]
        bad = mutate(good, rng)
        if bad != good and verify(bad, a, b).valid:
            accepted += 1
            assert true(bad, chain_a, chain_b, rng)
    return accepted


def test_mutated_certificates(cases):
    assert campaign(cases, 400, 1) < 200


@pytest.mark.slow
def test_thousands_of_mutated_certificates(cases):
    assert campaign(cases, 8000, 2) < 4000


def numbers_changed(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One entry moved a little or a lot, swapped, repeated or dropped."""
    out, i = array.copy(), int(rng.integers(len(array)))
    kind = int(rng.integers(6))
    if kind == 0:
        return np.delete(out, i)
    if kind == 1:
        return np.append(out, out[i])
    if kind == 2:
        j = int(rng.integers(len(out)))
        out[[i, j]] = out[[j, i]]
    elif out.dtype.kind == "i":
        out[i] += int(rng.choice([-3, -2, -1, 1, 2, 2**40]))
    elif kind == 3:
        out[i] = rng.choice([0.0, -out[i], 1.0, 1e300, 5e-324])
    else:
        out[i] = out[i] * (1 + rng.choice([1e-15, 1e-6, 1e-2]) * rng.normal()) + rng.choice([0.0, 1e-9, 1.0])
    return out


def forged(good: bytes, rng: np.random.Generator) -> bytes:
    """One array with one number changed; every array has the same chance."""
    top, members = opened(good)
    name = str(rng.choice([n for n, raw in members.items() if len(parse_npy(raw, n))]))
    return pack(json.dumps(top).encode(), members | {name: npy(numbers_changed(parse_npy(members[name], name), rng))})


def forgeries(cases, count: int, seed: int) -> int:
    rng, accepted = RNG(seed), 0
    for i in range(count):
        a, b, chain_a, chain_b, good = cases[i % len(cases)]
        bad = forged(good, rng)
        if verify(bad, a, b).valid:
            accepted += 1
            assert true(bad, chain_a, chain_b, rng)
    return accepted


def test_forged_arrays(cases):
    assert forgeries(cases, 150, 3) < 75


@pytest.mark.slow
def test_thousands_of_forged_arrays(cases):
    assert forgeries(cases, 6000, 4) < 3000


def test_every_array_and_number_matters(cases):
    """Changes that make the claim false, or leave nothing to check, are refused with a reason, one kind at a time."""
    a, b, _, _, good = cases[0]
    top, members = opened(good)

    def refused(words: str, change) -> None:
        steps, arrays, more = json.loads(json.dumps(top)), {n: parse_npy(r, n).copy() for n, r in members.items()}, {}
        more = change(steps["steps"], arrays) or {}
        report = verify(pack(json.dumps(steps | more).encode(), {n: npy(v) for n, v in arrays.items()}), a, b)
        assert not report.valid
        assert words in (report.reason or ""), report.reason

    def layer(steps, l=0):
        return [s for s in steps if s["step"] == "layer"][l]

    def stable(steps, side="a"):
        return next(s for s in steps if s["step"] == "stable" and s["side"] == side)

    def put(name, value):
        def change(steps, arrays):
            arrays[layer(steps)[name]] = value(arrays[layer(steps)[name]])

        return change

    def dropped(steps, arrays):
        """A free unit that no other stands beside, left out of the account."""
        one = layer(steps)
        unit = arrays[one["unit"]]
        gone = next(i for i, u in enumerate(unit) if u >= 0 and (unit == u).sum() > 1)
        for name in ("alive", "unit", "scale"):
            arrays[one[name]] = np.delete(arrays[one[name]], gone)

    refused("not shown to be linear", lambda s, v: v.update({stable(s)["signs"]: -v[stable(s)["signs"]]}))
    refused("signs", lambda s, v: v.update({stable(s)["units"]: np.append(v[stable(s)["units"]], 0)}))
    refused("no such unit", lambda s, v: v.update({stable(s)["units"]: v[stable(s)["units"]] + 99}))
    refused("a sign is 1 or -1", lambda s, v: v.update({stable(s)["signs"]: 0 * v[stable(s)["signs"]]}))
    refused("side", lambda s, v: stable(s).update(side="c"))
    refused("layer", lambda s, v: stable(s).update(layer=3))
    refused("layer", lambda s, v: stable(s).update(layer=True))
    refused("one twice", put("alive", lambda x: np.where(np.arange(len(x)) == 1, x[0], x)))
    refused("lengths differ", put("scale", lambda x: x[:-1]))
    refused("scale is not allowed", put("scale", lambda x: -x))
    refused("scale is not allowed", put("scale", lambda x: 0 * x))
    refused("wrong size", put("unit", lambda x: np.where(x == x.max(), -1, x)))
    refused("only these", put("unit", lambda x: np.where(x < 0, 0, x)))
    refused("no such unit of b", put("unit", lambda x: np.where(x == 0, 10**6, x)))
    refused("a unit that is read was left out", dropped)
    refused("the error is bounded by", put("offset", lambda x: x + 1e-3))
    refused("the error is bounded by", put("lift", lambda x: x * (1 + 1e-3)))
    refused("wrong size", put("lift", lambda x: x[:-1]))
    refused("one step per hidden layer", lambda s, v: s.remove(layer(s)))
    refused("one step per hidden layer", lambda s, v: s.__delitem__(-1))
    refused("cover", lambda s, v: s[-1].update(step="tree"))
    refused("the error is bounded by", lambda s, v: {"error_bound": top["error_bound"] / 2})
    refused("the error is bounded by", lambda s, v: {"error_bound": -1.0})
    refused("box", lambda s, v: {"domain": "all"})
    refused("", lambda s, v: {"domain": {"lo": [-9.0, -9.0], "hi": [9.0, 9.0]}})
    refused("coordinates", lambda s, v: {"domain": {"lo": [0.0], "hi": [1.0]}})
    refused("strength", lambda s, v: {"strength": "exact", "error_bound": None})


def test_a_carrier_must_be_shown_active(cases):
    """Without the claims about b's carriers nothing is known of them."""
    a, b, _, _, good = cases[0]
    top, members = opened(good)
    steps = [s for s in top["steps"] if s.get("side") != "b"]
    used = {v for s in steps for v in s.values() if isinstance(v, str)}
    report = verify(
        pack(json.dumps(top | {"steps": steps}).encode(), {n: r for n, r in members.items() if n in used}), a, b
    )
    assert "a carrier is not active" in (report.reason or "")


@pytest.mark.parametrize("side", [0.0, 1e-300, 5e-324])
def test_boxes_of_no_width(tmp_path: Path, side: float):
    net = mlp(RNG(5), [3, 6, 4, 2], "relu")
    a, b, proof = save(tmp_path / "a.npz", net), tmp_path / "b.npz", tmp_path / "p.fsc"
    lo = [0.25, -0.5, 0.0]
    fs.compress(fs.load(a), box=(lo, [v + side for v in lo]), out=b, certificate=proof)
    assert verify(str(proof), a, b).valid
    assert true(proof.read_bytes(), read_chain(a), read_chain(b), RNG(0))


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e18])
def test_huge_and_tiny_weights(tmp_path: Path, size: float):
    net = mlp(RNG(6), [2, 8, 5, 1], "relu")
    net["W1"], net["b1"] = (net["W1"] * size).astype(np.float32), (net["b1"] * size).astype(np.float32)
    a, b, proof = save(tmp_path / "a.npz", net), tmp_path / "b.npz", tmp_path / "p.fsc"
    fs.compress(fs.load(a), box=(-0.5, 0.5), out=b, certificate=proof, budget=5)
    assert verify(str(proof), a, b).valid
    assert true(proof.read_bytes(), read_chain(a), read_chain(b), RNG(0))
