"""Traps: tied and reused weights, broadcasts, padding, norms in odd places, reductions over units, unused weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .formula import formula

L = nn.Linear

formula(
    "trap_reused_square",
    "y = W relu(W x): the input pins the columns",
    lambda: {"w": L(4, 4)},
    lambda s, x: s.w(torch.relu(s.w(x))),
    (2, 4),
    theory=0,
)
formula(
    "trap_recurrent_input",
    "h <- relu(W h) started at the input",
    lambda: {"w": L(4, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.relu(s.w(torch.relu(s.w(x))))),
    (2, 4),
    theory=0,
)
formula(
    "trap_recurrent_free",
    "h <- relu(W h) started at a linear map",
    lambda: {"a": L(3, 4), "w": L(4, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.relu(s.w(torch.relu(s.w(s.a(x)))))),
    theory=4,
)
formula(
    "trap_shared_siamese",
    "one weight on two inputs, absolute difference",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x, y: s.b((torch.relu(s.a(x)) - torch.relu(s.a(y))).abs()),
    (2, 3),
    (2, 3),
    theory=4,
)
formula(
    "trap_tied_transpose_mlp",
    "W2 = W1^T with a relu and a second free reader",
    lambda: {"w": (4, 3), "b": L(4, 2)},
    lambda s, x: torch.cat([torch.relu(x @ s.w.T) @ s.w, s.b(torch.relu(x @ s.w.T))], 1),
    theory=0,
)
formula(
    "trap_residual_on_input",
    "x + W2 relu(W1 x)",
    lambda: {"a": L(3, 4), "b": L(4, 3)},
    lambda s, x: x + s.b(torch.relu(s.a(x))),
    theory=4,
)
formula(
    "trap_broadcast_scalar",
    "one unit added to every unit of a space",
    lambda: {"a": L(3, 1), "c": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.relu(torch.relu(s.a(x)) + s.c(x))),
)
formula(
    "trap_broadcast_gate",
    "one unit times every unit",
    lambda: {"a": L(3, 1), "c": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.relu(s.a(x)) * torch.relu(s.c(x))),
)
formula(
    "trap_pad_ones",
    "padding by the constant one",
    lambda: {"a": nn.Conv2d(2, 3, 3), "b": nn.Conv2d(3, 2, 3)},
    lambda s, x: s.b(F.pad(torch.relu(s.a(x)), (1, 1, 1, 1), value=1.0)),
    (2, 2, 5, 5),
    theory=0,
)
formula(
    "trap_pad_zeros",
    "padding by zero",
    lambda: {"a": nn.Conv2d(2, 3, 3), "b": nn.Conv2d(3, 2, 3)},
    lambda s, x: s.b(F.pad(torch.relu(s.a(x)), (1, 1, 1, 1))),
    (2, 2, 5, 5),
    theory=3,
)
formula(
    "trap_pad_units",
    "zero padding along the units",
    lambda: {"a": L(3, 4), "b": L(6, 2)},
    lambda s, x: s.b(F.pad(torch.relu(s.a(x)), (1, 1))),
)
formula(
    "trap_stack",
    "two spaces stacked, maximum over the stack",
    lambda: {"a": L(3, 4), "c": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.stack([s.a(x), s.c(x)], 1).amax(1)),
)
formula(
    "trap_group_norm_neighbours",
    "group norm ties neighbours, relu",
    lambda: {"a": L(3, 6), "n": nn.GroupNorm(3, 6), "b": L(6, 2)},
    lambda s, x: s.b(torch.relu(s.n(s.a(x)))),
)
formula(
    "trap_norm_tokens_too",
    "layer norm over tokens and width",
    lambda: {"a": L(3, 4), "n": nn.LayerNorm([5, 4]), "b": L(4, 2)},
    lambda s, x: s.b(s.n(s.a(x))),
    (2, 5, 3),
)
formula(
    "trap_batchnorm_plain",
    "batch norm without gain, then tanh",
    lambda: {"a": L(3, 4), "n": nn.BatchNorm1d(4, affine=False), "b": L(4, 2)},
    lambda s, x: s.b(torch.tanh(s.n(s.a(x)))),
)
formula(
    "trap_batchnorm_stream",
    "batch norm on a linear stream read twice",
    lambda: {"a": L(3, 4), "n": nn.BatchNorm1d(4), "c": L(4, 4), "b": L(4, 2)},
    lambda s, x: (lambda h: s.b(h + s.c(s.n(h))))(s.a(x)),
)
formula(
    "trap_layernorm_shared",
    "one layer norm used at two places",
    lambda: {"a": L(3, 4), "n": nn.LayerNorm(4), "c": L(4, 4), "b": L(4, 2)},
    lambda s, x: s.b(s.n(s.c(torch.relu(s.n(s.a(x)))))),
)
formula(
    "trap_position_waves",
    "fixed sines added to a linear stream",
    lambda: {"a": L(3, 4), "b": L(4, 2)},
    lambda s, x: s.b(torch.relu(s.a(x) + torch.sin(torch.arange(20, dtype=x.dtype)).view(5, 4))),
    (2, 5, 3),
)
formula(
    "trap_distance",
    "pairwise distance between two embedded inputs: orthogonal",
    lambda: {"a": L(3, 4)},
    lambda s, x, y: ((s.a(x) - s.a(y)) ** 2).sum(-1, keepdim=True),
    (2, 3),
    (2, 3),
)
formula("trap_variance", "variance over the units", lambda: {"a": L(3, 4)}, lambda s, x: s.a(x).var(-1, keepdim=True))
formula(
    "trap_logsumexp",
    "log sum exp over the units",
    lambda: {"a": L(3, 4)},
    lambda s, x: torch.logsumexp(s.a(x), -1, keepdim=True),
)
formula(
    "trap_arg",
    "the index of the largest unit chooses an output",
    lambda: {"a": L(3, 4), "t": nn.Embedding(4, 2)},
    lambda s, x: s.t(s.a(x).argmax(-1)),
)
formula(
    "trap_bilinear_upsample",
    "resized hidden image",
    lambda: {"a": nn.Conv2d(2, 3, 3), "b": nn.Conv2d(3, 2, 1)},
    lambda s, x: s.b(F.interpolate(torch.relu(s.a(x)), scale_factor=2.0, mode="bilinear")),
    (2, 2, 5, 5),
)
formula(
    "trap_dilated_transposed",
    "grouped transposed convolution",
    lambda: {"a": nn.Conv2d(2, 4, 3), "c": nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), "b": nn.Conv2d(6, 2, 1)},
    lambda s, x: s.b(torch.relu(s.c(torch.relu(s.a(x))))),
    (2, 2, 5, 5),
)
formula(
    "trap_unused",
    "weights that the graph never reads are no symmetric space: 4 relu units and nothing else",
    lambda: {"a": L(3, 4), "b": L(4, 2), "spare": L(5, 6), "alone": (3, 3)},
    lambda s, x: s.b(torch.relu(s.a(x))),
    axis=4,
    theory=4,
)
