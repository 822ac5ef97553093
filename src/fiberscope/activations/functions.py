"""Every function that an expression may use, by name: primitives, short forms, and the built-in activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from fiberscope.activations.expression import PRIMITIVES, Expr, expr, function, number
from fiberscope.errors import InputError


@dataclass(frozen=True)
class Function:
    """A name, how many arguments it takes (least, most), what it means, and the expression that it builds."""

    name: str
    arity: tuple[int, int]
    meaning: str
    builder: Callable[..., Expr]

    def build(self, *args: Expr) -> Expr:
        """The expression; `InputError` for the wrong number of arguments."""
        least, most = self.arity
        if not least <= len(args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise InputError(f"expression: {self.name} takes {wanted} argument(s), {len(args)} were given")
        return self.builder(*args)


_MEANING = {
    "exp": "e to the power u",
    "log": "natural logarithm",
    "sqrt": "square root",
    "sin": "sine",
    "cos": "cosine",
    "tanh": "hyperbolic tangent",
    "sigmoid": "1/(1 + exp(-u))",
    "softplus": "log(1 + exp(u))",
    "erf": "error function",
    "arctan": "inverse tangent",
    "arcsinh": "inverse hyperbolic sine",
    "abs": "absolute value",
    "sign": "-1, 0 or 1",
    "heaviside": "1 for u > 0, else 0",
    "max": "the larger",
    "min": "the smaller",
}


def _clamp(u: Expr, low: Expr, high: Expr) -> Expr:
    return function("min", function("max", u, low), high)


def _pow(base: Expr, exponent: Expr) -> Expr:
    return base**exponent


def _elu(u: Expr, alpha: Expr | None = None) -> Expr:
    return function("max", u, 0) + (expr(1) if alpha is None else alpha) * (function("exp", function("min", u, 0)) - 1)


def _celu(u: Expr, alpha: Expr | None = None) -> Expr:
    a = expr(1) if alpha is None else alpha
    return function("max", u, 0) + a * (function("exp", function("min", u, 0) / a) - 1)


def _leaky(default: str) -> Callable[..., Expr]:
    def build(u: Expr, slope: Expr | None = None) -> Expr:
        return function("max", u, 0) + (number(default) if slope is None else slope) * function("min", u, 0)

    return build


def _hardshrink(u: Expr, threshold: Expr | None = None) -> Expr:
    t = number(Fraction(1, 2)) if threshold is None else threshold
    return u * function("heaviside", abs(u) - t)


def _softshrink(u: Expr, threshold: Expr | None = None) -> Expr:
    t = number(Fraction(1, 2)) if threshold is None else threshold
    return u - _clamp(u, -t, t)


def _selu(u: Expr) -> Expr:
    return number("1.0507009873554804934193349852946") * _elu(u, number("1.6732632423543772848170429916717"))


def _gelu(u: Expr) -> Expr:
    return u * (1 + function("erf", u / function("sqrt", 2))) / 2


def _gelu_tanh(u: Expr) -> Expr:
    from fiberscope.activations.expression import PI

    return u * (1 + function("tanh", function("sqrt", 2 / PI) * (u + number("0.044715") * u**3))) / 2


def _functions() -> dict[str, Function]:
    rows: list[tuple[str, tuple[int, int], str, Callable[..., Expr]]] = [
        (name, (arity, arity), _MEANING[name], lambda *args, name=name: function(name, *args))
        for name, arity in PRIMITIVES.items()
    ]
    one, two = (1, 1), (1, 2)
    zero_one = number(0), number(1)
    rows += [
        ("pow", (2, 2), "u to a constant power", _pow),
        ("clamp", (3, 3), "clamp(u, low, high)", _clamp),
        ("sinh", one, "hyperbolic sine", lambda u: (function("exp", u) - function("exp", -u)) / 2),
        ("cosh", one, "hyperbolic cosine", lambda u: (function("exp", u) + function("exp", -u)) / 2),
        ("expm1", one, "exp(u) - 1", lambda u: function("exp", u) - 1),
        ("log1p", one, "log(1 + u)", lambda u: function("log", 1 + u)),
        ("erfc", one, "1 - erf(u)", lambda u: 1 - function("erf", u)),
        ("identity", one, "u", lambda u: u),
        ("square", one, "u**2", lambda u: u**2),
        ("cube", one, "u**3", lambda u: u**3),
        ("power", (2, 2), "power(u, p), p a whole number", _pow),
        ("gaussian", one, "exp(-u**2)", lambda u: function("exp", -(u**2))),
        ("softsign", one, "u/(1 + |u|)", lambda u: u / (1 + abs(u))),
        ("relu", one, "max(u, 0)", lambda u: function("max", u, 0)),
        ("leaky_relu", two, "leaky_relu(u, slope = 0.01)", _leaky("0.01")),
        ("prelu", two, "prelu(u, slope = 0.25)", _leaky("0.25")),
        ("relu6", one, "clamp(u, 0, 6)", lambda u: _clamp(u, number(0), number(6))),
        ("hardtanh", one, "clamp(u, -1, 1)", lambda u: _clamp(u, number(-1), number(1))),
        ("hardsigmoid", one, "clamp(u/6 + 1/2, 0, 1)", lambda u: _clamp(u / 6 + Fraction(1, 2), *zero_one)),
        ("hardswish", one, "u*hardsigmoid(u)", lambda u: u * _clamp(u / 6 + Fraction(1, 2), *zero_one)),
        ("hardshrink", two, "u where |u| > threshold = 0.5, else 0", _hardshrink),
        ("softshrink", two, "u - clamp(u, -threshold, threshold)", _softshrink),
        ("tanhshrink", one, "u - tanh(u)", lambda u: u - function("tanh", u)),
        ("elu", two, "u for u > 0, else alpha*(exp(u) - 1)", _elu),
        ("celu", two, "u for u > 0, else alpha*(exp(u/alpha) - 1)", _celu),
        ("selu", one, "1.0507...*elu(u, 1.6732...)", _selu),
        ("gelu", one, "u times the normal distribution function", _gelu),
        ("gelu_tanh", one, "gelu's approximation by tanh", _gelu_tanh),
        ("silu", one, "u*sigmoid(u)", lambda u: u * function("sigmoid", u)),
        ("mish", one, "u*tanh(softplus(u))", lambda u: u * function("tanh", function("softplus", u))),
        ("logsigmoid", one, "-softplus(-u)", lambda u: -function("softplus", -u)),
    ]
    return {name: Function(name, arity, meaning, builder) for name, arity, meaning, builder in rows}


FUNCTIONS: Mapping[str, Function] = _functions()
"""What an expression may call."""

SAME_AS = {"atan": "arctan", "asinh": "arcsinh", "logistic": "sigmoid", "swish": "silu", "clip": "clamp"}
"""Other names of the same functions."""
