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

from .channel_combinations import RECTIFIERS, Pieces, Sum, Sums
from .channel_slack import Carried, above
from .channels import ONE, ZERO, Relation
from .laws import number


def near_mapped(
    relation: Relation, function: str, parameters: tuple[str, ...], linear: Pieces
) -> tuple[Sums, dict[int, Carried]]:
    """The sums after an elementwise function, and how their errors come about; see the module."""
    if function == "float":
        return dict(relation.sums), {}
    if function == "neg":
        return {i: Sum(s.terms, -s.shift) for i, s in relation.sums.items()}, {}
    slope = largest_slope(function, parameters)
    if slope is None:
        return {}, {}
    through = function in (*RECTIFIERS, "abs")
    known: dict[int, int] = {}
    for j in linear:
        s = relation.scale[j]
        if relation.unit[j] >= 0 and relation.shift[j] == 0 and (s == 1 or (through and s > 0)):
            known[int(relation.unit[j])] = j
    sums: Sums = {}
    carried: dict[int, Carried] = {}
    for i, s in relation.sums.items():
        turned = relation.unit[i] >= 0 and relation.scale[i] < 0 and relation.shift[i] == 0
        if not all(k in known for k in s.terms):
            continue
        if i in linear:
            factor, own = linear[i], abs(linear[i])
        elif turned and function in RECTIFIERS:
            factor = ONE + (fmpq(*number(parameters[0]).as_integer_ratio()) if parameters else ZERO)
            own = abs(factor) + slope
        else:
            continue
        terms = {k: factor * c / linear[known[k]] for k, c in s.terms.items()}
        counts = [
            (known[k], above(c * (slope + abs(linear[known[k]])) / relation.scale[known[k]])) for k, c in terms.items()
        ]
        if i not in linear:
            u = int(relation.unit[i])
            terms[u] = terms.get(u, ZERO) - relation.scale[i]
        sums[i] = Sum({k: c for k, c in terms.items() if c != 0}, factor * s.shift)
        carried[i] = Carried(above(own), counts)
    return sums, carried


def largest_slope(function: str, parameters: tuple[str, ...]) -> fmpq | None:
    """A Lipschitz constant of what has linear pieces."""
    if function in ("relu", "abs", "clip"):
        return ONE
    if function == "leaky_relu":
        return max(ONE, abs(fmpq(*number(parameters[0]).as_integer_ratio())))
    return None
