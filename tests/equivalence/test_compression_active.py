"""Units that are nowhere negative whatever the input is: folded by rank where every new number can be stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.equivalence.test_compression_planted import Layers, chain, compressed, eighths
from tests.verify.forge import npy, pack
from tests.verify.test_stable_certificates import forged, opened

from fiberscope_verify import verify
from fiberscope_verify.archive import parse_npy

RNG = np.random.default_rng


def planted(seed: int, *, extra: int = 2, outputs: int = 6) -> Layers:
    """Hidden layer 2 holds 3 active units and ``extra`` more, whose rows are sums of multiples of theirs."""
    rng = RNG(seed)
    first, second, last = chain(seed, (3, 5, 4, outputs))
    rows, biases = np.abs(eighths(rng, 3, 5)), np.abs(eighths(rng, 3))
    mix = np.array([[1.0, 0.5, 0.0], [0.5, 0.0, 2.0], [1.0, 1.0, 1.0]])[:extra]
    w = np.concatenate([second[0], rows, mix @ rows])
    b = np.concatenate([second[1], biases, np.abs(eighths(rng, extra))])
    w[0, 0] = b[1] = -1.0  # the units before them are not active
    w[2:4, 1] = -2.0
    return [first, (w, b), (np.concatenate([last[0], eighths(rng, outputs, 3 + extra)], axis=1), last[1])]


@pytest.mark.parametrize("activation", ["relu", "abs", "sigmoid"])
def test_dependent_units_go(tmp_path: Path, activation: str):
    result = compressed(tmp_path, planted(0, extra=3), activation)
    gone = 0 if activation == "sigmoid" else 3  # a sigmoid bends everywhere
    assert [layer.folded for layer in result.layers] == [0, gone]
    assert (result.error_bound, result.methods) == (0.0, {"always active": 3} if gone else {})


def test_leaky_layers_are_linear_there_but_their_values_may_be_negative(tmp_path: Path):
    result = compressed(tmp_path, planted(0), "leaky_relu(0.25)")
    assert result.units_after == result.units_before


def test_few_readers(tmp_path: Path):
    """One output reads four independent active units with one sign: one unit carries it."""
    rng = RNG(4)
    w, b = np.abs(eighths(rng, 4, 5)), np.abs(eighths(rng, 4))
    layers = [chain(1, (3, 5))[0], (w, b), (-np.abs(eighths(rng, 1, 4)), np.ones(1))]
    result = compressed(tmp_path, layers, "relu")
    assert [layer.after for layer in result.layers] == [5, 1]
    layers[2][0][0, 0] = 30.0  # now of both signs
    assert compressed(tmp_path, layers, "relu").units_after == 9


def test_near_misses_stay(tmp_path: Path):
    for change in range(4):
        layers = planted(2, extra=1)
        (w, b), (v, _) = layers[1], layers[2]
        if change == 0:
            w[7] *= 1 + 2.0**-20  # still active, no longer dependent through numbers that can be stored
            w[7, 0] += 2.0**-20
        elif change == 1:
            b[4:] = -(2.0**-20)
        elif change == 2:
            w[4:, 2] = -(2.0**-20)
        else:
            v[:, 7] = 1 + 2.0**-23  # what is read of it does not fit
        result = compressed(tmp_path, layers, "relu")
        assert result.units_after == result.units_before, change
    layers = planted(2, extra=1)
    layers[0][0][:], layers[0][1][:] = np.abs(layers[0][0]), np.abs(layers[0][1])  # inputs may be negative
    assert compressed(tmp_path, [layers[1], layers[2]], "relu").units_after == 8


def test_forgeries(tmp_path: Path):
    compressed(tmp_path, planted(0), "relu")
    a, b, good = tmp_path / "a.npz", tmp_path / "b.npz", (tmp_path / "c.fsc").read_bytes()
    rng, (top, members) = RNG(0), opened(good)
    place = next(i for i, s in enumerate(top["steps"]) if s["step"] == "active")
    step = top["steps"][place]
    used = {step[key] for key in ("units", "weight", "bias", "next_weight", "next_bias")}
    for _ in range(60):
        bad = forged(good, rng)
        pairs = [[parse_npy(m[n], n) for m in (opened(bad)[1], members)] for n in used]
        pairs = [[np.sort(v) if v.dtype.kind == "i" else v for v in pair] for pair in pairs]
        if any(not np.array_equal(p, q) for p, q in pairs):
            assert not verify(bad, a, b).valid  # the order in which old units are named says nothing

    def reason(arrays: dict[str, np.ndarray], **change: object) -> str:
        forgery = {**top, "steps": [*top["steps"][:place], {**step, **change}, *top["steps"][place + 1 :]]}
        added = {step[key]: npy(value) for key, value in arrays.items()}
        report = verify(pack(json.dumps(forgery).encode(), members | added), a, b)
        assert not report.valid
        return report.reason or ""

    units = parse_npy(members[step["units"]], "units")
    bias, read = (parse_npy(members[step[key]], key) for key in ("bias", "next_weight"))
    assert "whole number" in reason({}, layer=1)
    assert reason({}, side="b")
    assert "may be negative" in reason({"units": np.append(units[:-1], 0)})
    assert "twice" in reason({"units": np.append(units[:-1], units[0])})
    assert "wrong size" in reason({"bias": np.append(bias, 0.0)})
    assert "do not carry" in reason({"next_weight": read + 0.125})
    assert "constants" in reason({"bias": bias + 0.125})
    assert "may be negative" in reason({"bias": bias - 99.0})
