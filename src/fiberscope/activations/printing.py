"""An expression as text that the parser reads back."""

from __future__ import annotations

from fractions import Fraction

from fiberscope.activations.expression import E_, Expr

SUM, PRODUCT, POWER, ATOM = 1, 2, 4, 5


def rational(value: Fraction) -> str:
    """``3``, ``-1/2``, or the decimal where the denominator is a large power of ten.

    >>> rational(Fraction(-1, 2)), rational(Fraction("0.044715"))
    ('-1/2', '0.044715')
    """
    if value.denominator < 1000:
        return str(value)
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > 60:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return ("-" if value < 0 else "") + digits[:-places] + "." + digits[-places:].rstrip("0")


def text(e: Expr) -> str:
    """The expression in the parser's own notation.

    >>> from fiberscope.activations.expression import X
    >>> text(X / (1 + abs(X)) ** 2 - 1)
    'x/(1 + abs(x))**2 - 1'
    """
    return render(e)[0]


def render(e: Expr) -> tuple[str, int]:
    """Text and how tightly it binds."""
    if e.op == "number" and isinstance(e.value, Fraction):
        shown = rational(e.value)
        return shown, SUM if shown.startswith("-") else PRODUCT if "/" in shown else ATOM
    if e == E_:
        return "e", ATOM
    match e.op:
        case "x" | "pi":
            return e.op, ATOM
        case "parameter":
            return str(e.value), ATOM
        case "add":
            left, right = wrapped(e.args[0], SUM), wrapped(e.args[1], SUM)
            return (f"{left} - {right[1:]}" if right.startswith("-") else f"{left} + {right}"), SUM
        case "mul":
            if e.args[0].number == -1:
                return f"-{wrapped(e.args[1], PRODUCT)}", SUM
            left = wrapped(e.args[0], PRODUCT)
            if e.args[0].number is not None and e.args[0].number < 0:
                left = rational(e.args[0].number)
                return f"{left}*{wrapped(e.args[1], POWER)}", SUM
            return f"{left}*{wrapped(e.args[1], POWER)}", PRODUCT
        case "div":
            return f"{wrapped(e.args[0], PRODUCT)}/{wrapped(e.args[1], POWER)}", PRODUCT
        case "pow" if isinstance(e.value, Fraction):
            exponent = str(e.value)
            exponent = exponent if exponent.isdigit() else f"({exponent})"
            return f"{wrapped(e.args[0], ATOM)}**{exponent}", POWER
    return f"{e.op}({', '.join(text(a) for a in e.args)})", ATOM


def wrapped(e: Expr, least: int) -> str:
    shown, binding = render(e)
    return shown if binding >= least else f"({shown})"
