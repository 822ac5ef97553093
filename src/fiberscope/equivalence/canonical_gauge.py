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
"""A singular value of the writers below this fraction of the largest counts as zero."""


def gauge(space: Workspace, key: int, blocks: list[Block]) -> bool:
    """Fix the basis of a mixing space from its settled blocks; False when they do not determine it.

    Where the writers span less than the space, GL brings them to [E; 0]. The units below E are then zero for every
    input, and what reads them is set to zero: the function stays, and all members of the orbit agree.
    """
    group = space.symmetries.groups[key]
    n = group.atom.size
    written = [rows for b in blocks for rows in _written(b, key, space)]
    everything = [rows for b in space.blocks(key) for rows in _written(b, key, space)]
    if not written:
        return False
    rows = np.concatenate(written, axis=-1)
    shape = rows.shape[:-1]
    loops = _loops(space, key)
    if loops and not group.context and _rank(rows) < n:
        rows = _reached(rows, loops)
    flat = rows.reshape(-1, n, rows.shape[-1])
    ranks = [_rank(a) for a in flat]
    if min(ranks) < n:
        if group.mixing is not Mixing.general_linear or len(written) + len(loops) < len(everything):
            return False
        made = [_wide_basis(a, r) for a, r in zip(flat, ranks, strict=True)]
        space.apply(key, Part(matrix=np.array(made).reshape(*shape, n)))
        space.silence(key, np.array([np.arange(n) < r for r in ranks]).reshape(shape))
        return True
    space.apply(key, Part(matrix=np.array([_basis(a, group.mixing) for a in flat]).reshape(*shape, n)))
    return True


def _written(block: Block, key: int, space: Workspace) -> list[Array]:
    """The columns that a block writes into the space, (copies..., n, columns), once per axis."""
    group = space.symmetries.groups[key]
    found = []
    for place in positions(block, key):
        leaf = block.axes[place]
        assert isinstance(leaf, Leaf)
        if primal(leaf, group):
            found.append(per_copy(block, place, group))
    return found


def _loops(space: Workspace, key: int) -> list[Array]:
    """Square weights that read the space and write it again (the state matrix of a linear recurrence)."""
    group = space.symmetries.groups[key]
    found = []
    for block in space.blocks(key):
        if len(positions(block, key)) == 2 and block.values.ndim == 2:
            into = [primal(leaf, group) for leaf in block.axes if isinstance(leaf, Leaf)]
            if into in ([True, False], [False, True]):
                found.append(block.values if into[0] else block.values.T)
    return found


def _reached(rows: Array, loops: list[Array]) -> Array:
    """Columns that the writers reach through the loops: [B, F B, F^2 B, ...] until the rank stands still."""
    while True:
        more = np.concatenate([rows, *(loop @ rows for loop in loops)], axis=-1)
        if _rank(more) == _rank(rows):
            return rows
        rows = more


def _rank(a: Array) -> int:
    singular = np.linalg.svd(a, compute_uv=False)
    return int((singular > RANK_TOLERANCE * singular[0]).sum()) if singular.size and singular[0] else 0


def _wide_basis(a: Array, rank: int) -> Array:
    """An invertible M with M A = [E; 0], where E (rank x m) is the identity on its pivot columns."""
    u, s, v = np.linalg.svd(a, full_matrices=True)
    if not rank:
        return np.eye(len(a))
    row_space = v[:rank]
    _, _, pivots = _pivoted(row_space)
    echelon = np.linalg.solve(row_space[:, np.sort(pivots[:rank])], row_space)
    return np.vstack([echelon @ (v[:rank].T / s[:rank]) @ u[:, :rank].T, u[:, rank:].T])


def _pivoted(a: Array) -> tuple[Array, Array, Array]:
    """Column-pivoted QR, economic form."""
    from scipy.linalg import qr

    made: Any = qr(a, mode="economic", pivoting=True)
    return made[0], made[1], made[2]


def _basis(a: Array, mixing: Mixing) -> Array:
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
