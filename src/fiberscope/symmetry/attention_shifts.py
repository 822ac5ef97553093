r"""Shifts of biases around a softmax: the simplest translations and invisible directions.

softmax(q (k + u)^T) = softmax(q k^T + (q . u) 1^T) = softmax(q k^T): a shift u of the key bias is invisible.
softmax(S) (v + 1 t^T) W_o + b_o = softmax(S) v W_o + (b_o + t W_o): a shift t of the value bias is absorbed by
the output bias. Both are read off the graph: only moves and multiplications by numbers may lie in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fiberscope.symmetry.axes import leaves, resolve
from fiberscope.symmetry.bias_paths import MOVES, forward, keeps_rows, origin, projection, shape_of, stored_bias
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
    scores, _ = _back_to_scores(inf, softmax.args[0])
    if scores is None:
        return []
    source = _projection(net, inf, layouts, scores.args[1], scores, contracted=1)
    return [Shift(source[0], source[1])] if source else []


def _back_to_scores(inf: Inference, node: Any) -> tuple[Node | None, bool]:
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


def _past_guard(inf: Inference, softmax: Node) -> Node:
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


def _values(net: Network, inf: Inference, layouts: Mapping[str, Layout], softmax: Node) -> list[Shift]:
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
    net: Network, inf: Inference, layouts: Mapping[str, Layout], product: Node
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


