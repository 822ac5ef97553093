"""Method "stable", units on one boundary: those turned round, those whose bends cancel; forged certificates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.verify.forge import npy, pack, save
from tests.verify.test_stable_certificates import forged, opened, true

import fiberscope as fs
from fiberscope_verify import read_chain, verify
from fiberscope_verify.archive import parse_npy

RNG = np.random.default_rng


def case(folder: Path, seed: int):
    """Two hidden layers: five units turned round below, a pair that cancels and an opposite one above."""
    rng = RNG(seed)
    rows, offsets = rng.normal(size=(5, 2)), 0.2 * rng.normal(size=5)
    above, shifts = rng.normal(size=(6, 10)), 0.2 * rng.normal(size=6)
    above[1], shifts[1] = -2 * above[0], -2 * shifts[0]
    above[3], shifts[3] = 4 * above[2], 4 * shifts[2]
    last = rng.normal(size=(2, 6)).astype(np.float32)
    last[:, 1], last[:, 3] = -last[:, 0] / 2, -last[:, 2] / 4
    net = {"W1": np.concatenate([rows, -rows]), "b1": np.concatenate([offsets, -offsets])}
    net |= {"W2": above, "b2": shifts, "W3": last, "b3": rng.normal(size=2)}
    stored = {name: array.astype(np.float32) for name, array in net.items()}
    stored["activation"] = np.array(["relu", "leaky_relu(0.25)"][seed % 2])
    a, b, proof = folder / f"a{seed}.npz", folder / f"b{seed}.npz", folder / f"c{seed}.fsc"
    save(a, stored)
    result = fs.compress(fs.load(a), box=(-1, 1), out=b, certificate=proof, budget=1)
    return a, b, read_chain(a), read_chain(b), proof.read_bytes(), result


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boundaries")
    return [case(folder, seed) for seed in range(2)]


def test_units_are_turned_and_cancel(cases):
    for a, b, chain_a, chain_b, good, result in cases:
        assert result.methods["opposite"] >= 5
        assert result.methods["cancelled"] >= 2
        assert result.units_after <= 8 + 4
        assert verify(good, a, b).valid
        assert true(good, chain_a, chain_b, RNG(0), 40)


def changed(good: bytes, layer: int, name: str, value) -> bytes:
    """The certificate with one array of a layer's relation replaced."""
    top, members = opened(good)
    step = [s for s in top["steps"] if s["step"] == "layer"][layer]
    array = parse_npy(members[step[name]], name)
    return pack(json.dumps(top).encode(), members | {step[name]: npy(value(array.copy()))})


def test_what_is_claimed_of_a_boundary_must_be_so(cases):
    a, b, _, _, good, _ = cases[0]

    def refused(words: str, layer: int, name: str, value) -> None:
        report = verify(changed(good, layer, name, value), a, b)
        assert not report.valid
        assert words in (report.reason or ""), report.reason

    def at(index, number):
        def value(array):
            array[index] = number
            return array

        return value

    def heads(unit):
        """Cancelling units as heads of groups of their own."""
        return np.where(unit < -1, -2 - np.arange(len(unit)), unit)

    top, members = opened(good)
    step = [s for s in top["steps"] if s["step"] == "layer"][1]
    unit = parse_npy(members[step["unit"]], "unit")
    pair = np.flatnonzero(unit < -1)[:2]
    assert unit[pair[0]] == -2 - pair[0]
    refused("the error is bounded by", 0, "scale", np.abs)  # not turned round after all
    refused("the error is bounded by", 1, "scale", lambda x: np.where(x < 0, x * (1 + 1e-3), x))
    refused("a scale is not allowed", 1, "scale", lambda x: 0 * x)
    refused("no such unit", 1, "unit", at(pair[1], -3 - len(unit)))
    refused("cancel wrongly", 1, "unit", at(pair[0], -2 - int(pair[1])))
    refused("cancel wrongly", 1, "scale", at(pair[0], 2.0))
    refused("", 1, "unit", heads)  # each alone bends
    refused("only these", 1, "unit", at(pair[1], -1))


def test_a_bend_that_does_not_quite_cancel_counts(tmp_path: Path):
    """The weights of a pair moved by 1e-3 against each other: the same certificate is refused."""
    a, b, _, _, good, result = case(tmp_path, 0)
    net = dict(np.load(a))
    net["W3"][:, 0] *= 1 + 1e-3
    other = save(tmp_path / "other.npz", net)
    small = fs.compress(fs.load(other), box=(-1, 1), budget=1)
    assert "cancelled" not in small.methods or small.methods["cancelled"] < result.methods["cancelled"]
    top, members = opened(good)
    import hashlib

    top["models"][0]["sha256"] = hashlib.sha256(other.read_bytes()).hexdigest()
    assert "the error is bounded by" in (verify(pack(json.dumps(top).encode(), members), other, b).reason or "")


def forgeries(cases, count: int, seed: int) -> int:
    rng, accepted = RNG(seed), 0
    for i in range(count):
        a, b, chain_a, chain_b, good, _ = cases[i % len(cases)]
        bad = forged(good, rng)
        if verify(bad, a, b).valid:
            accepted += 1
            assert true(bad, chain_a, chain_b, rng)
    return accepted


def test_forged_arrays(cases):
    assert forgeries(cases, 60, 3) < 40


@pytest.mark.slow
def test_thousands_of_forged_arrays(cases):
    assert forgeries(cases, 4000, 4) < 2000
