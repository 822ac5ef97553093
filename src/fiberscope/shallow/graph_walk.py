"""Read the graph of a network with one hidden layer into exact affine maps before and after one activation.

Every tensor of the graph is a constant, an affine map of the input or of the hidden units (a row number for every
position, so that operations that only move entries are replayed on the numbers), or an elementwise expression of such a
map, recognised as an activation when something linear reads it. What fits none of these is refused with its reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fiberscope.network.elementwise import recognise
from fiberscope.shallow.graph_maps import Map, Maps, Pending, Unreadable, dense, one_number, relocated, same_map

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
FILLS = {"full_like": None, "zeros_like": 0.0, "ones_like": 1.0}
PRODUCTS = {"mm", "matmul", "mv", "dot", "bmm", "addmm", "linear"}
READ = "matrix products, sums, moves of entries and activations are"
REASONS = {
    "_native_batch_norm_legit_no_training": "batch normalisation divides by a square root, which is no exact number; "
    "fold it into the linear layer beside it before the model is saved",
    "convolution": "the operation convolution is not read here; write it as a linear layer",
}


class Walk(Maps):
    """One pass over the graph; afterwards ``first``, ``activation`` and ``last`` are the pieces."""

    def __init__(self, net: Network) -> None:
        self.net = net
        super().__init__(net.inputs[0].shape[0] if net.inputs[0].batched else None)
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
            return Map(False, size, None, np.zeros(size), self.places(size, shape))
        weight = self.net.weight_of.get(node.name)
        tensor = self.net.weights[weight] if weight is not None else self.net.constants.get(node.name)
        return None if tensor is None else tensor.detach().cpu()

    def step(self, node: Any, values: dict[Any, Any]) -> Any:
        op = str(node.target).removeprefix("aten.").split(".")[0]
        if any(isinstance(v, (list, tuple)) and any(isinstance(w, torch.fx.Node) for w in v) for v in node.args):
            return self.joined(node, op, values)
        arguments = [values[v] if isinstance(v, torch.fx.Node) else v for v in node.args]
        kwargs, shape = node.kwargs, tuple(getattr(node.meta["val"], "shape", ()))
        if all(not isinstance(v, (Map, Pending)) for v in arguments):
            given = [v for v in node.args if isinstance(v, torch.fx.Node)]
            if any(isinstance(values[v], Unreadable) or values[v] is None for v in given):
                raise Unreadable(f"cannot read {op}")
            return node.target(*arguments, **node.kwargs)  # weights among themselves (transposes, views, constants)
        if op in FILLS:
            return torch.full(shape, float(arguments[1] if op == "full_like" else FILLS[op]), dtype=torch.float64)
        if op in MOVES:
            return self.moved(node, op, arguments)
        if op in PRODUCTS and (op == "addmm" or not kwargs):
            return self.contraction(op, arguments, shape, **kwargs)
        if op in ("sum", "mean") and not kwargs:
            return self.total(op, arguments[0], arguments[1] if len(arguments) > 1 else None, shape)
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
            return self.binary(op, arguments, shape)
        raise Unreadable(REASONS.get(op, f"the operation {op} is not read here ({READ})"))

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

        return relocated(value, replayed((value.of if isinstance(value, Pending) else value).index))

    def unary(self, op: str, arguments: list[Any]) -> Pending:
        value, rest = arguments[0], arguments[1:]
        if any(isinstance(v, (Map, Pending, torch.Tensor)) for v in rest):
            raise Unreadable(f"{op} with a tensor of parameters")
        of, inner = (value.of, value.expression) if isinstance(value, Pending) else (value, "x")
        return Pending(of, ("mul", inner, -1) if op == "neg" else (op, inner, *rest))

    def binary(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Map | Pending:
        maps = [v.of if isinstance(v, Pending) else v for v in arguments if isinstance(v, (Map, Pending))]
        if all(tuple(m.index.shape) == shape for m in maps):  # a slope of PReLU, a tensor of zeros
            arguments = [one_number(v) if isinstance(v, torch.Tensor) else v for v in arguments]
        tensors = [v for v in arguments if isinstance(v, torch.Tensor)]
        if op in ("add", "sub", "mul", "div") and tensors:
            value = next(v for v in arguments if isinstance(v, (Map, Pending)))
            if op == "div" and isinstance(arguments[0], torch.Tensor):
                raise Unreadable("division by a unit")
            return self.scaled(op, self.settled(value), tensors[0], isinstance(arguments[0], torch.Tensor), shape)
        if not all(same_map(m, maps[0]) for m in maps[1:]):
            raise Unreadable(f"{op} of two different tensors (a skip connection or a product of units)")
        if tuple(maps[0].index.shape) != shape:
            raise Unreadable(f"{op} that changes the shape")
        inner = [v.expression if isinstance(v, Pending) else "x" if isinstance(v, Map) else v for v in arguments]
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
        return current if found.activation is None else self.opened(current, found.activation, found.outer)

    def opened(self, current: Map, activation: str, outer: list[tuple[str, float]]) -> Map:
        """The hidden units ``activation(current)``, with the numbers that follow them."""
        if current.hidden or (self.first is not None and not self.same_first(current, activation)):
            raise Unreadable("it has more than one hidden layer, and shallow needs exactly one")
        rows, _ = self.rows(current)
        if self.first is None:
            self.first, self.activation = self.gathered(current), activation
        index = self.places(len(rows), tuple(current.index.shape))
        return self.numbers(Map(True, len(rows), None, np.zeros(len(rows)), index), outer)

    def same_first(self, current: Map, activation: str) -> bool:
        """Whether the same hidden layer is read a second time."""
        other, mine = self.gathered(current), self.first
        assert mine is not None
        equal = activation == self.activation and other.rows == mine.rows and (other.bias == mine.bias).all()
        return bool(equal) and np.array_equal(dense(other), dense(mine))

    # -- joining and contracting -------------------------------------------------------------------------------------

    def joined(self, node: Any, op: str, values: dict[Any, Any]) -> Any:
        """Tensors side by side: the parts of one hidden layer, or several readers of it."""
        if op != "cat" or node.kwargs:
            raise Unreadable(f"{op} joins several tensors")
        parts = [values[v] if isinstance(v, torch.fx.Node) else v for v in node.args[0]]
        axis = node.args[1] if len(node.args) > 1 else 0
        if all(isinstance(v, torch.Tensor) for v in parts):
            return torch.cat(parts, axis)
        if not all(isinstance(v, (Map, Pending)) for v in parts):
            raise Unreadable("a constant is joined to units")
        found = [recognise(v.expression) if isinstance(v, Pending) else None for v in parts]
        kinds = {(f.activation, *f.outer) if f is not None else None for f in found}
        first = found[0]
        if first is not None and first.activation is not None and len(kinds) == 1:
            inner = [self.numbers(v.of, f.inner) for v, f in zip(parts, found, strict=True) if f is not None]
            return self.opened(self.stacked(inner, axis), first.activation, first.outer)
        return self.stacked([self.settled(v) for v in parts], axis)

    def contraction(self, op: str, arguments: list[Any], shape: tuple[int, ...], **factors: float) -> Map:
        if op in ("addmm", "linear"):
            if op == "addmm":
                bias, left, right = arguments
            else:
                left, matrix, bias = (*arguments, None)[:3]
                right = matrix.T if isinstance(matrix, torch.Tensor) else matrix
            alpha, beta = factors.get("alpha", 1), factors.get("beta", 1)
            product = self.numbers(self.contraction("mm", [left, right], shape), [("mul", alpha)] * (alpha != 1))
            if bias is None or beta == 0:
                return product
            if not isinstance(bias, torch.Tensor):
                raise Unreadable("a bias that is not a weight")
            before, after = ([], []) if beta == 1 else ([("div", beta)], [("mul", beta)])
            return self.numbers(self.scaled("add", self.numbers(product, before), bias, False, shape), after)
        left, right = arguments
        turned = not isinstance(left, (Map, Pending))
        value, matrix = (right, left) if turned else (left, right)
        if not isinstance(matrix, torch.Tensor) or not isinstance(value, (Map, Pending)):
            raise Unreadable("a product of two tensors that both depend on the input")
        places = (value.of if isinstance(value, Pending) else value).index
        if matrix.ndim == places.ndim == len(shape) == 3 and matrix.shape[0] == places.shape[0] == 1:
            alone = relocated(value, places[0])  # a stack of one product
            pair = [matrix[0], alone] if turned else [alone, matrix[0]]
            product = self.contraction("mm", pair, shape[1:])
            return replace(product, index=product.index[None])
        value = self.settled(value)
        if turned and self.batch is not None:
            raise Unreadable("a product along the batch axis")
        rows, sample = self.rows(value)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix.T if turned else matrix
        if matrix.ndim != 2 or max(sample, default=1) != len(rows) or matrix.shape[0] != len(rows):
            raise Unreadable("a product with several rows per sample")
        return self.product(value, matrix.T.to(torch.float64).numpy().copy(), shape)

    def total(self, op: str, argument: Any, axes: Any, shape: tuple[int, ...]) -> Map:
        """The sum or the mean over axes of one sample."""
        value = self.settled(argument)
        rows, sample = self.rows(value)
        lead, rank = self.batch is not None, value.index.ndim
        over = sorted({axis % rank for axis in ([axes] if isinstance(axes, int) else axes or range(rank))})
        if lead and 0 in over:
            raise Unreadable(f"a {op} over the samples of a batch")
        grid = np.moveaxis(np.arange(len(rows)).reshape(sample), [a - lead for a in over], range(-len(over), 0))
        count = int(np.prod([value.index.shape[a] for a in over], dtype=np.int64))
        grid = grid.reshape(-1, count)
        ones = np.zeros((len(grid), len(rows)))
        np.put_along_axis(ones, grid, 1.0, axis=1)
        out = self.product(value, ones, shape)
        return out if op == "sum" else self.numbers(out, [("div", count)])
