r"""Shifts of biases around a softmax: the simplest translations and invisible directions.

softmax(q (k + u)^T) = softmax(q k^T + (q . u) 1^T) = softmax(q k^T): a shift u of the key bias is invisible.
softmax(S) (v + 1 t^T) W_o + b_o = softmax(S) v W_o + (b_o + t W_o): a shift t of the value bias is absorbed by
the output bias. Both are read off the graph: only moves and multiplications by numbers may lie in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import fx

from fiberscope.symmetry.axes import leaves, resolve
from fiberscope.symmetry.bias_paths import MOVES, forward, keeps_rows, origin, projection, stored_bias
from fiberscope.symmetry.infer import op_name
from fiberscope.symmetry.layout import Layout
from fiberscope.symmetry.shift import Shift
from fiberscope.symmetry.typed import Inference, Typed

if TYPE_CHECKING:
    from torch.fx import Node

    from fiberscope.network import Network


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


def _keys(net: Network, inf: Inference, layouts: Mapping[str, Layout], softmax: Node) -> list[Shift]:
    scores, _ = _back_to_scores(inf, softmax)
    if scores is None:
        return []
    source = projection(net, inf, layouts, scores.args[1], scores, 1, scaled=True)
    return [Shift(source.bias, source.entries)] if source else []


def _back_to_scores(inf: Inference, softmax: Node) -> tuple[Node | None, bool]:
    """Follow the softmax back to the product of queries and keys that it alone reads; tell whether a mask is added."""
    masked = False
    reader, node = softmax, softmax.args[0]
    while isinstance(node, fx.Node) and node.op == "call_function":
        if any(u is not reader and not _asks_for_infinity(u) for u in node.users):
            break
        if op_name(node) == "bmm":
            return node, masked
        reader, source, mask = node, *_score_source(inf, node)
        node, masked = source, masked or mask
    return None, masked


_SCORE_MOVES = ("view", "clone", "alias", "_to_copy", "reshape", "_unsafe_view", "expand")


def _score_source(inf: Inference, node: Node) -> tuple[Any, bool]:
    """The scores that a node moves, multiplies by a number or adds a weight-free mask to; whether it adds a mask."""
    name = op_name(node)
    scaled = name in ("mul", "div") and not isinstance(node.args[1], fx.Node)
    if scaled or (name in _SCORE_MOVES and keeps_rows(node)):
        return node.args[0], False
    if name in ("add", "sub"):
        sides = [a for a in node.args[:2] if isinstance(a, fx.Node) and not _constant(inf, a)]
        if len(sides) == 1 and (name == "add" or sides[0] is node.args[0]):
            return sides[0], True
    return None, False


def _asks_for_infinity(node: Node) -> bool:
    return op_name(node) == "eq" and bool(node.args[1] == float("-inf"))


def _past_guard(inf: Inference, softmax: Node) -> Node:
    """Step over where(every score is -inf, 0, softmax): without a mask no score is infinite and it does nothing."""
    users = [u for u in softmax.users if op_name(u) not in ("full_like", "zeros_like")]
    if len(users) != 1 or op_name(users[0]) != "where" or users[0].args[2] is not softmax:
        return softmax
    _, masked = _back_to_scores(inf, softmax)
    names = []
    node: Any = users[0].args[0]
    while node.op == "call_function" and op_name(node) in ("logical_not", "any", "eq", *MOVES):
        names.append(op_name(node))
        if op_name(node) == "eq":
            infinite = node.args[1] == float("-inf") and origin(node.args[0]) is origin(softmax.args[0])
            guard = [n for n in names if n not in MOVES] == ["logical_not", "any", "logical_not", "eq"]
            return users[0] if infinite and guard and not masked else softmax
        node = node.args[0]
    return softmax


def _values(net: Network, inf: Inference, layouts: Mapping[str, Layout], softmax: Node) -> list[Shift]:
    attention = _past_guard(inf, softmax)
    product = forward(attention, lambda n: op_name(n) == "bmm", rows=True)
    if product is None or origin(product.args[0], rows=True) is not attention:
        return []
    source = projection(net, inf, layouts, product.args[1], product, 2, scaled=False)
    absorber = _absorber(net, inf, layouts, product)
    if source is None or absorber is None:
        return []
    weight, axis, target = absorber
    read = layouts[weight][axis]
    if read.size != len(source.entries) or tuple(x.atom.id for x in leaves(read)) != source.atoms:
        return []
    alone = _once(net, target) and _once(net, weight)
    return [Shift(source.bias, source.entries, (weight, axis, target))] if alone else []


def _absorber(
    net: Network, inf: Inference, layouts: Mapping[str, Layout], product: Node
) -> tuple[str, int, str] | None:
    """The output projection that reads the attended values (weight, the axis it reads along) and its bias."""
    reader = forward(product, lambda n: op_name(n) in ("addmm", "mm", "bmm"))
    if reader is None or reader.kwargs:
        return None
    fused = op_name(reader) == "addmm"
    operand, matrix = reader.args[1:3] if fused else reader.args[:2]
    if origin(operand) is not product or not isinstance(matrix, fx.Node):
        return None
    added = reader if fused else forward(reader, lambda n: op_name(n) == "add", rows=True)
    weight = net.weight_of.get(origin(matrix).name)
    bias = stored_bias(net, added) if added is not None and not added.kwargs else None
    typed = inf.env.get(matrix.name)
    if weight is None or bias is None or not isinstance(typed, Typed) or len(layouts[weight]) != 2:
        return None
    read = {(x.atom.id, x.charge) for x in leaves(resolve(typed.axes[-2]))}
    axes = [i for i, a in enumerate(layouts[weight]) if {(x.atom.id, x.charge) for x in leaves(a)} == read]
    return (weight, axes[0], bias) if len(axes) == 1 else None


def _constant(inf: Inference, node: Node) -> bool:
    value = inf.env.get(node.name)
    return isinstance(value, Typed) and value.constant
