"""Among all flow bases, one that is orthogonal at both ends of every type of bar: singular vectors of the way through.

The m bars of one type (i, k) may be mixed by any invertible C (m x m), the same at every layer they pass. With
``V_j`` (d_j x m) their vectors at layer j, and ``V_i = Q_i R_i``, ``V_k = Q_k R_k``, ``R_k R_i^{-1} = U S V^T``,

    C = R_i^{-1} V  gives   V_i C = Q_i V   and   V_k C = Q_k U S,     both with orthogonal columns.

For the full bars of square invertible factors these are the singular vectors of the product. Layers in between are
better conditioned too, and directions made of such bars are nearly orthogonal to each other.
"""

from __future__ import annotations

import numpy as np

from fiberscope.linear.barcode import Bar
from fiberscope.linear.flow import Flow


def balanced(flow: Flow) -> Flow:
    """The same bars in a flow basis (float64) whose types are orthogonal at birth and at their last layer; O(sum d^3).

    >>> from fiberscope.linear.decomposition import decompose
    >>> flow = balanced(decompose([[[2.0, 1.0], [0.0, 1.0]]]).flow)
    >>> [abs(np.round(v[:, 0] @ v[:, 1], 12)).tolist() for v in flow.bases]
    [0.0, 0.0]
    """
    bases = [basis.copy() for basis in flow.bases]
    types: dict[Bar, list[int]] = {}
    for number, bar in enumerate(flow.bars):
        types.setdefault(bar, []).append(number)
    for (birth, last), numbers in types.items():
        columns = {j: [flow.place[j][s] for s in numbers] for j in range(birth, last + 1)}
        first = np.asarray(np.linalg.qr(flow.bases[birth][:, columns[birth]], mode="r"))
        final = np.asarray(np.linalg.qr(flow.bases[last][:, columns[last]], mode="r"))
        right = np.linalg.svd(np.linalg.solve(first.T, final.T).T)[2]
        mixing = np.linalg.solve(first, right.T)
        vectors = {j: flow.bases[j][:, at] @ mixing for j, at in columns.items()}
        norms = np.array([np.linalg.norm(v, axis=0) for v in vectors.values()])
        scale = 1.0 / (np.sqrt(norms.min(axis=0)) * np.sqrt(norms.max(axis=0)))
        for j, at in columns.items():
            bases[j][:, at] = vectors[j] * scale
    return Flow(flow.bars, flow.columns, tuple(bases))
