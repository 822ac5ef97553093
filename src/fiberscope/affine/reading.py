"""Walk the ATen graph of a model and collect its units: linear layers, elementwise activations, skips, sums, concats.

Every tensor is followed as a constant, an exact affine function of nodes (`tensor_form`), or an elementwise expression
of one, which becomes a block of units once it is recognised as an activation. Anything else ends the walk with a
reason.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fiberscope.affine.bound import Bound
from fiberscope.affine.tensor_form import Constant, Elementwise, Form, Frame, Tensor, Unreadable, doubles
from fiberscope.network.elementwise import recognise
from fiberscope.numerics import exact

if TYPE_CHECKING:
    from fiberscope.network import Network

FOREIGN = "is not an operation of linear layers and elementwise activations"
CONVOLUTION = (
    "convolutions are not read unit by unit; `fiberscope inspect` gives the symmetries of their channels and how many "
    "there are, `fiberscope compress` removes redundant channels"
)
_MOVES = {
    "view", "_unsafe_view", "reshape", "flatten", "squeeze", "unsqueeze", "permute", "t", "transpose", "clone", "alias",
    "expand", "contiguous", "detach", "slice", "select", "lift_fresh_copy", "_to_copy", "to", "unflatten", "split",
    "split_with_sizes", "chunk",
}  # fmt: skip
_SAME_SHAPE = {"_to_copy", "to", "clone", "contiguous", "detach", "lift_fresh_copy", "alias"}
_RESHAPES = {"view", "_unsafe_view", "reshape", "flatten", "unflatten"}
_UNARY = {
    "relu", "tanh", "sigmoid", "abs", "sin", "cos", "erf", "atan", "exp", "expm1", "log1p", "sign", "silu", "softplus",
    "mish", "hardswish", "hardsigmoid",
}  # fmt: skip
_BINARY = {"add", "sub", "mul", "div", "maximum", "minimum", "where", "gt", "le", "ge", "lt"}
_FILLS = {"full", "scalar_tensor", "zeros", "ones", "full_like", "zeros_like", "ones_like"}


class Reader:
    """One walk. Afterwards ``outputs`` are forms over blocks, ``blocks`` the units in order of creation."""

    def __init__(self, net: Network) -> None:
        self.net = net
        spec = net.inputs[0]
        self.frame = Frame(spec.shape[0] if spec.batched else None)
        self.values: dict[Any, Any] = {}
        self.inputs: list[int] = []  # sizes of the input blocks, which come first
        self.blocks: list[tuple[str, Form]] = []  # (activation, pre-activations)
        self.ties: list[tuple[tuple[int, int], tuple[int, int]]] = []  # pairs of (block, number in it)
        self.uses: dict[str, int] = {}
        self.scales: list[str] = []
        self.bound = Bound(len(net.inputs))

    def run(self) -> list[Form]:
        """The forms of all outputs; raises `Unreadable`."""
        live = self._live()
        for node in self.net.graph.nodes:
            if node in live and node.op in ("placeholder", "get_attr", "call_function"):
                try:
                    self.values[node] = self.step(node) if node.op == "call_function" else self.leaf(node)
                except Unreadable as reason:
                    raise Unreadable(f"{node.name}: {reason}") from None
        outputs = [self.frame.form(self.resolve(self.value(node))) for node in self.net.output_nodes]
        for form in outputs:
            self.bound.read(form)
        return outputs

    def _live(self) -> set[Any]:
        stack, seen = list(self.net.output_nodes), set()
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack += node.all_input_nodes
        return seen | {node for node in self.net.graph.nodes if node.name in self.net.input_names}

    # -- leaves -----------------------------------------------------------------------------------------------------

    def leaf(self, node: Any) -> Any:
        if node.name in self.net.input_names:
            spec = self.net.inputs[self.net.input_names.index(node.name)]
            if not spec.dtype.is_floating_point:
                raise Unreadable("an input of whole numbers")
            size = spec.size
            self.inputs.append(size)
            form = Form({len(self.inputs) - 1: np.eye(size)}, np.zeros(size), plain=True)
            return self.frame.tensor(form, spec.shape)
        weight = self.net.weight_of.get(node.name)
        tensor = self.net.weights[weight] if weight is not None else self.net.constants.get(node.name)
        if tensor is None or tensor.is_complex():
            raise Unreadable("not a real tensor")
        return Constant(tensor.detach().cpu(), weight or "")

    def value(self, argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            return self.values[argument]
        return [self.value(v) for v in argument] if isinstance(argument, (list, tuple)) else argument

    # -- one operation ----------------------------------------------------------------------------------------------

    def step(self, node: Any) -> Any:
        arguments = [self.value(v) for v in node.args]
        if node.target is operator.getitem:
            return arguments[0][arguments[1]]
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            raise Unreadable(f"{node.target} {FOREIGN}")
        op = node.target.name().removeprefix("aten::").split(".")[0]
        kwargs = {key: v for key, v in node.kwargs.items() if v is not None}
        if op in _FILLS:
            return self.fill(node, op)
        if op in _MOVES:
            return self.move(node, op, arguments)
        shape = tuple(node.meta["val"].shape) if isinstance(node.meta["val"], torch.Tensor) else ()
        if op in ("mm", "matmul", "mv", "dot", "addmm", "linear") and not kwargs:
            return self.contraction(op, arguments, shape)
        if op in ("sum", "mean") and not kwargs:
            return self.total(op, arguments, shape)
        if op == "cat":
            return self.cat(node, arguments)
        if op == "neg":
            return self.binary("mul", [arguments[0], -1.0], shape)
        expression = self.spelled(op, arguments, kwargs)
        if expression is not None:
            return self.unary(*expression)
        if op in _BINARY and not kwargs:
            return self.binary(op, arguments, shape)
        if "conv" in op:
            raise Unreadable(CONVOLUTION)
        raise Unreadable(f"{node.target} {FOREIGN}")

    def spelled(self, op: str, arguments: list[Any], kwargs: dict[str, Any]) -> tuple[str, list[Any]] | None:
        """The operation in the words of the table of activations, with all its numbers."""
        if op == "gelu":
            return ("gelu_tanh" if kwargs.get("approximate") == "tanh" else "gelu"), arguments[:1]
        if op == "leaky_relu":
            return op, [arguments[0], arguments[1] if len(arguments) > 1 else 0.01]
        if op == "elu":
            return op, [*arguments, *(1, 1, 1)[len(arguments) - 1 :]]
        if op == "hardtanh":
            return "clamp", [*arguments, *(-1.0, 1.0)[len(arguments) - 1 :]]
        if op == "clamp":
            low, high = ([*arguments[1:], None, None])[:2]
            return op, [arguments[0], kwargs.get("min", low), kwargs.get("max", high)]
        plain = (op in _UNARY and len(arguments) == 1) or (op == "pow" and isinstance(arguments[1], (int, float)))
        return (op, arguments) if plain and not kwargs else None

    def fill(self, node: Any, op: str) -> Constant:
        if op in ("full", "scalar_tensor", "full_like"):
            number = node.args[0] if op == "scalar_tensor" else node.args[1]
        else:
            number = 0.0 if op.startswith("zeros") else 1.0
        if not isinstance(number, (int, float)):
            raise Unreadable("a tensor filled with a computed number")
        return Constant(torch.full(tuple(node.meta["val"].shape), float(number), dtype=torch.float64))

    def move(self, node: Any, op: str, arguments: list[Any]) -> Any:
        value, rest, result = arguments[0], arguments[1:], node.meta["val"]

        def moved(tensor: torch.Tensor) -> Any:
            if op in _SAME_SHAPE:
                return tensor
            return tensor.reshape(result.shape) if op in _RESHAPES else node.target(tensor, *rest, **node.kwargs)

        if op in ("_to_copy", "to") and not result.dtype.is_floating_point:
            raise Unreadable("a cast to whole numbers")
        if isinstance(value, Constant):
            new = moved(value.values)
            several = isinstance(new, (list, tuple))
            return [Constant(v, value.stored) for v in new] if several else Constant(new, value.stored)
        if isinstance(value, Elementwise) and op not in _SAME_SHAPE | _RESHAPES:
            value = self.resolve(value)
        of = value.of if isinstance(value, Elementwise) else value
        new = moved(of.index)
        if isinstance(new, (list, tuple)):
            return [of.moved(index) for index in new]
        return Elementwise(of.moved(new), value.expression) if isinstance(value, Elementwise) else of.moved(new)

    # -- elementwise ------------------------------------------------------------------------------------------------

    def unary(self, op: str, arguments: list[Any]) -> Elementwise:
        value, numbers = arguments[0], arguments[1:]
        if not isinstance(value, (Tensor, Elementwise)) or any(isinstance(v, (Constant, Tensor)) for v in numbers):
            raise Unreadable(f"{op} with a parameter that is not a number")
        of, inner = self.part(value)
        return Elementwise(of, (op, inner, *numbers))

    def part(self, value: Tensor | Elementwise) -> tuple[Tensor, Any]:
        """A tensor (its rows in order) and the expression of it that a value is."""
        if isinstance(value, Elementwise):
            return value.of, value.expression
        return self.frame.tensor(self.frame.form(value), tuple(value.index.shape)), "x"

    def binary(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Any:
        parts = [self.part(v) for v in arguments if isinstance(v, (Tensor, Elementwise))]
        constants = [v for v in arguments if isinstance(v, Constant)]
        if not parts:
            raise Unreadable(f"{op} of two weights")
        first = parts[0][0]
        together = all(p.form is first.form and torch.equal(p.index, first.index) for p, _ in parts)
        if together and tuple(first.index.shape) == shape and all(c.number is not None for c in constants):
            expression = _as_sum((op, *(self.spell(v) for v in arguments)))
            return Elementwise(first, expression)
        if len(parts) == 1 and len(arguments) == 2:
            return self.with_constant(op, arguments, shape)
        if op in ("add", "sub") and len(parts) == 2:
            return self.sum(op, arguments, shape)
        raise Unreadable(f"{op} of two different hidden tensors")

    def spell(self, value: Any) -> Any:
        if isinstance(value, (Tensor, Elementwise)):
            return self.part(value)[1]
        number = value.number if isinstance(value, Constant) else value
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise Unreadable("a parameter that is not a number")
        return number

    def with_constant(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Tensor:
        """Plus, minus, times or over a constant tensor that is the same for every sample."""
        flipped = not isinstance(arguments[0], (Tensor, Elementwise))
        value, constant = arguments[::-1] if flipped else arguments
        if op not in ("add", "sub", "mul", "div") or (op == "div" and flipped):
            raise Unreadable(f"{op} with a weight")
        if not isinstance(constant, Constant):
            constant = Constant(torch.tensor(constant, dtype=torch.float64))
        form, numbers = self.spread(value, shape), self.frame.numbers(constant, shape)
        if op in ("mul", "div"):
            if constant.stored and form.plain and max(form.blocks, default=0) >= len(self.net.inputs):
                self.scales.append(constant.stored)
            if op == "div" and not numbers.all():
                raise Unreadable("division by zero")
            factor = numbers if op == "mul" else exact.simplify(1 / exact.rationals(numbers))
            form = self.bound.scaled(form, form.scaled(factor), constant.stored, bool(np.all(numbers != 0)))
        else:
            form = form.scaled(-np.ones(form.rows)) if op == "sub" and flipped else form
            shifted = form.shifted(-numbers if op == "sub" and not flipped else numbers)
            form = self.bound.shifted(form, shifted) if constant.stored else shifted
        self.count(constant)
        return self.frame.tensor(form, shape)

    def sum(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Tensor:
        """A skip connection: the sum or difference of two hidden tensors."""
        left, right = (self.spread(v, shape) for v in arguments)
        return self.frame.tensor(self.added(op, left, right), shape)

    def added(self, op: str, left: Form, right: Form) -> Form:
        """The sum or difference of two forms; nodes are tied where nothing mixed them before."""
        if left.plain and right.plain:
            for row in range(left.rows):
                nodes = [*_support(left, row), *_support(right, row)]
                self.ties += [(nodes[0], other) for other in nodes[1:]]
        total = left.plus(right if op == "add" else right.scaled(-np.ones(right.rows)))
        return self.bound.sum(left, right, total)

    def spread(self, value: Any, shape: tuple[int, ...]) -> Form:
        """The rows of a value expanded to a shape, for one sample."""
        value = self.resolve(value)
        return self.frame.form(value.moved(value.index.expand(shape)))

    def resolve(self, value: Any) -> Tensor:
        """A pending elementwise expression as a tensor."""
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, Elementwise):
            raise Unreadable("not a function of the input")
        return Tensor(self.units(value.of.form, value.expression), value.of.index)

    def units(self, form: Form, expression: Any) -> Form:
        """An elementwise expression of a form: the units of a new block, made once; or a sum of such expressions."""
        if expression == "x":
            return form
        key = ("units", repr(expression))
        if key not in form.memory:
            found = recognise(expression)
            op, *parts = expression
            if found is not None:
                result = form.stepped(found.inner)
                if found.activation is not None:
                    self.blocks.append((found.activation, result))
                    self.bound.read(form)
                    number = len(self.net.inputs) + len(self.blocks) - 1
                    plain = Form({number: np.eye(form.rows)}, np.zeros(form.rows), plain=True)
                    result = plain.stepped(found.outer)
            elif op in ("add", "sub", "mul", "div") and isinstance(parts[1], (int, float)):
                result = self.units(form, parts[0]).stepped([(op, float(parts[1]))])
            elif op in ("add", "mul") and isinstance(parts[0], (int, float)):
                result = self.units(form, parts[1]).stepped([(op, float(parts[0]))])
            elif op in ("add", "sub"):
                result = self.added(op, self.units(form, parts[0]), self.units(form, parts[1]))
            else:
                raise Unreadable(f"unknown elementwise function {expression}")
            form.memory[key] = result
        return form.memory[key]

    # -- linear maps ------------------------------------------------------------------------------------------------

    def contraction(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Tensor:
        if op == "addmm":
            return self.with_constant("add", [self.contraction("mm", arguments[1:], shape), arguments[0]], shape)
        if op == "linear":
            value, weight, *bias = arguments
            product = self.contraction("mm", [value, Constant(weight.values.mT, weight.stored)], shape)
            return self.with_constant("add", [product, bias[0]], shape) if bias and bias[0] is not None else product
        left, right = arguments
        if isinstance(left, Constant) == isinstance(right, Constant):
            raise Unreadable("a product of two hidden tensors or two weights")
        first = isinstance(left, Constant)
        constant, value = (left, right) if first else (right, left)
        value = self.resolve(value)
        rows, sample = self.frame.sample(value)
        if max(sample, default=1) != len(rows):
            raise Unreadable("a linear layer that acts at several positions")
        matrix = constant.values if first else constant.values.mT if constant.values.ndim == 2 else constant.values
        if matrix.ndim == 1:
            matrix = matrix[None, :]
        if matrix.ndim != 2 or matrix.shape[1] != len(rows) or (first and self.frame.batch is not None):
            raise Unreadable("a product along another axis")
        self.count(constant)
        form = value.form.take(rows)
        return self.frame.tensor(self.bound.mapped(form, form.mapped(doubles(matrix)), constant.stored), shape)

    def total(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Tensor:
        """A sum or mean over axes of one sample."""
        value = self.resolve(arguments[0])
        rows, sample = self.frame.sample(value)
        grid = self.frame.tensor(Form({}, np.zeros(len(rows))), self.frame.full(sample)).index
        axes = arguments[1] if len(arguments) > 1 and arguments[1] else list(range(grid.ndim))
        axes = [axis % grid.ndim for axis in axes]
        if self.frame.batch is not None and 0 in axes:
            raise Unreadable("a sum over the samples of a batch")
        here = torch.arange(len(rows)).reshape(sample)
        inner = [axis - (self.frame.batch is not None) for axis in axes]
        outer = [axis for axis in range(here.ndim) if axis not in inner]
        groups = here.permute(*outer, *inner).reshape(-1, int(np.prod([sample[axis] for axis in inner])))
        matrix = np.zeros((len(groups), len(rows)))
        for k, group in enumerate(groups.tolist()):
            matrix[k, group] = 1.0
        form = value.form.take(rows)
        form = self.bound.mapped(form, form.mapped(matrix), "")
        if op == "mean":
            form = form.scaled(exact.simplify(1 / exact.rationals(np.full(form.rows, float(groups.shape[1])))))
        return self.frame.tensor(form, shape)

    def cat(self, node: Any, arguments: list[Any]) -> Tensor:
        """Tensors side by side; constants become rows without weights."""
        axis = arguments[1] if len(arguments) > 1 else 0
        parts: list[Tensor] = []
        for value in arguments[0]:
            if isinstance(value, Constant):
                numbers = self.frame.numbers(value, tuple(value.values.shape))
                value = self.frame.tensor(Form({}, numbers), tuple(value.values.shape))
            parts.append(self.resolve(value))
        shape = tuple(node.meta["val"].shape)
        if self.frame.batch is not None and axis % len(shape) == 0:
            raise Unreadable("tensors joined along the batch")
        forms = [self.frame.form(part) for part in parts]
        starts = np.cumsum([0, *(form.rows for form in forms)])
        pieces = [
            torch.arange(form.rows).reshape(self.frame.sample(part)[1]) + int(start)
            for form, part, start in zip(forms, parts, starts, strict=False)
        ]
        inside = axis % len(shape) - (self.frame.batch is not None)
        joined = self.bound.joined(forms, Form.joined(forms))
        return self.frame.tensor(joined.take(torch.cat(pieces, inside).reshape(-1).numpy()), shape)

    def count(self, constant: Constant) -> None:
        """Remember how often a stored weight is used."""
        if constant.stored:
            self.uses[constant.stored] = self.uses.get(constant.stored, 0) + 1

    def caveats(self) -> list[str]:
        """Where the arrays of the model are not the weights of the graph."""
        several = sorted(name for name, uses in self.uses.items() if uses > 1)
        found = [
            f"{name} is used by several layers: every use is counted as free to move on its own" for name in several
        ]
        found += [f"{name} rescales hidden units one by one: it is counted with their readers" for name in self.scales]
        return found + self.bound.caveats


def _as_sum(expression: Any) -> Any:
    """A difference with a number written as a sum, which is how shifts are recognised."""
    op, *inner = expression
    if op == "sub" and len(inner) == 2 and isinstance(inner[1], (int, float)):
        return ("add", inner[0], -inner[1])
    if op == "sub" and len(inner) == 2 and isinstance(inner[0], (int, float)):
        return ("add", ("mul", inner[1], -1), inner[0])
    return expression


def _support(form: Form, row: int) -> list[tuple[int, int]]:
    return [(k, int(j)) for k, m in form.blocks.items() for j in np.flatnonzero(np.asarray(m[row] != 0, dtype=bool))]
