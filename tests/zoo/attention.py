"""Attention layers written by hand: explicit softmax, SDPA, fused qkv, cross, linear, biased scores.

Width d, h heads of d_h with h d_h = d. Inside a head the query and key share GL(d_h), so do value and
output: 2 h d_h^2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo

D, H, DH, VOCABULARY, TOKENS = 6, 2, 3, 17, 5
HEADS = (SpaceFact(H), SpaceFact(DH, "general_linear", copies=H))


class Attention(nn.Module):
    """Multi-head self-attention; `fused` packs q, k, v in one matrix, `sdpa` uses torch's kernel, `causal` masks."""

    def __init__(self, *, fused: bool = False, sdpa: bool = False, causal: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.fused, self.sdpa, self.causal = fused, sdpa, causal
        if fused:
            self.qkv = nn.Linear(D, 3 * D, bias)
        else:
            self.q, self.k, self.v = nn.Linear(D, D, bias), nn.Linear(D, D, bias), nn.Linear(D, D, bias)
        self.o = nn.Linear(D, D, bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        parts = self.qkv(x).split(D, -1) if self.fused else (self.q(x), self.k(x), self.v(x))
        q, k, v = (part.view(batch, tokens, H, DH).transpose(1, 2) for part in parts)
        if self.sdpa:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            scores = q @ k.transpose(-1, -2) / DH**0.5
            if self.causal:
                keep = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).tril()
                scores = scores.masked_fill(~keep, float("-inf"))
            y = scores.softmax(-1) @ v
        return self.o(y.transpose(1, 2).reshape(batch, tokens, D))


def tokens() -> tuple[Tensor]:
    return (torch.randint(0, VOCABULARY, (2, TOKENS)),)


def features() -> tuple[Tensor]:
    return (torch.randn(2, TOKENS, D),)


# Query against key, value against output: 36. Key bias (6) is invisible, value bias (6) goes into the output bias.
@zoo("attention_softmax", 36, theory=36, total=36 + 12, spaces=HEADS, source="2 h d_h^2; key and value bias", wide=1.0)
def attention_softmax() -> tuple[nn.Module, Inputs]:
    return Attention(), features()


@zoo("attention_sdpa", 36, theory=36, total=36 + 12, spaces=HEADS, source="as softmax written out", wide=1.0)
def attention_sdpa() -> tuple[nn.Module, Inputs]:
    return Attention(sdpa=True), features()


@zoo(
    "attention_fused_causal", 36, theory=36, total=36 + 12, spaces=HEADS, source="split of one packed matrix", wide=1.0
)
def attention_fused_causal() -> tuple[nn.Module, Inputs]:
    return Attention(fused=True, causal=True), features()


@zoo("attention_sdpa_causal", 36, theory=36, total=36, spaces=HEADS, source="no biases, causal", wide=1.0)
def attention_sdpa_causal() -> tuple[nn.Module, Inputs]:
    return Attention(sdpa=True, causal=True, bias=False), features()


@zoo(
    "attention_module",
    36,
    theory=36,
    total=48,
    spaces=HEADS,
    source="nn.MultiheadAttention, packed projection",
    wide=1.0,
)
def attention_module() -> tuple[nn.Module, Inputs]:
    class SelfAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(D, H, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x, need_weights=False)[0]

    return SelfAttention(), features()


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another of another length and width."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = nn.Linear(D, D), nn.Linear(4, D), nn.Linear(4, D), nn.Linear(D, D)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q = self.q(x).unflatten(-1, (H, DH)).transpose(1, 2)
        k = self.k(memory).unflatten(-1, (H, DH)).transpose(1, 2)
        v = self.v(memory).unflatten(-1, (H, DH)).transpose(1, 2)
        y = torch.einsum("bhqk,bhkd->bqhd", torch.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k), -1), v)
        return self.o(y.flatten(-2))


@zoo(
    "attention_cross", 36, theory=36, total=48, spaces=HEADS, source="own QK, VO, key and value bias; einsum", wide=1.0
)
def attention_cross() -> tuple[nn.Module, Inputs]:
    return CrossAttention(), (torch.randn(2, TOKENS, D), torch.randn(2, 7, 4))


class LinearAttention(nn.Module):
    """q (k^T v) without softmax: GL on both inner spaces, and a scalar between the two products and each head."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(D, D, False), nn.Linear(D, D, False)
        self.v, self.o = nn.Linear(D, D, False), nn.Linear(D, D, False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (H, DH)).transpose(1, 2) for part in (self.q, self.k, self.v))
        return self.o((q @ (k.transpose(-1, -2) @ v)).transpose(1, 2).flatten(-2))


# q k^T has charge c, v o charge -c: one more scalar per head.
@zoo(
    "attention_linear", 36, theory=36 + 2, spaces=HEADS, source="no softmax: 2 h d_h^2 and one scale per head", wide=1.0
)
def attention_linear() -> tuple[nn.Module, Inputs]:
    return LinearAttention(), features()


class ReluAttention(nn.Module):
    """relu(score)^2 attention: q by a, W_o by 1 / a^2 (charge two through a product of two spaces)."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(D, D, False), nn.Linear(D, D, False)
        self.v, self.o = nn.Linear(D, D, False), nn.Linear(D, D, False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (H, DH)).transpose(1, 2) for part in (self.q, self.k, self.v))
        return self.o((torch.relu(q @ k.transpose(-1, -2)).square() @ v).transpose(1, 2).flatten(-2))


@zoo(
    "attention_relu_squared",
    36,
    theory=36 + 2,
    spaces=HEADS,
    source="2 h d_h^2 and one positive scale per head",
    wide=1.0,
)
def attention_relu_squared() -> tuple[nn.Module, Inputs]:
    return ReluAttention(), features()


class BiasedAttention(nn.Module):
    """Scores with a bias per head: a trained table (travels with the heads) or literal slopes (freeze the heads)."""

    def __init__(self, *, trained: bool) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(D, D, False), nn.Linear(D, D, False)
        self.v, self.o = nn.Linear(D, D, False), nn.Linear(D, D, False)
        self.table = nn.Embedding(TOKENS, H) if trained else None

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (H, DH)).transpose(1, 2) for part in (self.q, self.k, self.v))
        steps = torch.arange(TOKENS)
        distance = (steps[:, None] - steps[None]).abs()
        if self.table is not None:
            bias = self.table(distance).permute(2, 0, 1)
        else:
            bias = -distance * torch.tensor([0.5, 0.25], dtype=x.dtype)[:, None, None]
        y = (q @ k.transpose(-1, -2) + bias).softmax(-1) @ v
        return self.o(y.transpose(1, 2).flatten(-2))


@zoo(
    "attention_position_table",
    36,
    theory=36,
    total=36 + H,
    spaces=HEADS,
    source="T5: h per relative table (softmax shift)",
    wide=1.0,
)
def attention_position_table() -> tuple[nn.Module, Inputs]:
    return BiasedAttention(trained=True), features()


# Slopes differ, so the heads may not be exchanged; inside each head the general linear group stays.
@zoo(
    "attention_alibi",
    36,
    theory=36,
    spaces=(SpaceFact(DH, "general_linear"),),
    source="ALiBi slopes freeze the heads",
    wide=1.0,
)
def attention_alibi() -> tuple[nn.Module, Inputs]:
    return BiasedAttention(trained=False), features()
