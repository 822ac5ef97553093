"""Dead, constant and duplicate units: planted ones are found, and nothing is said that is not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.programs import program
from torch import Tensor, nn

from fiberscope.network import Network, load
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.redundancy import Redundancy, redundancy
from fiberscope.symmetry.symmetries import symmetries


def found(net: Network) -> Redundancy:
    sym = symmetries(net)
    return redundancy(sym, {n: to_array(net.weights[n]) for n in sym.layouts})


def units(pairs: tuple[tuple[str, int], ...]) -> list[int]:
    return [i for _, i in pairs]


def layer(
    activation: Callable[[Tensor], Tensor], change: Callable[[Tensor, Tensor, Tensor], None], width: int = 6
) -> Network:
    """x -> activation(x W + b) C with planted columns; W (4, width), b (width), C (width, 2)."""
    g = torch.Generator().manual_seed(3)
    w, b, c = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((4, width), (width,), (width, 2)))
    change(w, b, c)
    return program(lambda s, x: activation(x @ s.w + s.b) @ s.c, (3, 4), w=w, b=b, c=c)


def plant(**columns: Any) -> Callable[[Tensor, Tensor, Tensor], None]:
    def change(w: Tensor, b: Tensor, c: Tensor) -> None:
        for name, table in columns.items():
            for i, value in table.items():
                {"w": w.T, "b": b, "c": c}[name][i] = value

    return change


def test_dead_constant_and_alive():
    net = layer(torch.relu, plant(w={0: 0.0, 1: 0.0, 2: 0.0}, b={0: -1.0, 1: 2.0, 2: 0.0}, c={3: 0.0}))
    r = found(net)
    assert units(r.dead) == [0, 2, 3] and units(r.constant) == [1] and not r.duplicate


@pytest.mark.parametrize(
    ("activation", "dead_bias", "constant_bias"),
    [(torch.tanh, 0.0, -1.0), (F.gelu, 0.0, -1.0), (F.leaky_relu, 0.0, -1.0), (F.hardtanh, 0.0, 0.5)],
)
def test_a_zero_row_is_dead_only_where_its_value_is_zero(
    activation: Callable[[Tensor], Tensor], dead_bias: float, constant_bias: float
):
    r = found(layer(activation, plant(w={0: 0.0, 1: 0.0}, b={0: dead_bias, 1: constant_bias})))
    assert units(r.dead) == [0] and units(r.constant) == [1]


@pytest.mark.parametrize("activation", [torch.sigmoid, torch.exp, torch.cos])
def test_functions_that_are_not_zero_at_zero(activation: Callable[[Tensor], Tensor]):
    r = found(layer(activation, plant(w={0: 0.0}, b={0: 0.0})))
    assert not r.dead and units(r.constant) == [0]


def copies(factor: float, *, off: float = 0.0) -> Callable[[Tensor, Tensor, Tensor], None]:
    """Unit 4 writes ``factor`` times what unit 1 writes, in exact arithmetic: few significant bits in unit 1."""

    def change(w: Tensor, b: Tensor, c: Tensor) -> None:
        w[:, 1], b[1] = torch.round(w[:, 1] * 64) / 64, torch.round(b[1] * 64) / 64
        w[:, 4], b[4] = factor * w[:, 1], factor * b[1] + off

    return change


@pytest.mark.parametrize(
    ("activation", "factor", "is_copy"),
    [
        (torch.relu, 1.0, True),
        (torch.relu, 0.25, True),
        (torch.relu, 3.0, True),
        (torch.relu, 5.0, True),
        (torch.relu, -1.0, False),
        (F.leaky_relu, 7.0, True),
        (torch.abs, -3.0, True),
        (torch.tanh, 1.0, True),
        (torch.tanh, -1.0, True),
        (torch.tanh, 2.0, False),
        (F.gelu, 1.0, True),
        (F.gelu, -1.0, False),
        (F.gelu, 2.0, False),
        (torch.sigmoid, -1.0, False),
        (torch.square, -3.0, True),
    ],
)
def test_duplicates_up_to_the_group(activation: Callable[[Tensor], Tensor], factor: float, is_copy: bool):
    assert units(found(layer(activation, copies(factor))).duplicate) == ([4] if is_copy else [])


@pytest.mark.parametrize("activation", [torch.relu, torch.tanh, F.gelu])
def test_near_duplicates_are_none(activation: Callable[[Tensor], Tensor]):
    assert not found(layer(activation, copies(1.0, off=2.0**-50))).duplicate


def test_a_third_of_a_unit_is_no_copy_after_rounding():
    """w / 3 rounds, so that no exact multiple is left."""

    def change(w: Tensor, b: Tensor, c: Tensor) -> None:
        w[:, 4], b[4] = w[:, 1] / 3, b[1] / 3

    assert not found(layer(torch.relu, change)).duplicate


def test_each_copy_is_named_once():
    def change(w: Tensor, b: Tensor, c: Tensor) -> None:
        for i, s in ((2, 2.0), (3, 0.5), (5, 4.0)):
            w[:, i], b[i] = s * w[:, 0], s * b[0]

    assert units(found(layer(torch.relu, change)).duplicate) == [2, 3, 5]


# Programs with unit 3 unread by the last matrix, where something else looks at the space.
WATCHED: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "mean": lambda s, x: (lambda h: h @ s.c + h.mean(1, keepdim=True))(torch.relu(x @ s.w)),
    "layer norm": lambda s, x: F.layer_norm(torch.relu(x @ s.w), (6,)) @ s.c,
    "largest": lambda s, x: (lambda h: h @ s.c + h.amax(1, keepdim=True))(torch.relu(x @ s.w)),
    "gram": lambda s, x: (lambda h: h @ s.c + (h @ h.T)[:, :2])(torch.relu(x @ s.w)),
    "softmax": lambda s, x: torch.softmax(x @ s.w, 1) @ s.c,
    "norm": lambda s, x: (lambda h: h @ s.c + torch.linalg.vector_norm(h, dim=1, keepdim=True))(torch.relu(x @ s.w)),
    "gain and sum": lambda s, x: (lambda h: h @ s.c + (h * s.g).sum(1, keepdim=True))(torch.relu(x @ s.w)),
    "computed reader": lambda s, x: (lambda h: h @ s.c + h @ (s.c + 1))(torch.relu(x @ s.w)),
    "cosine of the reader": lambda s, x: (lambda h: h @ s.c + h @ torch.cos(s.c))(torch.relu(x @ s.w)),
    "the output": lambda s, x: torch.cat([torch.relu(x @ s.w), x @ s.w @ s.c], 1),
}


@pytest.mark.parametrize("name", WATCHED)
def test_a_watched_unit_is_not_unread(name: str):
    c = torch.randn(6, 2, dtype=torch.float64)
    c[3] = 0.0
    assert not found(program(WATCHED[name], (3, 4), w=(4, 6), c=c, g=(6,))).dead


def test_the_same_without_a_watcher():
    c = torch.randn(6, 2, dtype=torch.float64)
    c[3] = 0.0
    assert units(found(program(lambda s, x: torch.relu(x @ s.w) @ s.c, (3, 4), w=(4, 6), c=c)).dead) == [3]


# Programs with zero columns 0 and 1 in W and b = (-1, 2, 0, 0, 0, 0): (rule, dead, constant)
LIVELY: dict[str, tuple[Callable[[Any, Tensor], Tensor], list[int], list[int]]] = {
    "plain": (lambda s, x: torch.relu(x @ s.w + s.b) @ s.c, [0], [1]),
    "bias after": (lambda s, x: (torch.relu(x @ s.w) + s.b) @ s.c, [], [0, 1]),
    "bias before and after": (lambda s, x: (torch.relu(x @ s.w + s.b) + s.b) @ s.c, [], [0, 1]),
    "plus one": (lambda s, x: (torch.relu(x @ s.w + s.b) + 1) @ s.c, [], [0, 1]),
    "one minus": (lambda s, x: torch.relu(1 - (x @ s.w + s.b)) @ s.c, [], [0, 1]),
    "negated": (lambda s, x: torch.relu(-(x @ s.w + s.b)) @ s.c, [], [0, 1]),
    "clamped away from zero": (lambda s, x: torch.relu(x @ s.w + s.b).clamp(min=0.5) @ s.c, [], [0, 1]),
    "another window": (lambda s, x: F.hardtanh(x @ s.w + s.b, 1.0, 3.0) @ s.c, [], [0, 1]),
    "plus the input": (lambda s, x: (torch.relu(x @ s.w + s.b) + x[:, :1]) @ s.c, [], []),
    "plus its mean": (lambda s, x: (torch.relu(x @ s.w + s.b) + x.mean(1, keepdim=True)) @ s.c, [], []),
    "times its mean": (lambda s, x: (torch.relu(x @ s.w + s.b) * x.mean(1, keepdim=True)) @ s.c, [], []),
    "divided by its mean": (lambda s, x: (torch.relu(x @ s.w + s.b) / x.mean()) @ s.c, [], []),
    "a column of weights beside": (lambda s, x: torch.relu(x @ s.w + s.b + x[:, :1] @ s.g[None]) @ s.c, [], []),
    "a scalar beside": (lambda s, x: torch.relu(x @ s.w + s.b + s.t) @ s.c, [], [0, 1]),
    "computed rows": (lambda s, x: torch.relu(x @ (s.w + 1) + s.b) @ s.c, [], []),
    "cosine of the rows": (lambda s, x: torch.relu(x @ torch.cos(s.w) + s.b) @ s.c, [], []),
    "normalised": (lambda s, x: F.layer_norm(torch.relu(x @ s.w + s.b), (6,)) @ s.c, [], []),
    "softmax": (lambda s, x: torch.softmax(x @ s.w + s.b, 1) @ s.c, [], []),
    "residual": (lambda s, x: (lambda h: h + torch.relu(h @ s.v))(torch.relu(x @ s.w + s.b)) @ s.c, [], []),
}


@pytest.mark.parametrize("name", LIVELY)
def test_zero_rows(name: str):
    rule, dead, constant = LIVELY[name]
    w = torch.randn(4, 6, dtype=torch.float64)
    w[:, :2] = 0.0
    b = torch.tensor([-1.0, 2, 0, 0, 0, 0], dtype=torch.float64)
    net = program(rule, (3, 4), w=w, b=b, c=(6, 2), g=(6,), t=torch.tensor(5.0), v=(6, 6))
    r = found(net)
    assert (units(r.dead), units(r.constant)) == (dead, constant)


@pytest.mark.parametrize("activation", [torch.relu, torch.tanh])
def test_a_tied_reader_writes_too(activation: Callable[[Tensor], Tensor]):
    """y = rho(x W) W^T with zero biases: equal biases make no copies, equal columns do."""
    w = torch.randn(4, 6, dtype=torch.float64)
    w[:, 5] = w[:, 2]
    rule = lambda s, x: activation(x @ s.w + s.b) @ s.w.T  # noqa: E731
    r = found(program(rule, (3, 4), w=w, b=torch.zeros(6, dtype=torch.float64)))
    assert units(r.duplicate) == [5]


def test_recurrent_copies():
    """Equal columns of the input and recurrent weights: equal states, whatever reads them."""
    u, v = torch.randn(4, 6, dtype=torch.float64), torch.randn(6, 6, dtype=torch.float64)
    u[:, 1], v[:, 1] = u[:, 0], v[:, 0]
    u[:, 3] = v[:, 3] = 0.0

    def rule(s: Any, x: Tensor) -> Tensor:
        h = torch.tanh(x[:, 0] @ s.u)
        for t in (1, 2):
            h = torch.tanh(x[:, t] @ s.u + h @ s.v)
        return h @ s.c

    r = found(program(rule, (2, 3, 4), u=u, v=v, c=(6, 2)))
    assert units(r.duplicate) == [1] and units(r.constant) == [3] and not r.dead


@pytest.mark.parametrize("kind", ["conv", "transposed"])
def test_convolutions(kind: str):
    first = nn.Conv1d(4, 6, 3) if kind == "conv" else nn.ConvTranspose1d(4, 6, 3, stride=2)
    last = nn.Conv1d(6, 2, 1)
    axis = 0 if kind == "conv" else 1
    with torch.no_grad():
        rows = first.weight if axis == 0 else first.weight.transpose(0, 1)
        assert first.bias is not None
        rows[1], first.bias[1] = 2 * rows[0], 2 * first.bias[0]
        rows[3], first.bias[3] = 0.0, -1.0
        last.weight[:, 2] = 0.0
    net = load(nn.Sequential(first, nn.ReLU(), last).double().eval(), (torch.zeros(2, 4, 8, dtype=torch.float64),))
    r = found(net)
    assert (units(r.dead), units(r.constant), units(r.duplicate)) == ([2, 3], [], [1])


@pytest.mark.parametrize("seed", range(4))
def test_removing_what_is_named_keeps_the_function(seed: int):
    """Zero what reads dead units; the outputs do not change, bit for bit."""
    g = torch.Generator().manual_seed(seed)
    w1, w2, w3 = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((4, 8), (8, 6), (6, 2)))
    w1[:, [1, 4]] = 0.0
    w2[5], w3[2] = 0.0, 0.0
    net = program(lambda s, x: torch.relu(torch.relu(x @ s.a) @ s.b) @ s.c, (3, 4), a=w1, b=w2, c=w3)
    r = found(net)
    assert r.dead == (("s0", 1), ("s0", 4), ("s0", 5), ("s1", 2))
    changed = {n: t.clone() for n, t in net.weights.items()}
    for space, unit in r.dead:
        changed["b" if space == "s0" else "c"][unit] = 7.0 if unit in (1, 4) else 0.0
        if unit not in (1, 4):
            changed["a" if space == "s0" else "b"][:, unit] = 7.0
    x = np.random.default_rng(seed).standard_normal((16, 4))
    assert np.array_equal(net.run_flat(x), net.replace(changed).run_flat(x))
