"""Which of two rational matrices has the larger singular value, decided exactly.
 Singular values are square roots of algebraic numbers: the eigenvalues of ``M M^T``, all real. With the
characteristic polynomials made squarefree and their common roots split off by a gcd, all roots concerned are
distinct, and enclosures by balls (Arb) of growing precision tell them apart.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fiberscope.linear.exact import to_flint


def compare_least_with_largest(w: np.ndarray, g: np.ndarray) -> Literal[-1, 0, 1]:
    """The sign of (least nonzero singular value of ``w``) - (largest of ``g``), both nonzero matrices of rationals.

    >>> from fiberscope.numerics.exact import rationals
    >>> two, ones = rationals(np.diag([2.0, 2.0])), rationals(np.ones((2, 2)))
    >>> compare_least_with_largest(two, ones), compare_least_with_largest(two, 3 * ones)
    (0, -1)
    """
    p, q = _squared_sizes(w), _squared_sizes(g)
    common = p.gcd(q)
    only_p, only_q = p // common, q // common
    precision = 64
    while True:
        shared = _roots(common, precision)
        low = [(x, i) for i, x in enumerate(shared)] + [(x, -1) for x in _roots(only_p, precision)]
        high = [(x, i) for i, x in enumerate(shared)] + [(x, -2) for x in _roots(only_q, precision)]
        least, largest = min(low, key=lambda r: float(r[0].mid())), max(high, key=lambda r: float(r[0].mid()))
        if _apart(least, low) and _apart(largest, high):
            if least[1] == largest[1]:
                return 0
            if least[0] > largest[0]:
                return 1
            if least[0] < largest[0]:
                return -1
        precision *= 2


def _apart(chosen: tuple[Any, int], others: list[tuple[Any, int]]) -> bool:
    return all(root is chosen[0] or not root.overlaps(chosen[0]) for root, _ in others)


def _squared_sizes(matrix: np.ndarray) -> Any:
    """The squarefree integer polynomial whose roots are the squares of the nonzero singular values."""
    from flint import fmpz_poly

    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    poly = (to_flint(small) * to_flint(small.T)).charpoly().numer()
    coefficients = list(poly)
    while coefficients[0] == 0:
        coefficients.pop(0)
    poly = fmpz_poly(coefficients)
    return poly // poly.gcd(poly.derivative())


def _roots(poly: Any, precision: int) -> list[Any]:
    """Real balls around the roots of a squarefree polynomial with real roots only."""
    from flint import ctx

    if poly.degree() < 1:
        return []
    before = ctx.prec
    try:
        ctx.prec = precision
        return [root.real for root, _ in poly.complex_roots()]
    finally:
        ctx.prec = before
