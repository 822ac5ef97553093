"""Orthogonal projection to the span of the directions ``N^{BA}`` of some pairs of bars, never as a D x D matrix.

With coefficients ``c_{BA}`` put into matrices ``C_j`` (row: place of B at j, column: place of A at j - 1)

    N(c)_j   = F_j^{-T} C_j F_{j-1}^T                              F_j the flow basis, so O(sum d^3) for all layers
    N^T(G)   = sum_j entries (B, A) of F_j^{-1} G_j F_{j-1}
    N^T N    = sum_j (F_j^T F_j)^{-1}_{BB'} (F_{j-1}^T F_{j-1})_{AA'}

and ``min |G - N(c)|`` is solved by conjugate gradients on the normal equations (CGLS, Bjorck 1996). The span does not
depend on the flow, so in floats a balanced one is taken, for which the ``N^{BA}`` are nearly orthogonal: steps of
O(sum d^3), some hundred for random square layers. For up to 1000 pairs the Cholesky factor of ``N^T N`` makes it two or
three steps, which take away what squaring the condition lost. Over Q ``N^T N c = N^T G`` is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.balanced_flow import balanced
from fiberscope.linear.barcode import Bar
from fiberscope.linear.exact import from_flint, is_exact, to_flint
from fiberscope.linear.flow import Flow
from fiberscope.numerics.exact import rational
from fiberscope.numerics.tolerance import PROJECTION_RESIDUAL

MAX_DENSE_PAIRS = 1000
"""Beyond this many pairs steps of conjugate gradients cost less than factoring their Gram matrix."""
_MAX_STEPS = 5000

Weights = Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class PairSpace:
    """The span of the ``N^{BA}`` of some pairs. ``places[j-1] = (rows, columns, numbers)``: where layer j has them."""

    flow: Flow
    size: int
    places: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, flow: Flow, chosen: Callable[[Bar, Bar, int], bool]) -> PairSpace:
        """Of the pairs of single bars whose types are `chosen` (`constrained`, `touch`)."""
        if not is_exact(flow.bases[0]):
            flow = balanced(flow)
        kinds = sorted(set(flow.bars))
        kind = np.array([kinds.index(bar) for bar in flow.bars])
        table = np.array([[chosen(a, b, flow.length) for a in kinds] for b in kinds])
        found = []
        for j in range(1, flow.length + 1):
            after, before = np.array(flow.columns[j]), np.array(flow.columns[j - 1])
            rows, columns = np.nonzero(table[np.ix_(kind[after], kind[before])])
            found.append((rows, columns, after[rows] * len(flow.bars) + before[columns]))
        keys, numbers = np.unique(np.concatenate([keys for *_, keys in found]), return_inverse=True)
        split = np.split(numbers, np.cumsum([len(keys) for *_, keys in found])[:-1])
        return cls(flow, len(keys), tuple((r, c, n) for (r, c, _), n in zip(found, split, strict=True)))

    def project(self, weights: Weights) -> tuple[np.ndarray, ...]:
        """The point of the span nearest to ``(G_1, ..., G_L)``."""
        weights = self._checked(weights)
        return self.combine(self.coefficients(weights))

    def reject(self, weights: Weights) -> tuple[np.ndarray, ...]:
        """``(G_1, ..., G_L)`` minus its projection: the projection to the orthogonal complement."""
        weights = self._checked(weights)
        return tuple(g - n for g, n in zip(weights, self.combine(self.coefficients(weights)), strict=True))

    def combine(self, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
        """``N(c)``."""
        flow, out = self.flow, []
        for j, (rows, columns, numbers) in enumerate(self.places, start=1):
            inner = _zeros((len(flow.columns[j]), len(flow.columns[j - 1])), flow.bases[0])
            inner[rows, columns] = coefficients[numbers]
            out.append(_product(flow.duals[j].T, inner, flow.bases[j - 1].T))
        return tuple(out)

    def inner_products(self, weights: Weights) -> np.ndarray:
        """``N^T(G)``: the inner product with each ``N^{BA}``."""
        flow = self.flow
        out = _zeros((self.size,), flow.bases[0])
        for j, (rows, columns, numbers) in enumerate(self.places, start=1):
            seen = _product(flow.duals[j], weights[j - 1], flow.bases[j - 1])
            out[numbers] += seen[rows, columns]
        return out

    @cached_property
    def gram(self) -> np.ndarray:
        """``N^T N`` (p x p)."""
        flow = self.flow
        out = _zeros((self.size, self.size), flow.bases[0])
        for j, (rows, columns, numbers) in enumerate(self.places, start=1):
            left = _product(flow.duals[j], flow.duals[j].T)
            right = _product(flow.bases[j - 1].T, flow.bases[j - 1])
            out[np.ix_(numbers, numbers)] += left[np.ix_(rows, rows)] * right[np.ix_(columns, columns)]
        return out

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """The diagonal of ``N^T N``."""
        flow = self.flow
        out = np.zeros(self.size)
        for j, (rows, columns, numbers) in enumerate(self.places, start=1):
            left = np.einsum("ij,ij->i", flow.duals[j], flow.duals[j])
            right = np.einsum("ij,ij->j", flow.bases[j - 1], flow.bases[j - 1])
            out[numbers] += left[rows] * right[columns]
        return out

    def coefficients(self, weights: Weights) -> np.ndarray:
        """The ``c`` for which ``N(c)`` is nearest to ``(G_1, ..., G_L)``."""
        if not self.size:
            return _zeros((0,), self.flow.bases[0])
        if is_exact(self.flow.bases[0]):
            right = self.inner_products(weights)[:, None]
            return from_flint(to_flint(self.gram).solve(to_flint(right)))[:, 0]
        return self._least_squares(weights)

    @cached_property
    def _preconditioner(self) -> Callable[[np.ndarray], np.ndarray]:
        """An approximate inverse of ``N^T N``."""
        from scipy.linalg import cho_factor, cho_solve

        scale = 1.0 / np.sqrt(self.squared_norms)
        if self.size > MAX_DENSE_PAIRS:
            return lambda v: v * scale**2
        scaled = self.gram * scale[:, None] * scale
        scaled[np.diag_indices(self.size)] += self.size * np.finfo(float).eps
        factor = cho_factor(scaled, lower=True, overwrite_a=True, check_finite=False)
        return lambda v: scale * cho_solve(factor, scale * v, check_finite=False)

    def _least_squares(self, weights: Weights) -> np.ndarray:
        """Preconditioned CGLS until ``N^T r`` is small beside the norms of the ``N^{BA}`` times that of G."""
        rest = [np.array(g) for g in weights]
        found = np.zeros(self.size)
        goal = PROJECTION_RESIDUAL * _norm(rest) * np.sqrt(self.squared_norms)
        seen = self.inner_products(rest)
        solved = self._preconditioner(seen)
        step, gain = solved, float(seen @ solved)
        for _ in range(_MAX_STEPS):
            if (np.abs(seen) <= goal).all() or gain <= 0:
                return found
            moved = self.combine(step)
            length = gain / sum(float((m * m).sum()) for m in moved)
            found += length * step
            for r, m in zip(rest, moved, strict=True):
                r -= length * m
            seen = self.inner_products(rest)
            solved = self._preconditioner(seen)
            before, gain = gain, float(seen @ solved)
            step = solved + (gain / before) * step
        raise InputError(
            f"projection: conjugate gradients did not converge in {_MAX_STEPS} steps for {self.size} pairs of bars; "
            "the flow basis is too far from orthogonal at this size"
        )

    def _checked(self, weights: Weights) -> list[np.ndarray]:
        widths = [len(c) for c in self.flow.columns]
        shapes = [(widths[j], widths[j - 1]) for j in range(1, len(widths))]
        exact = is_exact(self.flow.bases[0])
        out = [from_flint(to_flint(np.asarray(g))) if exact else np.asarray(g, dtype=np.float64) for g in weights]
        if [g.shape for g in out] != shapes:
            raise InputError(f"weights of shapes {[g.shape for g in out]}: expected those of the factors, {shapes}")
        return out


def _norm(weights: Weights) -> float:
    return float(np.sqrt(sum(float((g * g).sum()) for g in weights)))


def _zeros(shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
    return np.full(shape, rational(0), dtype=object) if is_exact(like) else np.zeros(shape)


def _product(*matrices: Any) -> np.ndarray:
    """The matrix product, through flint for rationals (numpy's loop over objects is slower)."""
    if not is_exact(matrices[0]):
        out = matrices[0]
        for matrix in matrices[1:]:
            out = out @ matrix
        return out
    out = to_flint(matrices[0])
    for matrix in matrices[1:]:
        out = out * to_flint(matrix)
    return from_flint(out)
