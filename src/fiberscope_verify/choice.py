"""Comparisons, choices and look-ups on balls: certain where the intervals decide, both answers where they do not."""

from __future__ import annotations

import numpy as np

from .ball import Ball, ball, bounds, hull
from .report import Reject, need


def truth(yes: np.ndarray, no: np.ndarray, undefined: np.ndarray) -> Ball:
    """1 where certainly true, 0 where certainly false, [0, 1] where neither."""
    mid = np.where(undefined, np.nan, np.where(yes, 1.0, np.where(no, 0.0, 0.5)))
    return ball(mid, np.where(yes | no | undefined, 0.0, 0.5))


def compare(kind: str, x: Ball, y: Ball) -> Ball:
    """A comparison or a logical connective (of "is not zero") as 0 or 1."""
    (xl, xh), (yl, yh) = bounds(x), bounds(y)
    undefined = np.isnan(x.mid) | np.isnan(y.mid)
    if kind.startswith("logical_"):
        p, q = (xl > 0) | (xh < 0), (yl > 0) | (yh < 0)
        r, s = (xl == 0) & (xh == 0), (yl == 0) & (yh == 0)
        if kind == "logical_and":
            return truth(p & q, r | s, undefined)
        need(kind in ("logical_or", "logical_xor"), f"the comparison {kind}")
        if kind == "logical_or":
            return truth(p | q, r & s, undefined)
        return truth(p & s | q & r, p & q | r & s, undefined)
    if kind in ("greater", "greater_equal"):
        return compare({"greater": "less", "greater_equal": "less_equal"}[kind], y, x)
    if kind == "less":
        return truth(xh < yl, xl >= yh, undefined)
    if kind == "less_equal":
        return truth(xh <= yl, xl > yh, undefined)
    need(kind in ("equal", "not_equal"), f"the comparison {kind}")
    same, apart = (xl == xh) & (yl == yh) & (xl == yl), (xh < yl) | (xl > yh)
    return truth(same, apart, undefined) if kind == "equal" else truth(apart, same, undefined)


def where(condition: Ball, x: Ball, y: Ball) -> Ball:
    """x where the condition is not zero, else y; the hull of both where it is not certain."""
    (cl, ch), (xl, xh), (yl, yh) = bounds(condition), bounds(x), bounds(y)
    yes, no = (cl > 0) | (ch < 0), (cl == 0) & (ch == 0)
    both = hull(np.minimum(xl, yl), np.maximum(xh, yh))
    mid = np.where(yes, x.mid, np.where(no, y.mid, both.mid))
    rad = np.where(yes, x.rad, np.where(no, y.rad, both.rad))
    undefined = np.broadcast_to(np.isnan(condition.mid), mid.shape)
    return ball(np.where(undefined, np.nan, mid), np.where(undefined, 0.0, rad))


def places(x: Ball, size: int) -> np.ndarray:
    """Indices, which must be certain whole numbers in range; negative ones count from the end."""
    need(np.all(x.rad == 0) and np.all(x.mid == np.floor(x.mid)), "an index that is no whole number")
    need(np.all((x.mid >= -size) & (x.mid < size)), "an index out of range")
    return x.mid.astype(np.int64) % max(size, 1)


def index(axes: tuple[int, ...], x: Ball, indices: list[Ball]) -> Ball:
    """x[..., i, ...] by numpy's rules."""
    where = dict(zip(axes, indices, strict=True))
    key = tuple(places(where[a], n) if a in where else slice(None) for a, n in enumerate(x.mid.shape))
    return Ball(x.mid[key], x.rad[key])


def gather(axis: int, x: Ball, at: Ball) -> Ball:
    """out[i, j] = x[i, at[i, j]] for axis 1."""
    keep = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(at.mid.shape))
    spots = places(at, x.mid.shape[axis])
    return Ball(np.take_along_axis(x.mid[keep], spots, axis), np.take_along_axis(x.rad[keep], spots, axis))


def place(kind: str, axis: int, x: Ball) -> Ball:
    """The place of the largest (smallest) number of an axis, the first of equals; undefined where not certain."""
    lo, hi = bounds(x)
    if kind == "min":
        lo, hi = -hi, -lo
    best = np.argmax(np.where(np.isnan(lo), -np.inf, lo), axis=axis, keepdims=True)
    top = np.take_along_axis(lo, best, axis)
    number = np.expand_dims(np.arange(lo.shape[axis]), tuple(i for i in range(lo.ndim) if i != axis % lo.ndim))
    beaten = (hi < top) | ((number > best) & (hi <= top)) | (number == best)
    sure = np.all(beaten, axis=axis, keepdims=True) & ~np.any(np.isnan(x.mid), axis=axis, keepdims=True)
    mid = np.where(sure, best, np.nan)
    return Ball(mid, np.zeros(mid.shape))


def topk(count: int, axis: int, largest: bool, ordered: bool, part: str, x: Ball) -> Ball:
    """The `count` largest (smallest) numbers of an axis in order, or their places (undefined at possible ties)."""
    if not ordered:
        raise Reject("topk without an order")
    need(not np.any(np.isnan(x.mid)), "an undefined number is sorted")
    sign = -1.0 if largest else 1.0
    lo, hi = (np.sort(sign * b, axis) for b in (bounds(x) if not largest else bounds(x)[::-1]))
    head = tuple(slice(None) if i != axis else slice(count) for i in range(x.mid.ndim))
    if part == "values":
        ends = sign * lo[head], sign * hi[head]
        return hull(*(ends[::-1] if largest else ends))
    order = np.argsort(sign * x.mid, axis)
    near, far = (np.take_along_axis(sign * b, order, axis) for b in (bounds(x) if not largest else bounds(x)[::-1]))
    later = np.minimum.accumulate(np.flip(near, axis), axis)  # the least lower end from each place on
    following = np.take(np.flip(later, axis), range(1, x.mid.shape[axis]), axis)
    end = np.full([1 if i == axis else n for i, n in enumerate(x.mid.shape)], np.inf)
    sure = np.logical_and.accumulate(far < np.concatenate([following, end], axis), axis)
    mid = np.where(sure, order, np.nan)[head]
    return Ball(mid, np.zeros(mid.shape))
