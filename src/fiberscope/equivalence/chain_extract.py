"""Read a chain out of an ATen graph.

Every tensor of the graph is followed as one of three things: a constant (with the place of each entry in a stored
weight), an affine map of the flat output of the last activation, or an elementwise expression of such a map.
Operations that only move entries are replayed on an index tensor, so views, permutations and expansions need no rules
of their own. Anything else ends the walk: the network is then not a chain as far as we know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_arithmetic import Frame
from fiberscope.equivalence.chain_values import (
    Base,
    Constant,
    Elementwise,
    Map,
    NotAChain,
    Product,
    Value,
    doubles,
    same,
    single_number,
)
from fiberscope.network.elementwise import recognise

if TYPE_CHECKING:
    from fiberscope.network import Network

_MOVES = {
    "view", "_unsafe_view", "reshape", "flatten", "squeeze", "unsqueeze", "permute", "t", "transpose", "clone", "alias",
    "expand", "contiguous", "detach", "slice", "select", "lift_fresh_copy", "_to_copy", "to", "unflatten",
}  # fmt: skip
_UNARY = {
    "relu", "tanh", "sigmoid", "abs", "sin", "cos", "erf", "atan", "exp", "expm1", "log1p", "sign", "silu", "softplus",
    "mish", "hardswish", "hardsigmoid", "neg",
}  # fmt: skip
_BINARY = {"add", "sub", "mul", "div", "maximum", "minimum", "where", "gt", "le", "ge", "lt"}
_OPERATION = torch._ops.OpOverload
_FILLS = {"full", "scalar_tensor", "zeros", "ones", "full_like", "zeros_like", "ones_like"}


def extract(net: Network) -> Chain | None:
    """The chain of a network with one input and one output tensor, or None."""
    if len(net.inputs) != 1 or len(net.output_nodes) != 1 or not net.inputs[0].dtype.is_floating_point:
        return None
    try:
        return _Walk(net).chain()
    except NotAChain:
        return None


def _name(node: Any) -> str:
    """The short name of a node's operation."""
    return node.target.name().removeprefix("aten::").split(".")[0] if isinstance(node.target, _OPERATION) else ""


def _slope(value: Any) -> Any:
    """The slope of a PReLU, a weight whose entries are one number, as this number; anything else as it is."""
    if not isinstance(value, Constant) or not value.values.numel() or not value.values.dtype.is_floating_point:
        return value
    numbers = value.values.flatten()
    return float(numbers[0]) if bool((numbers == numbers[0]).all()) else value


