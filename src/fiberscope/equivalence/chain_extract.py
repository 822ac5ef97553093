"""Read a chain out of an ATen graph.

Every tensor of the graph is followed as one of three things: a constant (with the place of each entry in a stored
weight), an affine map of the flat output of the last activation, or an elementwise expression of such a map.
Operations that only move entries are replayed on an index tensor, so views, permutations and expansions need no rules
of their own. Anything else ends the walk: the network is then not a chain as far as we know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fiberscope.equivalence.chain import Affine, Chain, Source
from fiberscope.equivalence.chain_elementwise import Expression, recognise
from fiberscope.numerics import exact
from fiberscope.numerics.tolerance import MAX_EXACT_PRODUCTS

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
_FILLS = {"full", "scalar_tensor", "zeros", "ones", "full_like", "zeros_like", "ones_like"}


class NotAChain(Exception):
    """Raised inside the walk; ``extract`` turns it into None."""


@dataclass(frozen=True, eq=False)
class _Base:
    """What affine maps are affine in: the input (``parent`` None) or the output of an activation."""

    size: int
    parent: _Map | None = None
    activation: str = ""


@dataclass(frozen=True, eq=False)
class _Constant:
    """A tensor that does not depend on the input; ``place`` is the flat index in weight ``name``."""

    values: torch.Tensor
    place: torch.Tensor | None
    name: str


@dataclass(frozen=True, eq=False)
class _Map:
    """Entry ``index`` of the flat rows of ``affine`` (None: the base itself), for every position of the tensor."""

    base: _Base
    affine: Affine | None
    rows: int
    index: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Expression:
    """An elementwise expression of a map."""

    of: _Map
    expression: Expression


@dataclass(frozen=True, eq=False)
class _Product:
    """A map times a stored weight, entry by entry: half of a matrix-vector product if a sum follows."""

    of: _Map
    constant: _Constant
    shape: tuple[int, ...]


_Value = _Constant | _Map | _Expression | _Product


def extract(net: Network) -> Chain | None:
    """The chain of a network with one input and one output tensor, or None."""
    if len(net.inputs) != 1 or len(net.output_nodes) != 1 or not net.inputs[0].dtype.is_floating_point:
        return None
    try:
        return _Walk(net).chain()
    except NotAChain:
        return None


class _Walk:
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

    def leaf(self, node: Any) -> _Value | NotAChain:
        name = node.name
        if name in self.net.input_names:
            shape = self.net.inputs[0].shape
            return self.fresh(_Base(self.net.n_in), shape)
        weight = self.net.weight_of.get(name)
        tensor = self.net.weights[weight] if weight is not None else self.net.constants.get(name)
        if tensor is None or tensor.is_complex():
            return NotAChain(name)
        place = torch.arange(tensor.numel()).reshape(tensor.shape) if weight is not None else None
        return _Constant(tensor.detach().cpu(), place, weight or "")

    def value(self, argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            found = self.values.get(argument, NotAChain(argument.name))
            if isinstance(found, NotAChain):
                raise found
            return found
        return argument

    def fresh(self, base: _Base, shape: tuple[int, ...]) -> _Map:
        return _Map(base, None, base.size, self.positions(shape, base.size))

    def positions(self, shape: tuple[int, ...], size: int) -> torch.Tensor:
        copies = self.batch or 1
        if self.batch is not None and (not shape or shape[0] != self.batch):
            raise NotAChain("the batch axis is not the first axis")
        count = int(np.prod(shape, dtype=np.int64))
        if count != copies * size:
            raise NotAChain("sizes do not fit")
        return torch.arange(count).reshape(shape)

    def sample(self, value: _Map) -> tuple[np.ndarray, tuple[int, ...]]:
        """Row number of every position of one sample (flat), and the sample's shape."""
        index = value.index
        if self.batch is None:
            return index.reshape(-1).numpy(), tuple(index.shape)
        if index.ndim == 0 or index.shape[0] != self.batch:
            raise NotAChain("the batch axis is not the first axis")
        offset = torch.arange(self.batch).reshape(-1, *([1] * (index.ndim - 1))) * value.rows
        if not torch.equal(index, index[:1] + offset):
            raise NotAChain("samples of a batch mix")
        return index[0].reshape(-1).numpy(), tuple(index.shape[1:])

    def affine(self, value: _Map) -> Affine:
        """The affine map with one row per position of one sample."""
        rows, _ = self.sample(value)
        if value.affine is None:
            if value.rows > 8192:
                raise NotAChain("an elementwise map of more than 8192 units")
            return Affine(np.eye(value.rows)[rows], np.zeros(len(rows)))
        if len(rows) == value.rows and (rows == np.arange(len(rows))).all():
            return value.affine
        a = value.affine
        columns = np.arange(a.weight.shape[1])
        return Affine(
            a.weight[rows],
            a.bias[rows],
            a.weight_source.take(rows, columns) if a.weight_source else None,
            a.bias_source.take(rows) if a.bias_source else None,
        )

    # -- one node ---------------------------------------------------------------------------------------------------

    def step(self, node: Any) -> _Value:
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            raise NotAChain(node.name)
        op = node.target.name().removeprefix("aten::").split(".")[0]
        arguments = [self.value(v) for v in node.args]
        if op != "sum":
            arguments = [self.resolve(v) if isinstance(v, _Product) else v for v in arguments]
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
            return self.binary(op, arguments, shape)
        raise NotAChain(f"{node.name}: {node.target}")

    def fill(self, node: Any) -> _Constant:
        op = node.target.name().removeprefix("aten::").split(".")[0]
        shape = tuple(node.meta["val"].shape)
        if op in ("full", "scalar_tensor", "full_like"):
            number = node.args[0] if op == "scalar_tensor" else node.args[1]
        else:
            number = 0.0 if op.startswith("zeros") else 1.0
        if not isinstance(number, (int, float)):
            raise NotAChain(node.name)
        return _Constant(torch.full(shape, float(number), dtype=torch.float64), None, "")

    def move(self, node: Any, op: str, arguments: list[Any]) -> _Value:
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
        if isinstance(value, _Constant):
            place = None if value.place is None else moved(value.place)
            return _Constant(moved(value.values), place, value.name)
        if isinstance(value, _Map):
            return replace(value, index=moved(value.index))
        if isinstance(value, _Expression):
            return replace(value, of=replace(value.of, index=moved(value.of.index)))
        raise NotAChain(node.name)

    # -- elementwise ------------------------------------------------------------------------------------------------

    def unary(self, op: str, arguments: list[Any]) -> _Expression:
        value, rest = arguments[0], arguments[1:]
        if any(isinstance(v, (_Constant, _Map, _Expression)) for v in rest) or isinstance(value, (_Constant, float, int)):
            raise NotAChain(op)
        of, inner = (value, "x") if isinstance(value, _Map) else (value.of, value.expression)
        if op == "neg":
            return _Expression(of, ("mul", inner, -1))
        return _Expression(of, (op, inner, *rest))

    def binary(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> _Value:
        constants = [v for v in arguments if isinstance(v, _Constant)]
        vectors = [v for v in constants if _single(v) is None]
        if vectors:
            return self.vector(op, arguments, shape)
        parts = [v for v in arguments if isinstance(v, (_Map, _Expression))]
        if not parts:
            raise NotAChain(op)
        maps = [v if isinstance(v, _Map) else v.of for v in parts]
        if not all(_same(maps[0], m) for m in maps[1:]) or tuple(maps[0].index.shape) != shape:
            raise NotAChain(f"{op} of different layers")
        inner = []
        for v in arguments:
            if isinstance(v, _Map):
                inner.append("x")
            elif isinstance(v, _Expression):
                inner.append(v.expression)
            elif isinstance(v, _Constant):
                if v.place is not None:  # a single stored weight is a weight, not a number
                    return self.vector(op, arguments, shape)
                inner.append(_single(v))
            elif isinstance(v, (int, float)) and not isinstance(v, bool):
                inner.append(v)
            else:
                raise NotAChain(op)
        if op == "sub":
            if isinstance(inner[1], (int, float)):
                return _Expression(maps[0], ("add", inner[0], -inner[1]))
            if isinstance(inner[0], (int, float)):
                return _Expression(maps[0], ("add", ("mul", inner[1], -1), inner[0]))
        if op in ("add", "mul") and isinstance(inner[0], (int, float)):
            inner = inner[::-1]
        return _Expression(maps[0], (op, *inner))

    def vector(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> _Value:
        """Add, subtract, multiply or divide by a constant tensor that is the same for every sample."""
        constants = [v for v in arguments if isinstance(v, _Constant) and v.place is not None]
        if op == "mul" and len(arguments) == 2 and len(constants) == 1:
            value = arguments[0] if constants[0] is arguments[1] else arguments[1]
            return _Product(self.resolve(value), constants[0], shape)
        return self.shift_or_scale(op, arguments, shape)

    def total(self, arguments: list[Any], kwargs: dict[str, Any], shape: tuple[int, ...]) -> _Map:
        """The sum over one axis of a map times a weight: a matrix-vector or a scalar product."""
        value, axes = arguments[0], arguments[1] if len(arguments) > 1 else None
        if kwargs or not isinstance(value, _Product):
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
            return np.moveaxis(_doubles(tensor.expand(sample_shape)), axis, -1).reshape(-1, width)

        constant = value.constant
        assert constant.place is not None
        source = Source(
            constant.name, str(constant.values.dtype).removeprefix("torch."), matrix(constant.place).astype(np.int64)
        )
        affine = self.composed(value.of, grid[0], matrix(constant.values), source)
        return _Map(value.of.base, affine, len(affine.bias), self.positions(shape, len(affine.bias)))

    def shift_or_scale(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> _Map:
        if op not in ("add", "sub", "mul", "div") or len(arguments) != 2:
            raise NotAChain(op)
        left, right = arguments
        flipped = isinstance(left, _Constant)
        value, constant = (right, left) if flipped else (left, right)
        if not isinstance(value, (_Map, _Expression, _Product)) or not isinstance(constant, _Constant):
            raise NotAChain(op)
        if op == "div" and flipped:
            raise NotAChain("division by a hidden unit")
        value = self.resolve(value)
        if tuple(value.index.shape) != shape:
            value = replace(value, index=value.index.expand(shape))
        numbers, place = constant.values.expand(shape), None
        if constant.place is not None:
            place = constant.place.expand(shape)
        if self.batch is not None:
            if constant.values.ndim == len(shape) and constant.values.shape[0] != 1:
                raise NotAChain("a constant along the batch axis")
            numbers, place = numbers[0], None if place is None else place[0]
        flat = _doubles(numbers).reshape(-1)
        source = None
        if place is not None:
            source = Source(constant.name, str(constant.values.dtype).removeprefix("torch."), place.reshape(-1).numpy())
        rows, sample_shape = self.sample(value)
        result = self.shifted(value, flat, source, op, flipped) if op in ("add", "sub") else self.scaled(value, flat, op)
        full = (self.batch, *sample_shape) if self.batch is not None else sample_shape
        return _Map(value.base, result, len(rows), self.positions(full, len(rows)))

    def shifted(self, value: _Map, flat: np.ndarray, source: Source | None, op: str, flipped: bool) -> Affine:
        if value.affine is None and op == "sub" and not flipped and not flat.any():
            return self.affine(value)
        a = self.affine(value)
        weight, bias, weight_source, bias_source = a.weight, a.bias, a.weight_source, a.bias_source
        if op == "sub" and flipped:
            weight, bias, weight_source, bias_source = -weight, -bias, None, None
        if op == "sub" and not flipped:
            flat, source = -flat, None
        if bias.dtype != object and not bias.any():
            return Affine(weight, flat, weight_source, source if flat.any() else source)
        if not flat.any():
            return Affine(weight, bias, weight_source, bias_source)
        return Affine(weight, exact.add(bias, flat), weight_source, None)

    def scaled(self, value: _Map, flat: np.ndarray, op: str) -> Affine:
        a = self.affine(value)
        if op == "div":
            if not flat.all():
                raise NotAChain("division by zero")
            inverse = exact.simplify(1 / exact.rationals(flat))
        else:
            inverse = flat
        return Affine(exact.multiply(a.weight, inverse[:, None]), exact.multiply(a.bias, inverse))

    def resolve(self, value: Any) -> _Map:
        """Turn an elementwise expression into an affine map of a new activation layer."""
        if isinstance(value, _Map):
            return value
        if isinstance(value, _Product):
            return self.shift_or_scale("mul", [value.of, value.constant], value.shape)
        if not isinstance(value, _Expression):
            raise NotAChain("not a function of the input")
        found = recognise(value.expression)
        if found is None:
            raise NotAChain(f"unknown elementwise expression {value.expression}")
        current = self.numbers(value.of, found.inner)
        if found.activation is not None:
            rows, shape = self.sample(current)
            full = (self.batch, *shape) if self.batch is not None else shape
            base = _Base(len(rows), current, found.activation)
            current = self.numbers(self.fresh(base, full), found.outer)
        return current

    def numbers(self, value: _Map, steps: list[tuple[str, float]]) -> _Map:
        shape = tuple(value.index.shape)
        for op, number in steps:
            value = self.shift_or_scale(op, [value, _Constant(torch.tensor(number, dtype=torch.float64), None, "")], shape)
        return value

    # -- contractions -----------------------------------------------------------------------------------------------

    def contraction(self, op: str, arguments: list[Any]) -> _Value:
        if op == "addmm":
            bias, left, right = arguments
            product = self.contraction("mm", [left, right])
            return self.binary_add(product, bias)
        if op == "linear":
            value, weight, *bias = arguments
            transposed = _Constant(weight.values.T, None if weight.place is None else weight.place.T, weight.name)
            product = self.contraction("mm", [value, transposed])
            return self.binary_add(product, bias[0]) if bias and bias[0] is not None else product
        left, right = arguments
        if isinstance(left, _Constant) == isinstance(right, _Constant):
            raise NotAChain("a product of two activations or two weights")
        constant, value = (left, right) if isinstance(left, _Constant) else (right, left)
        value = self.resolve(value)
        rows, shape = self.sample(value)
        constant_first = isinstance(left, _Constant)
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
        numbers = _doubles(values)
        source = None
        if place is not None:
            source = Source(constant.name, str(constant.values.dtype).removeprefix("torch."), place.numpy().copy())
        affine = self.composed(value, rows, numbers, source)
        out = numbers.shape[0]
        if constant.values.ndim == 1:
            sample_shape: tuple[int, ...] = tuple(shape[:-1]) if not constant_first else tuple(shape[1:])
        elif constant_first:
            sample_shape = (out, *shape[1:])
        else:
            sample_shape = (*shape[:-1], out)
        full = (self.batch, *sample_shape) if self.batch is not None else sample_shape
        return _Map(value.base, affine, out, self.positions(full, out))

    def composed(self, value: _Map, rows: np.ndarray, numbers: np.ndarray, source: Source | None) -> Affine:
        """``numbers @ (the map's rows)``: the stored weight itself when the map is the base in some order."""
        size = value.base.size
        plain = value.affine is None
        shift = None
        selected = rows
        if not plain:
            a = value.affine
            assert a is not None
            shift = a.bias[rows]
            if a.weight.dtype != object and a.weight.shape[0] == size and np.array_equal(a.weight, np.eye(size)):
                plain = True
        if plain and len(set(selected.tolist())) == len(selected):
            weight = np.zeros((numbers.shape[0], size))
            weight[:, selected] = numbers
            if source is not None:
                index = np.full(weight.shape, -1, dtype=np.int64)
                index[:, selected] = source.index
                source = replace(source, index=index)
        else:
            inner = self.affine(value).weight
            if numbers.shape[0] * numbers.shape[1] * inner.shape[1] > MAX_EXACT_PRODUCTS:
                raise NotAChain("too large to compose two linear maps exactly")
            weight, source = exact.matmul(numbers, inner), None
        bias = np.zeros(numbers.shape[0])
        if shift is not None and bool(np.asarray(shift != 0, dtype=bool).any()):
            bias = exact.matmul(numbers, shift[:, None])[:, 0]
        return Affine(weight, bias, source, None)

    def binary_add(self, value: _Value, bias: Any) -> _Map:
        if not isinstance(value, _Map) or not isinstance(bias, _Constant):
            raise NotAChain("the bias is not a weight")
        return self.shift_or_scale("add", [value, bias], tuple(value.index.shape))


def _same(left: _Map, right: _Map) -> bool:
    same = left.base is right.base and left.affine is right.affine
    return same and left.index.shape == right.index.shape and torch.equal(left.index, right.index)


def _single(constant: _Constant) -> float | None:
    """The one number a constant without provenance is filled with, or None."""
    values = constant.values
    if constant.place is not None and values.numel() != 1 or values.numel() == 0:
        return None
    first = values.reshape(-1)[0]
    return float(first) if bool((values == first).all()) else None


def _doubles(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as float64, exactly."""
    if tensor.dtype in (torch.int64, torch.uint64) and tensor.numel() and int(tensor.abs().max()) > 2**53:
        raise NotAChain("an integer constant beyond 2**53")
    return tensor.to(torch.float64).numpy().copy()


