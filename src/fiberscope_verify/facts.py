"""What the graph alone says about its values, in both models alike: which are zero, which repeat their entries."""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq

from .core import MOVES, Graph, apply_move
from .laws import exact_value
from .report import need

MAX_LABELS = 1 << 22


class Facts:
    """Facts about the values of one graph; weights that are zero in one model are zero in the other."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.zeros: dict[int, bool] = {}
        self.repeats: dict[int, np.ndarray] = {}

    def zero(self, v: int) -> bool:
        """Whether every number of a value is certainly 0 (its arguments are asked first: any depth is fine)."""
        stack = [v]
        while stack:
            u = stack[-1]
            open_ = [w for w in self.graph.nodes[u].args if w not in self.zeros]
            if open_ and u not in self.zeros:
                stack += open_
                continue
            if u not in self.zeros:
                self.zeros[u] = self.is_zero(u)
            stack.pop()
        return self.zeros[v]

    def is_zero(self, v: int) -> bool:
        node = self.graph.nodes[v]
        args = [self.zeros[u] for u in node.args]
        if node.op == "lit":
            return float.fromhex(node.attrs[0]) == 0
        if node.op == "array":
            return not np.any(self.graph.arrays[node.attrs[0]])
        if node.op == "map":
            return args[0] and exact_value(node.attrs[0], node.attrs[1:], fmpq(0)) == 0
        if node.op in (*MOVES, "reduce", "cumsum", "add", "max", "min", "cat"):
            return all(args)
        if node.op in ("mul", "matmul", "conv"):
            return any(args)
        if node.op == "where":
            return args[1] and args[2]
        if node.op in ("embed", "index", "gather"):
            return args[0]
        return False

    def labels(self, v: int) -> np.ndarray | None:
        """Numbers over a value's entries: equal numbers stand for equal entries; None if none repeats."""
        if math.prod(self.graph.shape(v)) > MAX_LABELS:
            return None
        labels = self.all_labels(v)
        return labels if len(np.unique(labels)) < labels.size else None

    def all_labels(self, v: int) -> np.ndarray:
        """Moves carry labels along, an expand repeats them; entries computed from equal entries are equal."""
        if v in self.repeats:
            return self.repeats[v]
        node, shape = self.graph.nodes[v], self.graph.shape(v)
        need(math.prod(shape) <= MAX_LABELS, "a transformation on too many entries")
        if node.op in MOVES:
            labels = apply_move(node, self.all_labels(node.args[0]))
        elif node.op == "map":
            labels = self.all_labels(node.args[0])
        elif node.op in ("add", "mul", "max", "min", "where", "compare"):
            labels = np.zeros(shape, dtype=np.int64)
            for u in node.args:
                part = self.all_labels(u)
                pairs = labels * (int(part.max(initial=0)) + 1) + part  # below 2^44: both count entries
                labels = np.unique(pairs, return_inverse=True)[1].reshape(shape)
        else:
            labels = np.arange(math.prod(shape)).reshape(shape)
        self.repeats[v] = labels
        return labels
