r"""Canonical bases of spaces that mix: bring the writers to echelon form.

Under GL(n) the rows A (n x m) of all writers go to M A. The pivots are n columns chosen by pivoted QR of an
orthonormal basis of the row space, which does not depend on M; then M = A[:, pivots]^{-1} makes A[:, pivots]
the identity. Under O(n) the pivoted QR of A itself is invariant, and M makes its triangular factor positive;
where the ones are fixed, the same happens in their orthogonal complement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import primal
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, Workspace, per_copy, positions
from fiberscope.symmetry.element import Part
from fiberscope.symmetry.groups import Mixing

Array = NDArray[Any]

RANK_TOLERANCE = 1e-9
"""Writers whose smallest singular value is below this fraction of the largest have no canonical basis."""


def gauge(space: Workspace, key: int, blocks: list[Block]) -> bool:
    """Fix the basis of a mixing space from its settled blocks; False when they do not determine it."""
    group = space.symmetries.groups[key]
    n = group.atom.size
    written: list[Array] = []
    for block in blocks:
        place = positions(block, key)[0]
        leaf = block.axes[place]
        assert isinstance(leaf, Leaf)
        if primal(leaf, group):
            written.append(per_copy(block, place, group))
    if not written:
        return False
    rows = np.concatenate(written, axis=-1)
    if rows.shape[-1] < n:
        return False
    flat = rows.reshape(-1, n, rows.shape[-1])
    made = [_basis(a, group.mixing) for a in flat]
    if any(m is None for m in made):
        return False
    space.apply(key, Part(matrix=np.array(made).reshape(*rows.shape[:-1], n)))
    return True


def _pivoted(a: Array) -> tuple[Array, Array, Array]:
    """Column-pivoted QR, economic form."""
    from scipy.linalg import qr

    made: Any = qr(a, mode="economic", pivoting=True)
    return made[0], made[1], made[2]


def _basis(a: Array, mixing: Mixing) -> Array | None:
    singular = np.linalg.svd(a, compute_uv=False)
    if singular[-1] <= RANK_TOLERANCE * singular[0]:
        return None
    n = a.shape[0]
    if mixing is Mixing.orthogonal_fixing_ones:
        frame = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, : n - 1]]))[0][:, 1:]
        q, r, _ = _pivoted(frame.T @ a)
        inner = np.sign(np.diag(r))[:, None] * q.T
        return np.full((n, n), 1.0 / n) + frame @ inner @ frame.T
    if mixing is Mixing.orthogonal:
        q, r, _ = _pivoted(a)
        return (np.sign(np.diag(r))[:, None] * q.T).astype(np.float64)
    rows = np.linalg.qr(a.T)[0].T
    _, _, pivots = _pivoted(rows)
    return np.linalg.inv(a[:, np.sort(pivots[:n])])
