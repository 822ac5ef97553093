"""Shifts of key and value biases: claimed where softmax makes them so, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.programs import largest_change, program
from torch import Tensor, nn

from fiberscope.network import Network
from fiberscope.symmetry.symmetries import Symmetries, symmetries

B, T, D = 2, 5, 6
Step = Callable[[Any, Tensor], Tensor]


def same(s: Any, x: Tensor) -> Tensor:
    return x


def split(x: Tensor) -> Tensor:
    return x.view(B, T, 2, 3).transpose(1, 2)


def join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).reshape(B, T, D)


def attention(
    *,
    key: Step = same,
    value: Step = same,
    score: Step = same,
    weight: Callable[[Tensor], Tensor] = lambda z: z.softmax(-1),
    after: Step = same,
    joined: Callable[[Tensor], Tensor] = join,
    also: Callable[[Any, Tensor, Tensor, Tensor], Any] = lambda s, x, k, z: 0,
) -> Callable[[Any, Tensor], Tensor]:
    """Two heads of three, with a step at every place."""

    def forward(s: Any, x: Tensor) -> Tensor:
        q, k, v = split(s.q(x)), key(s, split(s.k(x))), value(s, split(s.v(x)))
        z = q @ k.transpose(-1, -2) / 3
        return s.o(joined(after(s, weight(score(s, z)) @ v))) + also(s, x, k, z)

    return forward


def made(rule: Callable[..., Tensor], *, output_bias: bool = True, **parts: Any) -> tuple[Network, Symmetries]:
    linear = {n: (lambda: nn.Linear(D, D)) for n in "qkv"}
    net = program(rule, (B, T, D), **linear, o=lambda: nn.Linear(D, 2, bias=output_bias), **parts)
    return net, symmetries(net)


CAUSAL = torch.ones(T, T).triu(1).bool()
ROWS = torch.arange(1.0, T + 1, dtype=torch.float64)


def rotary(s: Any, x: Tensor) -> Tensor:
    c, n = torch.cos(ROWS)[:, None], torch.sin(ROWS)[:, None]
    a, b, rest = x[..., :1], x[..., 1:2], x[..., 2:]
    return torch.cat([a * c - b * n, a * n + b * c, rest], -1)


# name: (rule, invisible directions, translations); the numbers are what must be claimed
CASES: dict[str, tuple[Callable[..., Tensor], int, int]] = {
    "plain": (attention(), D, D),
    "keys times a number": (attention(key=lambda s, k: 2 * k), D, D),
    "scores plus a constant": (attention(score=lambda s, z: z + CAUSAL * -4.0), D, D),
    "scores asked whether they are -inf": (
        attention(also=lambda s, x, k, z: (z == float("-inf")).to(x.dtype).sum((1, 2, 3))[:, None, None]),
        D,
        D,
    ),
    "a soft cap": (attention(score=lambda s, z: 5 * torch.tanh(z)), 0, D),
    "where with a finite number": (attention(score=lambda s, z: torch.where(CAUSAL, -5.0, z)), 0, D),
    "scores squared": (attention(score=lambda s, z: z * z), 0, D),
    "scores scaled by key": (attention(score=lambda s, z: z * ROWS), 0, D),
    "keys scaled by token": (attention(key=lambda s, k: k * ROWS[:, None]), 0, D),
    "keys through relu": (attention(key=lambda s, k: torch.relu(k)), 0, D),
    "rotary keys": (attention(key=rotary), 0, D),
    "values through relu": (attention(value=lambda s, v: torch.relu(v)), D, 0),
    "attended values through relu": (attention(after=lambda s, y: torch.relu(y)), D, 0),
    "no softmax": (attention(weight=lambda z: torch.relu(z) ** 2), 0, 0),
    "log-softmax": (attention(weight=lambda z: z.log_softmax(-1)), 0, 0),
    "softmax over queries": (attention(weight=lambda z: z.softmax(-2)), 0, 0),
    "softmax over heads": (attention(weight=lambda z: z.softmax(1)), 0, 0),
    "rows no longer sum to one": (attention(weight=lambda z: z.softmax(-1) * ~CAUSAL), D, 0),
    "attention transposed": (attention(weight=lambda z: z.softmax(-1).transpose(-1, -2)), D, 0),
    "keys read again": (attention(also=lambda s, x, k, z: k.sum((1, 2, 3))[:, None, None]), 0, D),
    "scores read again": (attention(also=lambda s, x, k, z: z.sum((1, 2, 3))[:, None, None]), 0, D),
    "heads joined inside out": (attention(joined=lambda y: y.permute(0, 2, 3, 1).reshape(B, T, D)), D, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_exactly_these_shifts(name: str):
    rule, invisible, translation = CASES[name]
    net, sym = made(rule)
    assert largest_change(net, sym) < 1e-10
    assert (sym.invisible, sym.translation) == (invisible, translation)


def test_no_output_bias_no_translation():
    net, sym = made(attention(), output_bias=False)
    assert largest_change(net, sym) < 1e-10 and (sym.invisible, sym.translation) == (D, 0)


def test_the_output_bias_used_twice():
    rule = attention()
    net, sym = made(lambda s, x: rule(s, torch.relu(x + s.o.bias.sum())))
    assert largest_change(net, sym) < 1e-10 and sym.translation == 0


def test_one_bias_for_all():
    """A bias shared by queries, keys and values does not move."""

    def rule(s: Any, x: Tensor) -> Tensor:
        q, k, v = (F.linear(x, w, s.b) for w in (s.wq, s.wk, s.wv))
        return ((q @ k.transpose(1, 2)).softmax(-1) @ v) @ s.wo + s.ob

    net = program(rule, (B, T, D), wq=(D, D), wk=(D, D), wv=(D, D), b=(D,), wo=(D, 2), ob=(2,))
    sym = symmetries(net)
    assert largest_change(net, sym) < 1e-10 and sym.invisible == sym.translation == 0


def test_a_bias_per_token():
    net = program(
        lambda s, x: s.o((s.q(x) @ (x @ s.wk + s.kb).transpose(1, 2)).softmax(-1) @ s.v(x)),
        (B, T, D),
        wk=(D, D),
        kb=(T, D),
        **{n: (lambda: nn.Linear(D, D)) for n in "qvo"},
    )
    sym = symmetries(net)
    assert largest_change(net, sym) < 1e-10 and sym.invisible == 0


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
def test_features_that_became_tokens(order: tuple[int, ...]):
    """Two keys per token, made from one bias: a shift differs between the two."""

    def rule(s: Any, x: Tensor) -> Tensor:
        k, v = (p(x).view(B, T, 2, 3).permute(*order).reshape(B, 2 * T, 3) for p in (s.k, s.v))
        return s.o((s.q(x)[..., :3] @ k.transpose(1, 2)).softmax(-1) @ v)

    net = program(rule, (B, T, D), **{n: (lambda: nn.Linear(D, D)) for n in "qkv"}, o=lambda: nn.Linear(3, 2))
    sym = symmetries(net)
    assert largest_change(net, sym) < 1e-10 and sym.invisible == sym.translation == 0


FUSED: dict[str, tuple[Callable[[Any, Tensor], Any], int, int]] = {
    "nothing else": (lambda s, z: 0, D, D),
    "all of it read": (lambda s, z: z @ s.r, 0, 0),
    "every second entry read": (lambda s, z: z[..., ::2] @ s.r[:9], 0, 0),
    "the keys read again": (lambda s, z: z[..., D : 2 * D] @ s.r[:D], 0, D),
    "the values read again": (lambda s, z: z[..., 2 * D :] @ s.r[:D], D, 0),
    "the queries read again": (lambda s, z: z[..., :D] @ s.r[:D], D, D),
}


@pytest.mark.parametrize("name", FUSED)
def test_fused_projections(name: str):
    also, invisible, translation = FUSED[name]

    def rule(s: Any, x: Tensor) -> Tensor:
        z = s.w(x)
        q, k, v = z.split(D, -1)
        return s.o((q @ k.transpose(1, 2)).softmax(-1) @ v) + also(s, z)

    net = program(rule, (B, T, D), w=lambda: nn.Linear(D, 3 * D), o=lambda: nn.Linear(D, 2), r=(3 * D, 2))
    sym = symmetries(net)
    assert largest_change(net, sym) < 1e-10 and (sym.invisible, sym.translation) == (invisible, translation)


@pytest.mark.parametrize(
    ("view", "dim"), [((B, T, 3, 2, 3), 2), ((B, T, 2, 3, 3), 3)], ids=["query-key-value outside", "heads outside"]
)
def test_fused_and_stacked(view: tuple[int, ...], dim: int):
    def rule(s: Any, x: Tensor) -> Tensor:
        q, k, v = (y.transpose(1, 2) for y in s.w(x).view(view).unbind(dim))
        return s.o(join((q @ k.transpose(-1, -2)).softmax(-1) @ v))

    net = program(rule, (B, T, D), w=lambda: nn.Linear(D, 3 * D), o=lambda: nn.Linear(D, 2))
    sym = symmetries(net)
    assert largest_change(net, sym) < 1e-10
    assert (sym.invisible, sym.translation, sym.axis) == (D, D, 2 * 2 * 9)


@pytest.mark.parametrize("masked", [False, True])
def test_torchs_own_attention(masked: bool):
    """Under a mask a row may be all -inf (then torch returns zeros): the value bias is not absorbed."""
    mask = torch.ones(T, T).tril().bool() if masked else None
    net, sym = made(lambda s, x: s.o(F.scaled_dot_product_attention(s.q(x), s.k(x), s.v(x), attn_mask=mask)))
    assert largest_change(net, sym) < 1e-10
    assert (sym.invisible, sym.translation) == (D, 0 if masked else D)
