"""Einstein summation of two tensors as one matrix product: out[batch, p, q] = sum_k x[batch, p, k] y[batch, k, q]."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .core import Graph
from .report import need


def einsum(g: Graph, equation: str, operands: Sequence[int], path: object = None) -> int:
    """One or two operands, every index at most once in each; what only one of them has and nobody keeps is summed.

    ``path`` is the order in which several operands are taken: for two it says nothing.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    need(all((c.isascii() and c.isalpha()) or c == "," for c in left + out), f"the equation {equation[:40]}")
    need(len(terms) == len(operands) and len(terms) in (1, 2), "einsum of more than two tensors")
    for term in (*terms, out):
        need(len(set(term)) == len(term), "einsum with an index twice in one tensor")
    everything = "".join(terms)
    if not arrow:
        out = "".join(sorted(c for c in everything if everything.count(c) == 1))
    need(set(out) <= set(everything), "einsum makes an index out of nothing")
    size: dict[str, int] = {}
    for term, v in zip(terms, operands, strict=True):
        need(len(term) == len(g.shape(v)), "einsum: an operand has another number of axes")
        for c, n in zip(term, g.shape(v), strict=True):
            need(size.setdefault(c, n) == n, "einsum: an index has two lengths")
    parts = [reduced(g, v, term, keep=out + "".join(terms[:i] + terms[i + 1 :])) for i, (v, term) in
             enumerate(zip(operands, terms, strict=True))]  # fmt: skip
    if len(parts) == 1:
        v, term = parts[0]
        return g.permute(v, [term.index(c) for c in out])
    (x, of_x), (y, of_y) = parts
    batch = [c for c in of_x if c in of_y and c in out]
    inner = [c for c in of_x if c in of_y and c not in out]
    rows, columns = [c for c in of_x if c not in of_y], [c for c in of_y if c not in of_x]
    lead = [size[c] for c in batch]
    p, k, q = (math.prod(size[c] for c in names) for names in (rows, inner, columns))
    x = g.reshape(g.permute(x, [of_x.index(c) for c in (*batch, *rows, *inner)]), (*lead, p, k))
    y = g.reshape(g.permute(y, [of_y.index(c) for c in (*batch, *inner, *columns)]), (*lead, k, q))
    names = (*batch, *rows, *columns)
    made = g.reshape(g.matmul(x, y), [size[c] for c in names])
    return g.permute(made, [names.index(c) for c in out])


def reduced(g: Graph, v: int, term: str, keep: str) -> tuple[int, str]:
    """Sum over the indices that neither the other operand nor the result has."""
    lost = [i for i, c in enumerate(term) if c not in keep]
    return g.reduce("sum", v, lost, False) if lost else v, "".join(c for c in term if c in keep)
