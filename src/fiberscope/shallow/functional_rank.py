"""The rank of the Fisher information by a formula, without any null vector.

With Q_H, Q_H^+, Q_H^- the spans of the output weights of the units on the hyperplane H and of its two sides, l_H the
affine function that vanishes on H, and Aff the affine functions (dimension n + 1):

    rank = sum_H (k + n dim Q_H) + dim( R^k x 1 + sum_{H mixed} [R^k x l_H + (Q_H^+ cap Q_H^-) x Aff]
                                        + sum_{i linear} [q_i x Aff + R^k x l_i] ).

H is mixed if units of both orientations lie on it; i is linear if its unit is linear on the domain and not zero. For
the absolute value the two sides of H only differ by a sign and a mixed H adds nothing to the second term.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.shallow.active import Active, active
from fiberscope.shallow.linear_relations import null_space, rank
from fiberscope.shallow.model import ShallowModel


def functional_rank(model: ShallowModel, box: Any = None) -> int:
    """The functional dimension of ``model`` at its weights by the formula, over the rationals.

    Errors: as for :func:`fiberscope.shallow.fisher.fisher`.

    >>> from fiberscope.shallow.examples import m_symmetric
    >>> functional_rank(m_symmetric(5))  # d (n + k) + k
    16
    """
    units = active(model, box, exact=True)
    n, k = units.rows.shape[1] - 1, units.outer.shape[0]
    one = units.jump * 0 + 1
    eye = np.full((n + 1, n + 1), one * 0, dtype=object)
    eye[range(n + 1), range(n + 1)] = one
    outputs = np.full((k, k), one * 0, dtype=object)
    outputs[range(k), range(k)] = one
    total = 0
    spans = [np.kron(outputs, eye[n])]
    for plane in units.hyperplanes:
        total += k + n * rank(units.outer[:, list(plane.units)])
        if plane.side(1) and plane.side(-1) and 2 * units.below + units.jump != 0:
            spans.append(np.kron(outputs, plane.row))
            common = _common(units, plane.side(1), plane.side(-1))
            spans.append(np.kron(common, eye))
    for i, slope in units.slope.items():
        if slope != 0:
            spans += [np.kron(outputs, units.rows[i]), np.kron(units.outer[:, i][None], eye)]
    return total + rank(np.vstack([span.reshape(-1, k * (n + 1)) for span in spans]))


def _common(units: Active, left: list[int], right: list[int]) -> np.ndarray:
    """Rows that span the intersection of the spans of the output weights of two sets of units."""
    both = np.hstack([units.outer[:, left], -units.outer[:, right]])
    out = []
    for vector in null_space(both)[0]:
        out.append(
            sum((units.outer[:, left[c]] * v for c, v in vector.items() if c < len(left)), units.outer[:, 0] * 0)
        )
    return np.array(out, dtype=object).reshape(-1, units.outer.shape[0])
