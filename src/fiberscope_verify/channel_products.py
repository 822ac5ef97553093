"""Products of a value with a function of itself, whose slope is smaller than both factors suggest.

x (gamma f(alpha x + beta) + delta), as in SiLU and hard swish: the slope is gamma f + delta + gamma alpha x f'.
A softmax: row i of its derivative has the entries p_i (d_ij - p_j), whose sizes add up to 2 p_i (1 - p_i) <= 1/2.
"""

from __future__ import annotations

from collections.abc import Iterator

from .channel_lipschitz import TURNED
from .core import Graph, Node

WIDER = 1 + 2.0**-40
CHAIN = 8


def number(graph: Graph, v: int) -> float | None:
    """The one number that a value is."""
    node = graph.nodes[v]
    while node.op in ("reshape", "expand"):
        node = graph.nodes[node.args[0]]
    if node.op == "map" and node.attrs[0] in ("neg", "reciprocal"):
        inner = number(graph, node.args[0])
        if inner is None or (node.attrs[0] == "reciprocal" and inner == 0):
            return None
        return -inner if node.attrs[0] == "neg" else 1 / inner
    if node.op == "lit":
        return float.fromhex(node.attrs[0])
    if node.op == "array" and graph.arrays[node.attrs[0]].size == 1:
        return float(graph.arrays[node.attrs[0]].reshape(-1)[0])
    return None


def gate(graph: Graph, node: Node) -> Iterator[tuple[int, float]]:
    """(x, a bound of the slope) for a product that is x times a function of x."""
    for x, other in (node.args, node.args[::-1]):
        before, after, f, parameters = [1.0, 0.0], [1.0, 0.0], None, []
        at = other
        for _ in range(CHAIN):
            if at == x:
                break
            inner = graph.nodes[at]
            here = before if f is not None else after
            if inner.op == "map" and inner.attrs[0] in (*TURNED, "clip") and f is None:
                f, parameters, at = inner.attrs[0], [float.fromhex(p) for p in inner.attrs[1:]], inner.args[0]
                continue
            if inner.op not in ("add", "mul") or inner.args[0] == inner.args[1]:
                break
            found = [(u, number(graph, w)) for u, w in (inner.args, inner.args[::-1])]
            at, c = next(((u, c) for u, c in found if c is not None), (-1, 0.0))
            if at < 0:
                break
            if inner.op == "mul":  # what is above acts on c times what is below
                here[0] = here[0] * c
            else:
                here[1] = here[1] + here[0] * c
        if at == x and f is not None:
            k = bound(f, parameters, *before, *after)
            if k is not None:
                yield x, k * WIDER


def bound(f: str, parameters: list[float], alpha: float, beta: float, gamma: float, delta: float) -> float | None:
    """sup |gamma f + delta + gamma alpha x f'| at alpha x + beta."""
    if f == "clip":
        low, high = parameters
        inner = max(abs(2 * low - beta), abs(2 * high - beta), abs(low), abs(high))
        return abs(gamma) * inner + abs(delta)
    if beta != 0:
        return None
    return abs(gamma) * sum(TURNED[f]) + abs(delta)


def softmax(graph: Graph, node: Node) -> tuple[int | None, tuple[int, ...]]:
    """(x, axes) where a product is exp(x - max x) / sum of these."""
    for e, r in (node.args, node.args[::-1]):
        power, inverse = graph.nodes[e], graph.nodes[r]
        if (power.op, *power.attrs[:1]) != ("map", "exp") or (inverse.op, *inverse.attrs[:1]) != ("map", "reciprocal"):
            continue
        total, inner = graph.nodes[inverse.args[0]], graph.nodes[power.args[0]]
        if total.op != "reduce" or total.attrs[0] != "sum" or total.args != (e,) or inner.op != "add":
            continue
        for x, m in (inner.args, inner.args[::-1]):
            minus = graph.nodes[m]
            if (minus.op, *minus.attrs[:1]) != ("map", "neg"):
                continue
            most = graph.nodes[minus.args[0]]
            if most.op == "reduce" and most.attrs == ("max", total.attrs[1]) and most.args == (x,):
                return x, total.attrs[1]
    return None, ()
