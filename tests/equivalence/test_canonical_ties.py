"""The canonical form where units are hard to tell apart: circulants, cycles, opposite rows, integers, zeros."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.programs import program
from tests.symmetry.test_elements import BUILDERS
from torch import Tensor, nn

from fiberscope.equivalence.canonical import canonical_form, canonicalize
from fiberscope.network import Network, load
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import Symmetries, symmetries

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu, "abs": torch.abs}


def apart(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(a[n] - b[n]).max() / max(1e-6, np.abs(a[n]).max())) for n in a)


def check(net: Network, members: int, real: float = 1e-9, exact: float = 0.0) -> None:
    """One form for members of the orbit (powers of two: to the bit), idempotent, the function kept."""
    sym = symmetries(net)
    home = canonical_form(net, sym).weights
    for seed in range(members):
        assert apart(home, canonical_form(sym.random(seed, power_of_two=True)(net), sym).weights) <= exact, seed
        assert apart(home, canonical_form(sym.random(100 + seed)(net), sym).weights) < real, seed
    once = canonicalize(net)
    twice = canonicalize(once)
    if exact:
        assert max(float((once.weights[n] - w).abs().max()) for n, w in twice.weights.items()) < real
    else:
        assert all(torch.equal(once.weights[n], w) for n, w in twice.weights.items())
    x = np.random.default_rng(0).standard_normal((8, net.n_in))
    y = net.run_flat(x)
    assert np.abs(once.run_flat(x) - y).max() <= 1e-10 * max(1.0, np.abs(y).max())


def circulant(*first: float) -> Tensor:
    row = torch.tensor(first, dtype=torch.float64)
    return torch.stack([row.roll(i) for i in range(len(first))])


def two_layers(rho: Callable[[Tensor], Tensor], middle: Tensor, first: Tensor | None = None) -> Network:
    n, m = middle.shape
    one = torch.ones(4, n) if first is None else first
    return program(lambda s, x: rho(rho(x @ s.w) @ s.c) @ s.d, (3, 4), w=one, c=middle, d=torch.ones(m, 2))


HEXAGON, TRIANGLE = circulant(0, 1, 0, 0, 0, 1), circulant(0, 1, 1)
MIDDLES = {
    "circulant": circulant(1, 2, 3, 4, 5, 6),
    "hexagon": HEXAGON,
    "two triangles": torch.block_diag(TRIANGLE, TRIANGLE),
    "all equal": torch.ones(6, 6),
    "all equal but a diagonal of signs": torch.ones(6, 6) - 2 * torch.eye(6),
    "identity": torch.eye(6),
}


SOME = {("circulant", "relu"), ("hexagon", "tanh"), ("two triangles", "gelu"), ("all equal", "abs")}
SOME |= {("all equal but a diagonal of signs", "tanh"), ("identity", "gelu")}
"""All middles with all activations take half a minute."""


ALL = [
    pytest.param(*pair, marks=() if pair in SOME else pytest.mark.slow)
    for pair in itertools.product(MIDDLES, ACTIVATIONS)
]


@pytest.mark.parametrize(("name", "rho"), ALL)
def test_symmetric_middles(name: str, rho: str):
    check(two_layers(ACTIVATIONS[rho], MIDDLES[name]), 2)


@pytest.mark.parametrize("rho", [pytest.param("relu", marks=pytest.mark.slow), "tanh"])
def test_ties_that_are_not_symmetries(rho: str):
    """Units of a hexagon and of triangles look alike to every sorting, and no symmetry exchanges them."""
    check(two_layers(ACTIVATIONS[rho], torch.block_diag(HEXAGON, TRIANGLE, TRIANGLE)), 2)


@pytest.mark.parametrize("rho", ACTIVATIONS)
def test_two_circulants_in_a_row(rho: str):
    act, c = ACTIVATIONS[rho], MIDDLES["circulant"]
    check(
        program(
            lambda s, x: act(act(act(x @ s.w) @ s.c) @ s.e) @ s.d,
            (3, 4),
            w=torch.ones(4, 6),
            c=c,
            e=c * c,
            d=torch.ones(6, 2),
        ),
        3,
    )


@pytest.mark.parametrize("rho", ACTIVATIONS)
def test_opposite_multiple_and_zero_columns(rho: str):
    act = ACTIVATIONS[rho]
    w = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    w[:, 1], w[:, 3], w[:, 5] = -w[:, 0], 2 * w[:, 2], 0.0
    check(program(lambda s, x: act(x @ s.w + s.b) @ s.c, (3, 4), w=w, b=torch.zeros(6), c=(6, 2)), 6)
    check(program(lambda s, x: act(act(x @ s.w) @ s.v) @ s.c, (3, 4), w=w, v=w.repeat(2, 1)[:6], c=(6, 2)), 6)


@pytest.mark.parametrize("rho", ACTIVATIONS)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_small_integers(rho: str, seed: int):
    g = torch.Generator().manual_seed(seed)
    w, v, c = (torch.randint(-1, 2, s, generator=g).double() for s in ((4, 6), (6, 6), (6, 2)))
    act = ACTIVATIONS[rho]
    check(program(lambda s, x: act(act(x @ s.w) @ s.v) @ s.c, (3, 4), w=w, v=v, c=c), 3)


@pytest.mark.parametrize("rho", ["tanh", "gelu"])
def test_nothing_comes_in_or_goes_out(rho: str):
    act = ACTIVATIONS[rho]
    for w, v in ((torch.zeros(4, 6), (6, 6)), ((4, 6), torch.zeros(6, 6))):
        check(program(lambda s, x: act(act(x @ s.w) @ s.v) @ s.c, (3, 4), w=w, v=v, c=(6, 2)), 3)


@pytest.mark.parametrize("rho", ACTIVATIONS)
def test_tied_and_residual(rho: str):
    act = ACTIVATIONS[rho]
    check(program(lambda s, x: act(x @ s.w + s.b) @ s.w.T, (3, 4), w=(4, 6), b=(6,)), 4)
    check(
        program(
            lambda s, x: (lambda h: h + act(h @ s.v) @ s.u)(act(x @ s.w)) @ s.c,
            (3, 4),
            w=(4, 6),
            v=(6, 5),
            u=(5, 6),
            c=(6, 2),
        ),
        4,
    )


@cache
def built(name: str) -> tuple[Network, Symmetries]:
    net = BUILDERS[name]()
    return net, symmetries(net)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_architectures(name: str):
    net, sym = built(name)
    mixing = any(g.mixing > Mixing.permutation for g in sym.groups.values() if not g.trivial)
    check(net, 10, real=1e-6 if mixing else 1e-9, exact=1e-6 if mixing else 0.0)


def test_a_float32_transformer():
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        block = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
        net = load(nn.Sequential(block, nn.Linear(8, 3)).eval(), (torch.randn(2, 5, 8),))
    sym = symmetries(net)
    home = canonical_form(net, sym).weights
    for seed in range(6):
        form = canonical_form(sym.random(seed, spread=0.5)(net), sym).weights
        assert max(float(np.abs(form[n] - home[n]).max()) for n in home) < 1e-3
    x = np.random.default_rng(0).standard_normal((4, net.n_in))
    assert np.abs(canonicalize(net).run_flat(x) - net.run_flat(x)).max() < 1e-5


def test_rounded_to_float32():
    """Real scales round in the stored dtype; the forms agree to its precision."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(1)
        net = load(
            nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)).eval(),
            (torch.randn(2, 4),),
        )
    sym = symmetries(net)
    home = canonical_form(net, sym).weights
    for seed in range(20):
        assert apart(home, canonical_form(sym.random(seed)(net), sym).weights) < 1e-5
