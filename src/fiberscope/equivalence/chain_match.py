"""Match the units of two chains: which unit of b is which unit of a, and by what scale.

Layer by layer, the rows of a are written in the coordinates of b (the columns are permuted and divided by what the
layer below found); then corresponding rows are parallel. Rows that are parallel to several others (duplicates, near
duplicates) are told apart by what the later layers do with them. The result is a guess that ``chain_check`` judges
in exact arithmetic, so nothing here has to be rigorous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.chain import Affine, Chain
from fiberscope.equivalence.chain_activations import Law, law
from fiberscope.equivalence.chain_features import Features, features
from fiberscope.numerics.tolerance import DOT_NOISE, ROW_NOISE_ULP
from fiberscope.numerics.ulp import eps


@dataclass(frozen=True, eq=False)
class Matching:
    """Per hidden layer: unit ``k`` of b is unit ``perms[l][k]`` of a, its incoming row ``scales[l][k]`` times a's."""

    perms: tuple[np.ndarray, ...]
    scales: tuple[np.ndarray, ...]
    clear: bool


MOST_ASSIGNED = 8192
"""Units of a layer that are assigned by all pairwise distances: the table of 8192 x 8192 takes half a gigabyte."""


def match(a: Chain, b: Chain, most: int = MOST_ASSIGNED) -> Matching | None:
    """The most plausible unit correspondence of two chains of equal widths and activations, else None.

    ``clear`` is false when some unit had no counterpart that is parallel to rounding. Layers of more than ``most``
    units are matched only where every unit has an exact counterpart.
    """
    if a.widths != b.widths or a.activations != b.activations:
        return None
    perms: list[np.ndarray] = []
    scales: list[np.ndarray] = []
    order = np.arange(a.widths[0])
    factor = np.ones(a.widths[0])
    clear = True
    marks: tuple[Features, Features] | None = None
    for l, name in enumerate(a.activations):
        rule = law(name)
        weight_a, bias_a = a.floats()[l]
        weight_b, bias_b = b.floats()[l]
        rows_a = np.column_stack([weight_a[:, order] / factor, bias_a])
        rows_b = np.column_stack([weight_b, bias_b])
        if rows_a.shape[0] == 0:
            order, factor = np.zeros(0, dtype=np.int64), np.zeros(0)
            perms.append(order)
            scales.append(factor)
            continue
        noise = ROW_NOISE_ULP * max(_noise(a.layers[l]), _noise(b.layers[l]))
        perm, unclear = _identical(rows_a, rows_b, rule), None
        if perm is None and len(rows_b) > most:
            return None
        if perm is None:
            unit_a, unit_b = _normalised(rows_a, rows_b, rule)
            perm, unclear = _assign(unit_a, unit_b, rule, noise)
        if unclear is not None:
            if marks is None:
                marks = features(a), features(b)
            mark_a, mark_b = marks[0].at(l, rule.sign), marks[1].at(l, rule.sign)
            perm, clear_here = _settle(unit_a, unit_b, rule, noise, mark_a, mark_b)
            clear = clear and clear_here
        scale = _scales(rows_a[perm], rows_b, rule, noise)
        perms.append(perm)
        scales.append(scale)
        order, factor = perm, rule.multipliers(scale)
    return Matching(tuple(perms), tuple(scales), clear)


def _noise(layer: Affine) -> float:
    sources = [s for s in (layer.weight_source, layer.bias_source) if s is not None]
    return max((eps(s.dtype) for s in sources), default=eps("float64"))


def _identical(rows_a: np.ndarray, rows_b: np.ndarray, rule: Law) -> np.ndarray | None:
    """The permutation when every row of b is, after dividing by its largest entry, bit-equal to one row of a.

    Quotients are rounded correctly, so rows that differ by an exact factor agree bit for bit.
    """
    keys = []
    for rows in (rows_a, rows_b):
        lead = rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)]
        if rule.log is None:
            lead = np.sign(lead)
        divisor = lead if rule.sign is not None else np.abs(lead)
        with np.errstate(all="ignore"):
            normal = np.ascontiguousarray(rows / np.where(divisor != 0, divisor, 1.0)[:, None] + 0.0)
        keys.append([row.tobytes() for row in normal])
    place = {key: unit for unit, key in enumerate(keys[0])}
    if len(place) != len(keys[0]):
        return None  # duplicates: which is which is for the later layers to say
    perm = np.array([place.get(key, -1) for key in keys[1]], dtype=np.int64)
    return perm if bool((perm >= 0).all()) and len(set(perm.tolist())) == len(perm) else None


