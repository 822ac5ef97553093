"""Remove from a chain what provably does nothing: dead units, constant units, duplicates up to the group.

Every step keeps the function on all inputs and is exact in rationals (theory: Sussmann 1992 for tanh; for ReLU see
Grigsby, Lindsey, Rolnick 2023). Steps are recorded in the words of the certificate, unit numbers being those at the
time of the step. Units are compared exactly: near duplicates are never merged. Merging leaves at most two units on one
boundary, one for each side of it: a relu(z) + b relu(-z) absorbs all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from fiberscope.equivalence.chain import Affine, Chain, Source
from fiberscope.equivalence.chain_activations import constant, law, value
from fiberscope.numerics.exact import add, fraction, multiply, products_equal, rational, rationals

Step = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Reduction:
    """A chain without redundant units, the steps that led there, and the original number of every unit kept."""

    chain: Chain
    steps: tuple[Step, ...]
    kept: tuple[np.ndarray, ...]


def reduce_chain(chain: Chain, *, merge: bool = True, within: type | None = None, near: bool = False) -> Reduction:
    """Apply all reductions until none applies; ``merge=False`` leaves duplicates alone.

    ``within``: a float type that must hold every sum that a step makes, else the unit stays where it is. ``near``:
    constants that are not rational are rounded to float64 (the result is then another function, by a little), and
    nothing is concluded from the biases that they went into.

    Steps carry no side yet: ``{"step": "remove-dead", "layer": l, "unit": i, ...}``, or another of "never-positive",
    "fold-constant", "merge", "reflect".
    The result is remembered on the chain.
    """
    key = f"reduced-{merge}-{within}-{near}"
    if key not in chain.memory:
        chain.memory[key] = _reduce(chain, merge, within, near)
    return chain.memory[key]  # type: ignore[return-value]


def _reduce(chain: Chain, merge: bool, within: type | None, near: bool) -> Reduction:
    layers = list(chain.layers)
    steps: list[Step] = []
    kept = [np.arange(width) for width in chain.widths[1:-1]]
    changed = True
    while changed:
        changed = False
        for l, name in enumerate(chain.activations):
            changed |= _drop_dead(layers, kept, steps, l)
            if l and name == "relu" and not near and chain.activations[l - 1] in NEVER_NEGATIVE:
                changed |= _drop_never_positive(layers, kept, steps, l)
            changed |= _fold_constants(layers, kept, steps, l, name, within, near)
            if merge:
                changed |= _merge_duplicates(layers, kept, steps, l, name, within)
                if name == "sigmoid":
                    changed |= _merge_reflected(layers, kept, steps, l, within)
    if not steps:
        return Reduction(chain, (), tuple(kept))
    return Reduction(Chain(tuple(layers), chain.activations), tuple(steps), tuple(kept))


def _nonzero(array: np.ndarray) -> np.ndarray:
    return np.asarray(array != 0, dtype=bool)


def _drop_dead(layers: list[Affine], kept: list[np.ndarray], steps: list[Step], l: int) -> bool:
    """Units that no unit of the next layer reads."""
    dead = np.flatnonzero(~_nonzero(layers[l + 1].weight).any(axis=0))
    for count, unit in enumerate(dead):
        steps.append({"step": "remove-dead", "layer": l + 1, "unit": int(unit) - count})
    if len(dead):
        _remove(layers, kept, l, dead)
    return len(dead) > 0


NEVER_NEGATIVE = frozenset(("relu", "abs", "square", "sigmoid", "exp"))
"""Activations without negative values."""


def _drop_never_positive(layers: list[Affine], kept: list[np.ndarray], steps: list[Step], l: int) -> bool:
    """ReLUs of values that are never negative, with weights and a bias that are never positive: zero everywhere."""
    layer = layers[l]
    below = np.asarray(layer.weight <= 0, dtype=bool).all(axis=1) & np.asarray(layer.bias <= 0, dtype=bool)
    silent = np.flatnonzero(below)
    for count, unit in enumerate(silent):
        steps.append({"step": "never-positive", "layer": l + 1, "unit": int(unit) - count})
    if len(silent):
        _remove(layers, kept, l, silent)
    return len(silent) > 0


def _holds(within: type | None, values: np.ndarray) -> bool:
    """Whether a float type holds these numbers exactly."""
    return within is None or (values.dtype != object and bool(np.array_equal(values.astype(within), values)))


def _fold_constants(
    layers: list[Affine],
    kept: list[np.ndarray],
    steps: list[Step],
    l: int,
    name: str,
    within: type | None,
    near: bool,
) -> bool:
    """Units that read nothing: their constant value goes into the next bias, where it is rational or ``near``."""
    silent = np.flatnonzero(~_nonzero(layers[l].weight).any(axis=1))
    folded: list[int] = []
    for unit in silent:
        bias = fraction(layers[l].bias[unit])
        at = constant(name, bias)
        if at is None and near:
            rounded = value(name, Affine(layers[l].weight[:0], layers[l].bias[[unit]]).floats()[1])
            at = Fraction(float(rounded[0])) if np.isfinite(rounded[0]) else None
        if at is None:
            continue
        if at != 0:
            following = layers[l + 1]
            column = rationals(following.weight[:, unit])
            moved = multiply(column, np.array([rational(at)], dtype=object))
            total = add(following.bias, moved)
            if not _holds(within, total):
                continue
            layers[l + 1] = _with_bias(following, total, _nonzero(moved))
        steps.append({"step": "fold-constant", "layer": l + 1, "unit": int(unit) - len(folded)})
        folded.append(int(unit))
    if folded:
        _remove(layers, kept, l, np.array(folded))
    return bool(folded)


def _merge_duplicates(
    layers: list[Affine], kept: list[np.ndarray], steps: list[Step], l: int, name: str, within: type | None
) -> bool:
    """Units whose incoming rows agree exactly up to a scale that the activation lets through."""
    rule = law(name)
    layer = layers[l]
    rows = np.column_stack([layer.weight, layer.bias])
    if len(rows) < 2:
        return False
    shown = rows if rows.dtype != object else np.column_stack(layer.floats())
    pivot = np.abs(shown).argmax(axis=1)
    lead = shown[np.arange(len(rows)), pivot]
    if rule.log is not None:
        divisor = lead if rule.sign is not None else np.abs(lead)
    else:
        divisor = np.sign(lead) if rule.sign is not None else np.ones(len(rows))
    with np.errstate(under="ignore"):
        normal = shown / np.where(divisor != 0, divisor, 1.0)[:, None] + 0.0  # correctly rounded: parallel = equal
    groups: dict[bytes, list[int]] = {}
    for unit, row in enumerate(normal):
        groups.setdefault(row.tobytes(), []).append(unit)
    removed: list[int] = []
    for units in sorted(g for g in groups.values() if len(g) > 1):
        keep = units[0]
        for other in units[1:]:
            for unit, into in ((other, keep), (keep, other)):  # a third of a weight may not fit, three times may
                scale = _exact_ratio(rows[unit], rows[into], int(pivot[into]))
                if scale is None or not rule.allows(scale):
                    continue
                following = layers[l + 1]
                factor = np.array([rational(rule.multiplier(scale))], dtype=object)
                if abs(rule.multiplier(scale)) == 1:
                    factor = np.array([float(rule.multiplier(scale))])
                moved = multiply(following.weight[:, unit], factor)
                merged = add(following.weight[:, into], moved)
                if not _holds(within, merged):
                    continue
                layers[l + 1] = _with_column(following, into, merged, _nonzero(moved))
                shift = sum(1 for r in removed if r < unit), sum(1 for r in removed if r < into)
                text = f"{scale.numerator}/{scale.denominator}"
                steps.append(
                    {"step": "merge", "layer": l + 1, "unit": unit - shift[0], "into": into - shift[1], "scale": text}
                )
                removed.append(unit)
                keep = into
                break
    if removed:
        _remove(layers, kept, l, np.array(removed))
    return bool(removed)


def _merge_reflected(
    layers: list[Affine], kept: list[np.ndarray], steps: list[Step], l: int, within: type | None
) -> bool:
    """Sigmoids of opposite numbers: rho(-z) = 1 - rho(z), so one of them and a constant do."""
    layer = layers[l]
    rows = np.column_stack([layer.weight, layer.bias])
    shown = rows if rows.dtype != object else np.column_stack(layer.floats())
    seen: dict[bytes, int] = {}
    removed: list[int] = []
    for unit, row in enumerate(shown):
        into = seen.get((-row + 0.0).tobytes())
        if into is None or _exact_ratio(rows[unit], rows[into], int(np.abs(row).argmax())) != -1:
            seen.setdefault((row + 0.0).tobytes(), unit)
            continue
        following = layers[l + 1]
        column = following.weight[:, unit]
        merged, total = add(following.weight[:, into], column * -1), add(following.bias, column)
        if not (_holds(within, merged) and _holds(within, total)):
            seen.setdefault((row + 0.0).tobytes(), unit)
            continue
        altered = _nonzero(column)
        layers[l + 1] = _with_bias(_with_column(following, into, merged, altered), total, altered)
        shift = sum(1 for r in removed if r < unit), sum(1 for r in removed if r < into)
        steps.append({"step": "reflect", "layer": l + 1, "unit": unit - shift[0], "into": into - shift[1]})
        removed.append(unit)
    if removed:
        _remove(layers, kept, l, np.array(removed))
    return bool(removed)


def _exact_ratio(row: np.ndarray, into: np.ndarray, pivot: int) -> Fraction | None:
    """The rational ``s`` with ``row == s * into`` exactly, or None."""
    top, bottom = fraction(row[pivot]), fraction(into[pivot])
    if bottom == 0:
        return Fraction(1) if not _nonzero(row).any() and not _nonzero(into).any() else None
    if top == 0:
        return None
    if row.dtype != object and into.dtype != object:
        equal = products_equal(row, np.array(float(bottom)), into, np.array(float(top)))
    else:
        equal = rationals(row) * rational(bottom) == rationals(into) * rational(top)
    return top / bottom if bool(np.asarray(equal, dtype=bool).all()) else None


def _remove(layers: list[Affine], kept: list[np.ndarray], l: int, units: np.ndarray) -> None:
    """Take units of hidden layer ``l`` (0-based) out of the map that makes them and the map that reads them."""
    stay = np.setdiff1d(np.arange(len(layers[l].bias)), units)
    kept[l] = kept[l][stay]
    making, reading = layers[l], layers[l + 1]
    inputs, outputs = np.arange(making.weight.shape[1]), np.arange(len(reading.bias))
    layers[l] = Affine(
        making.weight[stay],
        making.bias[stay],
        making.weight_source.take(stay, inputs) if making.weight_source else None,
        making.bias_source.take(stay) if making.bias_source else None,
    )
    source = reading.weight_source.take(outputs, stay) if reading.weight_source else None
    layers[l + 1] = replace(reading, weight=reading.weight[:, stay], weight_source=source)


def _forget(source: Source | None, where: Any) -> Source | None:
    if source is None:
        return None
    index = source.index.copy()
    index[where] = -1
    return replace(source, index=index)


def _with_bias(layer: Affine, bias: np.ndarray, altered: np.ndarray) -> Affine:
    return replace(layer, bias=bias, bias_source=_forget(layer.bias_source, altered))


def _with_column(layer: Affine, column: int, values: np.ndarray, altered: np.ndarray) -> Affine:
    weight = layer.weight
    if values.dtype == object:
        weight = rationals(weight).copy()
    else:
        weight = weight.copy()
    weight[:, column] = values
    where = np.zeros(weight.shape, dtype=bool)
    where[:, column] = altered
    return replace(layer, weight=weight, weight_source=_forget(layer.weight_source, where))
