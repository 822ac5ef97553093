"""What a fold makes redundant is folded again; the certificate holds the networks in between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.equivalence.test_compression_planted import Layers, compressed
from tests.verify.forge import npy, pack
from tests.verify.test_stable_certificates import opened

from fiberscope_verify import verify
from fiberscope_verify.archive import parse_npy

RNG = np.random.default_rng


def only_read_in_vain() -> Layers:
    """A unit that two equal units read, which are read with opposite weights: it is read by nobody in the end."""
    rng = RNG(0)
    layers = [(rng.normal(size=(m, n)), 0.1 * rng.normal(size=m)) for n, m in ((3, 6), (6, 6), (6, 5), (5, 2))]
    (v, c), (u, _) = layers[1:3]
    v[:, 5], v[4, 5] = 0.0, 1.0
    v[5], c[5], u[:, 5] = v[4], c[4], -u[:, 4]
    return layers


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.25)"])
def test_a_unit_that_is_read_in_vain_goes(tmp_path: Path, activation: str):
    result = compressed(tmp_path, only_read_in_vain(), activation, box=(-1.0, 1.0), budget=5)
    assert [layer.after for layer in result.layers[:2]] == [5, 4]
    assert (result.methods["cancelled"], result.methods["unread"]) == (2, 1)


def test_forged_networks_in_between(tmp_path: Path):
    compressed(tmp_path, only_read_in_vain(), "relu", box=(-1.0, 1.0), budget=5)
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    top, members = opened((tmp_path / "c.fsc").read_bytes())
    steps = top["steps"]
    place = next(i for i, s in enumerate(steps) if s["step"] == "between")
    link = steps[place]

    def reason(new: list, **arrays: np.ndarray) -> str:
        added = {link[key]: npy(value) for key, value in arrays.items()}
        report = verify(pack(json.dumps({**top, "steps": new}).encode(), members | added), a, b)
        assert not report.valid
        return report.reason or ""

    weights, biases = (parse_npy(members[link[key]], key) for key in ("weights", "biases"))
    reason(steps[:place] + steps[place + 1 :])  # the arrays are not used, or two passes are one
    reason(steps[:place])
    reason([*steps[:place], link, *steps[place:]])
    assert "bounded by" in reason(steps, weights=weights * (1 + 1e-9))
    assert "bounded by" in reason(steps, biases=biases + 1e-9)
    assert "wrong size" in reason(steps, biases=np.append(biases, 0.0))
    for widths, words in (([5, 4, 5], "depth"), ([4, 5, 5, 2], "size"), ([5, 4, 5, 2.0], "whole"), ("5452", "depth")):
        assert words in reason([*steps[:place], {**link, "widths": widths}, *steps[place + 1 :]])
