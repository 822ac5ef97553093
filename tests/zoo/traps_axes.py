"""Traps in axes: equal sizes everywhere, views, mixed axes, constants along a hidden axis."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .formula import formula

L = nn.Linear


def _attend(s: Any, x: Tensor, heads: int, inner: int) -> Tensor:
    b, t, _ = x.shape
    q, k, v = (part(x).view(b, t, heads, inner).permute(0, 2, 1, 3) for part in (s.q, s.k, s.v))
    return s.o(((q @ k.transpose(2, 3)).softmax(-1) @ v).permute(0, 2, 1, 3).reshape(b, t, heads * inner))


formula(
    "trap_all_twos",
    "batch = tokens = heads = head width = 2",
    lambda: {"q": L(4, 4), "k": L(4, 4), "v": L(4, 4), "o": L(4, 4)},
    lambda s, x: _attend(s, x, 2, 2),
    (2, 2, 4),
)
formula(
    "trap_all_fours",
    "tokens = width of a head = heads = 4, batch 4",
    lambda: {"q": L(16, 16), "k": L(16, 16), "v": L(16, 16), "o": L(16, 16)},
    lambda s, x: _attend(s, x, 4, 4),
    (4, 4, 16),
)
formula(
    "trap_square_mixer",
    "tokens = channels = batch = 3: which axis is which",
    lambda: {"a": L(3, 3), "c": L(3, 3), "b": L(3, 3)},
    lambda s, x: s.b(torch.tanh(s.c(torch.relu(s.a(x)).transpose(1, 2)))),
    (3, 3, 3),
)
formula(
    "trap_square_image",
    "channels = height = width = batch = 3, transposed in the middle",
    lambda: {"a": nn.Conv2d(3, 3, 3, padding=1), "b": nn.Conv2d(3, 3, 3, padding=1)},
    lambda s, x: s.b(torch.relu(s.a(x)).permute(0, 2, 1, 3)),
    (3, 3, 3, 3),
)
formula(
    "trap_batch_is_width",
    "batch = width = 4",
    lambda: {"a": L(4, 4), "b": L(4, 4)},
    lambda s, x: s.b(torch.relu(s.a(x))),
    (4, 4),
    axis=4,
    theory=4,
)
formula(
    "trap_view_other_factors",
    "12 units seen as 3 x 4, reduced over the 4, then 4 x 3",
    lambda: {"a": L(5, 12), "b": L(12, 2)},
    lambda s, x: s.b((torch.relu(s.a(x)).view(-1, 3, 4).cumsum(1)).reshape(-1, 4, 3).flip(1).reshape(-1, 12)),
    (2, 5),
)
formula(
    "trap_view_transposed",
    "4 x 3 units transposed to 3 x 4 and flattened",
    lambda: {"a": L(5, 12), "b": L(12, 2)},
    lambda s, x: s.b(torch.relu(s.a(x)).view(-1, 4, 3).transpose(1, 2).reshape(-1, 12)),
    (2, 5),
    axis=0,
    theory=12,
)
formula(
    "trap_shuffle",
    "channel shuffle between grouped layers",
    lambda: {"a": nn.Conv2d(4, 6, 1, groups=2), "c": nn.Conv2d(6, 6, 1, groups=3), "b": nn.Conv2d(6, 2, 1)},
    lambda s, x: s.b(torch.relu(s.c(torch.relu(s.a(x)).view(-1, 2, 3, 3, 3).transpose(1, 2).reshape(-1, 6, 3, 3)))),
    (2, 4, 3, 3),
)
formula(
    "trap_flip",
    "units meet their mirror image",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b((lambda h: torch.relu(h) + torch.tanh(h.flip(-1)))(s.a(x))),
)
formula(
    "trap_roll",
    "units meet their neighbour",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b((lambda h: h + torch.roll(h, 1, -1))(torch.relu(s.a(x)))),
)
formula(
    "trap_swap_halves",
    "cat of two halves swapped, added",
    lambda: {"a": L(3, 6), "b": L(6, 2)},
    lambda s, x: s.b((lambda h: h + torch.cat([h[:, 3:], h[:, :3]], 1))(torch.relu(s.a(x)))),
)
formula(
    "trap_halves_multiply",
    "one half times the other",
    lambda: {"a": L(3, 6), "b": L(3, 2)},
    lambda s, x: s.b((lambda h: h[:, :3] * h[:, 3:])(torch.relu(s.a(x)))),
)
formula(
    "trap_strided_slices",
    "even units times odd units",
    lambda: {"a": L(3, 6), "b": L(3, 2)},
    lambda s, x: s.b((lambda h: h[:, ::2] * torch.tanh(h[:, 1::2]))(s.a(x))),
)
formula(
    "trap_cat_with_itself",
    "the same units twice",
    lambda: {"a": L(3, 4), "b": L(8, 2)},
    lambda s, x: s.b((lambda h: torch.cat([h, h], 1))(torch.relu(s.a(x)))),
)
formula(
    "trap_cat_with_input",
    "hidden next to the input (skip)",
    lambda: {"a": L(3, 4), "b": L(7, 2)},
    lambda s, x: s.b(torch.cat([torch.relu(s.a(x)), x], 1)),
    theory=4,
)
formula(
    "trap_cat_then_norm",
    "two spaces under one layer norm",
    lambda: {"a": L(3, 4), "c": L(3, 2), "n": nn.LayerNorm(6), "b": L(6, 2)},
    lambda s, x: s.b(s.n(torch.cat([torch.relu(s.a(x)), s.c(x)], 1))),
)
formula(
    "trap_slice_one",
    "unit 0 is read apart",
    lambda: {"a": L(3, 4), "b": L(4, 2), "c": L(1, 2)},
    lambda s, x: (lambda h: s.b(h) + s.c(h[:, :1]))(torch.relu(s.a(x))),
)
formula(
    "trap_select_unit",
    "unit 2 gates everything",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: (lambda h: s.b(h * h[:, 2:3]))(torch.relu(s.a(x))),
)
formula(
    "trap_units_as_pixels",
    "hidden units convolved along their own axis",
    lambda: {"a": L(3, 6), "c": nn.Conv1d(1, 2, 3), "b": L(8, 2)},
    lambda s, x: s.b(torch.relu(s.c(torch.relu(s.a(x)).unsqueeze(1))).flatten(1)),
)
formula(
    "trap_pool_units",
    "hidden units pooled in pairs",
    lambda: {"a": L(3, 6), "b": L(3, 2)},
    lambda s, x: s.b(F.max_pool1d(torch.relu(s.a(x)).unsqueeze(1), 2).squeeze(1)),
)
formula(
    "trap_average_units",
    "hidden units averaged in pairs",
    lambda: {"a": L(3, 6), "b": L(3, 2)},
    lambda s, x: s.b(torch.tanh(F.avg_pool1d(torch.relu(s.a(x)).unsqueeze(1), 2).squeeze(1))),
)
formula(
    "trap_softmax_units",
    "softmax over the units: permutations, a common shift",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.softmax(s.a(x), -1)),
)
formula(
    "trap_normalize",
    "division by the length: orthogonal, not more",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(F.normalize(s.a(x), dim=-1)),
)
formula(
    "trap_norm_by_max",
    "division by the largest",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b((lambda h: h / (1.0 + h.abs().amax(-1, keepdim=True)))(s.a(x))),
)
formula(
    "trap_subtract_mean",
    "mean removed over units, tanh",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.tanh((lambda h: h - h.mean(-1, keepdim=True))(s.a(x)))),
)
formula(
    "trap_subtract_mean_linear",
    "mean removed over units, linear reader",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b((lambda h: h - h.mean(-1, keepdim=True))(s.a(x))),
)
formula(
    "trap_sum_units",
    "sum over units: permutations only",
    lambda: {"a": L(3, 4)},
    lambda s, x: torch.relu(s.a(x)).sum(-1, keepdim=True),
)
formula(
    "trap_gram",
    "x x^T: orthogonal, not general linear",
    lambda: {"a": L(3, 4), "b": L(5, 2)},
    lambda s, x: s.b((lambda h: h @ h.transpose(1, 2))(s.a(x))),
    (2, 5, 3),
)
formula(
    "trap_shared_query_key",
    "query and key share one weight: orthogonal inside",
    lambda: {"q": L(6, 4, False), "v": L(6, 4), "o": L(4, 3)},
    lambda s, x: s.o((s.q(x) @ s.q(x).transpose(1, 2)).softmax(-1) @ s.v(x)),
    (2, 5, 6),
)
formula(
    "trap_constant_metric",
    "q C k^T with a fixed matrix C",
    lambda: {"q": L(6, 3, False), "k": L(6, 3, False)},
    lambda s, x: s.q(x) @ torch.tensor([[1.0, 0.5, 0], [0, 1, 0], [0.2, 0, 2]], dtype=x.dtype) @ s.k(x).transpose(1, 2),
    (2, 5, 6),
)
formula(
    "trap_dot",
    "sum of products of two spaces",
    lambda: {"a": L(3, 4), "c": L(3, 4)},
    lambda s, x: (torch.relu(s.a(x)) * s.c(x)).sum(-1, keepdim=True),
)
formula(
    "trap_outer",
    "outer product of two spaces, flattened",
    lambda: {"a": L(3, 4), "c": L(3, 2), "b": L(8, 2)},
    lambda s, x: s.b((torch.relu(s.a(x))[:, :, None] * torch.tanh(s.c(x))[:, None, :]).flatten(1)),
)
formula(
    "trap_talking_heads",
    "scores mixed across heads by a weight",
    lambda: {"q": L(6, 6), "k": L(6, 6), "v": L(6, 6), "m": (2, 2), "o": L(6, 6)},
    lambda s, x: (
        lambda q, k, v: s.o(
            (torch.einsum("bhqk,hg->bgqk", q @ k.transpose(2, 3), s.m).softmax(-1) @ v)
            .transpose(1, 2)
            .reshape(-1, 5, 6)
        )
    )(*(p(x).view(-1, 5, 2, 3).transpose(1, 2) for p in (s.q, s.k, s.v))),
    (2, 5, 6),
)
formula(
    "trap_softmax_over_heads",
    "softmax across heads instead of keys",
    lambda: {"q": L(6, 6), "k": L(6, 6), "v": L(6, 6), "o": L(6, 6)},
    lambda s, x: (lambda q, k, v: s.o(((q @ k.transpose(2, 3)).softmax(1) @ v).transpose(1, 2).reshape(-1, 5, 6)))(
        *(p(x).view(-1, 5, 2, 3).transpose(1, 2) for p in (s.q, s.k, s.v))
    ),
    (2, 5, 6),
)
formula(
    "trap_heads_inside",
    "head width outside, heads inside the packed axis",
    lambda: {"q": L(6, 6), "k": L(6, 6), "v": L(6, 6), "o": L(6, 6)},
    lambda s, x: (lambda q, k, v: s.o(((q @ k.transpose(2, 3)).softmax(-1) @ v).permute(0, 2, 3, 1).reshape(2, 5, 6)))(
        *(p(x).view(2, 5, 3, 2).permute(0, 3, 1, 2) for p in (s.q, s.k, s.v))
    ),
    (2, 5, 6),
)
