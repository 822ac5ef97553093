"""Judge a matching of two chains in exact arithmetic: equal, equal up to rounding of the weights, or neither.

With permutation ``p``, row scales ``s`` and ``t = multiplier(s)`` of the layer below, the claim of every layer is

    b[k, j] = s_k * a[p_k, q_j] / t_j,     bias_b[k] = s_k * bias_a[p_k].

All numbers are dyadic rationals, so ``b * t == s * a`` is decided exactly by error-free products. Otherwise the
distance is measured per weight of b in units in the last place of the format in which that weight is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fiberscope.equivalence.chain import Chain, Source
from fiberscope.equivalence.chain_activations import law
from fiberscope.equivalence.chain_match import Matching
from fiberscope.numerics.exact import fraction, in_safe_range, products_equal, rationals
from fiberscope.numerics.tolerance import SCALE_SNAP_ULP
from fiberscope.numerics.ulp import FORMATS, eps, ulp, ulp_error


@dataclass(frozen=True)
class Judgement:
    """``exact``, or the largest backward error in ulps (infinite when a weight that must be exact is not)."""

    exact: bool
    ulps: float
    where: tuple[int, str, tuple[int, ...]] | None
    scales: tuple[np.ndarray, ...]


def judge(a: Chain, b: Chain, matching: Matching) -> Judgement:
    """The best judgement over the measured scales and the same scales moved to near powers of two.

    Every result is exact: an ulp figure that lies within rounding of a whole number was recomputed in rationals.
    """
    first = _judge(a, b, matching.perms, matching.scales)
    if first.exact:
        return first
    snapped = _snap(b, matching.scales)
    if snapped is not None:
        second = _judge(a, b, matching.perms, snapped)
        if second.exact or second.ulps < first.ulps:
            return second
    return first


def _snap(b: Chain, scales: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...] | None:
    out, changed = [], False
    for layer, scale in zip(b.layers, scales, strict=False):
        source = layer.weight_source or layer.bias_source
        width = SCALE_SNAP_ULP * 2 * eps(source.dtype if source else "float64")
        power = np.ldexp(np.sign(scale), np.rint(np.log2(np.abs(scale))).astype(int))
        near = np.abs(scale - power) <= width * np.abs(power)
        changed = changed or bool((near & (scale != power)).any())
        out.append(np.where(near, power, scale))
    return tuple(out) if changed else None


def _judge(a: Chain, b: Chain, perms: tuple[np.ndarray, ...], scales: tuple[np.ndarray, ...]) -> Judgement:
    order: np.ndarray = np.arange(a.widths[0])
    factor: list[Fraction] | np.ndarray = np.ones(a.widths[0])
    exact, worst, where = True, 0.0, None
    for l, (from_a, from_b) in enumerate(zip(a.layers, b.layers, strict=True)):
        last = l == len(perms)
        rows = np.arange(a.widths[-1]) if last else perms[l]
        scale = np.ones(len(rows)) if last else scales[l]
        for kind, target, moved, divisor, source in (
            ("weight", from_b.weight, from_a.weight[np.ix_(rows, order)], factor, from_b.weight_source),
            ("bias", from_b.bias[:, None], from_a.bias[rows][:, None], np.ones(1), from_b.bias_source),
        ):
            wrong = ~_equal(target, moved, scale, divisor)
            if not wrong.any():
                continue
            exact = False
            size, place = _worst_ulps(target, moved, scale, divisor, wrong, source)
            if size > worst:
                worst, where = size, (l, kind, place)
        order = rows
        if not last:
            factor = _factors(a.activations[l], scale)
    return Judgement(exact, worst, where, scales)


def _factors(name: str, scale: np.ndarray) -> list[Fraction] | np.ndarray:
    """What the units' values are multiplied by: floats when a float64 holds them exactly, else rationals."""
    rule = law(name)
    if rule.log in (None, 0, 1):
        return rule.multipliers(scale)
    exact = [rule.multiplier(Fraction(float(s))) for s in scale]
    if all(Fraction(float(f)) == f for f in exact):
        return np.array([float(f) for f in exact])
    return exact


