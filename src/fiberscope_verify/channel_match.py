"""Which value of network b stands for which value of network a, where b has fewer units and perhaps fewer sums.

Both graphs are walked in order: an operation of a goes with the first operation of b of the same kind and settings on
the same values that is still free. Multiplications and additions of stored numbers may stand in one graph only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from .chain import reachable
from .core import Graph

DEEP = 8
SIZED = {"reshape": 0, "expand": 0, "take": 1}  # how many settings do not depend on lengths
AFFINE = ("add", "mul")
Key = tuple


@dataclass(frozen=True)
class Pair:
    """An operation of a, the operation of b it goes with (None: b has none), and its arguments in order.

    ``chains`` per data argument: the operations of b that lie between the value the argument stands for and the one
    that b reads.
    """

    a: int
    b: int | None
    chains: tuple[tuple[int, ...], ...] = ()


def moving(graph: Graph) -> set[int]:
    """The values that depend on an input."""
    out: set[int] = set()
    for v in reachable(graph):
        if graph.nodes[v].op == "input" or any(u in out for u in graph.nodes[v].args):
            out.add(v)
    return out


def ordered(graph: Graph, v: int, data: set[int]) -> tuple[int, ...]:
    """The arguments; data before constants where the order does not matter."""
    node = graph.nodes[v]
    if node.op in AFFINE or node.op in ("max", "min"):
        return tuple(sorted(node.args, key=lambda u: u not in data))
    return node.args


def kind(graph: Graph, v: int) -> Key:
    """What must agree."""
    node = graph.nodes[v]
    attrs = node.attrs[: SIZED[node.op]] if node.op in SIZED else node.attrs[:2] if node.op == "conv" else node.attrs
    return node.op, attrs


class Matcher:
    """Goes through a's operations; `image` holds what each stands for."""

    def __init__(self, a: Graph, b: Graph):
        self.a, self.b = a, b
        self.data_a, self.data_b = moving(a), moving(b)
        self.ends = endings(a, self.data_a), endings(b, self.data_b)
        self.image: dict[int, int] = dict(zip(a.inputs, b.inputs, strict=False))
        self.free: dict[Key, list[tuple[int, int, tuple[tuple[int, ...], ...]]]] = {}
        self.used: set[int] = set(b.inputs)
        for u in reachable(b):
            if u in self.data_b and b.nodes[u].op != "input":
                self.enter(u)
        for entries in self.free.values():
            entries.sort(key=lambda e: e[0])

    def above(self, u: int) -> list[tuple[int, tuple[int, ...]]]:
        """A value of b and those it is affine in, each with the operations in between."""
        out: list[tuple[int, tuple[int, ...]]] = [(u, ())]
        while len(out) < DEEP:
            at, chain = out[-1]
            node = self.b.nodes[at]
            below = [w for w in node.args if w in self.data_b]
            if node.op not in AFFINE or len(below) != 1 or self.b.nodes[below[0]].shape != node.shape:
                break
            if len(node.args) == 2 and node.args[0] == node.args[1]:
                break
            out.append((below[0], (at, *chain)))
        return out

    def enter(self, u: int) -> None:
        args = ordered(self.b, u, self.data_b)
        ways = [self.above(w) if w in self.data_b else [(-1, ())] for w in args]
        for choice in itertools.islice(itertools.product(*ways), 64):
            key = (*kind(self.b, u), tuple(c[0] for c in choice))
            chains = tuple(c[1] for c, w in zip(choice, args, strict=True) if w in self.data_b)
            self.free.setdefault(key, []).append((sum(map(len, chains)), u, chains))

    def match(self, v: int) -> Pair | None:
        """The partner of a's operation; None where there is none."""
        args = ordered(self.a, v, self.data_a)
        if any(w in self.data_a and w not in self.image for w in args):
            return None
        key = (*kind(self.a, v), tuple(self.image[w] if w in self.data_a else -1 for w in args))
        below = [w for w in args if w in self.data_a]
        node = self.a.nodes[v]
        alone = node.op in AFFINE and len(below) == 1 and len(node.args) == 2
        alone = alone and self.a.nodes[below[0]].shape == node.shape
        free = [entry for entry in self.free.get(key, []) if entry[1] not in self.used]
        wanted = self.ends[0][v]
        fitting = [entry for entry in free if self.ends[1][entry[1]] == wanted]
        if alone and not fitting and self.ends[1][self.image[below[0]]] == wanted:
            free = []
        for _, u, chains in fitting or free:
            self.used.add(u)
            self.image[v] = u
            return Pair(v, u, chains)
        if alone:
            self.image[v] = self.image[below[0]]
            return Pair(v, None)
        return None


def endings(graph: Graph, data: set[int]) -> dict[int, frozenset[Key]]:
    """Per value what reads it in the end, through any sums and products with stored numbers."""
    found: dict[int, set[Key]] = {v: set() for v in data}
    for v in graph.outputs:
        if v in data:
            found[v].add(("output",))
    for v in sorted(data, reverse=True):
        node = graph.nodes[v]
        below = [u for u in node.args if u in data]
        through = node.op in AFFINE and len(below) == 1
        for u in below:
            found[u] |= found[v] if through else {kind(graph, v)}
    return {v: frozenset(ends) for v, ends in found.items()}
