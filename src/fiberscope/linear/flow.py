"""A flow basis: one basis of every layer's space in which every weight matrix only passes vectors on or drops them.

Every column of the basis ``F_j`` of ``R^{d_j}`` belongs to one bar that is alive at layer ``j``. ``W_{j+1}`` sends a
bar's vector at ``j`` to its vector at ``j + 1``, or to 0 if the bar ends at ``j``:

    W_{j+1} F_j = F_{j+1} P_{j+1},   P_{j+1} a 0/1 matrix with at most one 1 in every row and column.

This is the "Fundamental Theorem of Linear Neural Networks" (Bhattacharya and Shewchuk) in a form that can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.linear.barcode import Bar, Barcode


@dataclass(frozen=True)
class Flow:
    """Bars one by one, and their vectors.

    ``bars[s] = (i, k)`` is the s-th single bar (equal bars are listed as often as they occur). ``columns[j]`` lists, in
    the order of the columns of ``bases[j]`` (d_j x d_j), the numbers ``s`` of the bars alive at layer ``j``.
    ``bases`` hold float64, or exact rationals (object arrays of ``flint.fmpq``) when the flow was found over Q.
    """

    bars: tuple[Bar, ...]
    columns: tuple[tuple[int, ...], ...]
    bases: tuple[np.ndarray, ...]

    @property
    def length(self) -> int:
        return len(self.bases) - 1

    @cached_property
    def barcode(self) -> Barcode:
        counts: dict[Bar, int] = {}
        for bar in self.bars:
            counts[bar] = counts.get(bar, 0) + 1
        return Barcode.from_bars(self.length, counts)

    @cached_property
    def place(self) -> tuple[dict[int, int], ...]:
        """``place[j][s]``: the column of ``bases[j]`` that holds bar ``s``."""
        return tuple({s: c for c, s in enumerate(numbers)} for numbers in self.columns)

    def vector(self, bar: int, layer: int) -> np.ndarray:
        """``b_j``, the vector of bar number ``bar`` at ``layer`` (length d_j); KeyError if it is not alive there."""
        return self.bases[layer][:, self.place[layer][bar]]

    @cached_property
    def duals(self) -> tuple[np.ndarray, ...]:
        """The inverses of the bases (d_j x d_j); row ``c`` is the dual of column ``c``."""
        from fiberscope.linear.exact import inverse

        return tuple(inverse(basis) for basis in self.bases)

    def dual(self, bar: int, layer: int) -> np.ndarray:
        """``b_j^*``, the dual row of bar number ``bar`` at ``layer`` (length d_j)."""
        return self.duals[layer][self.place[layer][bar], :]

    def pattern(self, layer: int) -> np.ndarray:
        """``P_layer`` (d_layer x d_{layer-1}, 0/1): which vector goes where under ``W_layer``."""
        out = np.zeros((len(self.columns[layer]), len(self.columns[layer - 1])))
        for s in self.columns[layer - 1]:
            if s in self.place[layer]:
                out[self.place[layer][s], self.place[layer - 1][s]] = 1.0
        return out

    def factors(self, scale: Callable[[int, int], int | float] | None = None) -> tuple[Any, ...]:
        """The weights that this flow belongs to: ``W_j = F_j P_j F_{j-1}^{-1}`` = sum of ``b_j b_{j-1}^*``.

        ``scale(s, j)`` multiplies the arrow of bar ``s`` into layer ``j`` (for rationals: integers or rationals).

        >>> Flow.standard(Barcode.from_bars(1, {(0, 1): 1})).factors(lambda bar, layer: 3)[0].tolist()
        [[3.0]]
        """
        from fiberscope.linear.exact import is_exact
        from fiberscope.numerics.exact import rationals

        out = []
        for j in range(1, self.length + 1):
            carried = [s for s in self.columns[j - 1] if s in self.place[j]]
            heads = self.bases[j][:, [self.place[j][s] for s in carried]]
            tails = self.duals[j - 1][[self.place[j - 1][s] for s in carried], :]
            if scale is not None:
                sizes = [scale(s, j) for s in carried]
                heads = heads * (np.array(sizes, dtype=object) if is_exact(heads) else np.array(sizes))
            if carried or not is_exact(heads):
                out.append(heads @ tails)
            else:  # an empty sum of rationals is a rational too
                out.append(rationals(np.zeros((len(heads), tails.shape[1]))))
        return tuple(out)

    def first(self, birth: int, last: int) -> int:
        """The number of the first single bar ``(birth, last)``; ValueError if there is none."""
        return self.bars.index((birth, last))

    @classmethod
    def standard(cls, barcode: Barcode, bases: Sequence[np.ndarray] | None = None) -> Flow:
        """The flow with the given bases (default: identity matrices), bars in order of birth, then of length.

        >>> f = Flow.standard(Barcode.from_bars(1, {(0, 1): 1, (1, 1): 1}))
        >>> f.factors()[0].tolist()
        [[1.0], [0.0]]
        """
        bars = tuple((i, k) for i, k, m in sorted(barcode.bars, key=lambda b: (b[0], -b[1])) for _ in range(m))
        columns = tuple(tuple(s for s, (i, k) in enumerate(bars) if i <= j <= k) for j in range(barcode.length + 1))
        if bases is None:
            bases = [np.eye(d) for d in barcode.widths]
        return cls(bars, columns, tuple(bases))
