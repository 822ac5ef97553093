"""Sums of products along a cut axis: a's weights, gathered by the units of b that carry them, must be b's weights.

With ``x_a[j] = s_j x_b[m(j)] + c_j`` the sum ``sum_j W_a[i, j] x_a[j]`` is ``scale_i sum_d W_b[unit_i, d] x_b[d] +
sum_j W_a[i, j] c_j`` if ``sum_{m(j) = d} s_j W_a[i, j] = scale_i W_b[unit_i, d]`` for every d. Decided in rationals.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from flint import fmpq

from .channel_combinations import Sum
from .channel_slack import Use, above, deviations
from .channels import CONSTANT, ONE, OPEN, ZERO, Relation, Shape, clean, filled, same
from .core import Node
from .exact import exact, mismatch
from .product import product
from .report import Reject, need

MAX_DENSE = 1 << 26


class Claim(NamedTuple):
    """Per output unit of a's weight: the unit of b's weight (CONSTANT: none) and its scale; and outputs that are sums
    of several of b's."""

    unit: np.ndarray
    scale: np.ndarray
    rows: dict[int, dict[int, fmpq]] = {}  # noqa: RUF012


def dense(weight: np.ndarray, groups: int) -> np.ndarray:
    """A convolution's weight as [out, in, kernel], zeros between different groups."""
    out, inside, *kernel = weight.shape
    flat = weight.reshape(out, inside, math.prod(kernel))
    if groups == 1:
        return flat
    need(out * inside * groups * flat.shape[2] <= MAX_DENSE, "a grouped convolution is too wide")
    full = np.zeros((out, inside * groups, flat.shape[2]), dtype=flat.dtype)
    for i in range(out):
        at = i // (out // groups) * inside
        full[i, at : at + inside] = flat[i]
    return full


def contract(
    wa: np.ndarray,
    wb: np.ndarray,
    entering: Relation | None,
    claim: Claim | None,
    axis: int,
    use: Use | None = None,
) -> Relation:
    """The relation of the sums; wa [O, C, K], wb [P, D, K]; Reject where a claim about b's weights fails.

    With ``use`` b's weights may deviate from what is claimed: by how much is kept there.
    """
    (out, inside, k), (other_out, other_in, other_k) = wa.shape, wb.shape
    need(k == other_k, "kernels of different sizes")
    entering = same(0, inside) if entering is None else entering
    need(len(entering.unit) == inside, "the weights do not fit what they read")
    need(bool(np.all(entering.unit < other_in)), "there is no such unit")
    if claim is None:
        need(out == other_out, f"no step says which of the {out} units are kept as {other_out}")
        unit, scale = np.arange(out), filled(out, ONE)
    else:
        unit, scale = claim.unit.copy(), claim.scale.copy()
        need(len(unit) == out, f"a step lists {len(unit)} of {out} units")
        need(bool(np.all((unit >= CONSTANT) & (unit < other_out))), "a step names a unit that is not there")
    summed = np.isin(np.arange(inside), list(entering.sums)) & (entering.unit == OPEN)
    linear, open_ = (entering.unit >= 0) | summed, (entering.unit == OPEN) & ~summed
    lost = nonzero(wa[:, open_])
    total, exact_columns = gathered(wa, entering, other_in)
    constant = unit == CONSTANT
    moving = nonzero(wa[:, linear]) if constant.any() else lost
    scale[constant | lost] = ONE
    unit[lost | (constant & moving)] = OPEN
    rows = {} if claim is None else {i: t for i, t in claim.rows.items() if not lost[i]}
    combined(total, exact_columns, wb, rows, use)
    kept = np.flatnonzero(unit >= 0)
    compare(total, exact_columns, wb, kept, unit, scale, use)
    shift = filled(out, ZERO)
    entered = entering.shift.copy()
    entered[summed] = [entering.sums[j].shift for j in np.flatnonzero(summed).tolist()]
    moved = np.flatnonzero((entered != 0) & ~open_)
    if len(moved):
        constants = np.repeat(entered[moved], k)[:, None]
        live = np.flatnonzero((unit != OPEN) | np.isin(np.arange(out), list(rows)))
        shift[live] = product(wa[live][:, moved].reshape(len(live), -1), constants)[:, 0]
    sums = {i: Sum(terms, shift[i]) for i, terms in rows.items()}
    shift[unit == OPEN] = ZERO
    return Relation(axis, unit, scale, shift, sums)


def nonzero(w: np.ndarray) -> np.ndarray:
    """Rows with an entry that is not zero."""
    return np.array([bool(np.any(row != 0)) for row in w.reshape(len(w), -1)], dtype=bool)


