"""One hidden space inside one weight tensor, unfolded to a matrix per copy of the space."""

from __future__ import annotations

import numpy as np

from fiberscope.symmetry.axes import Axis, Product, Sum
from fiberscope.symmetry.layout import Layout, Path, beside, leaf_paths


def unfold(
    tensor: np.ndarray, layout: Layout, axis: int, leaf: int, context: tuple[int, ...] = ()
) -> tuple[np.ndarray, frozenset[int]]:
    """``(copies, size, columns)``: every vector of the space that leaf ``leaf`` of ``axis`` indexes in a weight.

    ``context`` names the atoms that index independent copies of the space (the heads of an attention layer). Also
    returns the ids of the other atoms that index the columns.

    >>> from fiberscope.symmetry.axes import Atom, Leaf
    >>> rows, columns = Leaf(Atom(2)), Leaf(Atom(3))
    >>> unfold(np.arange(6.0).reshape(2, 3), (rows, columns), 1, 0)[0].shape
    (1, 3, 2)
    """
    axes = list(layout)
    place = axis
    path = list(leaf_paths(axes[axis]))[leaf][1]
    tensor, place = _open(tensor, axes, place, path)
    home = [place]
    for atom in context:
        found = [
            (i, below)
            for i, a in enumerate(axes)
            for candidate, below in leaf_paths(a)
            if candidate.atom.id == atom and all(kind != "sum" for kind, _ in below)
        ]
        if len(found) != 1:
            raise ValueError("a copy of the space is not indexed by exactly one place")
        before = len(axes)
        tensor, opened = _open(tensor, axes, *found[0])
        grown = len(axes) - before
        home = [h if h < found[0][0] else h + grown for h in home]
        home.append(opened)
    own, *copies = home
    rest = [i for i in range(len(axes)) if i not in home]
    others = frozenset(candidate.atom.id for i in rest for candidate, _ in leaf_paths(axes[i]))
    moved = np.transpose(tensor, [*copies, own, *rest])
    count = int(np.prod([tensor.shape[i] for i in copies], dtype=int))
    return moved.reshape(count, tensor.shape[own], -1), others


def _open(tensor: np.ndarray, axes: list[Axis], place: int, path: Path) -> tuple[np.ndarray, int]:
    """Goes down to one leaf: slices direct sums, splits products into axes of their own (``axes`` follows)."""
    for kind, index in path:
        node = axes[place]
        if kind == "sum":
            assert isinstance(node, Sum)
            start = sum(term.size for term in node.terms[:index])
            stop = start + node.terms[index].size
            tensor = tensor[(slice(None),) * place + (slice(start, stop),)]
            axes[place] = node.terms[index]
        else:
            assert isinstance(node, Product)
            shape = tensor.shape
            tensor = tensor.reshape(*shape[:place], *(f.size for f in node.factors), *shape[place + 1 :])
            axes[place : place + 1] = node.factors
            place += index
    return tensor, place


def apart(layout: Layout, atom: int) -> bool:
    """Whether the places that an atom indexes in a weight share no entry (query and key rows of one packed tensor)."""
    places = [(i, path) for i, axis in enumerate(layout) for leaf, path in leaf_paths(axis) if leaf.atom.id == atom]
    return all(
        i == j and not beside(first, second)
        for number, (i, first) in enumerate(places)
        for j, second in places[number + 1 :]
    )
