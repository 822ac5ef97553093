"""The sketch of the function: the same for all weights of one function, continuous where they become redundant."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from fiberscope.equivalence.fingerprint import Fingerprint, distance, fingerprint
from fiberscope.equivalence.function_sketch import function_sketch
from fiberscope.network import Network, load

SMOOTH = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "arctan": None, "erf": None, "softsign": nn.Softsign}
KINKED = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "abs": None}
PLAIN = {"arctan": torch.atan, "erf": torch.erf, "abs": torch.abs}
NAMES = [*SMOOTH, *KINKED]


class OneLayer(nn.Module):
    """f(x) = c + L x + Q rho(W x + b)."""

    def __init__(self, name: str, w: np.ndarray, b: np.ndarray, q: np.ndarray, c: np.ndarray, l: np.ndarray) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(w.shape[1], len(b)), nn.Linear(len(b), len(c))
        self.skip = nn.Linear(w.shape[1], len(c), bias=False)
        made = {**SMOOTH, **KINKED}[name]
        self.rho = PLAIN[name] if made is None else made()
        pairs = [(self.inner.weight, w), (self.inner.bias, b), (self.outer.weight, q), (self.outer.bias, c)]
        for parameter, array in [*pairs, (self.skip.weight, l)]:
            parameter.data = torch.from_numpy(np.array(array))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outer(self.rho(self.inner(x))) + self.skip(x)


Parts = tuple[np.ndarray, ...]


def parts(seed: int, units: int = 5, n: int = 3, k: int = 2) -> Parts:
    rng = np.random.default_rng(seed)
    shapes = [(units, n), (units,), (k, units), (k,), (k, n)]
    return tuple(rng.normal(size=shape) for shape in shapes)


@lru_cache(maxsize=64)
def blank(name: str, units: int, n: int, k: int) -> Network:
    module = OneLayer(name, *parts(0, units, n, k)).double().eval()
    return load(module, (torch.zeros(2, n, dtype=torch.float64),))


def network(name: str, made: Parts, width: int = 10) -> Network:
    """With units that do nothing up to a common width, so that few graphs are traced."""
    more = width - len(made[1])
    w, b, q, c, l = (torch.from_numpy(np.array(a)) for a in made)
    w, b, q = (torch.nn.functional.pad(a, pads) for a, pads in ((w, (0, 0, 0, more)), (b, (0, more)), (q, (0, more))))
    numbers = {"inner.weight": w, "inner.bias": b, "outer.weight": q, "outer.bias": c, "skip.weight": l}
    return blank(name, *w.shape, len(c)).replace(numbers)


def sketched(name: str, made: Parts) -> Fingerprint:
    found = function_sketch(network(name, made))
    assert found is not None
    return Fingerprint("", found[1], found[0])


def value(name: str, t: float) -> float:
    module = {**SMOOTH, **KINKED}[name]
    return float((PLAIN[name] if module is None else module())(torch.tensor(t, dtype=torch.float64)))


def widened(name: str, made: Parts, rng: np.random.Generator) -> Parts:
    """Flips, scalings, order, clones, a constant unit and an unread one, planted by hand."""
    w, b, q, c, l = (a.copy() for a in made)
    scale = rng.uniform(0.2, 5.0, len(b)) if name in KINKED else np.ones(len(b))
    turned = rng.random(len(b)) < 0.5 if name in (*SMOOTH, "abs") else np.zeros(len(b), bool)
    w, b, q = w * scale[:, None], b * scale, q / scale
    for i in np.flatnonzero(turned):
        w[i], b[i] = -w[i], -b[i]
        if name == "sigmoid":
            c = c + q[:, i]
        q[:, i] *= 1.0 if name == "abs" else -1.0
    share = rng.normal(size=q.shape[0])
    w, b = np.vstack([w, w[1], 0 * w[0], rng.normal(size=w.shape[1])]), np.append(b, [b[1], 0.7, 0.3])
    level = rng.normal(size=q.shape[0])
    q = np.column_stack([q, share, level, 0 * share])
    q[:, 1] -= share
    c = c - level * value(name, 0.7)
    order = rng.permutation(len(b))
    return w[order], b[order], q[:, order], c, l


@pytest.mark.parametrize("name", NAMES)
def test_the_same_for_all_weights_of_one_function(name: str):
    for seed in range(6):
        made = parts(seed)
        wide = widened(name, made, np.random.default_rng(100 + seed))
        x = torch.randn(9, 3, dtype=torch.float64)
        a, b = (OneLayer(name, *p).double()(x) for p in (made, wide))
        assert torch.allclose(a, b, atol=1e-12)
        own = sketched(name, made)
        assert own.sketch_of == ("kinks" if name in KINKED else "tanh" if name == "sigmoid" else name)
        assert own.distance(sketched(name, wide)) < 1e-13
        assert own.distance(sketched(name, parts(seed + 50))) > 1e-2


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_every_number_of_the_network_counts_and_a_little_moves_it_a_little(name: str):
    made = parts(3)
    own = sketched(name, made)
    for place, array in enumerate(made):
        for at in np.ndindex(array.shape):
            moved = array.copy()
            moved[at] += 1e-5
            near = own.distance(sketched(name, (*made[:place], moved, *made[place + 1 :])))
            assert 1e-9 < near < 1e-3, (place, at)


@pytest.mark.parametrize("name", NAMES)
def test_continuous_where_units_become_clones_constant_unread_or_cancel(name: str):
    rng = np.random.default_rng(0)
    w, b, q, c, l = parts(5, units=7)
    w[1], b[1] = w[0], b[0]
    w[3], b[3] = -w[2], -b[2]
    w[4] = 0.0
    q[:, 5] = 0.0
    w[6], b[6] = 0.0, 0.0
    shift = [rng.normal(size=a.shape) for a in (w, b, q, c, l)]
    base = sketched(name, (w, b, q, c, l))
    far = [
        base.distance(sketched(name, tuple(a + 10.0**-k * s for a, s in zip((w, b, q, c, l), shift, strict=True))))
        for k in range(2, 10)
    ]
    assert all(after < 0.3 * before for before, after in itertools.pairwise(far)), far
    assert far[-1] < 1e-7


def test_units_turned_round_by_the_reflection_law_and_units_of_other_slopes():
    """relu(z) = relu(-z) + z; leaky(z) = relu(z) - slope relu(-z); sigmoid(z) = 1/2 + tanh(z/2)/2."""
    w, b, q, c, l = parts(1)
    relu = sketched("relu", (w, b, q, c, l))
    turned = (-w, -b, q, c + q @ b, l + q @ w)
    assert relu.distance(sketched("relu", turned)) < 1e-13
    leaky = sketched("leaky_relu", (w, b, q, c, l))
    both = (np.vstack([w, -w]), np.append(b, -b), np.column_stack([q, -0.01 * q]), c, l)
    assert leaky.distance(sketched("relu", both)) < 1e-13
    assert leaky.distance(relu) > 1e-3
    sigmoid = sketched("sigmoid", (w, b, q, c, l))
    assert sigmoid.distance(sketched("tanh", (w / 2, b / 2, q / 2, c + q.sum(axis=1) / 2, l))) < 1e-13


def test_linear_in_the_function():
    one, two = parts(1), parts(2)
    total = (np.vstack([one[0], two[0]]), np.append(one[1], two[1]), np.hstack([one[2], two[2]]))
    for name in NAMES:
        want = np.add(sketched(name, one).sketch, sketched(name, two).sketch)
        np.testing.assert_allclose(sketched(name, (*total, one[3] + two[3], one[4] + two[4])).sketch, want, atol=1e-12)


def test_a_function_and_its_negative_are_far_apart():
    w, b, q, c, l = parts(4)
    assert sketched("tanh", (w, b, q, c, l)).distance(sketched("tanh", (w, b, -q, -c, -l))) == pytest.approx(1.0)


def test_many_outputs_are_seen_through_a_few_combinations():
    wide = parts(6, k=40)
    own = sketched("tanh", wide)
    assert len(own.sketch) == len(sketched("tanh", parts(6, k=8)).sketch)
    moved = [a.copy() for a in wide]
    moved[2][37, 2] += 0.1
    assert own.distance(sketched("tanh", tuple(moved))) > 1e-5


def test_one_pinned_number():
    """Sketches are compared across machines and versions: these directions must not change."""
    ones = (np.ones((1, 1)), np.ones(1), np.ones((1, 1)), np.zeros(1), np.zeros((1, 1)))
    found = sketched("tanh", ones).sketch
    assert len(found) == 31
    assert found[-1] == pytest.approx(np.tanh(1.0))
    assert found[:3] == pytest.approx(PINNED, rel=1e-12)


PINNED = (-0.16385073008025544, 0.4474014222545023, -0.30641641013897664)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.Softmax(1)),
    ],
)
def test_other_networks_keep_the_sketch_of_their_weights(module: nn.Module):
    net = load(module.double().eval(), (torch.zeros(2, 3, dtype=torch.float64),))
    assert function_sketch(net) is None
    assert fingerprint(net).sketch_of == "weights"


def test_fingerprints_use_it():
    a, b = network("tanh", parts(0)), network("relu", parts(0))
    assert fingerprint(a).sketch_of == "tanh" and fingerprint(b).sketch_of == "kinks"
    assert distance(a, b) == float("inf")
    wide = network("tanh", widened("tanh", parts(0), np.random.default_rng(0)), width=8)
    assert wide.weights["inner.bias"].shape != a.weights["inner.bias"].shape
    assert distance(a, wide) < 1e-13 and fingerprint(a).text != fingerprint(wide).text
