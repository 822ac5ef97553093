"""Names for the numbers inside networks (hash-consing): two computations with one name have one value at every input.

A number is a linear form over entries (form.py). An entry is an input, or a function of forms; the same function of the
same forms is the same entry, in whichever network it occurs. Before a form is looked up, the laws of one unit bring it
to a standard sign and scale: rho(s t) = lambda(s) rho(t) (laws.py), sigmoid(-t) = 1 - sigmoid(t), a clip about its
centre is odd, and softsign(a softsign(t)) = a/(1+|a|) softsign((1+|a|) t). Every rule is an identity for all real t, so
equal names are equal functions whatever the activation is; that different names are different functions is never said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import fmpq

from .exact import rational
from .form import ONE, Form, Slot, scaled, total
from .laws import exact_value, law
from .laws import number as hexadecimal
from .report import Reject, need
from .scalar import Number, number, over, plus, times

LIMIT = 40_000_000
TOTAL = {
    "tanh", "sigmoid", "erf", "erfc", "atan", "softsign", "sin", "cos", "exp", "expm1", "sinh", "cosh", "asinh",
    "gelu", "gelu_tanh", "softplus", "relu", "leaky_relu", "elu", "clip", "abs", "square", "power", "sign", "heaviside",
    "floor", "ceil", "trunc", "round", "hardshrink", "softshrink",
}  # fmt: skip
"""Functions defined for every real number: only these are named, since 1/x - 1/x is 0 only where x is not."""


class Table:
    """Entries by name, shared by both networks; ``spend`` keeps the work within a limit."""

    tracking = False  # whether forms carry the moves of stored numbers
    finer: tuple[str, ...] = ()  # precisions that bound those of the first network

    def __init__(self, n_inputs: int, limit: int = LIMIT) -> None:
        self.entries: list[tuple[tuple, tuple[Form, ...]]] = []
        self.proper: list[bool] = []  # does the entry depend on an input
        self.by_name: dict[tuple, int] = {}
        self.limit = limit
        for i in range(n_inputs):
            self.add(("input", i), (), True)

    def spend(self, work: int) -> None:
        """Count elementary steps; Reject beyond the limit."""
        self.limit -= work
        need(self.limit >= 0, "too large to be written in single numbers")

    def add(self, name: tuple, forms: tuple[Form, ...], proper: bool) -> int:
        """A new entry."""
        self.entries.append((name, forms))
        self.proper.append(proper)
        return len(self.entries) - 1

    def depends(self, form: Form) -> bool:
        """Whether a form depends on an input."""
        return any(self.proper[i] for i in form.terms)

    def entry(self, name: tuple, forms: Sequence[Form]) -> int:
        """The entry of a function of forms."""
        keys = tuple(form.key for form in forms)
        self.spend(sum(map(len, keys)) + 1)
        where = (name, keys)
        if where not in self.by_name:
            proper = any(self.depends(form) for form in forms)
            self.by_name[where] = self.add(name, tuple(form.plain() for form in forms), proper)
        return self.by_name[where]

    def named(self, name: tuple, forms: Sequence[Form]) -> Form:
        """A function without laws."""
        self.freeze(*forms)
        return Form(0.0, {self.entry(name, forms): 1.0})

    def freeze(self, *forms: Form) -> None:
        """The stored numbers in these forms must stay as they are (only strength "rounding" moves any)."""

    def freeze_slot(self, slot: Slot) -> None:
        """The same for one stored number."""

    # -- functions of one form --------------------------------------------------------------------------------------

    def unary(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        """function(form)."""
        if function == "float":
            return form
        if function == "neg":
            return scaled(form, -1.0)
        if not form.terms:
            self.freeze(form)
            value = constant(function, parameters, form.const)
            if value is not None:
                return Form(number(value))
        if function not in TOTAL:
            positive = function in ("sqrt", "rsqrt") and not form.terms and form.const > 0
            need(positive, f"{function} of a value that depends on the input")
        if function == "clip":
            low, high = map(hexadecimal, parameters)
            return self.clip(low, high, form)
        return self.unit(function, parameters, form)

    def unit(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        """A function of one form, by its laws."""
        form = form.plain()
        lead = form.terms[min(form.terms)] if form.terms else form.const
        size = lead if lead > 0 else times(lead, -1.0)
        if function == "softsign" and (inner := self.inside_softsign(form)) is not None:
            return inner
        for s in (lead, -1.0 if lead < 0 else 1.0, size):
            if lead < 0 <= s and function == "sigmoid":  # s(t) = 1 - s(-t)
                return total([ONE, scaled(self.unit(function, parameters, scaled(form, -1.0)), -1.0)])
            passed = odd(function, parameters, rational(s)) if s != 0 else None
            if passed is not None and passed != 0:
                core = scaled(form, over(1.0, s))
                return Form(0.0, {self.entry((function, *parameters), (core,)): number(passed)})
        return Form(0.0, {self.entry((function, *parameters), (form,)): 1.0})

    def inside_softsign(self, form: Form) -> Form | None:
        """softsign(a softsign(t)) = a/(1+|a|) softsign((1+|a|) t); None where the form is not a softsign(t)."""
        if form.const != 0 or len(form.terms) != 1:
            return None
        ((i, a),) = form.terms.items()
        name, inner = self.entries[i]
        if name != ("softsign",):
            return None
        grown = plus(1.0, a if a > 0 else times(a, -1.0))
        return scaled(self.unit("softsign", (), scaled(inner[0], grown)), over(a, grown))

    def clip(self, low: float, high: float, form: Form) -> Form:
        """A clip as a ReLU, or about its centre, where it is odd."""
        need(low <= high, "a clip with its bounds in the wrong order")
        if math.isinf(low) and math.isinf(high):
            return form
        if math.isinf(high):  # low + relu(t - low)
            return total([Form(low), self.unit("relu", (), shifted(form, -low))])
        if math.isinf(low):  # high - relu(high - t)
            return total([Form(high), scaled(self.unit("relu", (), shifted(scaled(form, -1.0), high)), -1.0)])
        centre, half = (number((rational(high) + s * rational(low)) / 2) for s in (1, -1))
        middle = shifted(form, times(centre, -1.0))
        return total([Form(centre), self.unit("bounded", (text(half),), middle)])

    # -- functions of several forms ---------------------------------------------------------------------------------

    def product(self, x: Form, y: Form) -> Form:
        """x * y: a multiple where one is a number, else the entry of both, each divided by its first coefficient."""
        if x.terms and y.terms:
            self.freeze(x, y)
            a, b = x.terms[min(x.terms)], y.terms[min(y.terms)]
            parts = sorted((scaled(x.plain(), over(1.0, a)), scaled(y.plain(), over(1.0, b))), key=order)
            return Form(0.0, {self.entry(("mul",), parts): times(a, b)})
        x, y = (y, x) if x.terms else (x, y)
        self.freeze(x)
        return scaled(y, x.const)

    def several(self, name: tuple, forms: Sequence[Form], *, ordered: bool = False) -> Form:
        """max, min, compare or where of forms; of numbers alone, the number."""
        if name[0] in ("max", "min") and not any(form.terms for form in forms):
            self.freeze(*forms)
            return Form((max if name[0] == "max" else min)(form.const for form in forms))
        return self.named(name, forms if ordered else sorted(forms, key=order))


def shifted(form: Form, by: Number) -> Form:
    """The form plus a number."""
    return total([form, Form(by)])


def order(form: Form) -> list:
    """A sort key for forms."""
    return [text(form.const), *sorted((i, text(c)) for i, c in form.terms.items())]


def text(x: Number) -> str:
    """One text per number."""
    return x.hex() if isinstance(x, float) else str(x)


def parsed(words: str) -> fmpq:
    """The number that `text` wrote."""
    return rational(float.fromhex(words)) if "x" in words else fmpq(*map(int, words.split("/")))


def odd(function: str, parameters: tuple[str, ...], s: fmpq) -> fmpq | None:
    """lambda(s) of laws.py, and for the two functions that are named here only."""
    if function in ("softsign", "bounded"):
        return s if abs(s) == 1 else None
    return law(function, parameters, s)


def constant(function: str, parameters: tuple[str, ...], at: Number) -> fmpq | None:
    """The value at a rational number where it is rational and simple."""
    if function == "softsign":
        return rational(at) / (1 + abs(rational(at)))
    value = exact_value(function, parameters, rational(at))
    if value is None and function == "reciprocal":
        raise Reject("a division by zero")
    return value
