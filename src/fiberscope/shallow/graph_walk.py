"""Read the graph of a network with one hidden layer into exact affine maps before and after one activation.

Every tensor of the graph is a constant, an affine map of the input or of the hidden units (a row number for every
position, so that operations that only move entries are replayed on the numbers), or an elementwise expression of such a
map, recognised as an activation when something linear reads it. What fits none of these is refused with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fiberscope.network.elementwise import Expression, recognise
from fiberscope.numerics.exact import add, matmul, multiply, rationals, simplify

if TYPE_CHECKING:
    from fiberscope.network import Network

MOVES = {
    "view", "_unsafe_view", "reshape", "flatten", "squeeze", "unsqueeze", "permute", "t", "transpose", "clone", "alias",
    "expand", "contiguous", "detach", "slice", "select", "lift_fresh_copy", "_to_copy", "to", "unflatten",
}  # fmt: skip
UNARY = {
    "relu", "tanh", "sigmoid", "abs", "sin", "cos", "erf", "atan", "exp", "expm1", "log1p", "sign", "silu", "softplus",
    "mish", "hardswish", "hardsigmoid", "neg",
}  # fmt: skip
BINARY = {"add", "sub", "mul", "div", "maximum", "minimum", "where", "gt", "le", "ge", "lt"}
DIAGONAL_MOST = 4096


class Unreadable(Exception):
    """Why the graph is not that of one hidden layer."""


@dataclass(frozen=True, eq=False)
class Map:
    """Position p of the tensor holds row ``index[p]`` of ``weight @ base + bias`` (weight None: the base itself).

    Rows of sample b of a batch are numbered b * rows + 0, 1, ...; ``hidden`` says which base: input or hidden units.
    """

    hidden: bool
    rows: int
    weight: np.ndarray | None
    bias: np.ndarray
    index: torch.Tensor


@dataclass(frozen=True, eq=False)
class Pending:
    """An elementwise expression of a map."""

    of: Map
    expression: Expression


class Walk:
    """One pass over the graph; afterwards ``first``, ``activation`` and ``last`` are the pieces."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.batch = net.inputs[0].shape[0] if net.inputs[0].batched else 1
        self.first: Map | None = None
        self.activation = ""
        values: dict[Any, Any] = {}
        for node in net.graph.nodes:
            if node.op == "placeholder":
                values[node] = self.leaf(node)
            elif node.op == "call_function":
                values[node] = self.step(node, values)
        self.last = self.settled(values[net.output_nodes[0]])

    def leaf(self, node: Any) -> Any:
        if node.name in self.net.input_names:
            shape = tuple(self.net.inputs[0].shape)
            size = self.net.n_in
            return Map(False, size, None, np.zeros(size), torch.arange(self.batch * size).reshape(shape))
        weight = self.net.weight_of.get(node.name)
        tensor = self.net.weights[weight] if weight is not None else self.net.constants.get(node.name)
        return None if tensor is None else tensor.detach().cpu()

    def step(self, node: Any, values: dict[Any, Any]) -> Any:
        op = str(node.target).removeprefix("aten.").split(".")[0]
        if any(isinstance(v, (list, tuple)) and any(isinstance(w, torch.fx.Node) for w in v) for v in node.args):
            raise Unreadable(f"{op} joins several tensors")
        arguments = [values[v] if isinstance(v, torch.fx.Node) else v for v in node.args]
        kwargs = {k: v for k, v in node.kwargs.items() if not (op == "addmm" and v == 1)}
        if all(not isinstance(v, (Map, Pending)) for v in arguments):
            given = [v for v in node.args if isinstance(v, torch.fx.Node)]
            if any(isinstance(values[v], Unreadable) or values[v] is None for v in given):
                raise Unreadable(f"cannot read {op}")
            return node.target(*arguments, **node.kwargs)  # weights among themselves (transposes, views, constants)
        if op in MOVES:
            return self.moved(node, op, arguments)
        if op in ("mm", "matmul", "mv", "addmm", "linear") and not kwargs:
            return self.contraction(op, arguments)
        if op == "leaky_relu":
            return self.unary(op, [*arguments[:1], arguments[1] if len(arguments) > 1 else 0.01])
        if op == "elu":
            return self.unary(op, [*arguments, *(1, 1, 1)[len(arguments) - 1 :]])
        if op == "gelu":
            return self.unary("gelu_tanh" if kwargs.get("approximate") == "tanh" else "gelu", arguments[:1])
        if op in ("clamp", "hardtanh"):
            low, high = [*arguments[1:], *((None, None) if op == "clamp" else (-1.0, 1.0))[len(arguments) - 1 :]]
            return self.unary("clamp", [arguments[0], kwargs.get("min", low), kwargs.get("max", high)])
        if op == "pow" and not kwargs and isinstance(arguments[1], (int, float)):
            return self.unary(op, arguments)
        if op in UNARY and len(arguments) == 1 and not kwargs:
            return self.unary(op, arguments)
        if op in BINARY and not kwargs:
            return self.binary(op, arguments, tuple(node.meta["val"].shape))
        raise Unreadable(f"the operation {op} is not read here (matrix products, moves of entries and activations are)")

    # -- moving and elementwise --------------------------------------------------------------------------------------

    def moved(self, node: Any, op: str, arguments: list[Any]) -> Map | Pending:
        value, shape = arguments[0], tuple(node.meta["val"].shape)
        if op in ("_to_copy", "to") and not node.meta["val"].dtype.is_floating_point:
            raise Unreadable("a cast to a type without fractions")

        def replayed(index: torch.Tensor) -> torch.Tensor:
            if op in ("_to_copy", "to", "clone", "contiguous", "detach", "lift_fresh_copy", "alias"):
                return index
            if op in ("view", "_unsafe_view", "reshape", "flatten", "unflatten"):
                return index.reshape(shape)
            return node.target(index, *arguments[1:], **node.kwargs)

        if isinstance(value, Pending):
            return replace(value, of=replace(value.of, index=replayed(value.of.index)))
        return replace(value, index=replayed(value.index))

    def unary(self, op: str, arguments: list[Any]) -> Pending:
        value, rest = arguments[0], arguments[1:]
        if any(isinstance(v, (Map, Pending, torch.Tensor)) for v in rest):
            raise Unreadable(f"{op} with a tensor of parameters")
        of, inner = (value.of, value.expression) if isinstance(value, Pending) else (value, "x")
        return Pending(of, ("mul", inner, -1) if op == "neg" else (op, inner, *rest))

    def binary(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Map | Pending:
        tensors = [v for v in arguments if isinstance(v, torch.Tensor)]
        if op in ("add", "sub", "mul", "div") and tensors:
            value = next(v for v in arguments if isinstance(v, (Map, Pending)))
            if op == "div" and isinstance(arguments[0], torch.Tensor):
                raise Unreadable("division by a unit")
            return self.scaled(op, self.settled(value), tensors[0], isinstance(arguments[0], torch.Tensor), shape)
        maps = [v.of if isinstance(v, Pending) else v for v in arguments if isinstance(v, (Map, Pending))]
        if any(m.hidden != maps[0].hidden or m.weight is not maps[0].weight or m.bias is not maps[0].bias
               or not torch.equal(m.index, maps[0].index) for m in maps[1:]):  # fmt: skip
            raise Unreadable(f"{op} of two different tensors (a skip connection or a product of units)")
        if tuple(maps[0].index.shape) != shape:
            raise Unreadable(f"{op} that changes the shape")
        inner = [v.expression if isinstance(v, Pending) else "x" if isinstance(v, Map) else v for v in arguments]
        inner = [float(v) if isinstance(v, torch.Tensor) and v.numel() == 1 else v for v in inner]
        if any(isinstance(v, torch.Tensor) for v in inner):
            raise Unreadable(f"{op} with a tensor of parameters")
        if op == "sub" and isinstance(inner[1], (int, float)):
            return Pending(maps[0], ("add", inner[0], -inner[1]))
        if op == "sub" and isinstance(inner[0], (int, float)):
            return Pending(maps[0], ("add", ("mul", inner[1], -1), inner[0]))
        if op in ("add", "mul") and isinstance(inner[0], (int, float)):
            inner = inner[::-1]
        return Pending(maps[0], (op, *inner))

    def settled(self, value: Any) -> Map:
        """An affine map, opening the hidden layer if an activation stands in between."""
        if isinstance(value, Map):
            return value
        if not isinstance(value, Pending):
            raise Unreadable("the output does not depend on the input")
        found = recognise(value.expression)
        if found is None:
            raise Unreadable(f"unknown activation {value.expression}")
        current = self.numbers(value.of, found.inner)
        if found.activation is None:
            return current
        if current.hidden or (self.first is not None and not self.same_first(current, found.activation)):
            raise Unreadable("it has more than one hidden layer, and shallow needs exactly one")
        rows, _ = self.rows(current)
        if self.first is None:
            self.first, self.activation = self.gathered(current), found.activation
        index = torch.arange(self.batch * len(rows)).reshape(current.index.shape)
        return self.numbers(Map(True, len(rows), None, np.zeros(len(rows)), index), found.outer)

    def same_first(self, current: Map, activation: str) -> bool:
        """Whether the same hidden layer is read a second time."""
        other, mine = self.gathered(current), self.first
        assert mine is not None
        equal = activation == self.activation and other.rows == mine.rows and (other.bias == mine.bias).all()
        return bool(equal) and np.array_equal(dense(other), dense(mine))

    def numbers(self, value: Map, steps: list[tuple[str, float]]) -> Map:
        for op, number in steps:
            value = self.scaled(op, value, torch.tensor(number, dtype=torch.float64), False, tuple(value.index.shape))
        return value

    # -- affine ------------------------------------------------------------------------------------------------------

    def rows(self, value: Map) -> tuple[np.ndarray, tuple[int, ...]]:
        """Row number of every position of one sample (flat), and the shape of a sample."""
        index = value.index
        if not self.net.inputs[0].batched:
            return index.reshape(-1).numpy(), tuple(index.shape)
        offset = torch.arange(self.batch).reshape(-1, *([1] * (index.ndim - 1))) * value.rows
        if index.ndim == 0 or index.shape[0] != self.batch or not torch.equal(index, index[:1] + offset):
            raise Unreadable("samples of a batch mix")
        return index[0].reshape(-1).numpy(), tuple(index.shape[1:])

    def gathered(self, value: Map) -> Map:
        """The same with one row per position, in order."""
        rows, _ = self.rows(value)
        index = torch.arange(self.batch * len(rows)).reshape(value.index.shape)
        if value.weight is None:
            if len(rows) == value.rows and (rows == np.arange(len(rows))).all() and not (value.bias != 0).any():
                return replace(value, index=index)
            return Map(value.hidden, len(rows), dense(value)[rows], value.bias[rows], index)
        return Map(value.hidden, len(rows), value.weight[rows], value.bias[rows], index)

    def scaled(self, op: str, value: Map, constant: torch.Tensor, first: bool, shape: tuple[int, ...]) -> Map:
        """value (+ - * /) constant, entry by entry, exactly."""
        if tuple(value.index.shape) != shape:
            value = replace(value, index=value.index.expand(shape))
        if self.net.inputs[0].batched and constant.ndim == len(shape) and constant.shape[0] != 1:
            raise Unreadable("a constant along the batch axis")
        numbers = constant.to(torch.float64).expand(shape)
        numbers = (numbers[0] if self.net.inputs[0].batched else numbers).reshape(-1).numpy().copy()
        value = self.gathered(value)
        if op in ("add", "sub"):
            if op == "sub" and not first:
                numbers = -numbers
            if op == "sub" and first:
                return replace(value, weight=multiply(dense(value), np.array(-1.0)), bias=add(-value.bias, numbers))
            return replace(value, bias=add(value.bias, numbers))
        if op == "div":
            if not numbers.all():
                raise Unreadable("division by zero")
            numbers = simplify(1 / rationals(numbers))
        return replace(value, weight=multiply(dense(value), numbers[:, None]), bias=multiply(value.bias, numbers))

    def contraction(self, op: str, arguments: list[Any]) -> Map:
        if op in ("addmm", "linear"):
            if op == "addmm":
                bias, left, right = arguments
            else:
                left, matrix, bias = (*arguments, None)[:3]
                right = matrix.T if isinstance(matrix, torch.Tensor) else matrix
            product = self.contraction("mm", [left, right])
            if bias is None:
                return product
            if not isinstance(bias, torch.Tensor):
                raise Unreadable("a bias that is not a weight")
            return self.scaled("add", product, bias, False, tuple(product.index.shape))
        left, right = arguments
        if not isinstance(left, (Map, Pending)) and self.net.inputs[0].batched:
            raise Unreadable("a product along the batch axis")
        value, matrix = (left, right) if isinstance(left, (Map, Pending)) else (right, left.T)
        if not isinstance(matrix, torch.Tensor):
            raise Unreadable("a product of two tensors that both depend on the input")
        value = self.settled(value)
        rows, shape = self.rows(value)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2 or max(shape, default=1) != len(rows) or matrix.shape[0] != len(rows):
            raise Unreadable("a product with several rows per sample")
        numbers = matrix.T.to(torch.float64).numpy().copy()
        value = self.gathered(value)
        weight = numbers if value.weight is None else matmul(numbers, value.weight)
        bias = np.zeros(len(numbers))
        if (value.bias != 0).any():
            bias = matmul(numbers, value.bias[:, None])[:, 0]
        lead = (self.batch,) if self.net.inputs[0].batched else ()
        index = torch.arange(self.batch * len(numbers)).reshape(*lead, *shape[:-1], len(numbers))
        return Map(value.hidden, len(numbers), weight, bias, index)


def dense(value: Map) -> np.ndarray:
    """The weight as an array (rows x base)."""
    if value.weight is not None:
        return value.weight
    if value.rows > DIAGONAL_MOST:
        raise Unreadable(f"arithmetic on each of {value.rows} units")
    return np.eye(value.rows)
