"""What an inspection means, in words that a newcomer understands. Input: the dict of `Inspection.to_json()`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MIXING = {
    "none": "fixed units",
    "permutation": "reorder units",
    "complex_scalar": "turn and scale pairs",
    "orthogonal_fixing_ones": "rotate, keeping the mean",
    "orthogonal": "rotate freely",
    "general_linear": "any invertible map",
}
SCALING = {
    "one": "",
    "sign": "flip signs",
    "positive": "rescale (>0)",
    "nonzero": "rescale (≠0)",
}

_BY_SCALING = {
    "one": "exactly",
    "sign": "up to sign",
    "positive": "up to a positive factor",
    "nonzero": "up to a factor of either sign",
}
_BY_MIXING = {
    "complex_scalar": "pairs, up to a rotation and scale of each pair",
    "orthogonal_fixing_ones": "not singly: only up to a rotation that keeps the mean",
    "orthogonal": "not singly: only up to a rotation of the whole space",
    "general_linear": "not singly: only the whole space is determined",
}


def own_spaces(report: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """The spaces that have units of their own, each with the further scalings that act on the same units."""
    further: dict[str, list[Mapping[str, Any]]] = {}
    for space in report["spaces"]:
        if space.get("permuted_with"):
            further.setdefault(str(space["permuted_with"]), []).append(space)
    return [(space, further.get(str(space["id"]), [])) for space in report["spaces"] if not space.get("permuted_with")]


def freedom(space: Mapping[str, Any]) -> str:
    """What may be done to a space without changing the function: 'reorder units, rescale (>0)'."""
    mixing, scaling = space["mixing"], space["scaling"]
    if mixing == "none" and scaling == "one":
        return "nothing"
    if mixing == "general_linear" or (mixing == "orthogonal" and scaling == "sign"):
        return MIXING[mixing]  # which contains the scaling
    parts = [MIXING.get(mixing, mixing) if mixing != "none" else "", SCALING.get(scaling, scaling)]
    return ", ".join(part for part in parts if part)


def identifiability(space: Mapping[str, Any]) -> str:
    """How far the direction of one unit of this space is determined by the function.

    >>> identifiability({"mixing": "permutation", "scaling": "positive"})
    'up to a positive factor and its place in the order'
    """
    if space["mixing"] in _BY_MIXING:
        return _BY_MIXING[space["mixing"]]
    scale = _BY_SCALING.get(space["scaling"]) or str(space["scaling"])
    if space["mixing"] == "none":
        return scale
    return "exactly, but for its place in the order" if scale == "exactly" else f"{scale} and its place in the order"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """'1 unit', '300 units'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def power_of_ten(log10: float) -> str:
    """A count given by its logarithm: '10^386.9', small ones in full."""
    return f"{round(10**log10):,}" if log10 < 6 else f"10^{log10:.1f}"


def symmetry(report: Mapping[str, Any]) -> list[str]:
    """The symmetry figures, a sentence each."""
    figures, parameters = report["symmetry"], report["model"]["parameters"]
    dimension = figures["continuous_dimension"]
    lines = []
    if dimension:
        lines.append(
            f"The weights can be moved continuously along {count(dimension, 'independent direction')} "
            "without changing the function at any input."
        )
        kinds = [
            (figures["axis_dimension"], "from rescaling or rotating hidden spaces"),
            (figures["translation_dimension"], "from constant shifts that every reader absorbs"),
            (figures["invisible_dimension"], "from changes that no reader can see"),
        ]
        present = [f"{number:,} {text}" for number, text in kinds if number]
        if len(present) > 1:
            lines.append("Of these, " + ", ".join(present) + ".")
        share = 100 * dimension / parameters if parameters else 0
        lines.append(
            f"So at most {parameters - dimension:,} of the {parameters:,} parameters describe the function; "
            f"the other {dimension:,} ({share:.3g} %) only choose coordinates."
        )
    else:
        lines.append("No continuous change of the weights was found that keeps the function.")
    order = figures["log10_discrete_order"]
    if order > 0:
        lines.append(
            f"Reordering hidden units and flipping signs gives up to {power_of_ten(order)} different settings of the "
            "weights with the same function."
        )
    return lines


def redundancy(report: Mapping[str, Any]) -> str:
    """Which hidden units provably add nothing."""
    found = report["redundant"]
    dead, constant, twins = (len(found.get(kind, [])) for kind in ("dead", "constant", "duplicate"))
    if not dead + constant + twins:
        return "No hidden unit was found to be dead, constant or a duplicate of another."
    units = {tuple(unit) for kind in found.values() for unit in kind}
    kinds = [
        f"{dead:,} dead (no input or no output)" if dead else "",
        f"{constant:,} constant" if constant else "",
        f"{twins:,} {'duplicate' if twins == 1 else 'duplicates'} of another unit" if twins else "",
    ]
    clause = "adds nothing of its own" if len(units) == 1 else "add nothing of their own"
    return f"{count(len(units), 'hidden unit')} {clause}: {', '.join(kind for kind in kinds if kind)}."


def frozen(report: Mapping[str, Any]) -> list[str]:
    """One sentence per operation that froze spaces."""
    by_op: dict[str, list[str]] = {}
    for space in report["spaces"]:
        if space.get("frozen_by"):
            by_op.setdefault(str(space["frozen_by"]), []).append(str(space["id"]))
    return [
        f"Nothing is claimed about {'space' if len(ids) == 1 else 'spaces'} {', '.join(ids)}: {op} stands in the way."
        for op, ids in by_op.items()
    ]


def self_check(report: Mapping[str, Any]) -> str:
    """What the library's check of itself on this very network found."""
    check = report.get("self_check") or {}
    if not check.get("elements"):
        return "Self-check: not run."
    change = check["max_relative_change"]
    if change is None:
        return "Self-check: the outputs could not be compared."
    verdict = "rounding only" if change < 1e-9 else "more than rounding: do not trust this report, and please report it"
    return (
        f"Self-check: {count(check['elements'], 'random symmetry', 'random symmetries')} applied to this network; "
        f"the outputs moved by at most {change:.1e} of their size ({verdict})."
    )
