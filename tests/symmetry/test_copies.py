"""Copies: a space may have one group element per token only where nothing mixes or moves the tokens on the way.

Every rule here keeps the shape (batch, tokens, units), so that a residual ties its result to its input; the layers
before and after have their own weights for every token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.programs import largest_change, program
from torch import Tensor, nn

from fiberscope.network import Network
from fiberscope.symmetry.symmetries import symmetries

B, T, D = 2, 3, 5
Rule = Callable[[Any, Tensor], Tensor]


def each(x: Tensor, w: Tensor) -> Tensor:
    """A layer with its own matrix for every token."""
    return torch.einsum("bpi,pij->bpj", x, w)


def net(rule: Rule, *, residual: bool = True, hidden: Callable[[Tensor], Tensor] = torch.relu, **parts) -> Network:
    def forward(s: Any, x: Tensor) -> Tensor:
        h = hidden(each(x, s.w))
        return each(h + rule(s, h) if residual else rule(s, h), s.v)

    return program(forward, (B, T, 4), w=(T, 4, D), v=(T, D, 2), **parts)


MIXERS: dict[str, Rule] = {
    "flip": lambda s, h: h.flip(1),
    "roll": lambda s, h: h.roll(1, 1),
    "index": lambda s, h: h[:, torch.tensor([2, 0, 1])],
    "halves swapped": lambda s, h: torch.cat([h[:, 1:], h[:, :1]], 1),
    "shifted with a zero": lambda s, h: F.pad(h, (0, 0, 1, -1)),
    "average of neighbours": lambda s, h: F.avg_pool1d(h.transpose(1, 2), 3, 1, 1).transpose(1, 2),
    "largest of neighbours": lambda s, h: F.max_pool1d(h.transpose(1, 2), 3, 1, 1).transpose(1, 2),
    "mean over tokens": lambda s, h: h.mean(1, keepdim=True),
    "attention without values": lambda s, h: (h @ h.transpose(1, 2)).softmax(-1) @ h,
    "constant matrix": lambda s, h: torch.tensor([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]], dtype=h.dtype) @ h,
    "cumulative": lambda s, h: h.cumsum(1),
    "softmax over tokens": lambda s, h: h.softmax(1),
    "transposed group norm": lambda s, h: F.group_norm(h.transpose(1, 2), D).transpose(1, 2),
    "instance norm": lambda s, h: F.instance_norm(h.transpose(1, 2)).transpose(1, 2),
    "norm over tokens": lambda s, h: F.layer_norm(h.transpose(1, 2), (T,)).transpose(1, 2),
}
WEIGHTED: dict[str, tuple[Rule, tuple[int, ...]]] = {
    "learned matrix": (lambda s, h: s.m @ h, (T, T)),
    "learned einsum": (lambda s, h: torch.einsum("qp,bpj->bqj", s.m, h), (T, T)),
    "depthwise convolution": (
        lambda s, h: F.conv1d(h.transpose(1, 2), s.m, padding=1, groups=D).transpose(1, 2),
        (D, 1, 3),
    ),
    "table read in another order": (lambda s, h: s.m + F.embedding(torch.tensor([2, 1, 0]), s.m), (T, D)),
}


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("linear", [False, True])
def test_mixing_the_tokens_leaves_one_copy(name: str, linear: bool):
    made = net(MIXERS[name], hidden=(lambda x: x) if linear else torch.relu)
    sym = symmetries(made)
    assert largest_change(made, sym) < 1e-10, sym
    assert all(s.copies == 1 for s in sym.spaces if s.mixing.value and s.size == D), sym.spaces


@pytest.mark.parametrize("name", WEIGHTED)
def test_mixing_by_weights_leaves_one_copy(name: str):
    rule, shape = WEIGHTED[name]
    made = net(rule, m=shape)
    sym = symmetries(made)
    assert largest_change(made, sym) < 1e-10, sym
    assert all(s.copies == 1 for s in sym.spaces if s.mixing.value and s.size == D), sym.spaces


@pytest.mark.parametrize("name", ["flip", "roll", "index", "softmax over tokens", "instance norm"])
def test_without_a_residual(name: str):
    made = net(lambda s, h: MIXERS[name](s, h), residual=False)
    assert largest_change(made, symmetries(made)) < 1e-10


def test_read_twice_in_different_order():
    def rule(s: Any, x: Tensor) -> Tensor:
        h = torch.relu(each(x, s.w))
        return each(h, s.v) + each(h.flip(1), s.v)

    made = program(rule, (B, T, 4), w=(T, 4, D), v=(T, D, 2))
    assert largest_change(made, symmetries(made)) < 1e-10


KEEPERS: dict[str, Rule] = {
    "nothing": lambda s, h: h,
    "elementwise": lambda s, h: 2 * h + torch.relu(h),
    "softmax over units": lambda s, h: h.softmax(-1),
    "norm over units": lambda s, h: F.layer_norm(h, (D,)),
    "norm over all": lambda s, h: F.layer_norm(h, (T, D)),
    "views": lambda s, h: h.reshape(B, T * D).view(B, T, D),
}


@pytest.mark.parametrize("name", KEEPERS)
def test_otherwise_there_is_a_copy_per_token(name: str):
    made = net(KEEPERS[name])
    sym = symmetries(made)
    assert largest_change(made, sym) < 1e-10
    assert [s.copies for s in sym.spaces if s.size == D and s.mixing.value] == [T], sym.spaces


def test_the_outer_half_of_a_view_flipped():
    """Units (2 x 3) with the outer index flipped: the inner groups must agree."""
    made = program(
        lambda s, x: (lambda h: (h.view(3, 2, 3).flip(1).reshape(3, 6) + h) @ s.c)(torch.relu(x @ s.w)),
        (3, 4),
        w=(4, 6),
        c=(6, 2),
    )
    sym = symmetries(made)
    assert largest_change(made, sym) < 1e-10 and sym.dimension == 3


def test_indices_that_depend_on_weights():
    """x[i(h)]: an index computed from hidden units is not permuted with them."""
    made = program(
        lambda s, x: (
            (torch.index_select(s.t, 0, (torch.relu(s.a(x)).sum(0) > 1).long())).sum(1)
            @ torch.arange(5.0, dtype=torch.float64)
        ),
        (3, 4),
        a=lambda: nn.Linear(4, 5),
        t=(2, 3),
    )
    assert largest_change(made, symmetries(made)) < 1e-10


@pytest.mark.parametrize("p", [0, 1, 2, 3, float("inf")])
def test_norms_of_every_order(p: float):
    """p = 0 counts entries: it does not scale with its argument."""
    made = program(
        lambda s, x: torch.linalg.vector_norm(torch.relu(s.a(x)), p, dim=0) @ s.c,
        (3, 4),
        a=lambda: nn.Linear(4, 5),
        c=(5, 3),
    )
    sym = symmetries(made)
    assert largest_change(made, sym) < 1e-10 and sym.dimension == 5
