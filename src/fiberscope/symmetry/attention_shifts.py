r"""Shifts of biases around a softmax: the simplest translations and invisible directions.

softmax(q (k + u)^T) = softmax(q k^T + (q . u) 1^T) = softmax(q k^T): a shift u of the key bias is invisible.
softmax(S) (v + 1 t^T) W_o + b_o = softmax(S) v W_o + (b_o + t W_o): a shift t of the value bias is absorbed by
the output bias. Both are read off the graph: only moves and multiplications by numbers may lie in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.axes import Leaf, leaves, resolve
from fiberscope.symmetry.infer import op_name
from fiberscope.symmetry.layout import Layout, leaf_paths
from fiberscope.symmetry.typed import Inference, Typed

if TYPE_CHECKING:
    import torch.fx

    from fiberscope.network import Network

Array = NDArray[Any]

MOVES = {"view", "reshape", "_unsafe_view", "permute", "transpose", "t", "clone", "alias", "unsqueeze", "squeeze"}
MOVES |= {"expand", "contiguous", "detach", "_to_copy"}
PARTS = {"getitem", "split_with_sizes", "split", "slice", "select", "unbind"}


@dataclass(frozen=True)
class Shift:
    """A bias that may be shifted at ``entries``; ``absorbed_by`` = (weight, its axis, bias): b -= W t."""

    bias: str
    entries: Array = field(repr=False)
    absorbed_by: tuple[str, int, str] | None = None

    @property
    def dimension(self) -> int:
        """Number of free directions."""
        return len(self.entries)

    @property
    def kind(self) -> str:
        """``invisible`` (nothing else changes) or ``translation`` (another bias follows)."""
        return "invisible" if self.absorbed_by is None else "translation"

    def apply(self, weights: dict[str, Array], amount: Array) -> None:
        """Add ``amount`` (one number per entry) to the bias, and take its effect off the absorbing bias."""
        shifted = weights[self.bias].copy()
        shifted[self.entries] += amount
        weights[self.bias] = shifted
        if self.absorbed_by is None:
            return
        weight, axis, bias = self.absorbed_by
        rows = np.moveaxis(weights[weight], axis, 0)
        weights[bias] = weights[bias] - exact_combination(amount, rows)


def exact_combination(amount: Array, rows: Array) -> Array:
    """Return sum_i amount[i] * rows[i], rounded once: the same whatever the order of the terms."""
    import math

    products = amount[:, None] * rows
    return np.array([math.fsum(column) for column in products.T])


def attention_shifts(net: Network, inf: Inference, layouts: Mapping[str, Layout]) -> tuple[Shift, ...]:
    """Find the key and value biases of every attention in the graph."""
    found: dict[tuple[str, bytes], Shift] = {}
    for node in net.graph.nodes:
        if node.op != "call_function" or op_name(node) not in ("_softmax", "_safe_softmax"):
            continue
        if node.args[1] % len(node.meta["val"].shape) != len(node.meta["val"].shape) - 1:
            continue
        for shift in (*_keys(net, inf, layouts, node), *_values(net, inf, layouts, node)):
            found.setdefault((shift.bias, shift.entries.tobytes()), shift)
    shifts = [s for s in found.values() if _once(net, s.bias)]
    return tuple(shifts)


def _once(net: Network, weight: str) -> bool:
    """True when the graph uses the stored bias in one place."""
    users = [u for n in net.graph.nodes if net.weight_of.get(n.name) == weight for u in n.users]
    return len(users) == 1


def _keys(net: Network, inf: Inference, layouts: Mapping[str, Layout], softmax: torch.fx.Node) -> list[Shift]:
    scores, _ = _back_to_scores(inf, softmax.args[0])
    if scores is None:
        return []
    source = _projection(net, inf, layouts, scores.args[1], scores, contracted=1)
    return [Shift(source[0], source[1])] if source else []


def _back_to_scores(inf: Inference, node: Any) -> tuple[torch.fx.Node | None, bool]:
    """Follow the softmax input back to the product of queries and keys; tell whether a mask is added on the way."""
    masked = False
    while hasattr(node, "op") and node.op == "call_function":
        name = op_name(node)
        if name == "bmm":
            return node, masked
        if name in ("view", "clone", "alias", "_to_copy", "reshape", "_unsafe_view", "expand"):
            if name in ("view", "reshape", "_unsafe_view") and _shape(node)[-1] != _shape(node.args[0])[-1]:
                return None, masked
            node = node.args[0]
        elif name in ("mul", "div") and not hasattr(node.args[1], "op"):
            node = node.args[0]
        elif name in ("add", "sub"):
            sides = [a for a in node.args[:2] if hasattr(a, "op") and not _constant(inf, a)]
            if len(sides) != 1 or (name == "sub" and sides[0] is not node.args[0]):
                return None, masked
            node, masked = sides[0], True
        else:
            return None, masked
    return None, masked


def _past_guard(inf: Inference, softmax: torch.fx.Node) -> torch.fx.Node:
    """Step over where(every score is -inf, 0, softmax): without a mask no score is infinite and it does nothing."""
    users = [u for u in softmax.users if op_name(u) not in ("full_like", "zeros_like")]
    if len(users) != 1 or op_name(users[0]) != "where" or users[0].args[2] is not softmax:
        return softmax
    _, masked = _back_to_scores(inf, softmax.args[0])
    names = []
    node: Any = users[0].args[0]
    while node.op == "call_function" and op_name(node) in ("logical_not", "any", "eq", *MOVES):
        names.append(op_name(node))
        if op_name(node) == "eq":
            infinite = node.args[1] == float("-inf") and _origin(node.args[0]) is _origin(softmax.args[0])
            guard = [n for n in names if n not in MOVES] == ["logical_not", "any", "logical_not", "eq"]
            return users[0] if infinite and guard and not masked else softmax
        node = node.args[0]
    return softmax


def _values(net: Network, inf: Inference, layouts: Mapping[str, Layout], softmax: torch.fx.Node) -> list[Shift]:
    attention = _past_guard(inf, softmax)
    product = _forward(attention, lambda n: op_name(n) == "bmm")
    if product is None or _origin(product.args[0]) is not attention:
        return []
    source = _projection(net, inf, layouts, product.args[1], product, contracted=None)
    if source is None:
        return []
    absorber = _absorber(net, inf, layouts, product)
    if absorber is None:
        return []
    bias, entries, leaf = source
    weight, axis, target = absorber
    places = _places(layouts[weight][axis], None)
    own = _places(layouts[bias][0], leaf)
    if len(places) != len(own) or not np.array_equal(own, entries):
        return []
    return [Shift(bias, entries, (weight, axis, target))] if _once(net, target) and _once(net, weight) else []


def _absorber(
    net: Network, inf: Inference, layouts: Mapping[str, Layout], product: torch.fx.Node
) -> tuple[str, int, str] | None:
    """The output projection that reads the attended values (weight, the axis it reads along) and its bias."""
    reader = _forward(product, lambda n: op_name(n) in ("addmm", "mm", "bmm"))
    if reader is None:
        return None
    fused = op_name(reader) == "addmm"
    operand, matrix = reader.args[1:3] if fused else reader.args[:2]
    if _origin(operand) is not product:
        return None
    added = reader if fused else _forward(reader, lambda n: op_name(n) == "add")
    weight = net.weight_of.get(getattr(_origin(matrix), "name", ""))
    bias = _bias(net, added)
    if weight is None or bias is None:
        return None
    typed = inf.env.get(matrix.name)  # type: ignore[union-attr]
    if not isinstance(typed, Typed) or len(layouts[weight]) != 2:
        return None
    read = {(x.atom.id, x.charge) for x in leaves(resolve(typed.axes[-2]))}
    axes = [i for i, a in enumerate(layouts[weight]) if {(x.atom.id, x.charge) for x in leaves(a)} == read]
    return (weight, axes[0], bias) if len(axes) == 1 else None


def _bias(net: Network, node: Any) -> str | None:
    """The stored one-dimensional bias that a projection adds."""
    if node is None:
        return None
    for arg in node.args[:1] if op_name(node) == "addmm" else node.args[:2]:
        name = net.weight_of.get(getattr(arg, "name", ""))
        if name is not None and net.weights[name].ndim == 1:
            return name
    return None


def _projection(
    net: Network, inf: Inference, layouts: Mapping[str, Layout], node: Any, user: Any, contracted: int | None
) -> tuple[str, Array, int] | None:
    """Follow keys or values back to their projection: (bias, its entries, leaf number)."""
    operand = inf.env.get(node.name)
    if not isinstance(operand, Typed):
        return None
    axis = resolve(operand.axes[contracted if contracted is not None else 2])
    if not isinstance(axis, Leaf):
        return None
    whole = True
    while op_name(node) in MOVES | PARTS or (op_name(node) == "mul" and not hasattr(node.args[1], "op")):
        if whole and len(node.users) != 1:
            return None
        whole = whole and op_name(node) not in PARTS
        if op_name(node) == "mul" and contracted is None:
            return None
        node = node.args[0]
        if node.op != "call_function":
            return None
    if op_name(node) not in ("addmm", "add") or (whole and len(node.users) != 1):
        return None
    bias = _bias(net, node)
    if bias is None or bias not in layouts:
        return None
    own = list(leaf_paths(layouts[bias][0]))
    for weight, layout in layouts.items():
        for written in (list(leaf_paths(a)) for a in layout):
            matching = [j for j, (x, _) in enumerate(written) if x.atom is axis.atom and x.charge == axis.charge]
            if len(matching) == 1 and weight != bias and [x.atom for x, _ in own] == [x.atom for x, _ in written]:
                return bias, _places(layouts[bias][0], matching[0]), matching[0]
    return None


def _places(axis: Any, leaf: int | None) -> Array:
    """Positions of an axis that belong to one of its leaves (None: all of them)."""
    from fiberscope.symmetry.axes import Product, Sum

    number = iter(range(1 << 30))

    def mark(part: Any) -> Array:
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


def _forward(node: torch.fx.Node, stop: Any) -> torch.fx.Node | None:
    """Follow the only user over moves until ``stop`` holds."""
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node.op != "call_function":
            return None
        if stop(node):
            return node
        if op_name(node) not in MOVES:
            return None
    return None


def _origin(node: Any) -> Any:
    while node.op == "call_function" and op_name(node) in MOVES:
        node = node.args[0]
    return node


def _constant(inf: Inference, node: Any) -> bool:
    value = inf.env.get(node.name)
    return isinstance(value, Typed) and value.constant


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in node.meta["val"].shape)
