"""Sums of several units of b through a map that is linear at them, where relations hold up to an error.

Let ``a_i = sum_k c_k b_k + d`` up to E_i, ``rho(a_i) = f_i a_i``, and for every k a unit j of a with ``a_j = s b_k`` up
to E_j, s > 0, and ``rho(a_j) = f_k a_j``. Then rho is f_k times at the point a_j / s, which is no further than E_j / s
from b_k, so that ``|rho(b_k) - f_k b_k| <= (L + |f_k|) E_j / s``, L the largest slope of rho, wherever b_k lies.
Hence ``rho(a_i) = sum_k (f_i c_k / f_k) rho(b_k) + f_i d`` up to
``|f_i| E_i + sum_k |f_i c_k / f_k| (L + |f_k|) E_j / s``.

Where rho is a ReLU of slope t and a_i also is ``-c b_u`` up to E_i, c > 0, ``rho(a_i) = rho(-a_i) + (1 + t) a_i`` is
``c rho(b_u)`` up to L E_i, and (1 + t) times the sum, with the errors above for ``f_i = 1 + t``.
"""

from __future__ import annotations

from flint import fmpq

from .channel_combinations import Pieces, Sums, mapped, showing
from .channel_slack import Carried, above
from .channels import ONE, ZERO, Relation
from .laws import number


def near_mapped(
    relation: Relation, function: str, parameters: tuple[str, ...], linear: Pieces
) -> tuple[Sums, dict[int, Carried]]:
    """The sums after an elementwise function, and how their errors come about; see the module."""
    slope, known = largest_slope(function, parameters), showing(relation, function, linear)
    sums = mapped(relation, function, parameters, linear, {k: linear[j] for k, j in known.items()})
    carried: dict[int, Carried] = {}
    if slope is None:
        return (sums if function in ("neg", "float") else {}), {}
    for i in sums:
        factor = linear[i] if i in linear else ONE + slope_below(function, parameters)
        own = abs(factor) + (ZERO if i in linear else slope)
        counts = []
        for k, c in relation.sums[i].terms.items():
            f, j = linear[known[k]], known[k]
            counts.append((j, above(factor * c / f * (slope + abs(f)) / relation.scale[j])))
        carried[i] = Carried(above(own), counts)
    return sums, carried


def slope_below(function: str, parameters: tuple[str, ...]) -> fmpq:
    """The slope of a (leaky) ReLU below 0."""
    return fmpq(*number(parameters[0]).as_integer_ratio()) if function == "leaky_relu" else ZERO


def largest_slope(function: str, parameters: tuple[str, ...]) -> fmpq | None:
    """A Lipschitz constant of what has linear pieces."""
    if function in ("relu", "abs", "clip"):
        return ONE
    if function == "leaky_relu":
        return max(ONE, abs(slope_below(function, parameters)))
    return None
