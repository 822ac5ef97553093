"""Values of named entries at one input, with as many bits as asked: Arb balls that hold the real numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from flint import arb, ctx, fmpq

from .ball import scalar_function
from .form import Form
from .names import Table, parsed
from .report import Reject
from .scalar import Number

MAX_BITS = 4096


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Arb works with so many bits inside."""
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


def as_ball(x: Number) -> arb:
    """A ball around a rational."""
    return arb(x) if isinstance(x, float) else arb(fmpq(x))


class Values:
    """Entries at one input (a list of rationals), each computed once; constants need no input."""

    def __init__(self, table: Table, point: Sequence[Number], bits: int) -> None:
        self.table, self.point, self.bits = table, point, bits
        self.known: dict[int, arb] = {}

    def form(self, form: Form) -> arb:
        """The ball of a form."""
        with precision(self.bits):
            self.fill(form.terms)
            return self.sum(form)

    def sum(self, form: Form) -> arb:
        total = as_ball(form.const)
        for i, c in form.terms.items():
            total += as_ball(c) * self.known[i]
        return total

    def fill(self, wanted: Iterable[int]) -> None:
        """Compute entries with all that they need; an entry needs earlier ones only."""
        stack, needed = list(wanted), set()
        while stack:
            i = stack.pop()
            if i not in needed and i not in self.known:
                needed.add(i)
                stack += [j for form in self.table.entries[i][1] for j in form.terms]
        for i in sorted(needed):
            name, forms = self.table.entries[i]
            self.known[i] = as_ball(self.point[name[1]]) if name[0] == "input" else value(name, map(self.sum, forms))


def value(name: tuple, arguments: Iterable[arb]) -> arb:
    """The function of an entry at balls; Reject where there is no rigorous evaluation."""
    function, *parameters = name
    balls = list(arguments)
    if function == "mul":
        return balls[0] * balls[1]
    if function in ("max", "min"):
        out = balls[0]
        for t in balls[1:]:
            out = out.max(t) if function == "max" else out.min(t)
        return out
    if len(balls) != 1:
        raise Reject(f"{function} cannot be evaluated with more bits")
    return unary(function, parameters, balls[0])


def unary(function: str, parameters: list[str], t: arb) -> arb:
    """One function of one ball."""
    if function == "softsign":
        return t / (1 + abs(t))
    if function == "relu":
        return t.max(arb(0))
    if function == "abs":
        return abs(t)
    if function == "bounded":
        half = arb(parsed(parameters[0]))
        return t.min(half).max(-half)
    numbers = [float.fromhex(p) for p in parameters]
    if function == "leaky_relu":
        return t.max(arb(0)) + arb(numbers[0]) * t.min(arb(0))
    if function in ("square", "power"):
        return t ** (2 if function == "square" else int(numbers[0]))
    if function == "reciprocal":
        return 1 / t
    if function == "elu":
        alpha, scale, inner = map(arb, numbers)
        return scale * (t.max(arb(0)) + alpha * (t.min(arb(0)) * inner).expm1())
    if function == "softshrink":
        edge = arb(numbers[0])
        return (t - edge).max(arb(0)) + (t + edge).min(arb(0))
    if function == "softplus" and numbers[1] != math.inf and not (t * arb(numbers[0]) <= 50):
        raise Reject("a softplus beyond its threshold")
    return scalar_function(function, numbers, t)