def gathered(wa: np.ndarray, entering: Relation, count: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """sum_{m(j) = d} s_j W_a[:, j]: float64 [O, D, K] for copied columns, exact [O, K] for computed ones."""
    sources: dict[int, list[tuple[int, fmpq]]] = {}
    for j, (u, s) in enumerate(zip(entering.unit.tolist(), entering.scale, strict=True)):
        terms = {u: s} if u >= 0 else entering.sums[j].terms if u == OPEN and j in entering.sums else {}
        for d, factor in terms.items():
            sources.setdefault(d, []).append((j, factor))
    total = np.zeros((len(wa), count, wa.shape[2]))
    computed: dict[int, np.ndarray] = {}
    copied = []
    for d, js in sources.items():
        if len(js) == 1 and js[0][1] == 1 and wa.dtype != object:
            copied.append((d, js[0][0]))
        else:
            computed[d] = sum((exact(wa[:, j]) * s for j, s in js), start=np.array(fmpq(0), dtype=object))
    if copied:
        to, of = (np.array(v) for v in zip(*copied, strict=True))
        total[:, to] = wa[:, of]
    return total, computed


def compare(
    total: np.ndarray,
    computed: dict[int, np.ndarray],
    wb: np.ndarray,
    kept: np.ndarray,
    unit: np.ndarray,
    scale: np.ndarray,
    use: Use | None = None,
) -> None:
    """Every kept row is scale times b's row; with ``use`` up to deviations, which are kept there."""
    if not len(kept):
        return
    if use is not None:
        columns = {d: column[kept] for d, column in computed.items()}
        sums = np.zeros((len(total), *wb.shape[1:]))
        sums[kept] = deviations(total[kept], columns, wb[unit[kept]], scale[kept])
        use.let(sums)
        return
    plain = np.setdiff1d(np.arange(wb.shape[1]), np.array(sorted(computed), dtype=np.int64))
    rows = wb[unit[kept]]
    wrong = mismatch(rows[:, plain], total[kept][:, plain], factors(scale[kept]), np.zeros(rows[:, plain].shape), None)
    need(wrong is None, f"the weights do not fit: {wrong}")
    for d, column in computed.items():
        expected = exact(rows[:, d]) * scale[kept][:, None]
        need(bool(np.all(column[kept] == expected)), f"what is read of unit {d} does not add up")


def combined(
    total: np.ndarray,
    computed: dict[int, np.ndarray],
    wb: np.ndarray,
    rows: dict[int, dict[int, fmpq]],
    use: Use | None = None,
) -> None:
    """Every row that is claimed to be a sum of b's rows is that sum; with ``use`` up to deviations, kept there."""
    if not rows:
        return
    need(all(0 <= k < len(wb) for terms in rows.values() for k in terms), "a step names a unit that is not there")
    at, of = list(rows), sorted({k for terms in rows.values() for k in terms})
    wanted = exact(total[at]).copy()
    for d, column in computed.items():
        wanted[:, d] = column[at]
    times = np.full((len(at), len(of)), ZERO, dtype=object)
    for i, terms in enumerate(rows.values()):
        for k, c in terms.items():
            times[i, of.index(k)] = c
    found = product(times, wb[of].reshape(len(of), -1)).reshape(wanted.shape)
    if use is not None:
        sums = np.zeros((len(total), *wb.shape[1:]))
        gaps = [above(x - y) for x, y in zip(found.reshape(-1), wanted.reshape(-1), strict=True)]
        sums[at] = np.array(gaps).reshape(wanted.shape)
        use.let(sums)
        return
    wrong = [at[i] for i in range(len(at)) if not bool(np.all(found[i] == wanted[i]))]
    need(not wrong, f"output {wrong[:1]} is not the sum of the outputs that a step says")


def factors(scale: np.ndarray) -> list[np.ndarray]:
    """Scales of rows as factors of [row, column, kernel]; none where all are 1."""
    return [] if bool(np.all(scale == 1)) else [scale.reshape(-1, 1, 1)]


def convolution(
    node: Node,
    other: Node,
    entering: Relation | None,
    wa: np.ndarray,
    wb: np.ndarray,
    claim: Claim | None,
    use: Use | None = None,
) -> Relation | None:
    """Channels are axis 1; the kernel slides over axes that both networks share."""
    need(wa.shape[2:] == wb.shape[2:], "kernels of different sizes")
    need(entering is None or entering.axis == 1, "a spatial axis is cut")
    full = [dense(w, n.attrs[2]) for w, n in ((wa, node), (wb, other))]
    assert other.shape is not None
    return clean(contract(full[0], full[1], entering, claim, 1, use), other.shape[1])


def matrix(
    entering: Relation | None,
    rank: int,
    wa: np.ndarray,
    wb: np.ndarray,
    claim: Claim | None,
    shape: Shape,
    *,
    left: bool,
    use: Use | None = None,
) -> Relation | None:
    """x @ W (``left``: x comes first), or W @ x; `rank` is that of x, `shape` that of b's result."""
    need(wa.ndim == wb.ndim, "weights of different ranks")
    inner = rank - 1 if left else rank - 2
    if entering is not None and entering.axis != inner:  # an axis of samples or tokens: kept as it is
        need(claim is None and wa.shape == wb.shape and bool(np.all(wa == wb)), "two axes are cut at once")
        need(wa.ndim == 2, "weights with an axis of samples")
        axis = entering.axis + len(shape) - rank
        still = entering.shift == 0
        unit = np.where(still, entering.unit, OPEN)
        return clean(Relation(axis, unit, entering.scale, filled(len(unit), ZERO)), shape[axis])
    if wa.ndim != 2:
        raise Reject("weights with an axis of samples")
    a, b = (w.T if left else w for w in (wa, wb))
    axis = len(shape) - 1 if left else len(shape) - 2
    return clean(contract(a[:, :, None], b[:, :, None], entering, claim, axis, use), shape[axis])
