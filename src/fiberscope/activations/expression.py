"""Expressions in one variable ``x`` with exact constants: the one form in which every activation is written.

From the same tree come the float64 values, enclosures in ball arithmetic, the exact pieces of a piecewise function and
the proofs of identities, so that these can never speak of different functions. A tree is built by the parser, or by
calling a Python function with ``X`` (operators, numpy and torch functions are recorded instead of computed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fiberscope.errors import InputError

SMOOTH = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "arctan", "arcsinh")
SWITCHES = ("abs", "sign", "heaviside", "max", "min")
PRIMITIVES = {**dict.fromkeys(SMOOTH, 1), "abs": 1, "sign": 1, "heaviside": 1, "max": 2, "min": 2}
"""Function symbols of a tree and how many arguments they take; ``heaviside(0) = sign(0) = 0``."""

LARGEST_POWER = 64
LARGEST_BITS = 4096
LARGEST_DEGREE = 200
LARGEST_SIZE = 3000


@dataclass(frozen=True)
class Expr:
    """A node: ``op`` is ``x``, ``number``, ``pi``, ``parameter``, ``add``, ``mul``, ``div``, ``pow`` or a primitive.

    ``value`` is the number, the exponent of a power, or the name of a parameter. Equal trees are equal objects for
    ``==`` and ``hash``; there is no deeper simplification than that of numbers.

    >>> str(2 * X + 1), (X ** 2).degree
    ('2*x + 1', 2)
    """

    op: str
    args: tuple[Expr, ...] = ()
    value: Fraction | str | None = None
    size: int = 1
    degree: int = 0

    def __hash__(self) -> int:
        cached = self.__dict__.get("_hash")
        if cached is None:
            cached = hash((self.op, self.args, self.value))
            self.__dict__["_hash"] = cached
        return cached

    @property
    def number(self) -> Fraction | None:
        """The rational value of a number node, else None."""
        return self.value if self.op == "number" and isinstance(self.value, Fraction) else None

    @property
    def constant(self) -> bool:
        """Whether the variable does not occur."""
        return self.op != "x" and all(a.constant for a in self.args)

    def at(self, argument: Any) -> Expr:
        """The expression with another one (or a number) in place of ``x``.

        >>> str((X * X).at(X + 1))
        '(x + 1)*(x + 1)'
        """
        return substitute(self, expr(argument), {})

    def __str__(self) -> str:
        from fiberscope.activations.printing import text

        return text(self)

    def __repr__(self) -> str:
        return f"Expr({self})"

    def __add__(self, other: Any) -> Expr:
        return add(self, expr(other))

    def __radd__(self, other: Any) -> Expr:
        return add(expr(other), self)

    def __sub__(self, other: Any) -> Expr:
        return add(self, -expr(other))

    def __rsub__(self, other: Any) -> Expr:
        return add(expr(other), -self)

    def __neg__(self) -> Expr:
        return mul(number(-1), self)

    def __pos__(self) -> Expr:
        return self

    def __mul__(self, other: Any) -> Expr:
        return mul(self, expr(other))

    def __rmul__(self, other: Any) -> Expr:
        return mul(expr(other), self)

    def __truediv__(self, other: Any) -> Expr:
        return div(self, expr(other))

    def __rtruediv__(self, other: Any) -> Expr:
        return div(expr(other), self)

    def __pow__(self, exponent: Any) -> Expr:
        return power(self, expr(exponent))

    def __rpow__(self, base: Any) -> Expr:
        return power(expr(base), self)

    def __abs__(self) -> Expr:
        return function("abs", self)

    def __bool__(self) -> bool:
        raise InputError("an activation given as a Python function must not branch on x: write max, min, abs or sign")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Expr:
        if method != "__call__" or settings:
            raise InputError(f"activation: numpy.{ufunc.__name__} is used in a way that cannot be recorded")
        return recorded(ufunc.__name__, inputs)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), settings: Any = None) -> Expr:
        name = func.__name__
        left = {key: value for key, value in (settings or {}).items() if value not in (False, None, "none")}
        if left == {"approximate": "tanh"}:
            left, name = {}, "gelu_tanh"
        slopes = [left.pop(key) for key in ("negative_slope", "alpha", "lambd") if key in left]
        if left:
            raise InputError(f"activation: torch's {name} with settings {sorted(left)} cannot be recorded")
        return recorded(name, (*args, *slopes))


X = Expr("x", degree=1)
PI = Expr("pi")


def number(value: Any) -> Expr:
    """A rational node from an int, a Fraction, a float (exactly) or a decimal text."""
    fraction = Fraction(value)
    if max(abs(fraction.numerator), fraction.denominator).bit_length() > LARGEST_BITS:
        raise InputError(f"expression: a constant has more than {LARGEST_BITS} bits; use smaller numbers")
    return Expr("number", (), fraction)


def parameter(name: str) -> Expr:
    """A free constant, for identities with a parameter."""
    return Expr("parameter", (), name)


def expr(value: Any) -> Expr:
    """Anything that may stand in an expression, as a node; `InputError` for anything else."""
    if isinstance(value, Expr):
        return value
    try:
        return number(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"activation: {type(value).__name__} {str(value)[:40]!r} cannot stand here") from error


def node(op: str, args: tuple[Expr, ...], value: Fraction | str | None = None, degree: int | None = None) -> Expr:
    """A node whose size and degree stay inside the limits."""
    size = 1 + sum(a.size for a in args)
    degree = max((a.degree for a in args), default=0) if degree is None else degree
    if size > LARGEST_SIZE:
        raise InputError(f"expression: it has more than {LARGEST_SIZE} parts; write a shorter one")
    if degree > LARGEST_DEGREE:
        raise InputError(f"expression: its powers multiply to degree {degree}, at most {LARGEST_DEGREE} is allowed")
    return Expr(op, args, value, size, degree)


def add(a: Expr, b: Expr) -> Expr:
    if a.number is not None and b.number is not None:
        return number(a.number + b.number)
    if a.number == 0:
        return b
    return a if b.number == 0 else node("add", (a, b))


def mul(a: Expr, b: Expr) -> Expr:
    if b.number is not None:
        a, b = b, a
    if a.number is None:
        return node("mul", (a, b), degree=a.degree + b.degree)
    if b.number is not None:
        return number(a.number * b.number)
    if a.number in (0, 1):
        return b if a.number else a
    if b.op == "mul" and b.args[0].number is not None:
        return mul(number(a.number * b.args[0].number), b.args[1])
    return node("mul", (a, b), degree=b.degree)


def div(a: Expr, b: Expr) -> Expr:
    if b.number == 0:
        raise InputError("expression: division by zero")
    if b.number is not None:
        return mul(number(1 / b.number), a)
    return node("div", (a, b), degree=a.degree + b.degree)


def power(base: Expr, exponent: Expr) -> Expr:
    p = exponent.number
    if base == E_ and p is None:
        return function("exp", exponent)
    if p is None:
        raise InputError(f"expression: the exponent {exponent} must be a number (for e**u write exp(u))")
    if abs(p) > LARGEST_POWER or p.denominator > LARGEST_POWER:
        raise InputError(f"expression: the exponent {str(p)[:40]} is too large; at most {LARGEST_POWER} is allowed")
    if base.number is not None and p.denominator == 1:
        if base.number == 0 and p < 0:
            raise InputError("expression: division by zero")
        if max(abs(base.number.numerator), base.number.denominator).bit_length() * abs(p) > LARGEST_BITS:
            raise InputError(f"expression: a constant has more than {LARGEST_BITS} bits; use smaller numbers")
        return number(base.number ** int(p))
    if p in (0, 1):
        return base if p else number(1)
    if p == Fraction(1, 2):
        return function("sqrt", base)
    return node("pow", (base,), p, degree=base.degree * max(1, -(-abs(p.numerator) // p.denominator)))


def function(name: str, *args: Any) -> Expr:
    """A primitive applied to expressions."""
    inside = tuple(expr(a) for a in args)
    if len(inside) != PRIMITIVES[name]:
        raise InputError(f"expression: {name} takes {PRIMITIVES[name]} argument(s), {len(inside)} were given")
    if name == "abs" and inside[0].number is not None:
        return number(abs(inside[0].number))
    if name in ("exp", "sin", "tanh", "erf", "arctan", "arcsinh", "sqrt") and inside[0].number == 0:
        return number(1 if name == "exp" else 0)
    return node(name, inside)


E_ = Expr("exp", (number(1),), size=2)
"""Euler's number."""


