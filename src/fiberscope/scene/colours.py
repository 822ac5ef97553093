"""One colour key per kind of group, and what the legend says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Mixing decides the colour; for permutations the scaling does too. Ordered from least to most freedom.
COLOURS = {
    "fixed": "fixed: inputs, outputs, positions",
    "frozen": "nothing claimed: an unknown operation",
    "permutation-one": "units may be reordered",
    "permutation-sign": "reordered, signs flipped",
    "permutation-positive": "reordered, rescaled by positive factors",
    "permutation-nonzero": "reordered, rescaled by any factor",
    "scaled": "rescaled, in a fixed order",
    "complex": "turned in pairs (rotary)",
    "orthogonal-ones": "rotated, keeping the mean",
    "orthogonal": "rotated freely",
    "linear": "any invertible map",
    "several": "several spaces side by side",
}
_MIXING = {
    "complex_scalar": "complex",
    "orthogonal_fixing_ones": "orthogonal-ones",
    "orthogonal": "orthogonal",
    "general_linear": "linear",
}


def colour(space: Mapping[str, Any]) -> str:
    """The colour key of a space's group.

    >>> colour({"mixing": "permutation", "scaling": "positive", "frozen_by": None})
    'permutation-positive'
    """
    mixing, scaling = space["mixing"], space["scaling"]
    if space.get("frozen_by") and mixing == "none":
        return "frozen"
    if mixing == "permutation":
        return f"permutation-{scaling}"
    if mixing == "none":
        return "fixed" if scaling == "one" else "scaled"
    return _MIXING.get(mixing, "fixed")
