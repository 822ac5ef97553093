"""Inputs at which a function with a nonzero normal form is not 0.

Across a fold with kink kappa, at a point p of no other fold and for steps that cross none,
f(p + e u) - 2 f(p) + f(p - e u) = kappa e |u|^2: one of the three values is not 0. An affine function that is not 0 is
not 0 at one of n + 1 points in general position.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fiberscope.numerics.exact import nearest_floats, rational, rationals
from fiberscope.shallow.box import Box


def random_points(inputs: int, box: Box | None, *, count: int = 6, seed: int = 0) -> Iterator[np.ndarray]:
    """Float points, normal at scales from 1 to 1000, or uniform in the box."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        if box is None:
            yield rng.standard_normal(inputs) * 10.0 ** (i % 4)
        else:
            yield from _float_inside(_uniform(box, rng), box)


def affine_points(linear: np.ndarray, constant: np.ndarray, box: Box | None) -> Iterator[np.ndarray]:
    """The corner of the box (or 0), then the corner with one input moved, for every input."""
    n = linear.shape[1]
    low, high = (np.zeros(n), np.ones(n)) if box is None else (box.low, box.high)
    yield low
    for j in np.flatnonzero(np.asarray(linear != 0, dtype=bool).any(axis=0)):
        x = low.copy()
        x[j] = high[j]
        yield x


def fold_points(normals: np.ndarray, offsets: np.ndarray, box: Box | None, *, seed: int = 1) -> Iterator[np.ndarray]:
    """p, p + e u, p - e u for points p of the first fold: first rounded to floats, then exactly; without end."""
    rng = np.random.default_rng(seed)
    U, t = rationals(normals), rationals(offsets)
    while True:
        p = _on_fold(U[0], t[0], box, rng)
        u = U[0] if box is None else np.where(box.fixed, rational(0), U[0])
        step = _free_step(p, u, U[1:], t[1:], box)
        if step is None:
            continue
        points = (p, p + u * step, p - u * step)
        for x in points:
            yield from _float_inside(x, box)
        yield from points


def _free_step(p: np.ndarray, u: np.ndarray, U: np.ndarray, t: np.ndarray, box: Box | None) -> object | None:
    """Half the largest e for which p +- e u crosses none of the boundaries (U, t) and stays in the box."""
    free = rational(1)
    distance, speed = abs(U @ p + t), abs(U @ u)
    for way, pace in zip(distance.tolist(), speed.tolist(), strict=True):
        if pace != 0:
            free = min(free, way / pace)
    if box is not None:
        room = np.minimum(p - rationals(box.low), rationals(box.high) - p)
        for way, pace in zip(room.tolist(), abs(u).tolist(), strict=True):
            if pace != 0:
                free = min(free, way / pace)
    return free / 2 if free > 0 else None


def _on_fold(u: np.ndarray, t: object, box: Box | None, rng: np.random.Generator) -> np.ndarray:
    """A random rational point with <u, x> + t = 0, inside the box."""
    if box is None:
        x = rationals(np.round(rng.standard_normal(len(u)) * 2.0**20) * 2.0**-20)
        return x - u * ((u @ x + t) / (u @ u))
    low, high = rationals(box.low), rationals(box.high)
    ends = []
    for sign in (1, -1):
        corner = np.where(np.asarray(u * sign > 0, dtype=bool), high, low)
        inside, share = _uniform(box, rng), rational(0.5)
        while True:  # the value at the corner has the right sign strictly, so some share of the way does
            x = corner + (inside - corner) * share
            if (u @ x + t) * sign > 0:
                break
            share = share / 2
        ends.append((x, abs(u @ x + t)))
    (x, above), (y, below) = ends
    return (x * below + y * above) / (above + below)


def _uniform(box: Box, rng: np.random.Generator) -> np.ndarray:
    """A rational point strictly inside the box (equal to it where the box is flat)."""
    share = rationals(rng.integers(1, 2**20, len(box.low)) * 2.0**-20)
    low, high = rationals(box.low), rationals(box.high)
    return low + (high - low) * share


def _float_inside(x: np.ndarray, box: Box | None) -> Iterator[np.ndarray]:
    """The nearest floats, if they are finite and in the box."""
    floats, _ = nearest_floats(x)
    if np.isfinite(floats).all():
        exact = rationals(floats)
        if box is None or bool(((exact >= rationals(box.low)) & (exact <= rationals(box.high))).all()):
            yield floats
