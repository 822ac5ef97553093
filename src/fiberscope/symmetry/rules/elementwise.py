"""Elementwise ops: scaling laws of activations, sums, products, comparisons, choices."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from fiberscope.activations.table import LAWS
from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum, resolve
from fiberscope.symmetry.charge import Charge
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule
from fiberscope.symmetry.typed import Inference, Typed


def map_charges(axis: Axis, change: Callable[[Charge], Charge]) -> Axis:
    """Apply a function to the charge of every leaf."""
    match axis:
        case Leaf(atom, charge):
            return Leaf(atom, change(charge))
        case Product(factors):
            return Product(tuple(map_charges(f, change) for f in factors))
        case Sum(terms):
            return Sum(tuple(map_charges(t, change) for t in terms))
        case _:
            return axis


def law(inf: Inference, x: Typed, log: Fraction | None, sign: str | None) -> Typed:
    """Apply a nonlinear function with rho(s x) = s**log rho(x), s > 0, and the given parity."""
    for axis in x.axes:
        inf.facts.lower(axis, Mixing.permutation)
        inf.facts.vanish(axis, log=log is None, sign=sign is None)
    exponent = log if log is not None else Fraction(0)
    axes = tuple(map_charges(resolve(a), lambda c: c.power(exponent, sign == "odd")) for a in x.axes)
    return Typed(axes, x.constant)


def named(activation: str) -> Callable[[Inference, Call], Typed]:
    """Return the rule of an op that is one of the known activations."""
    row = LAWS[activation]

    def rule(inf: Inference, node: Call) -> Typed:
        x = inf.typed(node.args[0])
        inf.note_activation(x, activation)
        return law(inf, x, row.log, row.sign)

    return rule


def power_law(log: Fraction | None, sign: str | None) -> Callable[[Inference, Call], Typed]:
    """Return the rule of an elementwise function given by its law alone."""
    return lambda inf, node: law(inf, inf.typed(node.args[0]), log, sign)


def scalar_linear(inf: Inference, node: Call) -> Typed:
    """Multiply by a number, negate, copy: commutes with everything."""
    return inf.typed(node.args[0])


def add(inf: Inference, node: Call) -> Typed:
    """a + b, a - b: the same atoms and the same charges; a nonzero constant allows no scaling."""
    return combine_equal(inf, inf.typed(node.args[0]), inf.typed(node.args[1]))


def combine_equal(inf: Inference, a: Typed, b: Typed) -> Typed:
    """Tie two tensors that are added or chosen between."""
    constant = a.constant and b.constant
    if a.zero or b.zero:
        kept = 0 if b.zero else 1
        return Typed(tuple(pair[kept] for pair in inf.broadcast(a, b)), constant, a.zero and b.zero)
    axes = [inf.facts.equal(x, y) for x, y in inf.broadcast(a, b)]
    return Typed(tuple(axes), constant)


def combine_multiply(inf: Inference, a: Typed, b: Typed) -> Typed:
    """Tie two tensors that are multiplied entrywise: charges add."""
    axes = [inf.facts.multiply(x, y) for x, y in inf.broadcast(a, b)]
    return Typed(tuple(axes), a.constant and b.constant)


def multiply(inf: Inference, node: Call) -> Typed:
    """a * b."""
    if node.args[0] is node.args[1]:
        return law(inf, inf.typed(node.args[0]), Fraction(2), "even")
    out = combine_multiply(inf, inf.typed(node.args[0]), inf.typed(node.args[1]))
    for x, gate in (node.args[:2], node.args[1::-1]):
        if _is_op(gate, "sigmoid") and gate.args[0] is x:
            inf.rename_activation(out, "sigmoid", "silu")
        elif _is_op(gate, "add") and _is_op(gate.args[0], "tanh"):
            inf.rename_activation(out, "tanh", "gelu_tanh")
    return out


def _is_op(node: Any, name: str) -> bool:
    target = getattr(node, "target", None)
    return getattr(getattr(target, "overloadpacket", None), "__name__", None) == name


def divide(inf: Inference, node: Call) -> Typed:
    """a / b: the charges of b are taken away; floor and truncation allow no scaling."""
    a, b = inf.typed(node.args[0]), inf.typed(node.args[1])
    if b.axes:
        b = law(inf, b, Fraction(-1), "odd")
    out = combine_multiply(inf, a, b)
    if node.kwargs.get("rounding_mode") is not None:
        return law(inf, out, None, None)
    return out


def power(inf: Inference, node: Call) -> Typed:
    """x ** n for a number n; anything else allows no scaling."""
    base, exponent = node.args[0], node.args[1]
    if isinstance(exponent, (int, float)) and not isinstance(base, (int, float)):
        q = Fraction(exponent).limit_denominator(64)
        if float(q) == float(exponent):
            whole = q.denominator == 1
            parity = ("even" if q % 2 == 0 else "odd") if whole else None
            return law(inf, inf.typed(base), q, parity)
    return blunt(inf, node)


def blunt(inf: Inference, node: Call) -> Typed:
    """An elementwise function of one or two tensors of which nothing more is known."""
    tensors = [inf.typed(a) for a in node.args if _is_node(a)]
    out = tensors[0]
    for other in tensors[1:]:
        out = combine_multiply(inf, out, other)
    return law(inf, out, None, None)


def compare(inf: Inference, node: Call) -> Typed:
    """x > 0 and its kin: a comparison with zero sees the sign only; with anything else, everything."""
    a, other = inf.typed(node.args[0]), node.args[1]
    name = node.target.__name__.split(".")[0]
    if isinstance(other, (int, float)) and other == 0:
        return law(inf, a, Fraction(0), "even" if name in ("eq", "ne") else None)
    out = combine_equal(inf, a, inf.typed(other)) if _is_node(other) else a
    return law(inf, out, Fraction(0) if _is_node(other) else None, None)


def where(inf: Inference, node: Call) -> Typed:
    """Choose between a and b by a condition that does not scale."""
    condition, a, b = (inf.typed(x) for x in node.args[:3])
    for axis in condition.axes:
        inf.facts.vanish(axis)
    chosen = combine_equal(inf, a, b)
    for axis in (*a.axes, *b.axes):
        inf.facts.lower(axis, Mixing.permutation)
    return combine_multiply(inf, chosen, condition)


def clamp(inf: Inference, node: Call) -> Typed:
    """min(max(x, lo), hi): relu when lo = 0 alone, odd when the bounds are opposite."""
    x = inf.typed(node.args[0])
    bounds = [*node.args[1:3], None, None][:2]
    low = node.kwargs.get("min", bounds[0])
    high = node.kwargs.get("max", bounds[1])
    if any(_is_node(v) for v in (low, high)):
        for v in (low, high):
            if _is_node(v):
                x = combine_multiply(inf, x, law(inf, inf.typed(v), None, None))
        return law(inf, x, None, None)
    return law(inf, x, *_bounds_law(low, high))


_NAMED_BOUNDS = {(-1, 1): "hardtanh", (0, 6): "relu6"}


def hardtanh(inf: Inference, node: Call) -> Typed:
    """clip(x, lo, hi) with its default bounds -1 and 1."""
    x = inf.typed(node.args[0])
    low, high = [*node.args[1:3], *(-1.0, 1.0)[len(node.args[1:3]) :]]
    low, high = node.kwargs.get("min_val", low), node.kwargs.get("max_val", high)
    if (low, high) in _NAMED_BOUNDS:
        inf.note_activation(x, _NAMED_BOUNDS[low, high])
    return law(inf, x, *_bounds_law(low, high))


def _bounds_law(low: Any, high: Any) -> tuple[Fraction | None, str | None]:
    if low is not None and high is not None:
        return None, "odd" if low == -high else None
    return (Fraction(1) if low in (0, None) and high in (0, None) else None), None


def extremum(inf: Inference, node: Call) -> Typed:
    """max(a, b), min(a, b) entrywise: positively homogeneous."""
    return law(inf, combine_equal(inf, inf.typed(node.args[0]), inf.typed(node.args[1])), Fraction(1), None)


def gelu(inf: Inference, node: Call) -> Typed:
    """GELU in either form: permutations only."""
    x = inf.typed(node.args[0])
    inf.note_activation(x, "gelu_tanh" if node.kwargs.get("approximate") == "tanh" else "gelu")
    return law(inf, x, None, None)


def cast(inf: Inference, node: Call) -> Typed:
    """A change of dtype is the identity between floats and a blunt function otherwise."""
    x = inf.typed(node.args[0])
    dtype = node.kwargs.get("dtype")
    source = getattr(node.args[0], "meta", {}).get("val")
    both_float = dtype is None or (dtype.is_floating_point and source is not None and source.dtype.is_floating_point)
    return x if both_float else law(inf, x, None, None)


def _is_node(value: object) -> bool:
    return hasattr(value, "meta") and hasattr(value, "name")


RULES: dict[str, Rule] = {
    **dict.fromkeys(("neg", "alias", "clone", "detach", "contiguous", "lift_fresh_copy", "positive"), scalar_linear),
    **{n: named(n) for n in ("relu", "leaky_relu", "tanh", "sigmoid", "erf", "sin", "cos", "abs", "sign", "exp")},
    **{n: named(n) for n in ("elu", "selu", "celu", "silu", "softplus", "mish")},
    **dict.fromkeys(("add", "sub", "rsub"), add),
    **dict.fromkeys(("gt", "lt", "ge", "le", "eq", "ne"), compare),
    **dict.fromkeys(("expm1", "log", "log1p", "log2", "floor", "ceil", "round", "sinh", "cosh", "tan"), blunt),
    **dict.fromkeys(("logical_not", "logical_and", "logical_or", "bitwise_and", "bitwise_or", "bitwise_not"), blunt),
    **dict.fromkeys(("isnan", "isinf", "remainder", "fmod", "threshold", "logical_xor"), blunt),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), extremum),
    "atan": named("arctan"),
    "asinh": power_law(None, "odd"),
    "atanh": power_law(None, "odd"),
    "erfc": power_law(None, None),
    "hardsigmoid": named("hardsigmoid"),
    "hardswish": named("hardswish"),
    "log_sigmoid_forward": lambda inf, node: (named("logsigmoid")(inf, node), Typed((), True)),
    "sgn": named("sign"),
    "sqrt": power_law(Fraction(1, 2), None),
    "rsqrt": power_law(Fraction(-1, 2), None),
    "reciprocal": power_law(Fraction(-1), "odd"),
    "square": named("square"),
    "softshrink": named("softshrink"),
    "hardshrink": named("hardshrink"),
    "gelu": gelu,
    "mul": multiply,
    "div": divide,
    "pow": power,
    "where": where,
    "clamp": clamp,
    "clamp_min": clamp,
    "hardtanh": hardtanh,
    "_to_copy": cast,
    "to": cast,
}
