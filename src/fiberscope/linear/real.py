"""Over the real numbers strata and fibers may fall into several connected pieces: how many.

A stratum is one orbit of ``H = {(g_0, ..., g_L) invertible : g_L W = W g_0}``, which acts by ``W_j -> g_j W_j
g_{j-1}^{-1}``. ``H`` has one sign of a determinant for each of the groups that is not trivial:

    GL(rho) (on row W at layer 0 and col W at layer L together),  GL(d_0 - rho),  GL(d_L - rho),  GL(d_j), 0 < j < L.

The stabiliser of a point can flip one bar, so all signs at the layers where that type of bar is alive at once.
Hence the stratum has ``2^(signs - rank over F_2 of the types' flips)`` pieces. The whole fiber has ``2^b``, ``b``
the number of hidden layers of width exactly ``rho`` (Trager, Kohn, Bruna 2020): there the sign of ``det(W_j ... W_1
X_0)``, ``X_0`` a basis of row W, cannot change.
"""

from __future__ import annotations

from collections.abc import Sequence

from fiberscope.linear.barcode import Barcode, checked_widths
from fiberscope.linear.counting import checked_rank


def bottlenecks(widths: Sequence[int], rank: int) -> tuple[int, ...]:
    """The hidden layers ``0 < j < L`` of width exactly ``rank``: each contributes one sign that no path can change.

    >>> bottlenecks([3, 2, 4, 2, 3], 2)
    (1, 3)
    """
    widths = checked_widths(widths)
    rank = checked_rank(widths, rank)
    return tuple(j for j in range(1, len(widths) - 1) if widths[j] == rank)


def fiber_real_components(widths: Sequence[int], rank: int) -> int:
    """The number of connected components of the real fiber of a matrix of this rank, ``2^b``.

    >>> fiber_real_components([3, 2, 4, 2, 3], 2), fiber_real_components([3, 2, 4, 2, 3], 1)
    (4, 1)
    """
    return 2 ** len(bottlenecks(widths, rank))


def stratum_real_components(barcode: Barcode) -> int:
    """The number of connected components of the real points of a stratum.

    >>> stratum_real_components(Barcode.from_bars(2, {(0, 1): 1, (2, 2): 1}))  # widths 1, 1, 1: W_1 != 0, W_2 = 0
    2
    """
    top, widths, rho = barcode.length, barcode.widths, barcode.full
    ends = {"product": rho, "input": widths[0] - rho, "output": widths[top] - rho}
    signs = [name for name, size in ends.items() if size] + [f"hidden {j}" for j in range(1, top)]
    index = {sign: 1 << number for number, sign in enumerate(signs)}
    flips = []
    for i, k, _ in barcode.bars:
        flip = sum(index[f"hidden {j}"] for j in range(max(i, 1), min(k, top - 1) + 1))
        if (i, k) == (0, top):
            flip += index["product"]
        else:
            flip += (index["input"] if i == 0 else 0) + (index["output"] if k == top else 0)
        flips.append(flip)
    return 2 ** (len(index) - _binary_rank(flips))


def _binary_rank(rows: list[int]) -> int:
    """The rank over F_2 of rows written as the bits of integers."""
    basis: dict[int, int] = {}  # highest bit -> row
    for row in rows:
        while row and row.bit_length() in basis:
            row ^= basis[row.bit_length()]
        if row:
            basis[row.bit_length()] = row
    return len(basis)
