"""Compression on polytopes, against the exact range of every unit by enumeration of activation patterns."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.compression import stable
from fiberscope.equivalence.compression.dual import DualClaim
from fiberscope.equivalence.compression.known import Stable, region_of
from fiberscope.equivalence.compression.stable import stable_units
from fiberscope.equivalence.compression.witness import Sides
from fiberscope.equivalence.domain import domain_of
from fiberscope.errors import InputError

RNG = np.random.default_rng


def saved(path: Path, layers: list, activation: str = "relu", dtype: Any = np.float32) -> Path:
    arrays = {}
    for l, (w, b) in enumerate(layers, 1):
        arrays[f"W{l}"], arrays[f"b{l}"] = w.astype(dtype), b.astype(dtype)
    np.savez(path, activation=np.array(activation), **arrays)
    return path


def random_layers(rng: np.random.Generator, widths: list[int]) -> list:
    return [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) * 0.7) for n, m in pairwise(widths)]


def ranges(layers: list, slope: float, lo: np.ndarray, hi: np.ndarray, G: np.ndarray, h: np.ndarray) -> list:
    """(least, most) of every hidden pre-activation: one LP per end in every cell of the pattern arrangement."""
    box = np.column_stack([lo, hi])
    cells = [(G, h, np.eye(len(lo)), np.zeros(len(lo)))]  # constraints; the values there as an affine map
    out = []
    for w, b in layers[:-1]:
        low, high = np.full(len(b), np.inf), np.full(len(b), -np.inf)
        after = []
        for A, c, M, v in cells:
            form, shift = w @ M, w @ v + b
            parts = [(A, c, np.zeros(len(b)))]
            for unit in range(len(b)):
                ends = []
                for sign in (1, -1):
                    done = linprog(sign * form[unit], A_ub=A, b_ub=c, bounds=box, method="highs")
                    ends.append(sign * done.fun + shift[unit] if done.status == 0 else np.nan)
                if np.isnan(ends).any():
                    parts = []
                    break
                low[unit], high[unit] = min(low[unit], ends[0]), max(high[unit], ends[1])
                grown = []
                for rows, limits, factor in parts:
                    for side in (1, -1):
                        if (side > 0 and ends[1] <= 0) or (side < 0 and ends[0] >= 0):
                            continue
                        more = np.vstack([rows, -side * form[unit]]), np.append(limits, side * shift[unit])
                        if linprog(0 * lo, A_ub=more[0], b_ub=more[1], bounds=box, method="highs").status == 0:
                            there = factor.copy()
                            there[unit] = 1.0 if side > 0 else slope
                            grown.append((*more, there))
                parts = grown
            after += [(rows, limits, f[:, None] * form, f * shift) for rows, limits, f in parts]
        cells = after
        out.append((low, high))
    return out


def proved(path: Path, box: Any, polytope: Any, seconds: float = 10.0) -> Stable:
    """What the search claims."""
    net = fs.load(path)
    chain = chain_of(net)
    assert chain is not None
    domain = domain_of(net, box, polytope)
    assert domain.box is not None
    region = region_of(domain.box, domain.polytope)
    sides = Sides(chain, domain, seed=0)
    return stable_units(fiberscope_verify.read_chain(str(path)), region, sides, seconds=seconds, say=lambda _: None)


@pytest.mark.parametrize("seed", range(3))
def test_against_exact_ranges(seed: int, tmp_path: Path):
    """Nothing that bends is claimed linear, and whatever is linear by a margin is found."""
    rng = RNG(seed)
    n = 2 + seed % 2
    widths, slope = [n, 5, 4, 3, 1], [0.0, 0.25][seed % 2]
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in random_layers(rng, widths)]
    path = saved(tmp_path / "a.npz", layers, "relu" if slope == 0.0 else f"leaky_relu({slope})")
    G = rng.normal(size=(3, n))
    h = rng.random(3) * 0.3
    truth = ranges([(w.astype(float), b.astype(float)) for w, b in layers], slope, -np.ones(n), np.ones(n), G, h)
    found = proved(path, (-1, 1), (G, h))
    linear = 0
    for l, (low, high) in enumerate(truth):
        status = found.status[l]
        linear += int((status != 0).sum())
        assert (low[status == 1] >= -1e-6).all()
        assert (high[status == -1] <= 1e-6).all()
        assert (status[low > 1e-5] == 1).all()
        assert (status[high < -1e-5] == -1).all()
        least, most = found.ends[l]
        assert (least[0] <= low + 1e-6).all()
        assert (most[0] >= high - 1e-6).all()
        bending = (low < -1e-3) & (high > 1e-3)
        assert not np.isin(np.flatnonzero(bending), found.open[l]).any()
    assert linear


def test_rows_decide_what_the_box_does_not(tmp_path: Path):
    """x + y - 1 bends on the box, not where x + y <= 1 - 1e-6; with 1e-9 beyond 1 it does."""
    w = np.array([[1.0, 1.0], [1.0, 0.5]])
    layers = [(w, np.array([-1.0, 0.0])), (np.array([[1.0, -0.5]]), np.zeros(1))]
    path = saved(tmp_path / "a.npz", layers, dtype=np.float64)
    assert proved(path, (0, 1), None).status[0][0] == 0
    for limit, status in ((1 - 1e-6, -1), (1 - 1e-9, -1), (1 + 1e-9, 0), (1 + 1e-6, 0)):
        assert proved(path, (0, 1), ([[1.0, 1.0]], [limit])).status[0][0] == status, limit


def test_a_near_miss_in_a_deep_layer(tmp_path: Path):
    """On x + y = 1 the second layer's unit is |x - y| - 1 + shift <= shift."""
    layers = [
        (np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2)),
        (np.array([[1.0, 1.0], [0.5, -1.0]]), np.array([-1.0, 0.1])),
        (np.ones((1, 2)), np.zeros(1)),
    ]
    line = [[1.0, 1.0], [-1.0, -1.0]], [1.0, -1.0]
    for shift, status in ((-1e-6, -1), (-1e-9, -1), (1e-9, 0), (1e-6, 0)):
        layers[1][1][0] = -1.0 + shift
        path = saved(tmp_path / "a.npz", layers, dtype=np.float64)
        found = proved(path, (0, 1), line)
        assert found.status[1][0] == status, shift
        assert (0 in found.open[1]) <= (abs(shift) < 1e-8)


