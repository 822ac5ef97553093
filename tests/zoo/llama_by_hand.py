"""A llama-like model by hand: grouped queries, rotary, RMS norms (with and without float32 casts), SwiGLU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import TOKENS, VOCABULARY, D, tokens
from .case import Inputs, SpaceFact, zoo

M = 10


class RmsNorm(nn.Module):
    """gain * x / sqrt(mean(x^2) + eps)."""

    def __init__(self, width: int, *, cast: bool) -> None:
        super().__init__()
        self.gain, self.cast, self.eps = nn.Parameter(torch.ones(width)), cast, 0.1

    def forward(self, x: Tensor) -> Tensor:
        y = x.float() if self.cast else x
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.gain * y.to(x.dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary embedding in the rotate-half convention."""
    a, b = x.chunk(2, -1)
    return x * cosine + torch.cat([-b, a], -1) * sine


class LlamaLike(nn.Module):
    """One layer: grouped queries (4 heads of 2, 2 key-value heads), rotary, RMS norms, SwiGLU, untied head."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, *, cast: bool) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(VOCABULARY, D), nn.Linear(D, VOCABULARY, bias=False)
        self.norms = nn.ModuleList(RmsNorm(D, cast=cast) for _ in range(3))
        self.q, self.k, self.v = nn.Linear(D, 16, False), nn.Linear(D, 8, False), nn.Linear(D, 8, False)
        self.o = nn.Linear(16, D, False)
        self.gate, self.up, self.down = nn.Linear(D, M, False), nn.Linear(D, M, False), nn.Linear(M, D, False)
        angle = torch.arange(TOKENS)[:, None] * torch.tensor([1.0, 0.37])
        self.register_buffer("cosine", torch.cat([angle, angle], -1).cos(), persistent=False)
        self.register_buffer("sine", torch.cat([angle, angle], -1).sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.table(ids)
        y = self.norms[0](x)
        q, k, v = (part(y).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = rotate(q, self.cosine, self.sine), rotate(k, self.cosine, self.sine)
        k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).flatten(-2))
        y = self.norms[1](x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.head(self.norms[2](x))


# n_kv (d_h + d_h^2) + 2 d + m per layer, untied + d + d (d - 1) / 2; floor: value against output, SwiGLU.
LLAMA = 2 * (4 + 16) + 2 * D + M + D + D * (D - 1) // 2


@zoo(
    "llama_like",
    2 * 16 + M,
    theory=LLAMA,
    total=LLAMA,
    spaces=(SpaceFact(2), SpaceFact(4, "general_linear", copies=2)),
    source="llama block formula",
    heavy=True,
)
def llama_like() -> tuple[nn.Module, Inputs]:
    return LlamaLike(cast=False), tokens()


@zoo(
    "llama_like_cast",
    2 * 16 + M,
    theory=LLAMA,
    total=LLAMA,
    spaces=(SpaceFact(2), SpaceFact(M, scaling="nonzero")),
    source="llama block formula, norms cast to float32 inside",
    heavy=True,
)
def llama_like_cast() -> tuple[nn.Module, Inputs]:
    return LlamaLike(cast=True), tokens()
