"""Free units on one boundary: multiples of each other, of either sign, and what one boundary needs at most.

With ``y_i = c_i z`` for the units of a boundary, ``c_i`` of either sign, and rho a ReLU or leaky ReLU of slope s:

    sum_i v_i rho(y_i)  =  (sum_i v_i |c_i|) rho(z)  +  (1 + s) sum_{c_i < 0} v_i y_i,

so one unit is enough where the linear part can be carried, and none where the bends cancel: sum_i v_i |c_i| = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fiberscope.numerics.exact import products_equal

SUSPECT = 1e-9
"""Bends below this part of their terms are added up exactly, to see whether they cancel."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Unit i is ``scale[i]`` times unit ``head[i]``; heads stand for themselves with scale 1. ``cancels[i]``: the bends
    of its group add up to zero."""

    head: np.ndarray
    scale: np.ndarray
    cancels: np.ndarray

    def chosen(self, turn: bool, cancel: bool) -> Groups:
        """The same with units of negative scale on their own, unless they are to be turned round (``turn``) or to
        cancel (``cancel``)."""
        opposite = self.scale < 0
        mixed = np.isin(self.head, self.head[opposite])
        cancels = self.cancels & (cancel | ~mixed)
        apart = np.flatnonzero(opposite & ~cancels & (not turn))
        head, scale = self.head.copy(), self.scale.copy()
        first: dict[int, int] = {}
        for i in apart.tolist():
            lead = first.setdefault(int(self.head[i]), i)
            head[i], scale[i] = lead, self.scale[i] / self.scale[lead]
        return Groups(head, scale, cancels)


def groups(rows: np.ndarray, own: np.ndarray, read: np.ndarray) -> Groups:
    """The boundaries of units that the next layer reads with weights ``read`` [k, m].

    ``own``: rows (w, b) of the units in their network, ``rows``: the same in the reduced inputs; either may show it.
    """
    head, ratio = multiples(own)
    kept = np.unique(head)
    again, more = multiples(rows[kept])
    place = np.searchsorted(kept, head)
    head = kept[again[place]]
    ratio = [r * more[i] for r, i in zip(ratio, place, strict=True)]
    cancels = np.zeros(len(rows), dtype=bool)
    for lead in np.unique(head[head != np.arange(len(head))]):
        members = np.flatnonzero(head == lead)
        cancels[members] = cancel(read[:, members], [abs(ratio[i]) for i in members])
    return Groups(head, np.array([float(r) for r in ratio]), cancels)


def multiples(rows: np.ndarray) -> tuple[np.ndarray, list[Fraction]]:
    """For every row the first row that it is exactly a multiple of, and the multiple. Near multiples are kept apart.

    >>> multiples(np.array([[1.0, 2.0], [3.0, 1.0], [-2.0, -4.0]]))
    (array([0, 1, 0]), [Fraction(1, 1), Fraction(1, 1), Fraction(-2, 1)])
    """
    head, ratio = np.arange(len(rows)), [Fraction(1)] * len(rows)
    pivot = np.abs(rows).argmax(axis=1) if rows.size else np.zeros(len(rows), dtype=int)
    lead = rows[np.arange(len(rows)), pivot]
    with np.errstate(all="ignore"):  # correctly rounded: parallel rows come out equal
        normal = rows / np.where(lead != 0, lead, 1.0)[:, None] + 0.0
    seen: dict[bytes, list[int]] = {}
    for i, row in enumerate(normal):
        for j in seen.setdefault(row.tobytes(), []):
            if bool(products_equal(rows[i], lead[j : j + 1], rows[j], lead[i : i + 1]).all()):
                head[i], ratio[i] = j, Fraction(float(lead[i])) / Fraction(float(lead[j])) if lead[j] else Fraction(1)
                break
        else:
            seen[row.tobytes()].append(i)
    return head, ratio


def cancel(read: np.ndarray, size: list[Fraction]) -> bool:
    """Whether ``read @ size`` is zero, exactly."""
    floats = np.array([float(c) for c in size])
    if bool(np.any(np.abs(read @ floats) > SUSPECT * (np.abs(read) @ floats))):
        return False
    return all(sum((Fraction(float(v)) * c for v, c in zip(row, size, strict=True)), Fraction(0)) == 0 for row in read)
