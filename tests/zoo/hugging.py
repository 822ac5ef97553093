"""Tiny random-config models of the transformers package: d = 8, 2 heads of 4, hidden 10, 2 layers, 17 tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .case import Inputs, SpaceFact, zoo

D, H, DH, M, LAYERS, VOCABULARY, TOKENS = 8, 2, 4, 10, 2, 17, 5
QK_VO = LAYERS * 2 * H * DH**2
VO = LAYERS * H * DH**2
HEADS = (SpaceFact(H), SpaceFact(DH, "general_linear", copies=H), SpaceFact(M))
UNITS = (SpaceFact(M),)
GENERIC = {"use_cache": False, "vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
BERT = {
    **GENERIC, "hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": H, "intermediate_size": M,
    "max_position_embeddings": TOKENS + 2, "type_vocab_size": 2, "num_labels": 3,
}  # fmt: skip
LLAMA = {
    **GENERIC, "hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": DH, "intermediate_size": M, "max_position_embeddings": 16, "tie_word_embeddings": False,
}  # fmt: skip


class Logits(nn.Module):
    """The one tensor that a user reads: the logits (or the mean state through a linear head)."""

    def __init__(self, model: nn.Module, head: nn.Module | None = None, argument: str = "input_ids") -> None:
        super().__init__()
        self.model, self.head, self.argument = model, head, argument

    def forward(self, x: Tensor) -> Tensor:
        out: Any = self.model(**{self.argument: x})
        if self.head is not None:
            return self.head(out.last_hidden_state.mean(1))
        return out.logits if hasattr(out, "logits") else out[0]


def _tokens() -> Inputs:
    return (torch.randint(2, VOCABULARY, (2, TOKENS)),)


def _image() -> Inputs:
    return (torch.randn(2, 3, 6, 6),)


def _hf(
    name: str,
    model: str,
    settings: dict[str, Any],
    axis: int,
    *,
    theory: int | None = None,
    total: int | None = None,
    spaces: tuple[SpaceFact, ...] = UNITS,
    source: str,
    head: bool = False,
    inputs: Callable[[], Inputs] = _tokens,
    argument: str = "input_ids",
    attention: str = "eager",
) -> None:
    @zoo(f"hf_{name}", axis, theory=theory, total=total, spaces=spaces, source=source, heavy=True)
    def build() -> tuple[nn.Module, Inputs]:
        import transformers

        kind = getattr(transformers, model)
        config = kind.config_class(**settings)
        config._attn_implementation = attention
        config.return_dict = True
        network = kind(config)
        return Logits(network, nn.Linear(D, 3) if head else None, argument), inputs()


GPT2 = {**GENERIC, "n_embd": D, "n_layer": LAYERS, "n_head": H, "n_inner": M, "n_positions": TOKENS, "num_labels": 3}
PRE = QK_VO + LAYERS * 2 * D
ROTATION = (D - 1) * (D - 2) // 2
_hf(
    "gpt2",
    "GPT2LMHeadModel",
    GPT2,
    QK_VO,
    theory=PRE,
    total=LAYERS * (64 + 10 * D + 2 * M + 2) + TOKENS,
    spaces=HEADS,
    source="pre-LN block, tied head + T",
)
_hf(
    "gpt2_sdpa",
    "GPT2LMHeadModel",
    {**GPT2, "tie_word_embeddings": False},
    QK_VO,
    theory=PRE + D + ROTATION,
    spaces=HEADS,
    source="pre-LN block, untied",
    attention="sdpa",
)
_hf(
    "gpt_neo",
    "GPTNeoForCausalLM",
    {
        **GENERIC,
        "hidden_size": D,
        "num_layers": 2,
        "num_heads": H,
        "intermediate_size": M,
        "max_position_embeddings": 7,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 3,
    },
    QK_VO,
    theory=PRE,
    spaces=HEADS,
    source="pre-LN block, local attention, tied",
)
_hf(
    "opt",
    "OPTForCausalLM",
    {
        **GENERIC,
        "hidden_size": D,
        "word_embed_proj_dim": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": H,
        "ffn_dim": M,
        "max_position_embeddings": 7,
    },
    QK_VO + LAYERS * M,
    theory=PRE + LAYERS * M,
    spaces=HEADS,
    source="pre-LN block + m (relu)",
)
_hf("bert", "BertForMaskedLM", BERT, QK_VO, spaces=HEADS, source="post-LN block: axis 2 h d_h^2")
_hf(
    "bert_classifier",
    "BertForSequenceClassification",
    BERT,
    QK_VO,
    spaces=HEADS,
    source="post-LN block, pooler",
    attention="sdpa",
)
_hf(
    "roberta",
    "RobertaForSequenceClassification",
    {**BERT, "pad_token_id": 1},
    QK_VO,
    spaces=HEADS,
    source="post-LN block, position ids by cumulated mask",
)
_hf(
    "electra",
    "ElectraForSequenceClassification",
    {**BERT, "embedding_size": 6},
    QK_VO,
    spaces=HEADS,
    source="post-LN block",
)
_hf(
    "distilbert",
    "DistilBertForSequenceClassification",
    {
        **GENERIC,
        "dim": D,
        "n_layers": LAYERS,
        "n_heads": H,
        "hidden_dim": M,
        "max_position_embeddings": TOKENS,
        "num_labels": 3,
    },
    QK_VO,
    spaces=HEADS,
    source="post-LN block",
)
_hf(
    "albert",
    "AlbertForSequenceClassification",
    {**BERT, "embedding_size": 4, "num_hidden_groups": 1},
    2 * H * DH**2,
    spaces=HEADS,
    source="shared layers: one block's 2 h d_h^2",
)
# ALiBi slopes differ per head: no permutation of heads, but general linear maps inside each.
_hf(
    "bloom",
    "BloomForCausalLM",
    {**GENERIC, "hidden_size": D, "n_layer": LAYERS, "n_head": H},
    QK_VO,
    theory=PRE,
    spaces=(SpaceFact(DH, "general_linear"), SpaceFact(4 * D)),
    source="pre-LN block, ALiBi freezes the heads",
)
_hf(
    "llama",
    "LlamaForCausalLM",
    LLAMA,
    LAYERS * (2 * DH**2 + M),
    theory=168,
    total=168,
    spaces=(SpaceFact(2), SpaceFact(DH, "general_linear", copies=2), SpaceFact(M, scaling="nonzero")),
    source="n_kv (d_h + d_h^2) + 2 d + m per layer, + d + d (d - 1) / 2; floor: VO and SwiGLU",
)
_hf(
    "llama_sdpa",
    "LlamaForCausalLM",
    {**LLAMA, "tie_word_embeddings": True},
    LAYERS * (2 * DH**2 + M),
    theory=132,
    total=132,
    spaces=(SpaceFact(2), SpaceFact(M, scaling="nonzero")),
    source="llama block, tied: no rotation",
    attention="sdpa",
)
_hf(
    "qwen2",
    "Qwen2ForCausalLM",
    LLAMA,
    LAYERS * (2 * DH**2 + M),
    theory=168,
    spaces=(SpaceFact(2), SpaceFact(M, scaling="nonzero")),
    source="as llama; biases of q, k, v transform along",
)
_hf(
    "qwen3",
    "Qwen3ForCausalLM",
    LLAMA,
    LAYERS * (2 * DH**2 + M),
    theory=LAYERS * (2 + 32 + 16 + 10) + 8 + 28,
    spaces=(SpaceFact(2), SpaceFact(M, scaling="nonzero")),
    source="norm on q, k: d_h / 2 per layer instead of n_kv d_h",
)
_hf(
    "mistral",
    "MistralForCausalLM",
    {**LLAMA, "sliding_window": 3},
    LAYERS * (2 * DH**2 + M),
    theory=168,
    spaces=(SpaceFact(2), SpaceFact(M, scaling="nonzero")),
    source="as llama, sliding window mask",
)
_hf(
    "gemma",
    "GemmaForCausalLM",
    LLAMA,
    LAYERS * 2 * DH**2,
    spaces=(SpaceFact(2), SpaceFact(M)),
    source="gain 1 + w, tanh-gelu gate",
)
_hf(
    "gpt_neox",
    "GPTNeoXForCausalLM",
    {
        **GENERIC,
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": H,
        "intermediate_size": M,
        "rotary_pct": 0.5,
        "max_position_embeddings": 16,
    },
    VO,
    theory=LAYERS * (H * (16 + 2 + 4) + 2 * D) + D + ROTATION,
    spaces=(SpaceFact(H), SpaceFact(M)),
    source="partial rotary 2 of 4: r + (d_h - r)^2 per head; parallel residual",
)
_hf(
    "phi",
    "PhiForCausalLM",
    {
        **GENERIC,
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": H,
        "intermediate_size": M,
        "partial_rotary_factor": 0.5,
        "max_position_embeddings": 16,
    },
    VO,
    spaces=(SpaceFact(H), SpaceFact(M)),
    source="partial rotary, parallel residual, one norm",
)
_hf(
    "gptj",
    "GPTJForCausalLM",
    {**GENERIC, "n_embd": D, "n_layer": LAYERS, "n_head": H, "n_inner": M, "rotary_dim": 2, "n_positions": 16},
    VO,
    spaces=(SpaceFact(H), SpaceFact(M)),
    source="interleaved rotary 2 of 4, parallel residual",
)
_hf(
    "t5_encoder",
    "T5EncoderModel",
    {
        **GENERIC,
        "d_model": D,
        "d_kv": DH,
        "d_ff": M,
        "num_layers": LAYERS,
        "num_heads": H,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 10,
        "feed_forward_proj": "relu",
    },
    QK_VO + LAYERS * M,
    spaces=HEADS,
    source="no scale, table of relative positions on the heads, relu m",
    head=True,
)
_hf(
    "mt5_encoder",
    "MT5EncoderModel",
    {
        **GENERIC,
        "d_model": D,
        "d_kv": DH,
        "d_ff": M,
        "num_layers": LAYERS,
        "num_heads": H,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 10,
        "feed_forward_proj": "gated-gelu",
    },
    QK_VO + LAYERS * M,
    spaces=HEADS,
    source="gated gelu: m nonzero scales per layer",
    head=True,
)
_hf(
    "vit",
    "ViTForImageClassification",
    {
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": H,
        "intermediate_size": M,
        "image_size": 6,
        "patch_size": 2,
        "num_labels": 3,
    },
    QK_VO,
    theory=PRE + D + ROTATION,
    spaces=HEADS,
    source="pre-LN block, untied",
    inputs=_image,
    argument="pixel_values",
)
_hf(
    "clip_text",
    "CLIPTextModelWithProjection",
    {
        **GENERIC,
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": H,
        "intermediate_size": M,
        "max_position_embeddings": TOKENS,
        "projection_dim": 5,
    },
    QK_VO,
    theory=PRE + D + ROTATION,
    spaces=HEADS,
    source="pre-LN block, quick gelu, causal, row gathered at the end token",
)
_hf(
    "mamba",
    "MambaForCausalLM",
    {
        **GENERIC,
        "hidden_size": D,
        "num_hidden_layers": 1,
        "state_size": 3,
        "time_step_rank": 2,
        "expand": 2,
        "conv_kernel": 3,
        "intermediate_size": 16,
    },
    0,
    spaces=(SpaceFact(16),),
    source="inner channels permute; floor 0",
)
_hf(
    "mixtral",
    "MixtralForCausalLM",
    {**LLAMA, "num_local_experts": 3, "num_experts_per_tok": 2, "experts_implementation": "batched_mm"},
    0,
    spaces=(SpaceFact(2),),
    source="routing by topk may freeze; floor 0",
)
