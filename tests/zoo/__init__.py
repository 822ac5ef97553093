"""Small random instances of many architectures, each with what theory says about its symmetry group."""

from . import (
    activations,
    attention,
    convolutional,
    gates,
    hugging,
    linear,
    llama_by_hand,
    recurrent,
    residual,
    transformers_by_hand,
    traps_axes,
    traps_elementwise,
    traps_reuse,
)
from .case import ZOO, Case, Inputs, SpaceFact, make_generic

__all__ = [
    "ZOO",
    "Case",
    "Inputs",
    "SpaceFact",
    "activations",
    "attention",
    "convolutional",
    "gates",
    "hugging",
    "linear",
    "llama_by_hand",
    "make_generic",
    "recurrent",
    "residual",
    "transformers_by_hand",
    "traps_axes",
    "traps_elementwise",
    "traps_reuse",
]
