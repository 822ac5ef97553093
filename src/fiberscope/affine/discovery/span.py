"""Which relations follow from others: by substituting b t + g for t, by one-unit laws, and by linear combination.

Coefficients here are float64: they decide only which relations are listed, never whether one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from fiberscope.affine.discovery.columns import ONE, Columns
from fiberscope.affine.discovery.dictionary import Pair

Sparse = tuple[list[tuple[float, Pair]], float, float]
"""Terms (alpha, (beta, gamma)), constant, linear."""

FOLLOWS = 1e-8
"""A vector whose part outside the span is below this times its length lies in it."""

SCALES = tuple(Fraction(s) for s in ("1/2", "1", "2", "3", "4", "6"))
SHIFTS = tuple(Fraction(k, 2) for k in range(-18, 19))


class Span:
    """The span of all images of the accepted relations inside a grid wider than the dictionary, as orthonormal rows.

    The coordinates are the pairs (beta, gamma), then 1 and t.
    """

    def __init__(self, columns: Columns) -> None:
        wide = {(s * sign, g) for s, g, sign in product(SCALES, SHIFTS, (1, -1))} | set(columns.alias)
        self.pairs = sorted(wide)
        self.index = {pair: i for i, pair in enumerate(self.pairs)}
        self.rows = np.zeros((0, len(self.pairs) + 2))
        for pair, lam, mu in columns.images_of_one():
            law: Sparse = ([(1.0, pair), (-float(lam), ONE)], float(mu), 0.0)
            if not self.follows(law):
                self.accept(law)
        for pair, (k, lam, mu) in columns.alias.items():
            if columns.kept[k] != pair:
                self.add([self.vector(([(1.0, pair), (-float(lam), columns.kept[k])], float(mu), 0.0))])

    def vector(self, relation: Sparse) -> np.ndarray | None:
        """A relation in coordinates, of length 1; None where a term is outside the grid."""
        terms, constant, linear = relation
        out = np.zeros(len(self.pairs) + 2)
        out[-2:] = -constant, -linear
        for alpha, pair in terms:
            if pair not in self.index:
                return None
            out[self.index[pair]] += alpha
        size = np.abs(out).max()
        if not np.isfinite(size) or size == 0:
            return None
        return out / size / np.linalg.norm(out / size)

    def outside(self, vectors: np.ndarray) -> np.ndarray:
        """The parts of the rows orthogonal to the span."""
        for _ in range(2):
            vectors = vectors - (vectors @ self.rows.T) @ self.rows
        return vectors

    def follows(self, relation: Sparse) -> bool:
        """Whether a relation lies in the span."""
        v = self.vector(relation)
        return v is not None and float(np.linalg.norm(self.outside(v[None]))) < FOLLOWS

    def accept(self, relation: Sparse) -> None:
        """Adds every image of the relation that the grid holds."""
        self.add([self.vector(image) for image in images(relation, self.pairs)])

    def add(self, vectors: Sequence[np.ndarray | None]) -> None:
        """Adds rows to the span."""
        import scipy.linalg

        held = [v for v in vectors if v is not None]
        if not held:
            return
        rest = self.outside(np.array(held))
        rest = rest[np.linalg.norm(rest, axis=1) > FOLLOWS]
        if not len(rest):
            return
        factors: Any = scipy.linalg.qr(rest.T, mode="economic", pivoting=True)
        basis, triangle = factors[0], factors[1]
        rank = int((np.abs(np.diag(triangle)) > FOLLOWS).sum())
        self.rows = np.vstack([self.rows, self.outside(basis[:, :rank].T)])


def images(relation: Sparse, pairs: Sequence[Pair]) -> list[Sparse]:
    """The relation after t -> b t + g, for every b, g that carry its first term to one of the pairs."""
    terms, constant, linear = relation
    beta, gamma = terms[0][1]
    out: list[Sparse] = []
    for to_beta, to_gamma in pairs:
        b = to_beta / beta
        g = (to_gamma - gamma) / beta
        moved = [(alpha, substituted(pair, b, g)) for alpha, pair in terms]
        out.append((moved, constant + linear * float(g), linear * float(b)))
    return out


def substituted(pair: Pair, b: Fraction, g: Fraction) -> Pair:
    """beta (b t + g) + gamma."""
    return pair[0] * b, pair[1] + pair[0] * g