def substitute(e: Expr, argument: Expr, done: dict[int, Expr]) -> Expr:
    if e.op == "x":
        return argument
    if not e.args or e.constant:
        return e
    if id(e) not in done:
        done[id(e)] = rebuild(e, tuple(substitute(a, argument, done) for a in e.args))
    return done[id(e)]


def rebuild(e: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments."""
    match e.op:
        case "add":
            return add(*args)
        case "mul":
            return mul(*args)
        case "div":
            return div(*args)
        case "pow":
            return power(args[0], number(e.value))
    return function(e.op, *args) if e.op in PRIMITIVES else e


def recorded(name: str, inputs: tuple[Any, ...]) -> Expr:
    """A numpy or torch function, by its name, applied to expressions."""
    from fiberscope.activations.functions import FUNCTIONS

    operators: dict[str, Callable[..., Expr]] = {
        "add": lambda a, b: expr(a) + b,
        "subtract": lambda a, b: expr(a) - b,
        "multiply": lambda a, b: expr(a) * b,
        "divide": lambda a, b: expr(a) / b,
        "power": lambda a, b: expr(a) ** b,
        "float_power": lambda a, b: expr(a) ** b,
        "negative": lambda a: -expr(a),
        "true_divide": lambda a, b: expr(a) / b,
        "sub": lambda a, b: expr(a) - b,
        "mul": lambda a, b: expr(a) * b,
        "pow": lambda a, b: expr(a) ** b,
        "neg": lambda a: -expr(a),
        "reciprocal": lambda a: 1 / expr(a),
        "maximum": lambda a, b: function("max", a, b),
        "minimum": lambda a, b: function("min", a, b),
        "absolute": lambda a: function("abs", a),
        "fabs": lambda a: function("abs", a),
        "logistic": lambda a: function("sigmoid", a),
    }
    if name not in operators and name not in FUNCTIONS:
        raise InputError(f"activation: {name} is not a function that an expression may use; see the list of functions")
    try:
        return operators[name](*inputs) if name in operators else FUNCTIONS[name].build(*map(expr, inputs))
    except TypeError as error:
        raise InputError(f"activation: {name} was called in a way that cannot be recorded ({error})") from error
