"""The local dimension of a fiber at a stratum: the largest dimension of the components through it, not listing them.

With the sequences ``u`` of `components` (``u_j = r_{j~0}`` of the component) the components through the stratum
with ranks ``r`` are those with ``u_j - u_k <= d_j - r_{k~j}`` for all ``j < k``, and their dimension is

    D - rho d_L - G(u),     G(u) = sum_{j=1..L} (u_{j-1} - u_j) (d_j + rho - u_j),    D = sum d_j d_{j-1}.

``G`` is a convex function of differences plus a linear one, and so are the constraints: it is L-natural-convex
(Murota, Discrete Convex Analysis, 2003). A minimum over *all* monotone integer sequences within the constraints is
found by steepest descent, ``u <- u +- step * indicator(X)`` with the best set ``X`` from a minimum cut, steps
halved down to 1; it is the minimum over components, because where ``u`` is not the sequence of a component (input
lost at a layer ``j + 1`` although a later layer is tighter) raising ``u`` from there to the tighter layer stays
within the constraints and lowers ``G``.
"""

from __future__ import annotations

from collections.abc import Sequence

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.components import largest_survivors


def local_dimension(barcode: Barcode) -> int:
    """The dimension of the fiber near a point of the stratum.

    >>> from fiberscope.linear.barcode import least_barcode
    >>> local_dimension(least_barcode([784, 128, 64, 10], 0))
    108544
    """
    return _dimension(barcode, best_survivors(barcode))


def best_survivors(barcode: Barcode) -> tuple[int, ...]:
    """The sequence ``u`` of a component of largest dimension through the stratum."""
    bounds = _bounds(barcode)
    u = list(largest_survivors(barcode))
    step = 1 << (max(u[0] - u[-1], 1).bit_length() - 1)
    while step:
        improved = _improve(barcode, bounds, u, step) or _improve(barcode, bounds, u, -step)
        if improved:
            u = improved
        else:
            step //= 2
    return tuple(u)


def _dimension(barcode: Barcode, u: Sequence[int]) -> int:
    d, rho = barcode.widths, barcode.full
    weights = sum(d[j] * d[j - 1] for j in range(1, len(d)))
    lost = sum((u[j - 1] - u[j]) * (d[j] + rho - u[j]) for j in range(1, len(d)))
    return weights - rho * d[-1] - lost


def _bounds(barcode: Barcode) -> dict[tuple[int, int], int]:
    """``{(j, k): most of u_j - u_k}``: ``d_j - r_{k~j}`` for j < k, and 0 for the order ``u_j <= u_{j-1}``."""
    top, d = barcode.length, barcode.widths
    bounds = {(j, k): d[j] - barcode.rank(k, j) for j in range(top + 1) for k in range(j + 1, top + 1)}
    bounds.update({(j, j - 1): 0 for j in range(1, top + 1)})
    return bounds


def _improve(barcode: Barcode, bounds: dict[tuple[int, int], int], u: list[int], step: int) -> list[int] | None:
    """The best ``u + step * indicator(X)`` within the bounds, ``X`` a set of hidden layers; None if none is better.

    With ``b = d_j + rho - u_j``, ``x = [j - 1 in X]``, ``y = [j in X]``, ``s = step`` the j-th term of ``G`` changes by

        s x b - s y (b + u_{j-1} - u_j) + s^2 (y - x) + s^2 x (1 - y):

    a cost per layer of ``X`` and a cut, divided by ``|s|`` below. Bounds that a set would break are infinite cuts.
    """
    import networkx

    top, d, rho = barcode.length, barcode.widths, barcode.full
    size = abs(step)
    sign = step // size
    cost = [0] * (top + 1)  # per layer in X, in units of size
    cut: dict[tuple[int, int], int] = {}  # (j, k): cost of j in X, k not in X
    for j in range(1, top + 1):
        room = d[j] + rho - u[j]
        cost[j - 1] += sign * room - size
        cost[j] += sign * (u[j] - u[j - 1] - room) + size
        cut[j - 1, j] = size
    graph = networkx.DiGraph()
    for (j, k), bound in bounds.items():
        if u[j] - u[k] + size > bound:
            pair = (j, k) if step > 0 else (k, j)
            graph.add_edge(*pair)  # no capacity: infinite
            cut.pop(pair, None)
    for (j, k), price in cut.items():
        graph.add_edge(j, k, capacity=price)
    graph.add_edge(0, top + 1)  # both ends are fixed
    graph.add_edge(top, top + 1)
    gain = 0
    for j in range(1, top):
        if cost[j] < 0:
            graph.add_edge(-1, j, capacity=-cost[j])
            gain -= cost[j]
        elif cost[j] > 0:
            graph.add_edge(j, top + 1, capacity=cost[j])
    if not gain:
        return None
    value, (chosen, _) = networkx.minimum_cut(graph, -1, top + 1)
    if value >= gain:
        return None
    return [v + step if j in chosen else v for j, v in enumerate(u)]
