"""Elements form a group that acts on weights: on random architectures, with spaces inside spaces."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.programs import largest_change, program
from torch import Tensor, nn

from fiberscope.network import Network
from fiberscope.symmetry.element import Element, to_array
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import Symmetries, symmetries

Weights = dict[str, np.ndarray]


def attention(groups: int):
    """Two key-value heads of 3, each read by ``groups`` query heads, then an MLP."""

    def rule(s: Any, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q = s.q(x).view(b, t, 2 * groups, 3).transpose(1, 2)
        k, v = (p(x).view(b, t, 2, 3).transpose(1, 2) for p in (s.k, s.v))
        wide = [y[:, :, None].expand(b, 2, groups, t, 3).reshape(b, 2 * groups, t, 3) for y in (k, v)]
        y = (q @ wide[0].transpose(2, 3)).softmax(-1) @ wide[1]
        return s.down(F.gelu(s.up(s.o(y.transpose(1, 2).reshape(b, t, -1)) + x)))

    return rule


def activations(*names: str):
    table = {"relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu, "square": torch.square, "linear": lambda x: x}

    def rule(s: Any, x: Tensor) -> Tensor:
        for i, name in enumerate(names):
            x = table[name](getattr(s, f"l{i}")(x))
        return s.out(x)

    return rule


def stack(*names: str, width: int = 4) -> Network:
    parts = {f"l{i}": (lambda i=i: nn.Linear(3 if i == 0 else width, width)) for i in range(len(names))}
    return program(activations(*names), (2, 3), out=lambda: nn.Linear(width, 2), **parts)


def heads(groups: int) -> Network:
    shapes = {"q": (6, 6 * groups), "k": (6, 6), "v": (6, 6), "o": (6 * groups, 6), "up": (6, 8), "down": (8, 2)}
    return program(attention(groups), (2, 5, 6), **{n: (lambda s=s: nn.Linear(*s)) for n, s in shapes.items()})


def per_token(s: Any, x: Tensor) -> Tensor:
    """A layer of its own for every token: one group element per token."""
    return torch.relu(x.transpose(0, 1) @ s.w) @ s.v


BUILDERS = {
    "relu_tanh": lambda: stack("relu", "tanh"),
    "square_gelu_relu": lambda: stack("square", "gelu", "relu"),
    "linear_linear": lambda: stack("linear", "linear"),
    "abs_signs": lambda: program(
        lambda s, x: s.b(torch.abs(s.a(x))), (2, 3), a=lambda: nn.Linear(3, 5), b=lambda: nn.Linear(5, 2)
    ),
    "heads": lambda: heads(1),
    "grouped_heads": lambda: heads(2),
    "per_token": lambda: program(per_token, (2, 3, 4), w=(3, 4, 5), v=(3, 5, 2)),
    "conv_norm": lambda: program(
        lambda s, x: s.c(torch.relu(s.n(s.a(x)))),
        (2, 3, 5, 5),
        a=lambda: nn.Conv2d(3, 6, 3),
        n=lambda: nn.GroupNorm(2, 6),
        c=lambda: nn.Conv2d(6, 2, 1),
    ),
}
NAMES = sorted(BUILDERS)
seeds = st.integers(0, 10**6)


@cache
def built(name: str) -> tuple[Network, Symmetries, Weights]:
    net = BUILDERS[name]()
    return net, symmetries(net), {n: to_array(w) for n, w in net.weights.items()}


def apart(a: Weights, b: Weights) -> float:
    return max(float(np.abs(a[n] - b[n]).max() / max(np.abs(a[n]).max(), 1e-30)) for n in a)


def parts_apart(g: Element, h: Element) -> float:
    worst = 0.0
    for key, part in g.parts.items():
        other = h.parts[key]
        for name in ("source", "log", "sign", "matrix"):
            x, y = getattr(part, name), getattr(other, name)
            assert (x is None) == (y is None)
            worst = max(worst, float(np.abs(x - y).max()) if x is not None and x.size else 0.0)
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_the_function_is_kept(name: str):
    net, sym, _ = built(name)
    assert sym.dimension > 0 or sym.log10_order > 0
    assert largest_change(net, sym) < 1e-10


@pytest.mark.parametrize("name", NAMES)
@given(seeds, seeds)
def test_acting_twice_is_acting_with_the_product(name: str, s: int, t: int):
    _, sym, w = built(name)
    g, h = sym.random(s), sym.random(t)
    assert apart(g.act(h.act(w)), (g @ h).act(w)) < 1e-9


@pytest.mark.parametrize("name", NAMES)
@given(seeds)
def test_inverse_and_identity(name: str, s: int):
    _, sym, w = built(name)
    g, one = sym.random(s), sym.identity()
    assert apart(one.act(w), w) == 0
    assert apart(g.inverse().act(g.act(w)), w) < 1e-10
    assert parts_apart(g @ g.inverse(), one) < 1e-10
    assert parts_apart(g.inverse() @ g, one) < 1e-10
    assert parts_apart(g @ one, g) == 0 == parts_apart(one @ g, g)


@pytest.mark.parametrize("name", NAMES)
@given(seeds, seeds, seeds)
def test_associative(name: str, r: int, s: int, t: int):
    _, sym, w = built(name)
    g, h, k = sym.random(r), sym.random(s), sym.random(t)
    assert parts_apart((g @ h) @ k, g @ (h @ k)) < 1e-9
    assert apart(((g @ h) @ k).act(w), (g @ (h @ k)).act(w)) < 1e-9


@pytest.mark.parametrize("name", ["relu_tanh", "square_gelu_relu", "abs_signs", "per_token", "conv_norm"])
def test_powers_of_two_are_exact(name: str):
    """Where nothing mixes, an element of powers of two and its inverse give back the very bits."""
    _, sym, w = built(name)
    for seed in range(5):
        g = sym.random(seed, power_of_two=True)
        assert apart(g.inverse().act(g.act(w)), w) == 0


def test_grouped_queries_have_their_copies():
    """Two key-value heads, each with two query heads; one change of basis per key-value head."""
    _, sym, _ = built("grouped_heads")
    found = {(s.size, s.mixing, s.copies) for s in sym.spaces}
    assert (3, Mixing.general_linear, 2) in found
    assert (2, Mixing.permutation, 2) in found and (2, Mixing.permutation, 1) in found


def test_copies_follow_the_heads_that_index_them():
    """Moving the heads moves their inner elements along: (swap, then M on head 0) = (M on head 1, then swap)."""
    _, sym, w = built("heads")
    outer = next(k for k, g in sym.groups.items() if g.mixing is Mixing.permutation and g.atom.size == 2)
    inner = next(k for k, g in sym.groups.items() if g.context and g.mixing is Mixing.general_linear)
    assert [a.id for a in sym.groups[inner].context] == [outer]
    one = sym.identity()
    swap = one.parts[outer].__class__(source=np.array([1, 0]))
    m = np.diag([2.0, 3.0, 5.0])
    first, second = np.stack([m, np.eye(3)]), np.stack([np.eye(3), m])
    moved = Element(sym, {**one.parts, outer: swap})
    on_first = Element(sym, {**one.parts, inner: one.parts[inner].__class__(matrix=first)})
    on_second = Element(sym, {**one.parts, inner: one.parts[inner].__class__(matrix=second)})
    assert apart((on_first @ moved).act(w), (moved @ on_second).act(w)) < 1e-12
    assert apart((on_first @ moved).act(w), (moved @ on_first).act(w)) > 0.1
