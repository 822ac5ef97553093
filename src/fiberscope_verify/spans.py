"""Intervals as two arrays of ends, every result rounded outward by one step of float64, which covers one rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ball import Ball, bounds, function
from .report import need


@dataclass(frozen=True)
class Span:
    """The numbers between ``lo`` and ``hi``, entry by entry; both finite."""

    lo: np.ndarray
    hi: np.ndarray

    def __post_init__(self) -> None:
        fine = np.isfinite(self.lo) & np.isfinite(self.hi) & (self.lo <= self.hi)
        need(bool(np.all(fine)), "a bound leaves the range of float64")

    def magnitude(self) -> np.ndarray:
        """The largest absolute value."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))


def outward(lo: np.ndarray, hi: np.ndarray) -> Span:
    """Ends that were rounded once."""
    return Span(np.nextafter(lo, -np.inf), np.nextafter(hi, np.inf))


def number(value: float, like: Span) -> Span:
    """One float for every entry."""
    return Span(np.full(like.lo.shape, value), np.full(like.lo.shape, value))


def join(*spans: Span) -> Span:
    """The smallest span around all."""
    return Span(np.min([s.lo for s in spans], axis=0), np.max([s.hi for s in spans], axis=0))


def meet(x: Span, y: Span) -> Span:
    """What two true enclosures have in common."""
    return Span(np.maximum(x.lo, y.lo), np.minimum(x.hi, y.hi))


def add(x: Span, y: Span) -> Span:
    """x + y."""
    return outward(x.lo + y.lo, x.hi + y.hi)


def sub(x: Span, y: Span) -> Span:
    """x - y."""
    return outward(x.lo - y.hi, x.hi - y.lo)


def mul(x: Span, y: Span) -> Span:
    """x y."""
    with np.errstate(all="ignore"):
        ends = [p * q for p in (x.lo, x.hi) for q in (y.lo, y.hi)]
    return outward(np.min(ends, axis=0), np.max(ends, axis=0))


def square(x: Span) -> Span:
    """x^2."""
    low = np.where((x.lo <= 0) & (x.hi >= 0), 0.0, np.minimum(np.abs(x.lo), np.abs(x.hi)))
    with np.errstate(all="ignore"):
        out = outward(low * low, x.magnitude() ** 2)
    return Span(np.maximum(out.lo, 0.0), out.hi)


def rising(name: str, parameters: list[float], x: Span) -> Span:
    """The image under a function that never falls: both ends by themselves."""
    ends = [bounds(function(name, parameters, Ball(end, np.zeros(end.shape)))) for end in (x.lo, x.hi)]
    return Span(ends[0][0], ends[1][1])


def split(x: Span, parts: int) -> Span:
    """Each span cut into parts along a new first axis, which cover it."""
    at = np.linspace(0.0, 1.0, parts + 1).reshape(-1, *([1] * x.lo.ndim))
    cuts = x.lo + (x.hi - x.lo) * at
    cuts = np.clip(cuts, x.lo, x.hi)
    cuts[0], cuts[-1] = x.lo, x.hi
    cuts = np.maximum.accumulate(cuts, axis=0)
    return Span(cuts[:-1], cuts[1:])


def united(x: Span) -> Span:
    """The parts of `split` together again."""
    return Span(x.lo.min(axis=0), x.hi.max(axis=0))
