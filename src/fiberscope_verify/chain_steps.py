"""Method "chain": exact reductions on either side, then one monomial map per hidden layer, then every weight.

Reductions and their conditions: theory of deep ReLU-like networks (Phuong & Lampert 2020; Sussmann 1992 for tanh).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flint import fmpq

from .active_steps import NEVER_NEGATIVE, replace_active
from .affine import dot, plus
from .certificate import Certificate, fields, whole
from .chain import Chain, Layer
from .exact import exact, mismatch, parse_rational, rational, rational_to_float
from .replace_steps import replace_layer
from .report import Reject, need
from .trees import X, tree_law, tree_value


def neighbours(chain: Chain, layer: object, unit: object) -> tuple[int, int, Layer, Layer]:
    """A hidden unit: (layer, unit, the layer that computes it, the layer that reads it)."""
    at = whole(layer, 1, len(chain.layers), "layer")
    here, after = chain.layers[at - 1], chain.layers[at]
    return at, whole(unit, 0, len(here.bias), "unit"), here, after


def drop(chain: Chain, at: int, unit: int, here: Layer, after: Layer) -> None:
    """Remove one hidden unit."""
    keep = np.arange(len(here.bias)) != unit
    chain.layers[at - 1] = replace(
        here,
        weight=here.weight[keep],
        bias=here.bias[keep],
        weight_ulp=here.weight_ulp[keep],
        bias_ulp=here.bias_ulp[keep],
    )
    chain.layers[at] = replace(after, weight=after.weight[:, keep], weight_ulp=after.weight_ulp[:, keep])


def zero(array: np.ndarray) -> bool:
    return not np.any(array != 0)


REDUCTIONS = ("remove-dead", "never-positive", "fold-constant", "merge", "reflect", "replace", "active")
REPLACEMENTS = {"replace": replace_layer, "active": replace_active}


def nowhere_positive(chain: Chain, at: int, unit: int) -> bool:
    """Whether a unit of hidden layer ``at`` reads values that are never negative with weights and a bias that are
    never positive: w h + b <= 0 for every input."""
    if at < 2:
        return False
    below, here = chain.layers[at - 2].activation, chain.layers[at - 1]
    floor = below is not None and below[0] == "map" and below[1] in NEVER_NEGATIVE
    return floor and bool(here.bias[unit] <= 0) and all(bool(x <= 0) for x in here.weight[unit])


def reduce_step(chain: Chain, step: dict) -> None:
    """One of the reductions."""
    kind = step["step"]
    keys = ("side", "layer", "unit", *{"merge": ("into", "scale"), "reflect": ("into",)}.get(kind, ()))
    values = fields(step, kind, *keys)
    at, unit, here, after = neighbours(chain, values[1], values[2])
    column = after.weight[:, unit]
    if kind == "remove-dead":
        need(zero(column), f"unit {unit} of layer {at} is read: it is not dead")
        return drop(chain, at, unit, here, after)
    assert here.activation is not None
    if kind == "never-positive":
        need(here.activation == ("map", "relu", (), X), f"layer {at} has another activation than relu")
        need(nowhere_positive(chain, at, unit), f"unit {unit} of layer {at} may be positive")
        return drop(chain, at, unit, here, after)
    if kind == "fold-constant":
        need(zero(here.weight[unit]), f"unit {unit} of layer {at} depends on its inputs: it is not constant")
        value = tree_value(here.activation, rational(here.bias[unit]))
        if value is None:
            need(zero(column), f"the constant value of unit {unit} of layer {at} is not rational")
            return drop(chain, at, unit, here, after)
        shift = dot(exact(column)[:, None], np.array([[value]], dtype=object))[:, 0]
        bias, ulp = plus(after.bias, after.bias_ulp, shift, np.zeros(len(shift)))
        return drop(chain, at, unit, here, replace(after, bias=bias, bias_ulp=ulp))
    into = whole(values[3], 0, len(here.bias), "into")
    need(into != unit, "a unit cannot be merged into itself")
    if kind == "reflect":  # rho(-z) = 1 - rho(z)
        need(here.activation == ("map", "sigmoid", (), X), f"layer {at} has another activation than sigmoid")
        scale, passed = fmpq(-1), fmpq(-1)
        bias, bias_ulp = plus(after.bias, after.bias_ulp, exact(column), np.zeros(len(column)))
        after = replace(after, bias=bias, bias_ulp=bias_ulp)
    else:
        scale = parse_rational(values[4])
        passed = tree_law(here.activation, scale)
    if passed is None or scale == 0:
        raise Reject(f"the activation of layer {at} does not let the scale {scale} pass")
    rows = np.concatenate([here.weight, here.bias[:, None]], axis=1) if here.weight.dtype == here.bias.dtype else None
    first, second = (
        np.append(here.weight[u].astype(object), here.bias[u]) if rows is None else rows[u] for u in (unit, into)
    )
    same = all(rational(p) == scale * rational(q) for p, q in zip(first, second, strict=True))
    need(same, f"unit {unit} of layer {at} is not {scale} times unit {into}")
    moved = exact(column) * passed
    weight, ulp = after.weight.astype(object), after.weight_ulp.copy()
    weight[:, into], ulp[:, into] = plus(after.weight[:, into], after.weight_ulp[:, into], moved, np.zeros(len(moved)))
    if after.weight.dtype != object and all(isinstance(x, float) for x in weight.reshape(-1)):
        weight = weight.astype(np.float64)
    drop(chain, at, unit, here, replace(after, weight=weight, weight_ulp=ulp))


def dyadic(values: list[fmpq]) -> np.ndarray:
    """Factors as float64 where all of them are floats exactly, else as rationals."""
    floats = [rational_to_float(v) for v in values]
    if all(rational(f) == v for f, v in zip(floats, values, strict=True)):
        return np.array(floats)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def check_chain(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """All steps of the method; raises Reject where one fails."""
    sides = {"a": Chain(list(a.layers)), "b": Chain(list(b.layers))}
    steps = list(certificate.steps)
    counts: dict[str, int] = {}
    while steps and isinstance(steps[0], dict) and steps[0].get("step") in REDUCTIONS:
        step = steps.pop(0)
        side = step.get("side")
        if not isinstance(side, str) or side not in sides:
            raise Reject("a reduction names the side a or b")
        if step["step"] in REPLACEMENTS:
            REPLACEMENTS[step["step"]](certificate, sides[side], step)
        else:
            reduce_step(sides[side], step)
        counts[f"{step['step']} on {side}"] = counts.get(f"{step['step']} on {side}", 0) + 1
    checked += [f"{name}: {n}" for name, n in counts.items()]
    a, b = sides["a"], sides["b"]
    need(len(a.layers) == len(b.layers), "the chains have different depths")
    need((a.n_in, a.n_out) == (b.n_in, b.n_out), "the chains have different inputs or outputs")
    matches: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    while steps and isinstance(steps[0], dict) and steps[0].get("step") == "match":
        layer, perm, scale = fields(steps.pop(0), "match", "layer", "perm", "scale")
        layer = whole(layer, 1, len(a.layers), "layer")
        need(layer not in matches, f"layer {layer} is matched twice")
        matches[layer] = certificate.array(perm, "i"), certificate.array(scale, "f")
    need(len(steps) == 1, "after the matches there must be one step, compare-weights")
    fields(steps[0], "compare-weights")
    need(set(matches) == set(range(1, len(a.layers))), "every hidden layer needs one match")
    before, passed = np.arange(a.n_in), np.ones(a.n_in)
    for i, (p, q) in enumerate(zip(a.layers, b.layers, strict=True), start=1):
        need(p.activation == q.activation, f"layer {i} has different activations")
        n = len(q.bias)
        need(len(p.bias) == n, f"layer {i} has {len(p.bias)} units against {n}")
        perm, scale, after = np.arange(n), np.ones(n), np.ones(n)
        if p.activation is not None:
            perm, scale = matches[i]
            need(
                len(perm) == len(scale) == n and sorted(perm.tolist()) == list(range(n)),
                f"layer {i}: not a permutation",
            )
            after = [tree_law(p.activation, rational(s)) if s != 0 else None for s in scale]
            need(all(v is not None for v in after), f"layer {i}: its activation does not let these scales pass")
            after = dyadic([1 / v for v in after if v is not None])
        ulp = certificate.max_ulp
        wrong = mismatch(p.weight[np.ix_(perm, before)], q.weight, [scale[:, None], passed[None, :]], q.weight_ulp, ulp)
        need(wrong is None, f"layer {i}, weight: {wrong}")
        wrong = mismatch(p.bias[perm], q.bias, [scale], q.bias_ulp, ulp)
        need(wrong is None, f"layer {i}, bias: {wrong}")
        checked.append(f"layer {i}: {q.weight.size} weights and {n} biases")
        before, passed = perm, after
