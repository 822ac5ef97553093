"""ATen operators (as torch.export writes them, before or after decompositions) in the core vocabulary.

Each function takes the graph, then the operator's own arguments under their ATen names; tensors are value numbers.
Source: aten/src/ATen/native/native_functions.yaml.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable

import numpy as np

from .core import Graph, broadcast
from .report import Reject, need

FLOAT_TYPES = {
    "dtype:float16",
    "dtype:bfloat16",
    "dtype:float32",
    "dtype:float64",
    "as_scalar_type:6",
    "as_scalar_type:7",
    "as_scalar_type:8",
    "as_scalar_type:13",
}
BOOL_TYPES = {"dtype:bool", "as_scalar_type:12"}


class Tensor(int):
    """The number of a value, told apart from a plain integer argument."""


def val(g: Graph, x) -> int:
    """A tensor or a number as a value."""
    if isinstance(x, Tensor):
        return int(x)
    need(isinstance(x, bool | int | float), f"argument {x!r} is not a tensor")
    if isinstance(x, bool):
        return g.constant(np.asarray(x))
    v = g.lit(x)
    if isinstance(x, int):
        need(abs(x) < 2**62, "a gigantic integer")
        g.known[v] = np.asarray(x, dtype=np.int64)
    return v


def cast(g: Graph, v: int, dtype) -> int:
    """Change of dtype, in real arithmetic: nothing to floats, truncation to integers."""
    if dtype is None:
        return v
    if dtype in FLOAT_TYPES:
        return g.map("float", v) if v in g.integral or v in g.boolean else v
    if dtype in BOOL_TYPES:
        if v in g.boolean:
            return v
        known = v in g.known
        return g.constant(np.asarray(g.known[v]) != 0) if known else g.binary("compare", v, g.lit(0), "not_equal")
    need(re.fullmatch(r"dtype:u?int\d+|as_scalar_type:[1-5]", dtype), f"a change to {dtype}")
    if v in g.known:
        return g.constant(np.asarray(g.known[v]).astype(np.int64))
    return v if v in g.integral and v not in g.boolean else g.map("trunc", v)


def power(g: Graph, v: int, p: float) -> int:
    """x ** p for the exponents that occur in networks."""
    if p == 2:
        return g.map("square", v)
    names = {0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
    if p in names:
        return g.map(names[p], v)
    if p == 1:
        return v
    need(float(p).is_integer() and 0 < p < 64, f"power {p} is not supported")
    return g.map("power", v, p)


def times(g: Graph, a: int, b: int) -> int:
    return g.map("square", a) if a == b and a not in g.boolean else g.mul(a, b)


def add(g, self, other, alpha=1):
    other = val(g, other)
    if val(g, self) in g.boolean and other in g.boolean:
        need(alpha == 1, "a multiple of booleans")
        return g.binary("compare", self, other, "logical_or")
    return g.add(val(g, self), other if alpha == 1 else g.mul(other, val(g, alpha)))


def sub(g, self, other, alpha=1):
    other = val(g, other)
    return g.sub(val(g, self), other if alpha == 1 else g.mul(other, val(g, alpha)))


def div(g, self, other, rounding_mode=None):
    need(rounding_mode is None, "division with rounding")
    return g.div(val(g, self), val(g, other))


def pow_(g, self, exponent):
    if not isinstance(self, Tensor) or isinstance(exponent, Tensor):
        args = val(g, self), val(g, exponent)
        return g.emit("pow", args, (), broadcast(*[g.nodes[a].shape for a in args]))
    return power(g, self, exponent)


def view(g, self, size, implicit=False):
    return g.reshape(self, [g.ints(s)[0] if isinstance(s, Tensor) else s for s in size])


def reduce(kind):
    def rule(g, self, dim=None, keepdim=False, dtype=None):
        need(dtype is None or dtype in FLOAT_TYPES, "reduction to integers")
        axes = range(len(g.shape(self))) if dim is None or dim == () else dim if isinstance(dim, tuple) else (dim,)
        return g.reduce(kind, self, axes, keepdim)

    return rule


def var(g, self, dim=None, correction=1, keepdim=False, unbiased=None):
    if dim is None:
        dim = tuple(range(len(g.shape(self))))
    need(isinstance(dim, tuple) and unbiased is None and not isinstance(correction, Tensor), "this form of variance")
    n = math.prod(g.shape(self)[a] for a in dim)
    need(n > correction, "variance of too few numbers")
    centred = g.sub(self, g.reduce("mean", self, dim, True))
    return g.div(g.reduce("sum", g.map("square", centred), dim, keepdim), g.lit(n - correction))


def cat(g, tensors, dim=0):
    return g.cat([int(t) for t in tensors], dim)


def split_sizes(g, self, sizes, dim=0):
    cuts = np.cumsum([0, *sizes])
    return tuple(g.slice(self, dim, int(a), int(b)) for a, b in itertools.pairwise(cuts))


def split(g, self, split_size, dim=0):
    n = g.shape(self)[g.axis(self, dim)]
    return tuple(g.slice(self, dim, a, a + split_size) for a in range(0, n, split_size))


def chunk(g, self, chunks, dim=0):
    return split(g, self, -(-g.shape(self)[g.axis(self, dim)] // chunks), dim)


def select(g, self, dim, index):
    return g.drop_axis(g.take(self, dim, (index,)), dim)


def slice_(g, self, dim=0, start=None, end=None, step=1):
    return g.slice(self, dim, start, end, step)


def squeeze(g, self, dim=None):
    shape = g.shape(self)
    axes = range(len(shape)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    drop = {g.axis(self, a) for a in axes}
    return g.reshape(self, [s for i, s in enumerate(shape) if not (i in drop and s == 1)])


def flatten(g, self, start_dim=0, end_dim=-1):
    shape = g.shape(self)
    a, b = g.axis(self, start_dim), g.axis(self, end_dim)
    return g.reshape(self, (*shape[:a], math.prod(shape[a : b + 1]), *shape[b + 1 :]))


def transpose(g, self, dim0, dim1):
    axes = list(range(len(g.shape(self))))
    a, b = g.axis(self, dim0), g.axis(self, dim1)
    axes[a], axes[b] = b, a
    return g.permute(self, axes)


def t(g, self):
    return g.permute(self, range(len(g.shape(self)))[::-1])


def pad(g, self, pad, value=0.0, mode="constant"):
    need(mode == "constant" and len(pad) % 2 == 0, "padding that is not constant")
    k = len(pad) // 2
    widths = [(0, 0)] * (len(g.shape(self)) - k) + [(pad[2 * i], pad[2 * i + 1]) for i in reversed(range(k))]
    return g.pad(self, tuple(widths), value or 0.0)


def embedding(g, weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    return g.emit("embed", (weight, indices), (), (*g.shape(indices), *g.shape(weight)[1:]))


def index_select(g, self, dim, index):
    return g.take(self, dim, g.ints(index))


def where(g, condition, self, other):
    args = (val(g, condition), val(g, self), val(g, other))
    need(args[0] not in g.integral or args[0] in g.boolean, "a condition that is no boolean")
    shape = [g.nodes[a].shape for a in args]
    out = g.emit("where", args, (), broadcast(*shape))
    if all(a in g.known for a in args):
        g.known[out] = np.where(*(g.known[a] for a in args))
    return out


def threshold(g, self, threshold, value):
    """x where x > threshold, else a number."""
    return where(g, compare("greater")(g, self, threshold), self, value)


def bits(kind: str) -> Callable:
    """A bitwise operation, of booleans only."""

    def rule(g, self, other):
        args = val(g, self), val(g, other)
        need(g.boolean.issuperset(args), "a bitwise operation on integers")
        return g.binary("compare", *args, kind)

    return rule


def bitwise_not(g, self):
    need(self in g.boolean, "a bitwise operation on integers")
    return g.binary("compare", self, g.lit(0), "equal")


def repeat(g, self, repeats):
    """Copies along axes: a new axis of copies before each axis, fused with it."""
    shape = g.shape(self)
    lead = len(repeats) - len(shape)
    shape = (1,) * lead + shape
    spread = g.reshape(self, [n for s in shape for n in (1, s)])
    spread = g.expand(spread, [n for r, s in zip(repeats, shape, strict=True) for n in (r, s)])
    return g.reshape(spread, [r * s for r, s in zip(repeats, shape, strict=True)])


def any_(g, self, dim=None, keepdim=False):
    """Whether any number is not zero, as 0 or 1."""
    return reduce("max")(g, g.binary("compare", self, g.lit(0), "not_equal"), dim, keepdim)


def full(g, size, fill_value, dtype=None, **_):
    return g.expand(number(g, fill_value, dtype), size)


def number(g, value, dtype=None, **_):
    """A number of a stated type."""
    need(isinstance(value, bool | int | float), "full of a computed value")
    if dtype in BOOL_TYPES:
        value = bool(value)
    elif isinstance(value, bool) and dtype is not None:
        value = int(value)
    need(dtype is None or dtype in FLOAT_TYPES or float(value).is_integer(), "a fraction as a whole number")
    return val(g, value)


def full_like(g, self, fill_value, dtype=None, **_):
    """A tensor of one number; without a dtype of the type of `self`."""
    dtype = "dtype:bool" if dtype is None and self in g.boolean else dtype
    return full(g, g.shape(self), fill_value, dtype)


def arange(g, start, end=None, step=1, **_):
    start, end = (0, start) if end is None else (start, end)
    need(all(isinstance(n, int) for n in (start, end, step)) and abs(end - start) < 1 << 24, "arange of such numbers")
    return g.constant(np.arange(start, end, step, dtype=np.int64))


def clamp(g, self, min=None, max=None):
    need(not isinstance(min, Tensor) and not isinstance(max, Tensor), "clamp to tensors")
    return g.map("clip", self, -math.inf if min is None else min, math.inf if max is None else max)


def gelu(g, self, approximate="none"):
    need(approximate in ("none", "tanh"), "this form of gelu")
    return g.map("gelu" if approximate == "none" else "gelu_tanh", self)


def heaviside(g, self, values=0.0):
    if isinstance(values, Tensor):
        found = g.known.get(values)
        found = g.arrays[g.nodes[values].attrs[0]] if g.nodes[values].op == "array" else found
        literal = g.nodes[values].op == "lit" and float.fromhex(g.nodes[values].attrs[0]) == 0
        need(literal or (found is not None and not np.any(found)), "heaviside with a value at zero")
    return g.map("heaviside", self)


def hard_sigmoid(g, self):
    return g.div(g.map("clip", g.add(self, g.lit(3)), 0, 6), g.lit(6))


def native(name: str, *defaults: float) -> Callable:
    """An elementwise function that is one core map, with its default parameters."""

    def rule(g, self, *parameters):
        need(not any(isinstance(p, Tensor) for p in parameters), f"{name} with tensor parameters")
        return g.map(name, self, *parameters, *defaults[len(parameters) :])

    return rule


def named_parameters(name: str, **defaults: float) -> Callable:
    def rule(g, self, *given, **named):
        need(set(named) <= set(defaults), f"{name}: unknown parameter")
        values = dict(zip(defaults, given, strict=False)) | named
        return g.map(name, self, *(values.get(k, d) for k, d in defaults.items()))

    return rule


def compare(kind: str) -> Callable:
    return lambda g, self, other: g.binary("compare", val(g, self), val(g, other), kind)


def same(g, self, *_, **__):
    return self


def to_copy(g, self, dtype=None, **_):
    return cast(g, self, dtype)


def bad(what: str):
    raise Reject(f"{what} in training mode")


def prelu(g, self, weight, broadcast=False):
    """max(x, 0) + w min(x, 0)."""
    if not broadcast and isinstance(weight, Tensor) and len(g.shape(self)) > 1:
        weight = g.along(weight, 1, len(g.shape(self)))
    negative = g.map("neg", g.map("relu", g.map("neg", self)))
    return g.add(g.map("relu", self), g.mul(negative, val(g, weight)))
