"""The dimension of the orbit through generic weights, where the group does not act freely.

A general linear group on a space wider than what it reads or writes has elements that fix the weights, and
neighbouring spaces share them: the dimension of the orbit is the rank of the tangent vectors, not a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fiberscope.symmetry.lie import LieAlgebra

if TYPE_CHECKING:
    from fiberscope.symmetry.symmetries import Symmetries

LARGEST_MATRIX = 4_000_000
RANK_TOLERANCE = 1e-9


def axis_dimension(symmetries: Symmetries) -> int:
    """Return the dimension of the axis part: a sum over spaces, or a rank where orbits overlap.

    Where the rank would need too large a matrix, wide spaces count with their scalings alone (a lower bound).
    """
    wide = [s for s in symmetries.spaces if s.orbit_dimension is not None and s.orbit_dimension < s.size**2]
    if not wide:
        return sum(s.dimension for s in symmetries.spaces)
    keys = {s.atom for s in symmetries.spaces if s.orbit_dimension is not None}
    names = sorted({n for k in keys for n, _, _ in symmetries.groups[k].occurrences})
    rest = sum(s.dimension for s in symmetries.spaces if s.atom not in keys)
    rng = np.random.default_rng(0)
    weights = {n: rng.standard_normal(tuple(a.size for a in symmetries.layouts[n])) for n in names}
    generators = [g for g in LieAlgebra(symmetries).generators() if g.atom in keys]
    if len(generators) * sum(w.size for w in weights.values()) > LARGEST_MATRIX:
        narrow = sum(s.dimension for s in symmetries.spaces if s.atom in keys and s not in wide)
        return rest + narrow + sum(s.copies * s.size for s in wide)
    rows = []
    for generator in generators:
        moved = LieAlgebra(symmetries).tangent(generator, weights)
        rows.append(np.concatenate([np.ravel(moved.get(n, np.zeros(weights[n].shape))) for n in names]))
    singular = np.linalg.svd(np.array(rows), compute_uv=False)
    return rest + int((singular > RANK_TOLERANCE * singular[0]).sum())
