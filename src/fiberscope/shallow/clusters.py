"""Boundaries that agree up to rounding, and how clear that is.

A boundary {<u, x> + t = 0}, |u| = 1, is the point y = (u, asinh t) up to sign: close in y means close in direction and
in relative offset. Numbers with |<xi, y>| nearly equal, xi a random unit vector, are candidates (the sketch is blind to
the sign); the distance min(|y - y'|, |y + y'|) decides. Closeness is not transitive, so the result says how far apart
the closest boundaries are that were kept apart, against how far apart the farthest are that were merged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.tolerance import FOLD_MERGE

_NEIGHBOURS = 8
_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Clusters:
    """``label[i]``: cluster of row i, by first appearance; ``leader[h]``: its first row.

    ``sign[i]``: +1 if row i points as its leader does, else -1; ``merged``: the largest distance of a row to its
    leader; ``apart``: a lower bound for the distance of two leaders (inf when there is one).
    """

    label: np.ndarray
    leader: np.ndarray
    sign: np.ndarray
    merged: float
    apart: float


def clusters(normals: np.ndarray, offsets: np.ndarray, *, tol: float = FOLD_MERGE) -> Clusters:
    """Cluster unit normals (d x n) with offsets (d,) up to sign; two rows closer than ``tol`` to a leader are one.

    >>> found = clusters(np.array([[1.0], [-1.0], [1.0]]), np.array([0.5, -0.5 + 1e-15, 0.7]))
    >>> found.label.tolist(), found.sign.tolist(), found.apart > 0.1
    ([0, 0, 1], [1, -1, 1], True)
    """
    points = np.column_stack([normals, np.arcsinh(offsets)])
    d = len(points)
    xi = np.random.default_rng(1).standard_normal(points.shape[1])
    xi /= np.linalg.norm(xi)
    sketch = np.abs(points @ xi)  # 1-Lipschitz in y, and blind to the sign
    order = np.argsort(sketch, kind="stable")
    leader_of = np.full(d, -1, dtype=np.int64)
    noise = 64.0 * np.finfo(float).eps * (1.0 + float(sketch.max(initial=0.0)))
    left = order
    while left.size:  # each round: the first row of every run of close sketches leads those near to it
        starts = np.concatenate([[True], np.diff(sketch[left]) > tol + noise])
        runs = np.cumsum(starts) - 1
        first = left[np.flatnonzero(starts)]
        lowest = np.full(len(first), d)
        np.minimum.at(lowest, runs, left)
        near = _distance(points, left, lowest[runs]) <= tol
        leader_of[left[near]] = lowest[runs][near]
        left = left[~near]
    leader, label = np.unique(leader_of, return_inverse=True)
    sign = np.where((points * points[leader_of]).sum(axis=1) < 0, -1, 1)
    merged = float(_distance(points, np.arange(d), leader_of).max(initial=0.0))
    return Clusters(label, leader, sign, merged, _least_distance(points, leader, sketch))


def _distance(points: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """min(|y - y'|, |y + y'|) for pairs of rows."""
    out = np.empty(len(rows))
    step = max(1, _CHUNK // points.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        y, z = points[rows[part]], points[others[part]]
        out[part] = np.minimum(np.linalg.norm(y - z, axis=1), np.linalg.norm(y + z, axis=1))
    return out


def _least_distance(points: np.ndarray, leader: np.ndarray, sketch: np.ndarray) -> float:
    """A lower bound for the distance between two leaders.

    Neighbours in the sketch are measured; others differ by more than the sketch does.
    """
    order = leader[np.argsort(sketch[leader], kind="stable")]
    m = len(order)
    reach = m if m <= 1000 else _NEIGHBOURS
    apart = np.inf
    for step in range(1, min(reach + 1, m)):
        apart = min(apart, float(_distance(points, order[:-step], order[step:]).min()))
    if reach + 1 < m:
        apart = min(apart, float((sketch[order[reach + 1 :]] - sketch[order[: -reach - 1]]).min()))
    return apart
