"""Entries of a relation that an operation cannot take as they are, moved to the nearest that it takes.

After a batch norm has been folded a unit of a is ``s b + c`` with s next to 1 and a small c, and a ReLU lets no c
through. What is dropped is kept in `Use`, whatever its size.
"""

from __future__ import annotations

import numpy as np
from flint import fmpq

from .channel_combinations import Sum
from .channel_slack import Slip, Use, above
from .channels import ONE, ZERO, Relation
from .core import MOVES, Node
from .laws import law

CLOSE = fmpq(1, 1024)
AS_IT_IS = (*MOVES, "reduce", "cat", "add", "conv")


def settled(node: Node, relation: Relation | None, of: int, value: int, use: Use, *, alone: bool) -> Relation | None:
    """The relation of the argument ``of`` (``value`` in b) of an operation; ``alone``: all else it reads is stored."""
    over = relation is not None and node.op == "reduce" and relation.axis in node.attrs[1]
    if relation is None or (node.op in AS_IT_IS and not over) or (node.op == "mul" and alone):
        return relation
    scale, shift = relation.scale.copy(), relation.shift.copy()
    by, plus = np.zeros(len(scale)), np.zeros(len(scale))
    for i in np.flatnonzero(relation.unit >= 0):
        s, c = target(node, scale[i], shift[i])
        by[i], plus[i] = above(scale[i] - s), above(shift[i] - c)
        scale[i], shift[i] = s, c
    sums = dict(relation.sums)
    for i, s in sums.items() if node.op in ("pad", "window") else ():
        c = target(node, ONE, s.shift)[1]
        plus[i] = max(plus[i], above(s.shift - c))
        sums[i] = Sum(s.terms, c)
    use.slip(of, Slip(value, relation.axis, relation.unit, by, plus))
    return Relation(relation.axis, relation.unit, scale, shift, sums)


def target(node: Node, s: fmpq, c: fmpq) -> tuple[fmpq, fmpq]:
    """What an operation takes in place of s b + c."""
    if node.op == "map":
        name, parameters = node.attrs[0], node.attrs[1:]
        if name in ("neg", "float"):
            return s, c
        return (s if law(name, parameters, s) is not None else unit(s)), ZERO
    if node.op == "pad":
        value = float.fromhex(node.attrs[1])
        return (s, ZERO) if value == 0 else (s, c)
    if node.op == "window":
        bare = not any(any(p) for p in node.attrs[3])
        return (s, c) if bare or node.attrs[0] == "max" else (s, ZERO)
    if node.op in ("mul", "matmul", "cumsum"):
        return s, ZERO
    return unit(s), ZERO


def unit(s: fmpq) -> fmpq:
    """1 or -1 where s is next to it."""
    return ONE if abs(s - 1) < CLOSE else -ONE if abs(s + 1) < CLOSE else s
