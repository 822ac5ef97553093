"""Where a bias goes: from the projection that adds it, over moves, to the one product that may read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum, leaves, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.infer import op_name
from fiberscope.symmetry.layout import Layout, companions, leaf_paths
from fiberscope.symmetry.typed import Inference, Typed

if TYPE_CHECKING:
    from torch.fx import Node

    from fiberscope.network import Network

Array = NDArray[Any]

MOVES = {"view", "reshape", "_unsafe_view", "permute", "transpose", "t", "clone", "alias", "unsqueeze", "squeeze"}
MOVES |= {"expand", "contiguous", "detach", "_to_copy"}
PARTS = {"getitem", "split_with_sizes", "split", "slice", "select", "unbind"}


@dataclass(frozen=True)
class Projected:
    """The entries of a stored bias that one operand of a product is made of, and the atoms that index them in order."""

    bias: str
    entries: Array
    atoms: tuple[int, ...]


def projection(
    net: Network, inf: Inference, layouts: Mapping[str, Layout], node: Any, user: Node, feature: int, *, scaled: bool
) -> Projected | None:
    """Follow an operand (batch axis 0, features along axis ``feature``, tokens along the other) back to its bias.

    Each entry of the bias must reach one place of the batch and feature axes, the same for every token, and nothing
    but ``user`` may read it. ``scaled``: multiplications by numbers may lie in between.
    """
    operand = inf.env.get(node.name)
    if not isinstance(operand, Typed):
        return None
    axis = resolve(operand.axes[feature])
    if not isinstance(axis, Leaf) or axis.atom.mixing is Mixing.none:
        return None
    end = node
    while moves(node, scaled=scaled):
        node = node.args[0]
    if node.op != "call_function" or op_name(node) not in ("addmm", "add") or node.kwargs:
        return None
    bias = stored_bias(net, node)
    if bias is None or bias not in layouts or not _read_only_by(inf, node, axis, end, user, scaled=scaled):
        return None
    number = _written_leaf(layouts, bias, axis)
    if number is None:
        return None
    beside = [(j, leaf.atom.id) for _, j, leaf in companions(layouts[bias], 0, number)]
    batch = {leaf.atom.id for leaf in leaves(resolve(operand.axes[0]))}
    if not {a for _, a in beside} <= batch:
        return None
    atoms = tuple(a for _, a in sorted([*beside, (number, axis.atom.id)]))
    return Projected(bias, places(layouts[bias][0], number), atoms) if len(set(atoms)) == len(atoms) else None


def moves(node: Any, *, scaled: bool) -> bool:
    """Tell whether a node only moves entries (or, where ``scaled``, multiplies them by a number)."""
    if node.op != "call_function":
        return False
    return op_name(node) in MOVES | PARTS or (scaled and op_name(node) == "mul" and not hasattr(node.args[1], "op"))


def _read_only_by(inf: Inference, start: Node, axis: Leaf, end: Node, user: Node, *, scaled: bool) -> bool:
    """Tell whether every way from ``start`` that carries these entries ends in ``user`` through ``end``."""
    todo = [start]
    while todo:
        node = todo.pop()
        for reader in node.users:
            if moves(reader, scaled=scaled):
                todo.append(reader)
            elif reader is user and node is end:
                if [a is node for a in user.args].count(True) != 1:
                    return False
            elif _carries(inf.env.get(node.name), axis):
                return False
    return True


def _carries(value: Any, axis: Leaf) -> bool:
    if not isinstance(value, Typed):
        return True
    return any(leaf == axis for a in value.axes for leaf in leaves(resolve(a)))


def _written_leaf(layouts: Mapping[str, Layout], bias: str, axis: Leaf) -> int | None:
    """Number of the leaf of the bias that goes with this axis of the projection's weight."""
    own = [leaf.atom for leaf, _ in leaf_paths(layouts[bias][0])]
    for weight, layout in layouts.items():
        for written in (list(leaf_paths(a)) for a in layout):
            matching = [j for j, (x, _) in enumerate(written) if x.atom is axis.atom and x.charge == axis.charge]
            if len(matching) == 1 and weight != bias and own == [x.atom for x, _ in written]:
                return matching[0]
    return None


def stored_bias(net: Network, node: Any) -> str | None:
    """Return the stored one-dimensional bias that a projection adds."""
    for arg in node.args[:1] if op_name(node) == "addmm" else node.args[:2]:
        name = net.weight_of.get(getattr(arg, "name", ""))
        if name is not None and net.weights[name].ndim == 1:
            return name
    return None


def places(axis: Axis, leaf: int | None) -> Array:
    """Positions of an axis that belong to one of its leaves (None: all of them)."""
    number = iter(range(1 << 30))

    def mark(part: Axis) -> Array:
        if isinstance(part, Leaf):
            return np.full(part.size, next(number) == leaf or leaf is None)
        if isinstance(part, Sum):
            return np.concatenate([mark(t) for t in part.terms])
        if isinstance(part, Product):
            out = np.ones(1, dtype=bool)
            flags = [mark(f) for f in part.factors]
            if leaf is not None:
                flags = [f if f.any() else ~f for f in flags] if any(f.any() for f in flags) else flags
            for f in flags:
                out = np.logical_and.outer(out, f).ravel()
            return out
        return np.ones(part.size, dtype=bool)

    return np.flatnonzero(mark(axis))


def forward(node: Node, stop: Callable[[Node], bool], *, rows: bool = False) -> Node | None:
    """Follow the only user over moves until ``stop`` holds; ``rows``: the last axis stays the last."""
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node.op != "call_function":
            return None
        if stop(node):
            return node
        if op_name(node) not in MOVES or (rows and not keeps_rows(node)):
            return None
    return None


def origin(node: Any, *, rows: bool = False) -> Any:
    """Go back over moves; ``rows``: only over those that keep the last axis the last."""
    while node.op == "call_function" and op_name(node) in MOVES and not (rows and not keeps_rows(node)):
        node = node.args[0]
    return node


def keeps_rows(node: Any) -> bool:
    """Tell whether a move leaves the last axis as it was."""
    rank = len(shape_of(node))
    match op_name(node):
        case "permute":
            return node.args[1][-1] % rank == rank - 1
        case "transpose":
            return rank - 1 not in (node.args[1] % rank, node.args[2] % rank)
        case "t":
            return False
        case _:
            return shape_of(node)[-1:] == shape_of(node.args[0])[-1:]


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of a node's tensor."""
    return tuple(int(n) for n in node.meta["val"].shape)
