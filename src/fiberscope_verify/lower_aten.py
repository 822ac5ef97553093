"""ATen operators (as torch.export writes them, before or after decompositions) in the core vocabulary.

Each function takes the graph, then the operator's own arguments under their ATen names; tensors are value numbers.
Source: aten/src/ATen/native/native_functions.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .core import Graph, broadcast
from .report import Reject, need

FLOAT_TYPES = {"dtype:float16", "dtype:bfloat16", "dtype:float32", "dtype:float64",
               "as_scalar_type:6", "as_scalar_type:7", "as_scalar_type:8", "as_scalar_type:13"}  # fmt: skip
BOOL_TYPES = {"dtype:bool", "as_scalar_type:12"}


class Tensor(int):
    """The number of a value, told apart from a plain integer argument."""


def val(g: Graph, x) -> int:
    """A tensor or a number as a value."""
    if isinstance(x, Tensor):
        return int(x)
    need(isinstance(x, bool | int | float), f"argument {x!r} is not a tensor")
    v = g.lit(x)
    if isinstance(x, int):
        g.known[v] = np.int64(x) if abs(x) < 2**62 else np.float64(x)
    return v


def cast(g: Graph, v: int, dtype) -> int:
    """Change of dtype, in real arithmetic: nothing to floats, truncation to integers."""
    if v in g.known:
        kind = bool if dtype in BOOL_TYPES else np.int64
        return g.constant(np.asarray(g.known[v]).astype(kind))
    if dtype is None or dtype in FLOAT_TYPES:
        return v
    return g.binary("compare", v, g.lit(0), "not_equal") if dtype in BOOL_TYPES else g.map("trunc", v)


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
    return g.map("square", a) if a == b else g.mul(a, b)


def add(g, self, other, alpha=1):
    other = val(g, other)
    return g.add(val(g, self), other if alpha == 1 else g.mul(other, val(g, alpha)))


def sub(g, self, other, alpha=1):
    other = val(g, other)
    return g.sub(val(g, self), other if alpha == 1 else g.mul(other, val(g, alpha)))


def div(g, self, other, rounding_mode=None):
    need(rounding_mode is None, "division with rounding")
    return g.div(val(g, self), val(g, other))


def pow_(g, self, exponent):
    need(isinstance(self, Tensor) and not isinstance(exponent, Tensor), "power with a tensor exponent")
    return power(g, self, exponent)


def linear(g, input, weight, bias=None):
    out = g.matmul(input, g.permute(weight, [1, 0]))
    return out if bias is None else g.add(out, bias)


def addmm(g, self, mat1, mat2, beta=1, alpha=1):
    need(beta == 1 and alpha == 1, "addmm with factors")
    return g.add(g.matmul(mat1, mat2), self)


def per_axis(x, k):
    x = tuple(x) if isinstance(x, tuple) else (x,)
    return x * k if len(x) == 1 else x


def convolution(g, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    need(not transposed, "transposed convolution")
    k = len(g.shape(weight)) - 2
    return conv(g, input, weight, bias, stride, padding, dilation, groups, k)


def conv(g, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, k=None):
    k = k or len(g.shape(weight)) - 2
    need(not isinstance(padding, str), "convolution with named padding")
    lift = len(g.shape(input)) == k + 1
    x = g.new_axis(input, 0) if lift else input
    pads = tuple((p, p) for p in per_axis(padding, k))
    out = g.conv(x, weight, per_axis(stride, k), pads, per_axis(dilation, k), groups)
    out = out if bias is None else g.add(out, g.along(bias, 1, k + 2))
    return g.drop_axis(out, 0) if lift else out


def scale_shift(g, v, weight, bias, rank):
    v = v if weight is None else g.mul(v, g.along(weight, 1, rank))
    return v if bias is None else g.add(v, g.along(bias, 1, rank))


def batch_norm_inference(g, input, weight, bias, running_mean, running_var, momentum, eps):
    rank = len(g.shape(input))
    centred = g.sub(input, g.along(running_mean, 1, rank))
    spread = g.map("rsqrt", g.add(g.along(running_var, 1, rank), g.lit(eps)))
    return (scale_shift(g, g.mul(centred, spread), weight, bias, rank), None, None)


def batch_norm(g, input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=False):
    need(not training, "batch norm in training mode")
    return batch_norm_inference(g, input, weight, bias, running_mean, running_var, momentum, eps)[0]


def native_layer_norm(g, input, normalized_shape, weight, bias, eps):
    return (layer_norm(g, input, normalized_shape, weight, bias, eps), None, None)


def layer_norm(g, input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=False):
    out = g.normalise(input, range(-len(normalized_shape), 0), eps)
    out = out if weight is None else g.mul(out, weight)
    return out if bias is None else g.add(out, bias)


def native_group_norm(g, input, weight, bias, N, C, HxW, group, eps):
    return (group_norm(g, input, group, weight, bias, eps), None, None)


def group_norm(g, input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=False):
    shape = g.shape(input)
    split = g.reshape(input, (shape[0], num_groups, -1, *shape[2:]))
    out = g.normalise(split, range(2, len(shape) + 1), eps)
    return scale_shift(g, g.reshape(out, shape), weight, bias, len(shape))


def sdpa(g, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    need(dropout_p == 0 and not enable_gqa, "attention with dropout or shared heads")
    rank = len(g.shape(key))
    factor = g.lit(scale) if scale is not None else g.map("rsqrt", g.lit(g.shape(query)[-1]))
    score = g.mul(g.matmul(query, g.permute(key, [*range(rank - 2), rank - 1, rank - 2])), factor)
    if is_causal:
        n, m = g.shape(score)[-2:]
        score = g.emit("where", (g.constant(np.tri(n, m, dtype=bool)), score, g.lit(-math.inf)), (), g.shape(score))
    if attn_mask is not None:
        need(attn_mask not in g.known, "boolean attention mask")
        score = g.add(score, attn_mask)
    return g.matmul(g.softmax(score, -1), value)


def view(g, self, size, implicit=False):
    return g.reshape(self, [g.ints(s)[0] if isinstance(s, Tensor) else s for s in size])


def reduce(kind):
    def rule(g, self, dim=None, keepdim=False, dtype=None):
        need(dtype is None or dtype in FLOAT_TYPES, "reduction to integers")
        axes = range(len(g.shape(self))) if dim is None or dim == () else dim if isinstance(dim, tuple) else (dim,)
        return g.reduce(kind, self, axes, keepdim)

    return rule


def var(g, self, dim=None, correction=1, keepdim=False, unbiased=None):
    need(isinstance(dim, tuple) and unbiased is None and not isinstance(correction, Tensor), "this form of variance")
    n = math.prod(g.shape(self)[a] for a in dim)
    need(n > correction, "variance of too few numbers")
    centred = g.sub(self, g.reduce("mean", self, dim, True))
    return g.div(g.reduce("sum", g.map("square", centred), dim, keepdim), g.lit(n - correction))


def cat(g, tensors, dim=0):
    return g.cat([int(t) for t in tensors], dim)


def split_sizes(g, self, sizes, dim=0):
    cuts = np.cumsum([0, *sizes])
    return tuple(g.slice(self, dim, int(a), int(b)) for a, b in zip(cuts, cuts[1:], strict=False))


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


def max_pool(k):
    def rule(g, self, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
        kernel = per_axis(kernel_size, k)
        pads = [(p, p) for p in per_axis(padding, k)]
        stride = per_axis(stride or kernel, k)
        return g.window("max", self, kernel, stride, pads, per_axis(dilation, k), True, ceil_mode)

    return rule


def avg_pool(k):
    def rule(g, self, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        need(divisor_override is None, "average pooling with a divisor")
        kernel = per_axis(kernel_size, k)
        pads = [(p, p) for p in per_axis(padding, k)]
        return g.window("mean", self, kernel, per_axis(stride or kernel, k), pads, (1,) * k, count_include_pad, ceil_mode)

    return rule


def adaptive(kind, k):
    def rule(g, self, output_size):
        shape, size = g.shape(self), per_axis(output_size, k)
        need(all(s % o == 0 for s, o in zip(shape[-k:], size, strict=True)), "adaptive pooling with uneven windows")
        kernel = tuple(s // o for s, o in zip(shape[-k:], size, strict=True))
        return g.window(kind, self, kernel, kernel, [(0, 0)] * k, (1,) * k)

    return rule


def embedding(g, weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    return g.emit("embed", (weight, indices), (), (*g.shape(indices), *g.shape(weight)[1:]))


def index_select(g, self, dim, index):
    return g.take(self, dim, g.ints(index))


def where(g, condition, self, other):
    args = (val(g, condition), val(g, self), val(g, other))
    shape = [g.nodes[a].shape for a in args]
    return g.emit("where", args, (), broadcast(*shape))


def any_(g, self, dim=None, keepdim=False):
    """Whether any number is not zero, as 0 or 1."""
    return reduce("max")(g, g.binary("compare", self, g.lit(0), "not_equal"), dim, keepdim)


def full(g, size, fill_value, **_):
    need(not isinstance(fill_value, Tensor), "full of a computed value")
    return g.expand(val(g, fill_value), size)


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


SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)
OPS: dict[str, Callable] = {
    "add": add, "sub": sub, "div": div, "pow": pow_, "linear": linear, "addmm": addmm, "convolution": convolution,
    "mul": lambda g, self, other: times(g, val(g, self), val(g, other)), "rsub": lambda g, a, b, alpha=1: sub(g, b, a, alpha),
    "mm": lambda g, self, mat2: g.matmul(self, mat2), "bmm": lambda g, self, mat2: g.matmul(self, mat2),
    "matmul": lambda g, self, other: g.matmul(self, other),
    "baddbmm": lambda g, self, batch1, batch2, **k: addmm(g, self, batch1, batch2, **k),
    "mv": lambda g, self, vec: g.matmul(self, vec), "dot": lambda g, self, tensor: g.matmul(self, tensor),
    "conv1d": conv, "conv2d": conv, "conv3d": conv, "_native_batch_norm_legit_no_training": batch_norm_inference,
    "batch_norm": batch_norm, "native_layer_norm": native_layer_norm, "layer_norm": layer_norm,
    "native_group_norm": native_group_norm, "group_norm": group_norm, "scaled_dot_product_attention": sdpa,
    "_scaled_dot_product_flash_attention_for_cpu": lambda g, q, k, v, dropout_p=0.0, is_causal=False, attn_mask=None,
    scale=None: (sdpa(g, q, k, v, attn_mask, dropout_p, is_causal, scale), None),
    "_softmax": lambda g, self, dim, half: g.softmax(self, dim), "softmax": lambda g, self, dim, dtype=None: g.softmax(self, dim),
    "_log_softmax": lambda g, self, dim, half: g.softmax(self, dim, True),
    "log_softmax": lambda g, self, dim, dtype=None: g.softmax(self, dim, True),
    "sum": reduce("sum"), "mean": reduce("mean"), "amax": reduce("max"), "amin": reduce("min"), "var": var,
    "view": view, "reshape": view, "_unsafe_view": view, "flatten": flatten, "transpose": transpose, "t": t,
    "permute": lambda g, self, dims: g.permute(self, dims), "expand": lambda g, self, size, implicit=False: g.expand(self, size),
    "cat": cat, "concat": cat, "split_with_sizes": split_sizes, "split": split, "chunk": chunk, "select": select,
    "stack": lambda g, tensors, dim=0: g.cat([g.new_axis(x, dim) for x in tensors], dim), "slice": slice_,
    "unbind": lambda g, self, dim=0: tuple(select(g, self, dim, i) for i in range(g.shape(self)[g.axis(self, dim)])),
    "squeeze": squeeze, "unsqueeze": lambda g, self, dim: g.new_axis(self, dim), "constant_pad_nd": pad,
    "pad": lambda g, self, pad_, mode="constant", value=None: pad(g, self, pad_, value, mode),
    "flip": lambda g, self, dims: [self := g.slice(self, d, None, None, -1) for d in dims][-1],
    "max_pool2d_with_indices": lambda *a, **k: (max_pool(2)(*a, **k), None), "max_pool2d": max_pool(2),
    "max_pool1d": max_pool(1), "avg_pool2d": avg_pool(2), "avg_pool1d": avg_pool(1), "avg_pool3d": avg_pool(3),
    "_adaptive_avg_pool2d": adaptive("mean", 2), "adaptive_avg_pool2d": adaptive("mean", 2),
    "adaptive_avg_pool1d": adaptive("mean", 1), "embedding": embedding, "index_select": index_select, "where": where,
    "full": full, "zeros": lambda g, size, **_: full(g, size, 0), "ones": lambda g, size, **_: full(g, size, 1),
    "full_like": lambda g, self, fill_value, **_: full(g, g.shape(self), fill_value), "arange": arange,
    "zeros_like": lambda g, self, **_: full(g, g.shape(self), 0), "ones_like": lambda g, self, **_: full(g, g.shape(self), 1),
    "scalar_tensor": lambda g, s, **_: val(g, s),
    "clamp": clamp, "clamp_min": lambda g, self, min: clamp(g, self, min), "clamp_max": lambda g, self, max: clamp(g, self, None, max),
    "maximum": lambda g, self, other: g.binary("max", self, other), "minimum": lambda g, self, other: g.binary("min", self, other),
    "eq": compare("equal"), "ne": compare("not_equal"), "lt": compare("less"), "gt": compare("greater"),
    "le": compare("less_equal"), "ge": compare("greater_equal"), "logical_and": compare("logical_and"),
    "logical_or": compare("logical_or"), "bitwise_and": compare("logical_and"),
    "logical_not": lambda g, self: g.binary("compare", self, g.lit(0), "equal"), "any": any_,
    "alias": same, "clone": same, "detach": same, "contiguous": same, "dropout": lambda g, x, p, train: same(g, x) if not train else bad("dropout"),
    "copy": lambda g, self, src, nb=False: g.expand(src, g.shape(self)), "lift_fresh_copy": same, "detach_": same, "identity": same,
    "_to_copy": to_copy, "to": lambda g, self, *a, **k: to_copy(g, self, next((x for x in a if isinstance(x, str)), k.get("dtype"))),
    "relu": native("relu"), "leaky_relu": named_parameters("leaky_relu", negative_slope=0.01), "hardsigmoid": hard_sigmoid,
    "hardtanh": named_parameters("clip", min_val=-1.0, max_val=1.0), "relu6": lambda g, self: g.map("clip", self, 0, 6),
    "elu": named_parameters("elu", alpha=1.0, scale=1.0, input_scale=1.0), "selu": lambda g, self: g.map("elu", self, *SELU, 1),
    "celu": lambda g, self, alpha=1.0: g.map("elu", self, alpha, 1, 1 / alpha), "gelu": gelu,
    "silu": lambda g, self: g.mul(self, g.map("sigmoid", self)), "hardswish": lambda g, self: g.mul(self, hard_sigmoid(g, self)),
    "softplus": named_parameters("softplus", beta=1.0, threshold=20.0), "logsigmoid": lambda g, self: g.map("neg", g.map("softplus", g.map("neg", self), 1, math.inf)),
    "log_sigmoid": lambda g, self: OPS["logsigmoid"](g, self), "log_sigmoid_forward": lambda g, self: (OPS["logsigmoid"](g, self), None),
    "mish": lambda g, self: g.mul(self, g.map("tanh", g.map("softplus", self, 1, math.inf))),
    "softsign": lambda g, self: g.div(self, g.add(g.map("abs", self), g.lit(1))), "tanhshrink": lambda g, self: g.sub(self, g.map("tanh", self)),
    "hardshrink": named_parameters("hardshrink", lambd=0.5), "softshrink": named_parameters("softshrink", lambd=0.5),
    "gaussian": lambda g, self: g.map("exp", g.mul(g.map("neg", self), self)), "gelu_tanh": lambda g, self: g.map("gelu_tanh", self),
    "cube": lambda g, self: g.mul(g.map("square", self), self), "heaviside": heaviside, "prelu": lambda g, self, weight: prelu(g, self, weight),
    "_prelu_kernel": lambda g, self, weight: prelu(g, self, weight, True),
    **{n: native(n) for n in ("tanh", "sigmoid", "erf", "exp", "expm1", "log", "log1p", "sin", "cos", "sqrt", "rsqrt",
                              "reciprocal", "abs", "neg", "square", "sign", "floor", "ceil", "trunc", "atan")},
    "arctan": native("atan"),
}  # fmt: skip


def bad(what: str):
    raise Reject(f"{what} in training mode")


def prelu(g, self, weight, broadcast=False):
    """max(x, 0) + w min(x, 0)."""
    if not broadcast and isinstance(weight, Tensor) and len(g.shape(self)) > 1:
        weight = g.along(weight, 1, len(g.shape(self)))
    negative = g.map("neg", g.map("relu", g.map("neg", self)))
    return g.add(g.map("relu", self), g.mul(negative, val(g, weight)))
