"""Which vectors can take part in a linear dependence together: the connected components of their matroid.

After column reduction every other vector is a combination of the basis vectors it meets; vectors that meet are joined.
Spans of different components are independent, so a combination vanishes iff it vanishes on every component (Oxley,
Matroid Theory, 4.2). A component of one nonzero vector takes part in no dependence at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.numerics.tolerance import DEPENDENCE


def components(vectors: np.ndarray) -> list[list[int]]:
    """Components with a dependence, as lists of indices, of ``vectors`` (s x r): rationals exactly, floats by pivots.

    Zero vectors are components of their own; nonzero vectors outside every dependence are left out.

    >>> components(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 0.0]]))
    [[0, 2], [3]]
    """
    zero = [i for i, v in enumerate(vectors.tolist()) if not any(v)]
    rest = np.array([i for i, v in enumerate(vectors.tolist()) if any(v)], dtype=np.int64)
    if not rest.size:
        return [[i] for i in zero]
    basis, meets = (_exact if vectors.dtype == object else _float)(vectors[rest])
    parent = list(range(len(rest)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for j, row in meets.items():
        for b in row:
            parent[root(basis[b])] = root(j)
    groups: dict[int, list[int]] = {}
    for i in range(len(rest)):
        groups.setdefault(root(i), []).append(int(rest[i]))
    return sorted([[i] for i in zero] + [group for group in groups.values() if len(group) > 1])


def _exact(vectors: np.ndarray) -> tuple[list[int], dict[int, list[int]]]:
    """Indices of a basis, and for every other vector the basis vectors of its expansion, over Q."""
    from flint import fmpq_mat

    count, size = vectors.shape
    reduced, rank = fmpq_mat(size, count, vectors.T.ravel().tolist()).rref()
    table = reduced.tolist()[:rank]
    basis = [next(j for j, value in enumerate(row) if value != 0) for row in table]
    others = sorted(set(range(len(vectors))) - set(basis))
    return basis, {j: [b for b in range(rank) if table[b][j] != 0] for j in others}


def _float(vectors: np.ndarray) -> tuple[list[int], dict[int, list[int]]]:
    """The same in floats, by QR with column pivoting on unit vectors."""
    from scipy.linalg import qr, solve_triangular

    unit = (vectors / np.linalg.norm(vectors, axis=1)[:, None]).T
    found: Any = qr(unit, mode="r", pivoting=True)
    upper, order = np.asarray(found[0]), np.asarray(found[1])
    pivots = np.abs(np.diagonal(upper))
    rank = int((pivots > DEPENDENCE).sum())
    expansion = solve_triangular(upper[:rank, :rank], upper[:rank, rank:])
    basis = order[:rank].tolist()
    return basis, {
        int(j): np.flatnonzero(np.abs(expansion[:, column]) > DEPENDENCE).tolist()
        for column, j in enumerate(order[rank:])
    }
