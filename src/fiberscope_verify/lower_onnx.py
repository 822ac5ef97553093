"""ONNX operators in the core vocabulary. Source: onnx.ai/onnx/operators (opsets 7 to 21).

Each rule takes (graph, input values, attributes); inputs that are left out are None.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import lower_aten as aten
from . import lower_layers as layers
from . import table_aten
from .core import Graph, broadcast
from .lower_aten import Tensor
from .lower_einsum import einsum
from .report import need


def get(args: tuple, i: int):
    return args[i] if i < len(args) else None


def pads_of(a: dict, k: int, size, kernel, stride, dilation) -> list[tuple[int, int]]:
    """Padding per axis from `pads` or `auto_pad`."""
    auto = a.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        out = []
        for s, n, t, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-s // t) - 1) * t + d * (n - 1) + 1 - s, 0)
            half = (total // 2, total - total // 2)
            out.append(half if auto == "SAME_UPPER" else half[::-1])
        return out
    need(auto in ("NOTSET", "VALID"), "auto_pad")
    p = a.get("pads", (0,) * 2 * k) if auto == "NOTSET" else (0,) * 2 * k
    need(len(p) == 2 * k, "pads do not fit")
    return list(zip(p[:k], p[k:], strict=True))


def conv(g: Graph, args, a) -> int:
    x, w, b = args[0], args[1], get(args, 2)
    kernel = g.shape(w)[2:]
    k = len(kernel)
    stride, dilation = a.get("strides", (1,) * k), a.get("dilations", (1,) * k)
    need(a.get("kernel_shape", kernel) == kernel, "kernel_shape")
    pads = pads_of(a, k, g.shape(x)[2:], kernel, stride, dilation)
    out = g.conv(x, w, stride, pads, dilation, a.get("group", 1))
    return out if b is None else g.add(out, g.along(b, 1, k + 2))


def pool(kind: str) -> Callable:
    def rule(g, args, a):
        kernel = a["kernel_shape"]
        k = len(kernel)
        stride, dilation = a.get("strides", (1,) * k), a.get("dilations", (1,) * k)
        need(a.get("storage_order", 0) == 0, "storage order")
        pads = pads_of(a, k, g.shape(args[0])[2:], kernel, stride, dilation)
        padded = bool(a.get("count_include_pad", 0))
        return g.window(kind, args[0], kernel, stride, pads, dilation, padded, bool(a.get("ceil_mode", 0)))

    return rule


def global_pool(kind: str) -> Callable:
    return lambda g, args, a: g.reduce(kind, args[0], range(2, len(g.shape(args[0]))), True)


def div(g, args, a):
    need(not g.integral.issuperset(args), "division of integers")
    return g.div(*args)


def reduce(kind: str) -> Callable:
    def rule(g, args, a):
        need(kind != "mean" or args[0] not in g.integral, "a mean of integers")
        axes = a.get("axes") if get(args, 1) is None else g.ints(args[1])
        if not axes and a.get("noop_with_empty_axes", 0):
            return args[0]
        return g.reduce(kind, args[0], axes or range(len(g.shape(args[0]))), bool(a.get("keepdims", 1)))

    return rule


def gemm(g, args, a) -> int:
    x = g.permute(args[0], [1, 0]) if a.get("transA", 0) else args[0]
    w = g.permute(args[1], [1, 0]) if a.get("transB", 0) else args[1]
    out = g.matmul(x, w)
    out = out if a.get("alpha", 1.0) == 1 else g.mul(out, g.lit(a["alpha"]))
    if get(args, 2) is None:
        return out
    return g.add(out, args[2] if a.get("beta", 1.0) == 1 else g.mul(args[2], g.lit(a["beta"])))


def reshape(g, args, a) -> int:
    shape = g.shape(args[0])
    target = g.ints(args[1])
    keep = not a.get("allowzero", 0)
    return g.reshape(args[0], [shape[i] if t == 0 and keep else t for i, t in enumerate(target)])


def flatten(g, args, a) -> int:
    shape, axis = g.shape(args[0]), a.get("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return g.reshape(args[0], (math.prod(shape[:axis]), math.prod(shape[axis:])))


def axes_of(g, args, a):
    return g.ints(args[1]) if get(args, 1) is not None else a.get("axes")


def squeeze(g, args, a) -> int:
    axes = axes_of(g, args, a)
    shape = g.shape(args[0])
    drop = {g.axis(args[0], i) for i in axes} if axes is not None else {i for i, s in enumerate(shape) if s == 1}
    need(all(shape[i] == 1 for i in drop), "squeeze of an axis that is not one")
    return g.reshape(args[0], [s for i, s in enumerate(shape) if i not in drop])


def unsqueeze(g, args, a) -> int:
    axes = axes_of(g, args, a)
    rank = len(g.shape(args[0])) + len(axes)
    v = args[0]
    for i in sorted(i % rank for i in axes):
        v = g.new_axis(v, i)
    return v


def slice_(g, args, a) -> int:
    v = args[0]
    if len(args) == 1:
        starts, ends = a["starts"], a["ends"]
        axes, steps = a.get("axes"), None
    else:
        starts, ends = g.ints(args[1]), g.ints(args[2])
        axes = None if get(args, 3) is None else g.ints(args[3])
        steps = None if get(args, 4) is None else g.ints(args[4])
    axes, steps = axes or range(len(starts)), steps or (1,) * len(starts)
    for start, stop, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0 and stop <= -(2**31):
            stop = None
        v = g.slice(v, axis, start, stop, step)
    return v


def split(g, args, a, outputs: int):
    axis = a.get("axis", 0)
    n = g.shape(args[0])[g.axis(args[0], axis)]
    sizes = axes_of(g, args, {"axes": a.get("split")})
    if sizes is None:
        part = -(-n // outputs)
        sizes = [min(part, n - i * part) for i in range(outputs)]
    need(sum(sizes) == n, "split sizes")
    return aten.split_sizes(g, args[0], sizes, axis)


def gather(g, args, a):
    axis = g.axis(args[0], a.get("axis", 0))
    if args[1] in g.known:
        shape, index = g.shape(args[0]), g.known[args[1]]
        out = g.take(args[0], axis, [int(i) for i in index.reshape(-1)])
        return g.reshape(out, (*shape[:axis], *index.shape, *shape[axis + 1 :]))
    need(axis == 0, "Gather with computed indices off the first axis")
    return aten.embedding(g, args[0], args[1])


def pad(g, args, a):
    rank = len(g.shape(args[0]))
    need(a.get("mode", "constant") == "constant" and get(args, 3) is None, "this form of padding")
    p = g.ints(args[1]) if len(args) > 1 else a["pads"]
    need(len(p) == 2 * rank, "pads do not fit")
    value = a.get("value", 0.0)
    if get(args, 2) is not None:
        node = g.nodes[args[2]]
        need(node.op == "array" and g.arrays[node.attrs[0]].size == 1, "padding by a computed value")
        value = float(g.arrays[node.attrs[0]].reshape(-1)[0])
    return g.pad(args[0], tuple(zip(p[:rank], p[rank:], strict=True)), value)


def scalar(g, v, default: float) -> float:
    if v is None:
        return default
    node = g.nodes[v]
    need(node.op == "array" and g.arrays[node.attrs[0]].size == 1, "a bound computed from data")
    return float(g.arrays[node.attrs[0]].reshape(-1)[0])


def clip(g, args, a):
    low = scalar(g, get(args, 1), a.get("min", -math.inf))
    return g.map("clip", args[0], low, scalar(g, get(args, 2), a.get("max", math.inf)))


def batch_norm(g, args, a):
    need(not a.get("training_mode", 0) and a.get("spatial", 1) == 1, "batch norm in training mode")
    x, scale, shift, mean, variance = args
    eps = a.get("epsilon", float(np.float32(1e-5)))
    return layers.batch_norm_inference(g, x, scale, shift, mean, variance, 0.0, eps)[0]


def layer_norm(g, args, a):
    axis = g.axis(args[0], a.get("axis", -1))
    return layers.layer_norm(
        g, args[0], g.shape(args[0])[axis:], args[1], get(args, 2), a.get("epsilon", float(np.float32(1e-5)))
    )


def group_norm(g, args, a):
    need(g.shape(args[1])[0] == g.shape(args[0])[1], "group norm with one weight per group")
    return layers.group_norm(g, args[0], a["num_groups"], args[1], args[2], a.get("epsilon", float(np.float32(1e-5))))


def instance_norm(g, args, a):
    return layers.group_norm(
        g, args[0], g.shape(args[0])[1], args[1], args[2], a.get("epsilon", float(np.float32(1e-5)))
    )


def softmax(g, args, a, opset: int, log: bool = False):
    if opset >= 13:
        return g.softmax(args[0], a.get("axis", -1), log)
    shape = g.shape(args[0])
    axis = g.axis(args[0], a.get("axis", 1))
    flat = g.reshape(args[0], (math.prod(shape[:axis]), math.prod(shape[axis:])))
    return g.reshape(g.softmax(flat, 1, log), shape)


def constant_of_shape(g, args, a):
    value = a.get("value")
    if value is None:
        fill = g.lit(0)
    elif value.dtype.kind in "iub":
        fill = g.constant(value.reshape(()))
    else:
        fill = g.lit(float(value.reshape(-1)[0]))
    return g.expand(fill, g.ints(args[0]))


def expand(g, args, a):
    shape = broadcast(g.shape(args[0]), g.ints(args[1]))
    assert shape is not None
    return g.expand(args[0], shape)


def hard_sigmoid(g, v, alpha: float, beta: float):
    return g.map("clip", g.add(g.mul(v, g.lit(alpha)), g.lit(beta)), 0, 1)


def power(g, args, a):
    node = g.nodes[args[1]]
    need(node.op in ("array", "lit"), "power with a computed exponent")
    value = float.fromhex(node.attrs[0]) if node.op == "lit" else scalar(g, args[1], 0)
    out = aten.power(g, args[0], value)
    shape = broadcast(g.shape(out), g.shape(args[1]))
    return g.expand(out, shape)


def cast(g, args, a):
    names = {1: "float32", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}
    if a["to"] in (1, 10, 11, 16):
        return g.map("float", args[0]) if args[0] in g.integral else args[0]
    return aten.cast(g, args[0], f"dtype:{names.get(a['to'], 'int64')}")


def fold(rule: Callable) -> Callable:
    def many(g, args, a):
        out = args[0]
        for v in args[1:]:
            out = rule(g, out, v)
        return out

    return many


def plain(name: str, *parameters: tuple[str, float]) -> Callable:
    return lambda g, args, a: g.map(name, args[0], *(a.get(k, float(np.float32(d))) for k, d in parameters))


def transpose(g, args, a):
    return g.permute(args[0], a.get("perm", range(len(g.shape(args[0])))[::-1]))


def compare(kind: str) -> Callable:
    return lambda g, args, a: g.binary("compare", args[0], args[1], kind)


def layered(name: str) -> Callable:
    return lambda g, args, a: table_aten.OPS[name](g, args[0])


SIMPLE: dict[str, Callable] = {
    "Conv": conv,
    "MaxPool": pool("max"),
    "AveragePool": pool("mean"),
    "GlobalAveragePool": global_pool("mean"),
    "GlobalMaxPool": global_pool("max"),
    "ReduceMean": reduce("mean"),
    "ReduceSum": reduce("sum"),
    "ReduceMax": reduce("max"),
    "ReduceMin": reduce("min"),
    "Gemm": gemm,
    "MatMul": lambda g, x, a: g.matmul(*x),
    "Einsum": lambda g, x, a: einsum(g, a["equation"], x),
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Slice": slice_,
    "Gather": gather,
    "Pad": pad,
    "Clip": clip,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "ConstantOfShape": constant_of_shape,
    "Expand": expand,
    "Pow": power,
    "Cast": cast,
    "Transpose": transpose,
    "Concat": lambda g, x, a: g.cat(list(x), a["axis"]),
    "Add": fold(Graph.add),
    "Sum": fold(Graph.add),
    "Sub": lambda g, x, a: g.sub(*x),
    "Mul": lambda g, x, a: aten.times(g, *x),
    "Div": div,
    "Max": fold(lambda g, p, q: g.binary("max", p, q)),
    "Min": fold(lambda g, p, q: g.binary("min", p, q)),
    "Identity": lambda g, x, a: x[0],
    "Dropout": lambda g, x, a: x[0] if len(x) < 3 else aten.bad("Dropout"),
    "Shape": lambda g, x, a: g.constant(np.array(g.shape(x[0])[a.get("start", 0) : a.get("end")], dtype=np.int64)),
    "Relu": plain("relu"),
    "LeakyRelu": plain("leaky_relu", ("alpha", 0.01)),
    "Sigmoid": plain("sigmoid"),
    "Tanh": plain("tanh"),
    "Erf": plain("erf"),
    "Exp": plain("exp"),
    "Log": plain("log"),
    "Sqrt": plain("sqrt"),
    "Abs": plain("abs"),
    "Neg": plain("neg"),
    "Reciprocal": plain("reciprocal"),
    "Sin": plain("sin"),
    "Cos": plain("cos"),
    "Atan": plain("atan"),
    "Sign": plain("sign"),
    "Floor": plain("floor"),
    "Ceil": plain("ceil"),
    "Softplus": lambda g, x, a: g.map("softplus", x[0], 1, math.inf),
    "Softsign": layered("softsign"),
    "Mish": layered("mish"),
    "HardSwish": lambda g, x, a: g.mul(x[0], hard_sigmoid(g, x[0], 1 / 6, 0.5)),
    "HardSigmoid": lambda g, x, a: hard_sigmoid(g, x[0], a.get("alpha", float(np.float32(0.2))), a.get("beta", 0.5)),
    "Elu": lambda g, x, a: g.map("elu", x[0], a.get("alpha", 1.0), 1, 1),
    "Gelu": lambda g, x, a: aten.gelu(g, x[0], a.get("approximate", "none")),
    "Selu": lambda g, x, a: g.map(
        "elu",
        x[0],
        a.get("alpha", float(np.float32(table_aten.SELU[0]))),
        a.get("gamma", float(np.float32(table_aten.SELU[1]))),
        1,
    ),
    "Celu": lambda g, x, a: g.map("elu", x[0], a.get("alpha", 1.0), 1, 1 / a.get("alpha", 1.0)),
    "PRelu": lambda g, x, a: aten.prelu(g, x[0], Tensor(x[1]), True),
    "Equal": compare("equal"),
    "Less": compare("less"),
    "Greater": compare("greater"),
    "LessOrEqual": compare("less_equal"),
    "GreaterOrEqual": compare("greater_equal"),
    "And": compare("logical_and"),
    "Or": compare("logical_or"),
    "Where": lambda g, x, a: aten.where(g, *x),
}


def wrap(rule: Callable) -> Callable:
    """The common signature: (graph, inputs, attributes, operation, model)."""
    return lambda g, args, attrs, operation, model: rule(g, args, attrs)


def opset(model) -> int:
    return int(model.dtypes.get("opset", "13"))


OPS: dict[str, Callable] = {name: wrap(rule) for name, rule in SIMPLE.items()}
OPS["Softmax"] = lambda g, x, a, operation, model: softmax(g, x, a, opset(model))
OPS["LogSoftmax"] = lambda g, x, a, operation, model: softmax(g, x, a, opset(model), True)
OPS["Split"] = lambda g, x, a, operation, model: split(g, x, a, len(operation.outputs))
