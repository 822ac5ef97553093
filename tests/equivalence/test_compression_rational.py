"""Small chains with numbers of all sizes, compressed and compared with the original in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fiberscope as fs
import fiberscope_verify
from fiberscope.errors import InputError

Layers = list[tuple[np.ndarray, np.ndarray]]
Rational = list[tuple[list[list[Fraction]], list[Fraction]]]
Point = list[Fraction]
ACTIVATIONS = ["relu", "relu", "relu", "leaky_relu(0.1)", "leaky_relu(0.25)", "leaky_relu(0.0)", "leaky_relu(1.0)"]
SIZES = [[0, 1e-30, 1, 1e30, 1e-8, 1e8], [0, 1, 1, 1e-30], [1, 1, 1, 0]]


def network(rng: np.random.Generator) -> Layers:
    """Weights of one or many magnitudes; units that repeat, oppose, add up, do nothing, or are read in vain."""
    widths = [int(rng.integers(1, 5)), *rng.integers(1, 9, rng.integers(1, 4)).tolist(), int(rng.integers(1, 4))]
    style = rng.integers(0, 6)
    layers = []
    for n, m in pairwise(widths):
        w, b = rng.normal(size=(m, n)), rng.normal(size=m) * rng.choice([0, 0.1, 1, 3])
        if style == 0:
            w, b = np.round(2 * w) / 2, np.round(2 * b) / 2
        elif style < 4:
            w, b = w * rng.choice(SIZES[style - 1], w.shape), b * rng.choice(SIZES[style - 1], m)
        elif style == 4:
            w, b = w * 10.0 ** rng.integers(-8, 9, (m, 1)), b * 10.0 ** rng.integers(-8, 9, m)
        i, j, k = rng.integers(0, m, 3)
        if rng.random() < 0.5:
            scale = rng.choice([1, 2, -1, -0.5, 0.5, 3])
            w[i], b[i] = scale * w[j], scale * b[j]
        if rng.random() < 0.3:
            w[rng.integers(m)] = 0
        if rng.random() < 0.3:
            w[i] = w[j] + w[k]
        if rng.random() < 0.2:
            w[:, rng.integers(n)] = 0
        if rng.random() < 0.3:
            w, b = np.abs(w), np.abs(b) * rng.choice([-1, 1, 3])
        layers.append((w, b))
    (w, b), (v, _) = layers[-2:]
    if rng.random() < 0.3 and len(b) > 1:  # bends that cancel
        scale = rng.choice([1.0, -1.0])
        w[1], b[1], v[:, 1] = scale * w[0], scale * b[0], -v[:, 0]
    return layers


def box(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Also without width, as thin as 1e-12, in part, beginning at -0.0, and far away."""
    lo, width = rng.normal(size=n), np.abs(rng.normal(size=n))
    kind = rng.integers(0, 6)
    if kind == 1:
        width[:] = 0
    elif kind == 2:
        width[rng.random(n) < 0.5] = 0
    elif kind == 3:
        lo = np.full(n, -0.0)
    elif kind == 4:
        width = np.full(n, 1e-12)
    elif kind == 5:
        lo, width = lo * rng.choice([1e-30, 1e10, 1]), width * rng.choice([1e-30, 1e10, 1, 1e-12])
    return lo, lo + width


def rational(layers: Layers) -> Rational:
    return [([[Fraction(float(v)) for v in row] for row in w], [Fraction(float(v)) for v in b]) for w, b in layers]


def values(layers: Rational, slope: Fraction, h: Point) -> list[Point]:
    """What stands after every affine map, the outputs last."""
    out = []
    for w, b in layers:
        out.append(
            [sum((p * q for p, q in zip(row, h, strict=True) if p and q), t) for row, t in zip(w, b, strict=True)]
        )
        h = [v if v > 0 else slope * v for v in out[-1]]
    return out


def points(rng: np.random.Generator, nets: list[Rational], slope: Fraction, ends: list[Point]) -> list[Point]:
    """Corners, points between them, and places where a unit of either network bends."""
    low, high = ends
    out = [[(low, high)[side][i] for i, side in enumerate(sides)] for sides in product((0, 1), repeat=len(low))]
    for parts in rng.integers(0, 1025, (6, len(low))).tolist():
        out.append([p + (q - p) * Fraction(t, 1024) for p, q, t in zip(low, high, parts, strict=True)])
    for i, j in rng.integers(0, len(out), (4, 2)).tolist():
        for net in nets:
            before, after = ([v for z in values(net, slope, out[k])[:-1] for v in z] for k in (i, j))
            part = next((p / (p - q) for p, q in zip(before, after, strict=True) if p * q < 0), None)
            if part is not None:
                out.append([p + part * (q - p) for p, q in zip(out[i], out[j], strict=True)])
    return out


def one_case(folder: Path, seed: int) -> str:
    """What became of the network: "refused", "kept" or "smaller"."""
    rng = np.random.default_rng(seed)
    layers, activation = network(rng), str(rng.choice(ACTIVATIONS))
    dtype = np.float32 if rng.random() < 0.6 else np.float64
    arrays: dict[str, Any] = {}
    with np.errstate(all="ignore"):
        for l, (w, b) in enumerate(layers, 1):
            arrays |= {f"W{l}": w.astype(dtype), f"b{l}": b.astype(dtype)}
    a, b, proof = (folder / f"{seed}{name}" for name in ("a.npz", "b.npz", "c.fsc"))
    np.savez(a, activation=np.array(activation), **arrays)
    domain = box(rng, layers[0][0].shape[1]) if rng.random() < 0.85 else None
    try:
        result = fs.compress(fs.load(a), box=domain, budget=2, out=b, certificate=proof)
    except InputError as reason:
        return "refused" if "beyond what can be bounded" in str(reason) else f"{seed}: {reason}"
    report = fiberscope_verify.verify(str(proof), str(a), str(b))
    assert report.valid, (seed, report.reason)
    small = np.load(b)
    nets = [rational([(f[f"W{l}"], f[f"b{l}"]) for l in range(1, len(layers) + 1)]) for f in (np.load(a), small)]
    slope = Fraction(0 if activation == "relu" else float(activation[11:-1]))
    lo, hi = (
        domain if domain is not None else (np.full(len(nets[0][0][0][0]), -1e6), np.full(len(nets[0][0][0][0]), 7e5))
    )
    ends = [[Fraction(float(v)) for v in end] for end in (lo, hi)]
    assert result.error_bound is not None
    for x in points(rng, nets, slope, ends):
        before, after = (values(net, slope, x)[-1] for net in nets)
        worst = max(abs(p - q) for p, q in zip(before, after, strict=True))
        assert worst <= Fraction(result.error_bound), (seed, float(worst), result.error_bound)
    assert domain is not None or result.error_bound == 0
    return "smaller" if result.units_after < result.units_before else "kept"


def test_ten_networks(tmp_path: Path):
    assert {"smaller"} <= {one_case(tmp_path, seed) for seed in range(10)} <= {"smaller", "kept"}


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_networks(tmp_path: Path, block: int):
    found = [one_case(tmp_path, seed) for seed in range(100 + 60 * block, 160 + 60 * block)]
    assert set(found) <= {"smaller", "kept", "refused"}
    assert found.count("smaller") > 40
    assert found.count("refused") < 6
