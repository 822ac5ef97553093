"""Bounds over boxes: never below what sampling finds, and the tree must cover the box."""

from __future__ import annotations

import numpy as np
import pytest
from tests.verify.forge import certificate, mlp, run, save

from fiberscope_verify import difference_bound, read_chain, verify

RHO = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "leaky_relu(0.25)": lambda z: np.maximum(z, 0.25 * z),
}


def two(tmp_path, activation, seed=0, noise=1e-3):
    rng = np.random.default_rng(seed)
    net = mlp(rng, [3, 8, 8, 2], activation)
    other = {k: v if k == "activation" else (v + noise * rng.normal(size=v.shape)).astype("f4") for k, v in net.items()}
    return net, other, save(tmp_path / "a.npz", net), save(tmp_path / "b.npz", other)


@pytest.mark.parametrize("activation", RHO)
def test_bound_holds_on_samples(tmp_path, activation):
    rng = np.random.default_rng(1)
    for seed in range(5):
        net, other, a, b = two(tmp_path, activation, seed)
        lo = rng.normal(size=(20, 3))
        hi = lo + 10.0 ** rng.uniform(-4, 1, (20, 1))
        bound = difference_bound(read_chain(a), read_chain(b), lo, hi)
        for i in range(20):
            x = rng.uniform(lo[i], hi[i], (300, 3))
            corners = np.where(rng.random((50, 3)) < 0.5, lo[i], hi[i])
            x = np.concatenate([x, corners])
            gap = np.abs(run(net, x, RHO[activation]) - run(other, x, RHO[activation])).max()
            assert gap <= bound[i] + 1e-12
        point = difference_bound(read_chain(a), read_chain(b), lo, lo)
        gap = np.abs(run(net, lo, RHO[activation]) - run(other, lo, RHO[activation])).max(axis=1)
        assert np.all(point >= gap - 1e-12)
        assert np.all(point <= gap + 1e-9)


def tree(chain_a, chain_b, lo, hi, goal):
    """Bisect the widest side until each leaf passes; arrays of the certificate."""
    axis, at, left, right = [], [], [], []
    todo = [(lo, hi, None)]
    while todo:
        low, high, parent = todo.pop(0)
        link = -1
        if difference_bound(chain_a, chain_b, low, high)[0] > goal:
            k = int(np.argmax(high - low))
            cut = (low[k] + high[k]) / 2
            link = len(axis)
            axis.append(k)
            at.append(cut)
            left.append(-1)
            right.append(-1)
            upper, lower = low.copy(), high.copy()
            upper[k] = lower[k] = cut
            todo += [(low, lower, (link, left)), (upper, high, (link, right))]
        if parent is not None:
            parent[1][parent[0]] = link
    return {
        "axis": np.array(axis, "i8"),
        "at": np.array(at),
        "left": np.array(left, "i8"),
        "right": np.array(right, "i8"),
    }


def test_tree_certificate(tmp_path):
    _, _, a, b = two(tmp_path, "relu", 3)
    lo, hi = -np.ones(3) * 0.3, np.ones(3) * 0.3
    arrays = tree(read_chain(a), read_chain(b), lo, hi, 0.5)
    assert len(arrays["axis"]) > 3
    step = {"step": "tree", "axis": "axis", "at": "at", "left": "left", "right": "right"}
    claim = {"method": "bound", "strength": "bound", "error_bound": 0.5, "domain": {"lo": list(lo), "hi": list(hi)}}

    def check(changed, **more):
        return verify(certificate(a, b, [step], changed, **(claim | more)), a, b)

    report = check(arrays)
    assert report.valid, report.reason
    assert not check(arrays, error_bound=0.01).valid
    assert not check(arrays, domain="all").valid
    assert not check(arrays, domain={"lo": list(lo * 9), "hi": list(hi * 9)}).valid
    assert not check({k: v[:-1] for k, v in arrays.items()}).valid
    for name, value in (("axis", 7), ("axis", -1), ("at", 5.0), ("left", 0), ("right", 99), ("left", 2)):
        bad = {k: v.copy() for k, v in arrays.items()}
        bad[name][0] = value
        assert not check(bad).valid, name