def test_the_smaller_network_agrees_on_the_polytope(tmp_path: Path):
    path, small, proof = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "b.fsc"
    rng = RNG(0)
    net = fs.load(saved(path, random_layers(rng, [4, 12, 9, 7, 2]), "leaky_relu(0.1)"))
    G = np.vstack([np.ones(4), rng.normal(size=(2, 4))])
    h = G @ np.full(4, -0.4) + 0.3
    result = fs.compress(net, box=(-1, 1), polytope=(G, h), out=small, certificate=proof, budget=10)
    assert result.units_after <= fs.compress(net, box=(-1, 1), budget=10).units_after
    x = domain_of(net, (-1, 1), (G, h)).sample(rng, 3000)
    a = net.run_flat(x)
    assert result.error_bound is not None
    assert np.abs(a - fs.load(small).run_flat(x)).max() <= result.error_bound + 1e-12 * np.abs(a).max()
    report = fiberscope_verify.verify(str(proof), str(path), str(small))
    assert report.valid, report.reason
    assert "polytope" in " ".join(report.checked)


def test_what_is_refused(tmp_path: Path):
    net = fs.load(saved(tmp_path / "a.npz", random_layers(RNG(0), [2, 4, 1])))
    for box, polytope, words in (
        (None, ([[1.0, 1.0]], [1.0]), "box around it"),
        ((0, 1), ([[1.0, 1.0]], [-1e-9]), "no input fits"),
        ((0, 1), ([[1.0]], [1.0]), "expected"),
    ):
        with pytest.raises(InputError, match=words):
            fs.compress(net, box=box, polytope=polytope)


@pytest.mark.parametrize("polytope", [None, ([[0.0] * 11 + [1.0]], [0.5])], ids=["box", "polytope"])
def test_phases_show_what_lines_do_not(polytope: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """|x + y| + |x - y| <= 2 on a box, the triangle relaxation says 4; a billionth of shift decides."""
    monkeypatch.setattr(stable, "ROUNDS", (1,))  # halving the box four times would show it too
    first = np.zeros((4, 12))
    first[:, :2] = [[1, 1], [-1, -1], [1, -1], [-1, 1]]
    for shift, status in ((-1e-9, -1), (1e-9, 0)):
        second = np.array([[1.0, 1, 1, 1], [0.1, 0.2, -0.3, 0]]), np.array([-2.0 + shift, 0.01])
        layers = [(first, np.zeros(4)), second, (np.ones((1, 2)), np.zeros(1))]
        found = proved(saved(tmp_path / "a.npz", layers, dtype=np.float64), (-1, 1), polytope)
        assert found.status[1].tolist() == [status, 0]
        assert not len(found.open[1])
        trees = [c.leaves for c in found.claims if isinstance(c, DualClaim) and 0 in c.units and (c.ends >= 0).any()]
        assert (max(trees, default=0) > 1) == (status == -1)