def _equal(
    target: np.ndarray, moved: np.ndarray, scale: np.ndarray, divisor: list[Fraction] | np.ndarray
) -> np.ndarray:
    if target.dtype != object and moved.dtype != object and isinstance(divisor, np.ndarray):
        if bool((scale == 1.0).all()) and bool((divisor == 1.0).all()):
            return target == moved
        if _powers_of_two(scale) and _powers_of_two(divisor) and in_safe_range(moved, scale, divisor):
            return target == moved * scale[:, None] / divisor[None, :]  # no rounding: only exponents change
        return products_equal(target, divisor[None, :], moved, scale[:, None])
    return np.asarray(
        rationals(target) * _rational_row(divisor) == rationals(moved) * rationals(scale)[:, None], dtype=bool
    )


def _powers_of_two(values: np.ndarray) -> bool:
    return bool((np.abs(np.frexp(values)[0]) == 0.5).all())


def _rational_row(divisor: list[Fraction] | np.ndarray) -> np.ndarray:
    if isinstance(divisor, np.ndarray):
        return rationals(divisor)[None, :]
    from flint import fmpq

    out = np.empty(len(divisor), dtype=object)
    for i, f in enumerate(divisor):
        out[i] = fmpq(f.numerator, f.denominator)
    return out[None, :]


def _worst_ulps(
    target: np.ndarray,
    moved: np.ndarray,
    scale: np.ndarray,
    divisor: list[Fraction] | np.ndarray,
    wrong: np.ndarray,
    source: Source | None,
) -> tuple[float, tuple[int, ...]]:
    """Largest distance in ulps among the entries marked ``wrong``, and its place."""
    places = np.argwhere(wrong)
    k, j = places[:, 0], places[:, 1]
    first = tuple(int(v) for v in places[0])
    if source is None:
        return float("inf"), first
    stored = source.index.reshape(target.shape)[k, j] >= 0
    if not stored.all():
        return float("inf"), tuple(int(v) for v in places[np.flatnonzero(~stored)[0]])
    wide = np.longdouble
    value_b = _wide(target[k, j])
    value_a = _wide(moved[k, j])
    below = np.array([float(f) for f in divisor], dtype=wide) if isinstance(divisor, list) else divisor.astype(wide)
    lost = (value_b == 0) | (value_a == 0)
    if bool(lost.any()):  # a zero must stay zero: here one side is zero and the other is not
        return float("inf"), tuple(int(v) for v in places[int(np.flatnonzero(lost)[0])])
    expected = value_a * scale.astype(wide)[k] / below[j]
    unit = ulp(value_b.astype(np.float64), source.dtype)
    error = (np.abs(value_b - expected) / unit).astype(np.float64)
    top = float(error.max())
    # the exact figure of all entries that may be the largest
    margin = max(1e-9, top * 2.0**-40, 2.0 ** (FORMATS[source.dtype][0] - 60))
    exact_top, place = -1.0, first
    for i in np.flatnonzero(error >= top - 2 * margin)[:64]:
        d = divisor[int(j[i])]
        below_exact = d if isinstance(d, Fraction) else Fraction(float(d))
        ideal = fraction(moved[k[i], j[i]]) * Fraction(float(scale[k[i]])) / below_exact
        size = ulp_error(fraction(target[k[i], j[i]]), ideal, source.dtype)
        if size > exact_top:
            exact_top, place = float(size), tuple(int(v) for v in places[i])
    return max(exact_top, 0.0), place


def _wide(values: np.ndarray) -> np.ndarray:
    if values.dtype != object:
        return values.astype(np.longdouble)
    return np.array([float(fraction(v)) for v in values], dtype=np.longdouble)
