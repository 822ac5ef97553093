"""Three values of one expression: float64 arrays, enclosures in ball arithmetic, exact rationals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from fiberscope.activations.expression import Expr


def float_value(e: Expr, x: np.ndarray) -> np.ndarray:
    """The expression elementwise in float64; overflow to infinity is silent.

    >>> from fiberscope.activations.parser import parse
    >>> float_value(parse("x*sigmoid(x)"), np.array([0.0, -800.0])).tolist()
    [0.0, -0.0]
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.broadcast_to(_float(e, x), x.shape).astype(np.float64)


def _float(e: Expr, x: np.ndarray) -> Any:
    if e.op == "x":
        return x
    if e.number is not None:
        return np.float64(e.number)
    args = [_float(a, x) for a in e.args]
    if e.op == "pow" and isinstance(e.value, Fraction):
        whole = e.value.denominator == 1
        return np.power(args[0], int(e.value) if whole and e.value > 0 else float(e.value))
    return _float_function(e.op)(*args)


def _softplus(u: Any) -> Any:
    return np.logaddexp(0.0, u)


def _sigmoid(u: Any) -> Any:
    small = np.exp(-np.abs(u))
    return np.where(u >= 0, 1.0, small) / (1.0 + small)


def _float_function(op: str) -> Callable[..., Any]:
    import scipy.special

    table: dict[str, Callable[..., Any]] = {
        "add": np.add,
        "mul": np.multiply,
        "div": np.divide,
        "pi": lambda: np.pi,
        "exp": np.exp,
        "log": np.log,
        "sqrt": np.sqrt,
        "sin": np.sin,
        "cos": np.cos,
        "tanh": np.tanh,
        "sigmoid": _sigmoid,
        "softplus": _softplus,
        "erf": scipy.special.erf,
        "arctan": np.arctan,
        "arcsinh": np.arcsinh,
        "abs": np.abs,
        "sign": np.sign,
        "heaviside": lambda u: np.heaviside(u, 0.0),
        "max": np.maximum,
        "min": np.minimum,
    }
    return table[op]


def ball(value: Any) -> Any:
    """A ``flint.arb`` that encloses an int, float (exactly), Fraction or arb."""
    from flint import arb, fmpq

    if isinstance(value, Fraction):
        return arb(value.numerator) if value.denominator == 1 else arb(fmpq(value.numerator, value.denominator))
    return arb(value)


def ball_value(e: Expr, x: Any) -> Any:
    """An enclosure of the expression at the ball ``x``, in the current precision of flint.

    >>> from flint import arb
    >>> from fiberscope.activations.parser import parse
    >>> abs(ball_value(parse("erf(x)"), arb(1)) - arb("0.8427007929497149")) < 1e-15
    True
    """
    return _ball(e, x, {})


def _ball(e: Expr, x: Any, seen: dict[int, Any]) -> Any:
    from flint import arb

    if e.op == "x":
        return x
    if e.number is not None:
        return ball(e.number)
    if id(e) in seen:
        return seen[id(e)]
    args = [_ball(a, x, seen) for a in e.args]
    if e.op == "pi":
        out = arb.pi()
    elif e.op == "pow" and isinstance(e.value, Fraction):
        out = _ball_power(args[0], e.value)
    else:
        out = _BALLS[e.op](*args)
    seen[id(e)] = out
    return out


def _ball_power(base: Any, p: Fraction) -> Any:
    if p.denominator == 1:
        return base ** int(p)
    if base.is_zero() and p > 0:
        return base
    return base ** ball(p)


def _softplus_ball(u: Any) -> Any:
    """``log(1 + e^u)``, never through a large exponential."""
    return u + (-u).exp().log1p() if u > 0 else u.exp().log1p()


def _step(u: Any) -> Any:
    """``heaviside`` with ``heaviside(0) = 0``; a ball across 0 gives the ball of [0, 1]."""
    from flint import arb

    if u > 0:
        return arb(1)
    return arb(0) if u <= 0 else arb(0.5, 0.5)


_BALLS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "exp": lambda u: u.exp(),
    "log": lambda u: u.log(),
    "sqrt": lambda u: u.sqrt(),
    "sin": lambda u: u.sin(),
    "cos": lambda u: u.cos(),
    "tanh": lambda u: u.tanh(),
    "sigmoid": lambda u: 1 / (1 + (-u).exp()),
    "softplus": _softplus_ball,
    "erf": lambda u: u.erf(),
    "arctan": lambda u: u.atan(),
    "arcsinh": lambda u: u.asinh(),
    "abs": abs,
    "sign": lambda u: u.sgn(),
    "heaviside": _step,
    "max": lambda a, b: a.max(b),
    "min": lambda a, b: a.min(b),
}


def rational_value(e: Expr, x: Fraction) -> Fraction | None:
    """The exact value at a rational point, or None where an irrational operation is met.

    >>> from fiberscope.activations.parser import parse
    >>> rational_value(parse("hardswish(x)"), Fraction(1, 2))
    Fraction(7, 24)
    """
    if e.op == "x":
        return x
    if e.number is not None:
        return e.number
    args = [rational_value(a, x) for a in e.args]
    known = [a for a in args if a is not None]
    if len(known) < len(args) or e.op in ("pi", "parameter"):
        return None
    return _rational(e, known)


def _rational(e: Expr, args: list[Fraction]) -> Fraction | None:
    if e.op == "pow" and isinstance(e.value, Fraction):
        whole = e.value.denominator == 1 and (args[0] or e.value > 0)
        return args[0] ** int(e.value) if whole else None
    u = args[0]
    match e.op:
        case "add":
            return u + args[1]
        case "mul":
            return u * args[1]
        case "div":
            return u / args[1] if args[1] else None
        case "max" | "min":
            return max(args) if e.op == "max" else min(args)
        case "abs":
            return abs(u)
        case "sign":
            return Fraction((u > 0) - (u < 0))
        case "heaviside":
            return Fraction(u > 0)
    return _AT_ZERO.get(e.op) if u == 0 else None


_AT_ZERO = {
    **dict.fromkeys(("sin", "tanh", "erf", "arctan", "arcsinh", "sqrt"), Fraction(0)),
    **dict.fromkeys(("exp", "cos"), Fraction(1)),
    "sigmoid": Fraction(1, 2),
}
