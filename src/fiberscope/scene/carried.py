"""Which hidden space each box hands on: contractions write the space on the output side of their weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fiberscope.scene.boxes import Box

Space = Mapping[str, Any]

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


def colour(space: Space) -> str:
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
    return {
        "complex_scalar": "complex",
        "orthogonal_fixing_ones": "orthogonal-ones",
        "orthogonal": "orthogonal",
        "general_linear": "linear",
    }.get(mixing, "fixed")


def carried(boxes: Sequence[Box], spaces: Sequence[Space]) -> list[tuple[str, ...]]:
    """The ids of the spaces that leave each box, in order of appearance; empty where features are fixed.

    A contraction with a weight writes the spaces of that weight's output axis. A product of activations (attention
    scores, a weighted mean) uses up what its factors share. Every other box hands on the union of what it reads.
    """
    by_axis: dict[tuple[str, int], list[str]] = {}
    for space in spaces:
        if space.get("permuted_with"):
            continue  # a further scaling of units that another space already stands for
        for entry in space["weights"]:
            by_axis.setdefault((entry["name"], entry["axis"]), []).append(str(space["id"]))
    out: list[tuple[str, ...]] = []
    for box in boxes:
        if box.born is not None:
            leaving = by_axis.get((box.born, box.axis), [])
        else:
            leaving = [space for source in box.sources for space in out[source]]
            if box.operations and box.operations[0] in {"bmm", "baddbmm", "matmul"}:
                shared = len(box.sources) == 1
                leaving = [space for space in leaving if not shared and leaving.count(space) == 1]
        out.append(tuple(dict.fromkeys(leaving)))
    return out
