"""Where each space sits inside a weight: its leaves, their companions, and how many columns it multiplies."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum

Path = tuple[tuple[str, int], ...]
Layout = tuple[Axis, ...]


def leaf_paths(axis: Axis, path: Path = ()) -> Iterator[tuple[Leaf, Path]]:
    """Yield the leaves of an axis in order, each with the way down to it."""
    match axis:
        case Leaf():
            yield axis, path
        case Product(factors):
            for i, f in enumerate(factors):
                yield from leaf_paths(f, (*path, ("product", i)))
        case Sum(terms):
            for i, t in enumerate(terms):
                yield from leaf_paths(t, (*path, ("sum", i)))
        case _:
            return


def beside(a: Path, b: Path) -> bool:
    """Tell whether two leaves of one axis index the same entries (they part at a product, and b is not in a sum)."""
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return x[0] == "product" and all(kind != "sum" for kind, _ in b[i:])
    return False


def companions(layout: Layout, axis: int, leaf: int) -> list[tuple[int, int, Leaf]]:
    """Return the other leaves (axis, number, leaf) that index every entry that this leaf indexes."""
    own = list(leaf_paths(layout[axis]))[leaf][1]
    found = []
    for i, other in enumerate(layout):
        for j, (candidate, path) in enumerate(leaf_paths(other)):
            if i == axis:
                if j != leaf and beside(own, path):
                    found.append((i, j, candidate))
            elif all(kind != "sum" for kind, _ in path):
                found.append((i, j, candidate))
    return found


def columns(layout: Layout, axis: int, leaf: int, context: frozenset[int]) -> int:
    """Return how many vectors of this space a weight holds, per copy."""
    tree, total = layout[axis], 1
    _, path = list(leaf_paths(tree))[leaf]
    for kind, index in path:
        if kind == "product":
            assert isinstance(tree, Product)
            total *= math.prod(_outside(f, context) for k, f in enumerate(tree.factors) if k != index)
            tree = tree.factors[index]
        else:
            assert isinstance(tree, Sum)
            tree = tree.terms[index]
    return total * math.prod(_outside(a, context) for i, a in enumerate(layout) if i != axis)


def _outside(axis: Axis, context: frozenset[int]) -> int:
    if isinstance(axis, Leaf):
        return 1 if axis.atom.id in context else axis.size
    if isinstance(axis, Product):
        return math.prod(_outside(f, context) for f in axis.factors)
    return axis.size