def _normalised(rows_a: np.ndarray, rows_b: np.ndarray, rule: Law) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length one where scales are free (a zero row gets a direction of its own), else rows as they are."""
    if rule.log is None:
        largest = max(np.abs(rows_a).max(initial=0.0), np.abs(rows_b).max(initial=0.0)) or 1.0
        return rows_a / largest, rows_b / largest

    def unit(rows: np.ndarray) -> np.ndarray:
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        zero = largest == 0
        scaled = np.concatenate([rows / np.where(zero, 1.0, largest), zero], axis=1)
        return scaled / np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]

    return unit(rows_a), unit(rows_b)


def _similarity(unit_a: np.ndarray, unit_b: np.ndarray, rule: Law) -> np.ndarray:
    """Cosines ``[b, a]`` (one minus half the squared distance over the larger squared length), up to allowed signs."""
    inner = unit_b @ unit_a.T
    inner = np.abs(inner) if rule.sign is not None else inner
    if rule.log is not None:
        return inner
    length_a = np.einsum("ij,ij->i", unit_a, unit_a)[None, :]
    length_b = np.einsum("ij,ij->i", unit_b, unit_b)[:, None]
    largest = np.maximum(length_a, length_b)
    return 1.0 - (length_a + length_b - 2.0 * inner) / (2.0 * np.where(largest > 0, largest, 1.0))


def _assign(unit_a: np.ndarray, unit_b: np.ndarray, rule: Law, noise: float) -> tuple[np.ndarray, bool | None]:
    """The nearest row of a for every row of b; None as second value when that is a clear one-to-one choice."""
    near = _similarity(unit_a, unit_b, rule)
    perm = near.argmax(axis=1)
    count = near.shape[0]
    best = near[np.arange(count), perm]
    threshold = 1.0 - max(DOT_NOISE, noise * noise)
    close = near >= np.minimum(best, threshold)[:, None]
    if bool((close.sum(axis=1) == 1).all()) and bool((np.bincount(perm, minlength=count) == 1).all()):
        return perm, None
    return perm, True


def _settle(
    unit_a: np.ndarray, unit_b: np.ndarray, rule: Law, noise: float, mark_a: np.ndarray, mark_b: np.ndarray
) -> tuple[np.ndarray, bool]:
    """One optimal assignment over row distance first, marks of the later layers second."""
    from scipy.optimize import linear_sum_assignment

    near = _similarity(unit_a, unit_b, rule)
    cost = 2.0 * np.maximum(1.0 - near, 0.0)
    # rows within noise of each other: measure the true distance, then let the marks decide
    candidates = np.argwhere(cost < max(1e-6, 4.0 * noise * noise))
    if len(candidates):
        k, i = candidates[:, 0], candidates[:, 1]
        row = _distance(unit_a[i], unit_b[k], rule)
        mark = _distance(mark_a[i], mark_b[k], rule, odd_only=True)
        inside = row <= noise
        fine = np.where(inside, 1e-9 * row / noise + 1e-6 * np.minimum(mark, 1.0), 1e-3 + np.minimum(row, 1.0))
        cost = cost + 2.0
        cost[k, i] = fine
    rows, columns = linear_sum_assignment(np.nan_to_num(cost, nan=9.0, posinf=9.0))
    perm = np.empty(len(columns), dtype=np.int64)
    perm[rows] = columns
    return perm, bool((cost[rows, columns] < 1e-3).all())


def _distance(left: np.ndarray, right: np.ndarray, rule: Law, odd_only: bool = False) -> np.ndarray:
    plain = np.abs(left - right).max(axis=1, initial=0.0)
    if rule.sign is None or (odd_only and rule.sign == "even"):
        return plain
    return np.minimum(plain, np.abs(left + right).max(axis=1, initial=0.0))


def _scales(rows_a: np.ndarray, rows_b: np.ndarray, rule: Law, noise: float) -> np.ndarray:
    """Median of the entrywise ratios of corresponding rows (1 where a row is zero)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = rows_b / rows_a
    usable = np.isfinite(ratio) & (ratio != 0)
    if rule.sign is None:
        usable &= ratio > 0
    if rule.sign is not None:  # decide the sign by the larger evidence first
        inner = np.einsum("ij,ij->i", np.nan_to_num(rows_a), np.nan_to_num(rows_b))
        usable &= np.sign(ratio) == np.where(inner < 0, -1.0, 1.0)[:, None]
    if rule.log is None:
        signs = np.where((usable & (ratio < 0)).any(axis=1), -1.0, 1.0)
        return signs if rule.sign is not None else np.ones(len(rows_a))
    ordered = np.sort(np.where(usable, ratio, np.inf), axis=1)
    count = usable.sum(axis=1)
    row = np.arange(len(rows_a))
    low = ordered[row, np.maximum(count - 1, 0) // 2]
    high = ordered[row, np.minimum(count // 2, ordered.shape[1] - 1)]
    scale = np.where(_power_of_two(low), low, np.where(_power_of_two(high), high, 0.5 * (low + high)))
    return np.where(count > 0, scale, 1.0)


def _power_of_two(values: np.ndarray) -> np.ndarray:
    mantissa, _ = np.frexp(values)
    return np.abs(mantissa) == 0.5
