"""One pass over the graph: every tensor gets its axis types, every op adds its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiberscope.symmetry.axes import INPUT, OUTPUT, Uniform, fixed_axis
from fiberscope.symmetry.ops import op_name
from fiberscope.symmetry.rules import RULES
from fiberscope.symmetry.typed import Inference, Stacked, Typed, fixed
from fiberscope.symmetry.uses import stored_weights

if TYPE_CHECKING:
    import torch
    import torch.fx

    from fiberscope.network import Network

_MOVES = {"permute", "unsqueeze", "squeeze", "clone", "alias", "transpose", "contiguous", "detach"}
_LARGEST_STACK = 16
_TABLE_LIMIT = 1 << 22


def infer(net: Network) -> tuple[Inference, dict[str, Typed]]:
    """Type every tensor of the network; return the facts and the type of every weight."""
    inf = Inference()
    inf.stack_dims = _stack_dims(net.graph)
    inf.stored = stored_weights(net)
    weights: dict[str, Typed] = {}
    inputs = set(net.input_names)
    for node in net.graph.nodes:
        if node.op in ("placeholder", "get_attr"):
            _placeholder(inf, node, net, inputs, weights)
        elif node.op == "call_function":
            _call(inf, node)
    inf.facts.where = OUTPUT
    for node in net.output_nodes:
        inf.freeze(inf.typed(node))
    return inf, weights


def _placeholder(
    inf: Inference, node: torch.fx.Node, net: Network, inputs: set[str], weights: dict[str, Typed]
) -> None:
    name = node.name
    if name in net.weight_of:
        weight = net.weight_of[name]
        if not node.users and weight not in weights:
            inf.env[name] = fixed(tuple(net.weights[weight].shape), constant=True)
            return
        if weight not in weights:
            shape = tuple(net.weights[weight].shape)
            weights[weight] = Typed(tuple(inf.facts.fresh(int(n)) for n in shape))
        inf.env[name] = weights[weight]
    elif name in inputs:
        inf.env[name] = fixed(tuple(int(n) for n in node.meta["val"].shape), INPUT, constant=True)
    elif name in net.constants:
        inf.env[name] = _constant(net.constants[name])
    else:
        shape = getattr(node.meta.get("val"), "shape", ())
        inf.env[name] = fixed(tuple(int(n) for n in shape), constant=True)


def _constant(tensor: torch.Tensor) -> Typed:
    """Type a stored table: axes along which it does not vary are uniform."""
    if tensor.numel() > _TABLE_LIMIT or not tensor.numel():
        return fixed(tuple(tensor.shape), constant=True)
    axes = tuple(
        Uniform(n) if n == 1 or bool((tensor == tensor.narrow(d, 0, 1)).all()) else fixed_axis(n)
        for d, n in enumerate(tensor.shape)
    )
    return Typed(axes, True, zero=not bool(tensor.any()))


def _call(inf: Inference, node: torch.fx.Node) -> None:
    name = op_name(node)
    inf.facts.where = f"{node.target} at node {node.name}"
    inf.uses.note(node, name, inf.stored)
    if name == "getitem":
        inf.env[node.name] = inf.env[node.args[0].name][node.args[1]]  # type: ignore[union-attr,index]
        return
    rule = RULES.get(name)
    namespace = getattr(node.target, "namespace", "aten")
    known = rule is not None and namespace in ("aten", "_operator")
    if not known or _other_overload(node):
        _unknown(inf, node)
        return
    try:
        made = rule(inf, node)  # type: ignore[misc]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, NotImplementedError):
        _unknown(inf, node)
        return
    if isinstance(made, Typed) and made.shape != _val_shape(node):
        _unknown(inf, node)
        return
    inf.env[node.name] = made


def _other_overload(node: torch.fx.Node) -> bool:
    """Ops that write into their input or to an out= buffer are not understood."""
    overload = getattr(node.target, "_overloadname", "")
    return "out" in overload or (op_name(node).endswith("_") and not op_name(node).startswith("_"))


def _val_shape(node: torch.fx.Node) -> tuple[int, ...]:
    return tuple(int(n) for n in node.meta["val"].shape)


def _unknown(inf: Inference, node: torch.fx.Node) -> None:
    """Freeze every tensor that enters an op outside the table."""
    constant = True
    for arg in node.all_input_nodes:
        value = inf.env.get(arg.name)
        parts = value if isinstance(value, tuple) else value.items if isinstance(value, Stacked) else (value,)
        for part in parts:
            if isinstance(part, Typed):
                constant &= part.constant
                if not part.constant:
                    inf.freeze(part)
    if not constant:
        inf.frozen_ops.append((str(node.target), node.name))
    reason = None if constant else inf.facts.where
    inf.env[node.name] = _fixed_like(node.meta.get("val"), reason, constant)


def _fixed_like(val: Any, reason: str | None, constant: bool) -> Any:
    if isinstance(val, (tuple, list)):
        return tuple(_fixed_like(v, reason, constant) for v in val)
    return fixed(tuple(int(n) for n in getattr(val, "shape", ())), reason, constant=constant)


def _stack_dims(graph: torch.fx.Graph) -> dict[str, int]:
    """Find views whose new axis is later taken apart one by one: fused query-key-value layouts."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        dim = _taken_apart(node)
        if dim is None:
            continue
        origin = node.args[0]
        while dim is not None and origin.op == "call_function" and op_name(origin) in _MOVES:
            dim = _before(origin, dim)
            origin = origin.args[0]
        if dim is None or origin.op != "call_function" or op_name(origin) not in ("view", "reshape", "_unsafe_view"):
            continue
        if 1 < int(origin.meta["val"].shape[dim]) <= _LARGEST_STACK:
            found[origin.name] = dim
    return found


def _taken_apart(node: torch.fx.Node) -> int | None:
    """Axis of which a node takes single entries: select, unbind, or a slice of one that is squeezed at once."""
    if node.op != "call_function" or op_name(node) not in ("select", "unbind", "slice"):
        return None
    args: Any = node.args
    dim = (args[1] if len(args) > 1 else 0) % len(args[0].meta["val"].shape)
    if op_name(node) == "slice":
        single = int(node.meta["val"].shape[dim]) == 1
        return dim if single and all(op_name(u) == "squeeze" and dim in _squeezed(u) for u in node.users) else None
    return dim


def _squeezed(node: torch.fx.Node) -> set[int]:
    """Axes that a squeeze drops."""
    args: Any = node.args
    source = [int(n) for n in args[0].meta["val"].shape]
    given = args[1] if len(args) > 1 else list(range(len(source)))
    dims = [given] if isinstance(given, int) else list(given)
    return {d % len(source) for d in dims if source[d] == 1}


def _before(node: torch.fx.Node, dim: int) -> int | None:
    """Follow an axis backwards through an op that only moves axes."""
    name = op_name(node)
    rank = len(node.meta["val"].shape)
    args: Any = node.args
    if name == "permute":
        return args[1][dim] % rank
    if name == "transpose":
        i, j = args[1] % rank, args[2] % rank
        return {i: j, j: i}.get(dim, dim)
    if name == "unsqueeze":
        new = args[1] % rank
        return None if dim == new else dim - (dim > new)
    if name == "squeeze":
        dropped = _squeezed(node)
        return [d for d in range(rank + len(dropped)) if d not in dropped][dim]
    return dim
