"""One stratum of a fiber: all factorisations of one matrix that share one rank list.

With ``r_{k~i}`` the ranks, ``d_j`` the widths, ``rho`` the rank of the product, ``D = sum d_j d_{j-1}`` the number
of weights and hom, ext, touch as in `pairs`,

    dim S = D - #{ordered pairs of bars with ext or touch}
          = D - ext-sum - rho (d_0 + d_L - rho)
          = sum_j d_j^2 - hom-sum - rho (d_0 + d_L - rho),
    ext-sum = sum_{1 <= i <= k <= L} (r_{k-1~i-1} - r_{k~i-1}) (r_{k~i} - r_{k~i-1})            = #pairs with ext,
    hom-sum = sum_{0 <= i <= k <= L} (r_{k~i} - r_{k~i-1}) (r_{k~i} - r_{k+1~i})                = #pairs with hom,
    rank d(W_L ... W_1) = sum_{j=1..L} r_{L~j} r_{j-1~0} - sum_{j=1..L-1} r_{L~j} r_{j~0}       = #pairs with touch.

The stratum is one orbit of ``{(g_0, ..., g_L) : g_L W = W g_0}``, not in general of the base changes of the hidden
layers (Bhattacharya and Shewchuk; Trager, Kohn and Bruna 2020 for the fiber's components and the differential).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.linear.components import ascend, is_component
from fiberscope.linear.local_dimension import local_dimension
from fiberscope.linear.pairs import constrained, count_pairs, ext, hom, meeting_layers
from fiberscope.linear.real import stratum_real_components


@dataclass(frozen=True)
class Stratum:
    """What is true at every point with this barcode. The cost does not grow with the widths.

    >>> s = Stratum(Barcode.from_bars(2, {(0, 2): 1, (0, 0): 1, (1, 1): 1, (2, 2): 1}))
    >>> s
    Stratum([0,0], [0,2], [1,1], [2,2] | dimension 3 of 4, singular)
    >>> s.rank_differential, s.one_matrix_moves, s.two_matrix_moves, s.normal_dimension, s.inner_orbit_dimension
    (3, 2, 1, 5, 3)
    """

    barcode: Barcode

    @cached_property
    def weights(self) -> int:
        """``D = sum_j d_j d_{j-1}``, the number of weights."""
        d = self.barcode.widths
        return sum(d[j] * d[j - 1] for j in range(1, len(d)))

    @cached_property
    def dimension(self) -> int:
        """``dim S`` inside the fiber of one product."""
        return self.weights - self.normal_dimension

    @cached_property
    def normal_dimension(self) -> int:
        """``D - dim S``, the number of ordered pairs of bars with ext or touch."""
        return self._ext_sum + self._product_dimension

    @property
    def _product_dimension(self) -> int:
        """``rho (d_0 + d_L - rho)``, the dimension of the d_L x d_0 matrices of rank rho."""
        b = self.barcode
        return b.full * (b.widths[0] + b.widths[-1] - b.full)

    @property
    def _ext_sum(self) -> int:
        r, top = self.barcode.ranks, self.barcode.length
        total = 0
        for i in range(1, top + 1):
            for k in range(i, top + 1):
                below = r[k, i - 1]
                total += (r[k - 1, i - 1] - below) * (r[k, i] - below)
        return total

    def dimension_by_formulas(self) -> dict[str, int]:
        """The dimension three ways: ``"pairs"`` of bars, ranks through ``"ext"``, ranks through ``"hom"``."""
        b, d, r = self.barcode, self.barcode.widths, self.barcode.rank
        hom_sum = sum((r(k, i) - r(k, i - 1)) * (r(k, i) - r(k + 1, i)) for k, i in b.ranks)
        return {
            "pairs": self.weights - self._pairs(lambda one, other: constrained(one, other, b.length)),
            "ext": self.weights - self._ext_sum - self._product_dimension,
            "hom": sum(w * w for w in d) - hom_sum - self._product_dimension,
        }

    def _pairs(self, weight: Callable[[Bar, Bar], int]) -> int:
        return count_pairs(self.barcode, weight)

    @cached_property
    def rank_differential(self) -> int:
        """The rank of the derivative of ``(W_1, ..., W_L) -> W_L ... W_1`` at every point of the stratum."""
        r, top = self.barcode.ranks, self.barcode.length
        return sum(r[top, j] * r[j - 1, 0] for j in range(1, top + 1)) - sum(r[top, j] * r[j, 0] for j in range(1, top))

    @cached_property
    def singular(self) -> bool:
        """Whether the fiber is singular at the points of the stratum.

        The tangent space of the fiber there is the kernel of the differential, since velocities of curves in the
        fiber span it. So the points are smooth iff one maximal stratum above has a differential of equal rank (then
        all have).
        """
        return self.rank_differential != Stratum(ascend(self.barcode)).rank_differential

    @cached_property
    def local_dimension(self) -> int:
        """The dimension of the fiber near the points of the stratum."""
        if not self.singular:
            return self.weights - self.rank_differential
        return local_dimension(self.barcode)

    @cached_property
    def is_component(self) -> bool:
        """Whether the stratum is maximal, so that its closure is an irreducible component of the fiber."""
        return is_component(self.barcode)

    @cached_property
    def real_components(self) -> int:
        """The number of connected pieces of the stratum over the real numbers, a power of 2."""
        return stratum_real_components(self.barcode)

    @cached_property
    def inner_orbit_dimension(self) -> int:
        """The dimension of an orbit of the base changes of the hidden layers, ``GL(d_1) x ... x GL(d_{L-1})``.

        ``sum_{0<j<L} d_j^2 - #{pairs with hom(A, B), birth(A) >= 1, end(B) <= L-1}``.
        """
        top = self.barcode.length
        fixing = self._pairs(lambda one, other: one[0] >= 1 and other[1] < top and hom(one, other))
        return sum(d * d for d in self.barcode.widths[1:-1]) - fixing

    @cached_property
    def one_matrix_moves(self) -> int:
        """How many basis directions of the tangent space change one matrix: pairs without ext or touch, per layer."""
        top = self.barcode.length
        return self._pairs(lambda one, other: 0 if constrained(one, other, top) else len(meeting_layers(one, other)))

    @cached_property
    def two_matrix_moves(self) -> int:
        """How many change two neighbouring matrices: pairs with ext or touch, per two neighbouring layers."""
        top = self.barcode.length
        return self._pairs(
            lambda one, other: len(meeting_layers(one, other)) - 1 if constrained(one, other, top) else 0
        )

    @cached_property
    def leaving_moves(self) -> int:
        """How many directions leave the stratum while the product stays: pairs with ext but not touch."""
        top = self.barcode.length
        return self._pairs(lambda one, other: ext(one, other) and not (one[0] == 0 and other[1] == top))

    def __repr__(self) -> str:
        bars = ", ".join(f"[{i},{k}]" + (f"x{m}" if m > 1 else "") for i, k, m in self.barcode.bars)
        kind = "component" if self.is_component else "singular" if self.singular else "smooth"
        return f"Stratum({bars} | dimension {self.dimension} of {self.local_dimension}, {kind})"

    def to_json(self) -> dict[str, Any]:
        """``barcode``, ``ranks`` as ``[k, i, r_{k~i}]`` for k > i, and the main numbers."""
        return {
            "barcode": self.barcode.to_json(),
            "ranks": [[k, i, r] for (k, i), r in sorted(self.barcode.ranks.items()) if k > i],
            "dimension": self.dimension,
            "component": self.is_component,
            "singular": self.singular,
            "real_components": self.real_components,
        }
