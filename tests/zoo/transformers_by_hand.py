"""Whole transformers by hand, L layers with hidden width m: encoders, GPT-2-, BERT-, ViT- and Mixer-like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import DH, HEADS, TOKENS, VOCABULARY, Attention, D, H, features, tokens
from .case import Inputs, SpaceFact, zoo

M, LAYERS = 10, 2


# Post norm: gains are visible, the output norm freezes the stream. relu: m.
@zoo("encoder_layer_post", 36 + M, theory=36 + M, spaces=HEADS, source="post-LN block: 2 h d_h^2, relu m")
def encoder_layer_post() -> tuple[nn.Module, Inputs]:
    return nn.TransformerEncoderLayer(D, H, M, batch_first=True), features()


# Pre norm: + 2 d gains into their readers.
@zoo("encoder_layer_pre", 36 + M, theory=36 + M + 2 * D, spaces=HEADS, source="pre-LN block: 2 h d_h^2 + 2 d, relu m")
def encoder_layer_pre() -> tuple[nn.Module, Inputs]:
    return nn.TransformerEncoderLayer(D, H, M, batch_first=True, norm_first=True), features()


@zoo(
    "encoder_stack",
    72,
    theory=None,
    spaces=(*HEADS, SpaceFact(M)),
    source="two post-LN layers, gelu, linear ends",
    heavy=True,
)
def encoder_stack() -> tuple[nn.Module, Inputs]:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(D, H, M, activation="gelu", batch_first=True)
            self.inp, self.body, self.out = nn.Linear(4, D), nn.TransformerEncoder(layer, 2), nn.Linear(D, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.body(self.inp(x)).mean(1))

    return Encoder(), (torch.randn(2, TOKENS, 4),)


@zoo(
    "decoder_layer",
    72 + M,
    theory=72 + M,
    spaces=HEADS,
    source="self and cross attention, post norm, relu m",
    heavy=True,
)
def decoder_layer() -> tuple[nn.Module, Inputs]:
    return nn.TransformerDecoderLayer(D, H, M, batch_first=True), (torch.randn(2, TOKENS, D), torch.randn(2, 7, D))


class Block(nn.Module):
    """A transformer block; `post` puts the norms after the sums."""

    def __init__(self, attention: Attention, *, post: bool) -> None:
        super().__init__()
        self.attention, self.post = attention, post
        self.norm_a, self.norm_b = nn.LayerNorm(D), nn.LayerNorm(D)
        self.up, self.down = nn.Linear(D, M), nn.Linear(M, D)

    def forward(self, x: Tensor) -> Tensor:
        if self.post:
            x = self.norm_a(x + self.attention(x))
            return self.norm_b(x + self.down(F.gelu(self.up(x))))
        x = x + self.attention(self.norm_a(x))
        return x + self.down(F.gelu(self.up(self.norm_b(x)), approximate="tanh"))


class Gpt(nn.Module):
    """Token and position tables, pre-norm blocks with fused qkv, final norm, head (tied to the token table or not)."""

    def __init__(self, *, tied: bool, sdpa: bool) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, D), nn.Embedding(TOKENS, D)
        self.blocks = nn.ModuleList(
            Block(Attention(fused=True, sdpa=sdpa, causal=True), post=False) for _ in range(LAYERS)
        )
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, VOCABULARY, bias=False)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


GPT_AXIS = LAYERS * (2 * H * DH**2 + 2 * D)
GPT_TOTAL = LAYERS * (2 * H * DH**2 + 10 * D + 2 * M + 2)


@zoo(
    "gpt2_like_tied",
    LAYERS * 36,
    theory=GPT_AXIS,
    total=GPT_TOTAL + TOKENS,
    spaces=(*HEADS, SpaceFact(M)),
    source="pre-LN block formula, tied head + T",
    heavy=True,
)
def gpt2_like_tied() -> tuple[nn.Module, Inputs]:
    return Gpt(tied=True, sdpa=False), tokens()


# Untied head: the base model (V + T + d - 1 added) + 2 d + (d - 1)(d - 2) / 2; of it axis d and the rotation.
@zoo(
    "gpt2_like_untied",
    LAYERS * 36,
    theory=GPT_AXIS + D + (D - 1) * (D - 2) // 2,
    total=GPT_TOTAL + VOCABULARY + TOKENS + D - 1 + 2 * D + (D - 1) * (D - 2) // 2,
    spaces=(*HEADS, SpaceFact(M)),
    source="pre-LN block formula, untied head (a head without bias keeps the norm's bias)",
    heavy=True,
)
def gpt2_like_untied() -> tuple[nn.Module, Inputs]:
    return Gpt(tied=False, sdpa=True), tokens()


class Bert(nn.Module):
    """Token, position and type tables, norm, post-norm blocks, pooler (tanh) and classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions, self.norm = nn.Embedding(VOCABULARY, D), nn.Embedding(TOKENS, D), nn.LayerNorm(D)
        self.types = nn.Embedding(2, D)
        self.blocks = nn.ModuleList(Block(Attention(), post=True) for _ in range(LAYERS))
        self.pooler, self.classifier = nn.Linear(D, D), nn.Linear(D, 3)

    def forward(self, ids: Tensor, types: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]] + self.types(types)
        x = self.norm(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


@zoo(
    "bert_like",
    LAYERS * 36,
    theory=None,
    spaces=(*HEADS, SpaceFact(M), SpaceFact(D, scaling="sign")),
    source="post-LN block, axis 2 h d_h^2; pooler tanh",
    heavy=True,
)
def bert_like() -> tuple[nn.Module, Inputs]:
    return Bert(), (*tokens(), torch.randint(0, 2, (2, TOKENS)))


class VisionTransformer(nn.Module):
    """Patches by a convolution, class token, positions, pre-norm blocks, norm, head."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, D, 2, 2), nn.Parameter(torch.randn(1, 1, D))
        self.positions = nn.Parameter(torch.randn(1, 10, D))
        self.blocks = nn.ModuleList(Block(Attention(sdpa=True), post=False) for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


@zoo(
    "vit_like",
    LAYERS * 36,
    theory=GPT_AXIS + D + (D - 1) * (D - 2) // 2,
    spaces=(*HEADS, SpaceFact(M)),
    source="pre-LN block formula, untied head",
    heavy=True,
)
def vit_like() -> tuple[nn.Module, Inputs]:
    return VisionTransformer(), (torch.randn(2, 3, 6, 6),)


class Mixer(nn.Module):
    """MLP-Mixer: one block mixing tokens, then channels, both pre-norm."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.out = nn.Linear(7, D), nn.Linear(D, 3)
        self.norms = nn.ModuleList(nn.LayerNorm(D) for _ in range(3))
        self.token_up, self.token_down = nn.Linear(TOKENS, 7), nn.Linear(7, TOKENS)
        self.up, self.down = nn.Linear(D, M), nn.Linear(M, D)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        y = self.norms[0](x).transpose(1, 2)
        x = x + self.token_down(F.gelu(self.token_up(y))).transpose(1, 2)
        x = x + self.down(F.gelu(self.up(self.norms[1](x))))
        return self.out(self.norms[2](x).mean(1))


# Token mixing is diagonal in the channels, so the first norm's gain is visible but for what the stream allows.
@zoo("mixer_like", 0, spaces=(SpaceFact(7), SpaceFact(M)), source="gelu units permute; floor 0")
def mixer_like() -> tuple[nn.Module, Inputs]:
    return Mixer(), (torch.randn(2, TOKENS, 7),)
