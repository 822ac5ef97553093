"""Values of a graph that depend on no input, exactly: floats, rationals, or expressions known only by their name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from .core import MOVES, Graph, apply_move
from .exact import rational
from .laws import exact_value
from .report import Reject, need

MAX_EXPRESSIONS = 1 << 18


@dataclass(frozen=True)
class Symbol:
    """A real number that is not computed: a function of numbers; equal symbols are equal numbers."""

    function: tuple
    of: tuple


Number = fmpq | Symbol
Rows = np.ndarray
"""The entries that go with one unit (float64 or Numbers), one of them where all are equal."""


def number(value: object) -> Number:
    return value if isinstance(value, Symbol) else rational(value)


class Constants:
    """Constant values of one graph, each computed once."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.values: dict[int, np.ndarray] = {}

    def value(self, v: int) -> np.ndarray:
        """float64 (every entry is exactly a float) or Numbers."""
        if v not in self.values:
            self.values[v] = self.compute(v)
        return self.values[v]

    def compute(self, v: int) -> np.ndarray:
        node = self.graph.nodes[v]
        if node.op == "array":
            array = self.graph.arrays[node.attrs[0]]
            need(array.dtype.kind in "fiub", "a constant of an unknown type")
            wide = array.astype(np.float64)
            need(bool(np.all(np.isfinite(wide))), "a constant is not finite")
            if array.dtype.kind in "iu":
                need(bool(np.all(np.abs(wide) < 2.0**53)), "an integer constant beyond 2^53")
            return wide
        if node.op == "lit":
            value = np.float64(float.fromhex(node.attrs[0]))
            need(bool(np.isfinite(value)), "a constant is not finite")
            return np.array(value)
        args = [self.value(u) for u in node.args]
        if node.op in MOVES:
            return apply_move(node, args[0])
        if node.op == "cat":
            return np.concatenate(args, node.attrs[0])
        if node.op == "map":
            function, parameters = node.attrs[0], node.attrs[1:]
            if args[0].dtype != object and function in ("neg", "abs", "float"):
                return {"neg": np.negative, "abs": np.abs, "float": np.array}[function](args[0])
            return entrywise(lambda t: image(function, parameters, t), args[0])
        if node.op in ("add", "mul"):
            need(v not in self.graph.boolean, "a sum of booleans")
            pairs = np.broadcast_arrays(*args)
            return entrywise(lambda x, y: combined(node.op, x, y), *pairs)
        raise Reject(f"no exact value of {node.op} of stored numbers")


def entrywise(rule, *arrays: np.ndarray) -> np.ndarray:
    """A rule on Numbers, entry by entry."""
    need(arrays[0].size <= MAX_EXPRESSIONS, "too many stored numbers to compute with")
    out = np.empty(arrays[0].shape, dtype=object)
    flat = [array.reshape(-1).tolist() for array in arrays]
    out.reshape(-1)[:] = [rule(*(number(v) for v in entry)) for entry in zip(*flat, strict=True)]
    return out


def image(function: str, parameters: tuple, t: Number) -> Number:
    value = exact_value(function, parameters, t) if isinstance(t, fmpq) else None
    return Symbol(("map", function, *parameters), (key(t),)) if value is None else value


def combined(op: str, x: Number, y: Number) -> Number:
    if isinstance(x, fmpq) and isinstance(y, fmpq):
        return x + y if op == "add" else x * y
    for p, q in ((x, y), (y, x)):
        if isinstance(p, fmpq) and op == "mul" and p == 0:
            return fmpq(0)
        if isinstance(p, fmpq) and p == (0 if op == "add" else 1):
            return q
    return Symbol((op,), (key(x), key(y)))


def key(value: Number) -> object:
    """A hashable name of a number."""
    return (int(value.p), int(value.q)) if isinstance(value, fmpq) else value


class Table:
    """A constant as seen along one axis of a broadcast result."""

    def __init__(self, values: np.ndarray):
        self.values = values  # [units or 1, entries]

    def of(self, i: int) -> Rows:
        return self.values[i if len(self.values) > 1 else 0]


def rows(array: np.ndarray, axis: int, rank: int) -> Table:
    """The entries of every unit along an axis, one per unit where they are all equal."""
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    table = np.moveaxis(full, axis, 0).reshape(full.shape[axis], -1)
    if table.shape[1] > 1 and bool(np.all(table == table[:, :1])):
        table = table[:, :1]
    return Table(table)


def uniform(x: Rows) -> Number | None:
    """The one number that all entries are, or None."""
    first = x[0]
    return number(first) if len(x) == 1 or bool(np.all(x == first)) else None


def pairs(x: Rows, y: Rows) -> list[tuple[Number, Number]]:
    wide = np.broadcast_arrays(x, y) if len(x) != len(y) else (x, y)
    need(len(wide[0]) <= MAX_EXPRESSIONS, "too many stored numbers to compute with")
    return list(
        {(key(p), key(q)): (p, q) for p, q in ((number(u), number(v)) for u, v in zip(*wide, strict=True))}.values()
    )


def difference(x: Rows, y: Rows, s: fmpq) -> fmpq | None:
    """The rational d with x = s y + d at every entry, or None."""
    if len(x) == len(y) and s == 1 and x.dtype != object and y.dtype != object and np.array_equal(x, y):
        return fmpq(0)
    found: set = set()
    for p, q in pairs(x, y):
        if isinstance(p, fmpq) and isinstance(q, fmpq):
            found.add(key(p - s * q))
        elif s == 1 and p == q:
            found.add((0, 1))
        else:
            return None
    return fmpq(*next(iter(found))) if len(found) == 1 else None


def ratio(x: Rows, y: Rows) -> fmpq | None:
    """The rational t with x = t y at every entry, or None."""
    if len(x) == len(y) and x.dtype != object and y.dtype != object and np.array_equal(x, y):
        return fmpq(1)
    found: set = set()
    for p, q in pairs(x, y):
        if isinstance(p, fmpq) and isinstance(q, fmpq):
            if q == 0:
                if p != 0:
                    return None
                continue
            found.add(key(p / q))
        elif isinstance(p, Symbol) and p == q:
            found.add((1, 1))
        else:
            return None
    return fmpq(*next(iter(found))) if len(found) == 1 else fmpq(1) if not found else None
