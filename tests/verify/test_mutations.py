"""Mutated certificates: each is refused, or what it says is still true (decided here by evaluating both networks)."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from tests.verify.forge import certificate, copy_of, match_steps, mlp, pack, run, save

from fiberscope_verify import verify
from fiberscope_verify.archive import parse_npy

RHO = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def case(tmp_path, seed: int):
    """Two equal networks (odd seeds: two different ones) and a certificate of equality or a witness."""
    rng = np.random.default_rng(seed)
    activation = ["relu", "tanh"][seed % 2]
    net = mlp(rng, [3, 5, 4, 2], activation)
    other, moves = copy_of(rng, net)
    if seed % 3 == 2:
        other["b3"][0] += 1
        x = rng.normal(size=3)
        a, b = save(tmp_path / f"a{seed}.npz", net), save(tmp_path / f"b{seed}.npz", other)
        steps = [{"step": "witness", "input": "x", "gap": 0.9}]
        return a, b, net, other, certificate(a, b, steps, {"x": x}, method="witness", claim="different", strength=None)
    a, b = save(tmp_path / f"a{seed}.npz", net), save(tmp_path / f"b{seed}.npz", other)
    return a, b, net, other, certificate(a, b, *match_steps(moves))


def equal(net, other, rng) -> bool:
    x = rng.normal(size=(200, 3)) * 3
    rho = RHO[str(net["activation"])]
    p, q = run(net, x, rho), run(other, x, rho)
    return bool(np.all(np.abs(p - q) <= 1e-9 * (1 + np.abs(p))))


def change_json(value, rng):
    """One random change somewhere in a JSON value."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if rng.random() < 0.1:
            return value | {"more": 1}
        return value | {key: change_json(value[key], rng)}
    if isinstance(value, list) and value:
        i = int(rng.integers(len(value)))
        kind = rng.integers(4)
        if kind == 0:
            return value[:i] + value[i + 1 :]
        if kind == 1:
            return [*value[:i], value[i], *value[i:]]
        return [*value[:i], change_json(value[i], rng), *value[i + 1 :]]
    pool = [
        None,
        True,
        0,
        1,
        -1,
        2**63,
        1e308,
        0.5,
        "a",
        "",
        [],
        {},
        "p1",
        "s2",
        "chain",
        "graph",
        "witness",
        "bound",
        "equal",
        "different",
        "exact",
        "rounding",
        8,
        "all",
        10**400,
    ]
    return pool[int(rng.integers(len(pool)))]


def mutate(data: bytes, rng) -> bytes:
    """A byte flip, a cut, a changed JSON value or a changed array."""
    kind = rng.integers(4)
    if kind == 0:
        spot = rng.integers(len(data), size=int(rng.integers(1, 4)))
        out = bytearray(data)
        for i in spot:
            out[i] ^= 1 << int(rng.integers(8))
        return bytes(out)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read("certificate.json")
        members = {n[7:-4]: archive.read(n) for n in archive.namelist() if n.startswith("arrays/")}
    if kind == 1:
        return pack(json.dumps(change_json(json.loads(text), rng)).encode(), members)
    name = str(rng.choice(list(members)))
    raw = bytearray(members[name])
    if kind == 2:
        raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
    else:
        raw[-8:] = np.array([rng.choice([0.0, 1.0, -1.0, 2.0, np.nan, np.inf, 1e-320])]).tobytes()
    return pack(text, members | {name: bytes(raw)})


def campaign(tmp_path, count: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    cases = [case(tmp_path, s) for s in range(6)]
    for a, b, _, _, good in cases:
        report = verify(good, a, b)
        assert report.valid, report.reason
    accepted = 0
    for i in range(count):
        a, b, net, other, good = cases[i % len(cases)]
        bad = mutate(good, rng)
        if not verify(bad, a, b).valid:
            continue
        accepted += 1
        with zipfile.ZipFile(io.BytesIO(bad)) as archive:
            top = json.loads(archive.read("certificate.json"))
            same = equal(net, other, rng)
            assert top["claim"] == ("equal" if same else "different")
            if not same:
                name = top["steps"][0]["input"]
                x = parse_npy(archive.read(f"arrays/{name}.npy"), name)
                rho = RHO[str(net["activation"])]
                assert np.abs(run(net, x, rho) - run(other, x, rho)).max() >= top["steps"][0]["gap"] - 1e-9
    return accepted


def test_mutated_certificates(tmp_path):
    assert campaign(tmp_path, 500, 1) < 250


@pytest.mark.slow
def test_many_mutated_certificates(tmp_path):
    assert campaign(tmp_path, 5000, 2) < 2500