class _Walk(Frame):
    def __init__(self, net: Network) -> None:
        self.net = net
        spec = net.inputs[0]
        self.batch = spec.shape[0] if spec.batched else None
        self.values: dict[Any, Any] = {}

    def chain(self) -> Chain:
        for node in self.net.graph.nodes:
            if node.op == "call_function":
                try:
                    self.values[node] = self.step(node)
                except NotAChain as reason:  # only fatal when the output needs it
                    self.values[node] = reason
            elif node.op in ("placeholder", "get_attr"):
                self.values[node] = self.leaf(node)
        last = self.resolve(self.value(self.net.output_nodes[0]))
        layers, names = [self.affine(last)], []
        base = last.base
        while base.parent is not None:
            names.append(base.activation)
            layers.append(self.affine(base.parent))
            base = base.parent.base
        return Chain(tuple(layers[::-1]), tuple(names[::-1]))

    # -- leaves and lookups -----------------------------------------------------------------------------------------

    def leaf(self, node: Any) -> Value | NotAChain:
        name = node.name
        if name in self.net.input_names:
            shape = self.net.inputs[0].shape
            return self.fresh(Base(self.net.n_in), shape)
        weight = self.net.weight_of.get(name)
        tensor = self.net.weights[weight] if weight is not None else self.net.constants.get(name)
        if tensor is None or tensor.is_complex():
            return NotAChain(name)
        place = torch.arange(tensor.numel()).reshape(tensor.shape) if weight is not None else None
        return Constant(tensor.detach().cpu(), place, weight or "")

    def value(self, argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            found = self.values.get(argument, NotAChain(argument.name))
            if isinstance(found, NotAChain):
                raise found
            return found
        return argument

    # -- one node ---------------------------------------------------------------------------------------------------

    def step(self, node: Any) -> Value:
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            raise NotAChain(node.name)
        if not isinstance(node.meta["val"], torch.Tensor):
            raise NotAChain(f"{node.name}: several results")
        op = _name(node)
        arguments = [self.value(v) for v in node.args]
        if op != "sum":
            arguments = [self.resolve(v) if isinstance(v, Product) else v for v in arguments]
        if op in _FILLS:
            return self.fill(node)
        if op in _MOVES:
            return self.move(node, op, arguments)
        kwargs = dict(node.kwargs)
        if op in ("mm", "matmul", "mv", "dot", "addmm", "linear") and not kwargs:
            return self.contraction(op, arguments)
        shape = tuple(node.meta["val"].shape)
        if op == "sum":
            return self.total(arguments, kwargs, shape)
        if op == "gelu":
            return self.unary("gelu_tanh" if kwargs.get("approximate") == "tanh" else "gelu", arguments[:1])
        if op == "leaky_relu":
            return self.unary(op, [*arguments[:1], arguments[1] if len(arguments) > 1 else 0.01])
        if op == "elu":
            return self.unary(op, [*arguments, *(1, 1, 1)[len(arguments) - 1 :]])
        if op == "hardtanh":
            return self.unary("clamp", [*arguments, *(-1.0, 1.0)[len(arguments) - 1 :]])
        if op == "clamp":
            low, high = ([*arguments[1:], None, None])[:2]
            return self.unary("clamp", [arguments[0], kwargs.get("min", low), kwargs.get("max", high)])
        if op in _UNARY and len(arguments) == 1 and not kwargs:
            return self.unary(op, arguments)
        if op == "pow" and not kwargs and isinstance(arguments[1], (int, float)):
            return self.unary("pow", arguments)
        if op in _BINARY and not kwargs:
            if op == "mul" and node.users and all(_name(user) == "where" for user in node.users):
                arguments = [_slope(v) for v in arguments]
            return self.binary(op, arguments, shape)
        raise NotAChain(f"{node.name}: {node.target}")

    def fill(self, node: Any) -> Constant:
        op = _name(node)
        shape = tuple(node.meta["val"].shape)
        if op in ("full", "scalar_tensor", "full_like"):
            number = node.args[0] if op == "scalar_tensor" else node.args[1]
        else:
            number = 0.0 if op.startswith("zeros") else 1.0
        if not isinstance(number, (int, float)):
            raise NotAChain(node.name)
        return Constant(torch.full(shape, float(number), dtype=torch.float64), None, "")

    def move(self, node: Any, op: str, arguments: list[Any]) -> Value:
        value, rest = arguments[0], arguments[1:]
        result = node.meta["val"]
        shape = tuple(result.shape)

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            if op in ("_to_copy", "to", "clone", "contiguous", "detach", "lift_fresh_copy", "alias"):
                return tensor
            if op in ("view", "_unsafe_view", "reshape", "flatten", "unflatten"):
                return tensor.reshape(shape)
            return node.target(tensor, *rest, **node.kwargs)

        if op in ("_to_copy", "to") and not result.dtype.is_floating_point:
            raise NotAChain("a cast to a type without fractions")
        if isinstance(value, Constant):
            place = None if value.place is None else moved(value.place)
            return Constant(moved(value.values), place, value.name)
        if isinstance(value, Map):
            return replace(value, index=moved(value.index))
        if isinstance(value, Elementwise):
            return replace(value, of=replace(value.of, index=moved(value.of.index)))
        raise NotAChain(node.name)

    # -- elementwise ------------------------------------------------------------------------------------------------

    def unary(self, op: str, arguments: list[Any]) -> Elementwise:
        value, rest = arguments[0], arguments[1:]
        if any(isinstance(v, (Constant, Map, Elementwise)) for v in rest) or isinstance(value, (Constant, float, int)):
            raise NotAChain(op)
        of, inner = (value, "x") if isinstance(value, Map) else (value.of, value.expression)
        if op == "neg":
            return Elementwise(of, ("mul", inner, -1))
        return Elementwise(of, (op, inner, *rest))

    def binary(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Value:
        constants = [v for v in arguments if isinstance(v, Constant)]
        vectors = [v for v in constants if single_number(v) is None]
        if vectors:
            return self.vector(op, arguments, shape)
        parts = [v for v in arguments if isinstance(v, (Map, Elementwise))]
        if not parts:
            raise NotAChain(op)
        maps = [v if isinstance(v, Map) else v.of for v in parts]
        if not all(same(maps[0], m) for m in maps[1:]) or tuple(maps[0].index.shape) != shape:
            raise NotAChain(f"{op} of different layers")
        inner = []
        for v in arguments:
            if isinstance(v, Map):
                inner.append("x")
            elif isinstance(v, Elementwise):
                inner.append(v.expression)
            elif isinstance(v, Constant):
                if v.place is not None:  # a single stored weight is a weight, not a number
                    return self.vector(op, arguments, shape)
                inner.append(single_number(v))
            elif isinstance(v, (int, float)) and not isinstance(v, bool):
                inner.append(v)
            else:
                raise NotAChain(op)
        if op == "sub":
            if isinstance(inner[1], (int, float)):
                return Elementwise(maps[0], ("add", inner[0], -inner[1]))
            if isinstance(inner[0], (int, float)):
                return Elementwise(maps[0], ("add", ("mul", inner[1], -1), inner[0]))
        if op in ("add", "mul") and isinstance(inner[0], (int, float)):
            inner = inner[::-1]
        return Elementwise(maps[0], (op, *inner))

    def vector(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Value:
        """Add, subtract, multiply or divide by a constant tensor that is the same for every sample."""
        constants = [v for v in arguments if isinstance(v, Constant) and v.place is not None]
        if op == "mul" and len(arguments) == 2 and len(constants) == 1:
            value = arguments[0] if constants[0] is arguments[1] else arguments[1]
            return Product(self.resolve(value), constants[0], shape)
        return self.shift_or_scale(op, arguments, shape)

    def total(self, arguments: list[Any], kwargs: dict[str, Any], shape: tuple[int, ...]) -> Map:
        """The sum over one axis of a map times a weight: a matrix-vector or a scalar product."""
        value, axes = arguments[0], arguments[1] if len(arguments) > 1 else None
        if kwargs or not isinstance(value, Product):
            raise NotAChain("a sum over hidden units")
        rank = len(value.shape)
        axes = list(range(rank)) if not axes else [axis % rank for axis in axes]
        if len(axes) != 1 or (self.batch is not None and (axes[0] == 0 or value.constant.values.ndim == rank)):
            raise NotAChain("a sum over several axes")
        rows, sample_shape = self.sample(replace(value.of, index=value.of.index.expand(value.shape)))
        axis = axes[0] - (self.batch is not None)
        grid = np.moveaxis(rows.reshape(sample_shape), axis, -1)
        width = grid.shape[-1]
        grid = grid.reshape(-1, width)
        if (grid != grid[:1]).any():
            raise NotAChain("a sum of products that is not a matrix-vector product")

        def matrix(tensor: torch.Tensor) -> np.ndarray:
            return np.moveaxis(doubles(tensor.expand(sample_shape)), axis, -1).reshape(-1, width)

        constant = value.constant
        assert constant.place is not None
        source = constant.source(matrix(constant.place).astype(np.int64))
        affine = self.composed(value.of, grid[0], matrix(constant.values), source)
        return Map(value.of.base, affine, len(affine.bias), self.positions(shape, len(affine.bias)))

    def resolve(self, value: Any) -> Map:
        """Turn an elementwise expression into an affine map of a new activation layer."""
        if isinstance(value, Map):
            return value
        if isinstance(value, Product):
            return self.shift_or_scale("mul", [value.of, value.constant], value.shape)
        if not isinstance(value, Elementwise):
            raise NotAChain("not a function of the input")
        found = recognise(value.expression)
        if found is None:
            raise NotAChain(f"unknown elementwise expression {value.expression}")
        current = self.numbers(value.of, found.inner)
        if found.activation is not None:
            rows, shape = self.sample(current)
            full = (self.batch, *shape) if self.batch is not None else shape
            base = Base(len(rows), current, found.activation)
            current = self.numbers(self.fresh(base, full), found.outer)
        return current

    def numbers(self, value: Map, steps: list[tuple[str, float]]) -> Map:
        shape = tuple(value.index.shape)
        for op, number in steps:
            constant = Constant(torch.tensor(number, dtype=torch.float64), None, "")
            value = self.shift_or_scale(op, [value, constant], shape)
        return value

    # -- contractions -----------------------------------------------------------------------------------------------

    def contraction(self, op: str, arguments: list[Any]) -> Value:
        if op == "addmm":
            bias, left, right = arguments
            product = self.contraction("mm", [left, right])
            return self.binary_add(product, bias)
        if op == "linear":
            value, weight, *bias = arguments
            transposed = Constant(weight.values.T, None if weight.place is None else weight.place.T, weight.name)
            product = self.contraction("mm", [value, transposed])
            return self.binary_add(product, bias[0]) if bias and bias[0] is not None else product
        left, right = arguments
        if isinstance(left, Constant) == isinstance(right, Constant):
            raise NotAChain("a product of two activations or two weights")
        constant, value = (left, right) if isinstance(left, Constant) else (right, left)
        value = self.resolve(value)
        rows, shape = self.sample(value)
        constant_first = isinstance(left, Constant)
        if constant.values.ndim not in (1, 2) or max(shape, default=1) != len(rows):
            raise NotAChain("a product with several rows per sample")
        values, place = constant.values, constant.place
        if values.ndim == 1:
            values, place = values[None, :], None if place is None else place[None, :]
        elif not constant_first:
            values, place = values.T, None if place is None else place.T
        if values.shape[1] != len(rows):
            raise NotAChain("a product along another axis")
        if constant_first and self.batch is not None:
            raise NotAChain("a product along the batch axis")
        numbers = doubles(values)
        source = None
        if place is not None:
            source = constant.source(place.numpy().copy())
        affine = self.composed(value, rows, numbers, source)
        out = numbers.shape[0]
        if constant.values.ndim == 1:
            sample_shape: tuple[int, ...] = tuple(shape[:-1]) if not constant_first else tuple(shape[1:])
        elif constant_first:
            sample_shape = (out, *shape[1:])
        else:
            sample_shape = (*shape[:-1], out)
        full = (self.batch, *sample_shape) if self.batch is not None else sample_shape
        return Map(value.base, affine, out, self.positions(full, out))

    def binary_add(self, value: Value, bias: Any) -> Map:
        if not isinstance(value, Map) or not isinstance(bias, Constant):
            raise NotAChain("the bias is not a weight")
        return self.shift_or_scale("add", [value, bias], tuple(value.index.shape))
