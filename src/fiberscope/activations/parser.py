"""Reading an expression such as ``x*sigmoid(x)``: a tokenizer and a grammar of its own, so nothing is ever executed.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-")* power
    power   = atom (("**" | "^") signed)?
    atom    = number | name | name "(" sum ("," sum)* ")" | "(" sum ")"

Names are the variable (``x``), the constants ``pi`` and ``e``, and the listed functions. Numbers are read as the exact
decimals that they spell. Length, nesting, powers and the size of constants are bounded before any work is done.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from fiberscope.activations.expression import E_, PI, Expr, X, number
from fiberscope.activations.functions import FUNCTIONS, SAME_AS
from fiberscope.errors import InputError

LONGEST = 2000
LONGEST_NUMBER = 60
DEEPEST = 50
TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<symbol>\*\*|[-+*/^(),])"
)
VARIABLES = ("x", "t", "z")


def parse(text: str) -> Expr:
    """The expression that a text means.

    Errors: `InputError`, with the place, for anything outside the grammar.

    >>> str(parse("x*sigmoid(x) - 2^3"))
    'x*sigmoid(x) - 8'
    """
    if not isinstance(text, str):
        raise InputError(f"expression: expected text, got {type(text).__name__}")
    if len(text) > LONGEST:
        raise InputError(f"expression: {len(text)} characters, at most {LONGEST} are read")
    reader = Reader(text, tokens(text))
    result = reader.sum(0)
    reader.finish()
    if result.constant:
        raise InputError(f"expression {text[:60]!r} does not depend on x: an activation has to")
    return result


def tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, text and place of each token."""
    out, at = [], 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        match = TOKEN.match(text, at)
        if match is None:
            raise InputError(
                f"expression: {text[at]!r} at character {at + 1} is not allowed; use numbers, x, + - * / **, "
                "brackets and the listed functions"
            )
        out.append((str(match.lastgroup), match.group(), at + 1))
        at = match.end()
    return out


class Reader:
    """A recursive-descent reader over the tokens."""

    def __init__(self, text: str, tokens: list[tuple[str, str, int]]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0
        self.variable: str | None = None

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> bool:
        if self.peek() in wanted and self.at < len(self.tokens):
            self.at += 1
            return True
        return False

    def wrong(self, expected: str) -> InputError:
        if self.at >= len(self.tokens):
            return InputError(f"expression {self.text[:60]!r} ends where {expected} was expected")
        _, token, place = self.tokens[self.at]
        return InputError(f"expression: {token[:40]!r} at character {place}, where {expected} was expected")

    def finish(self) -> None:
        if self.at < len(self.tokens):
            raise self.wrong("the end or an operator")

    def sum(self, depth: int) -> Expr:
        if depth > DEEPEST:
            raise InputError(f"expression: nested more than {DEEPEST} deep; write it flatter")
        value = self.product(depth)
        while self.peek() in ("+", "-"):
            plus = self.take("+")
            if not plus:
                self.take("-")
            term = self.product(depth)
            value = value + term if plus else value - term
        return value

    def product(self, depth: int) -> Expr:
        value = self.signed(depth)
        while self.peek() in ("*", "/"):
            times = self.take("*")
            if not times:
                self.take("/")
            factor = self.signed(depth)
            value = value * factor if times else value / factor
        return value

    def signed(self, depth: int) -> Expr:
        minus = False
        while self.peek() in ("+", "-"):
            minus ^= self.take("-")
            self.take("+")
        value = self.power(depth)
        return -value if minus else value

    def power(self, depth: int) -> Expr:
        base = self.atom(depth)
        if not self.take("**", "^"):
            return base
        if depth > DEEPEST:
            raise InputError(f"expression: nested more than {DEEPEST} deep; write it flatter")
        return base ** self.signed(depth + 1)

    def atom(self, depth: int) -> Expr:
        if self.at >= len(self.tokens):
            raise self.wrong("a number, x, a function or a bracket")
        kind, token, place = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return read_number(token, place)
        if kind == "name":
            self.at += 1
            return self.name(token, place, depth)
        if not self.take("("):
            raise self.wrong("a number, x, a function or a bracket")
        value = self.sum(depth + 1)
        if not self.take(")"):
            raise self.wrong("a closing bracket")
        return value

    def name(self, name: str, place: int, depth: int) -> Expr:
        if name in VARIABLES and self.variable in (None, name) and self.peek() != "(":
            self.variable = name
            return X
        if name in ("pi", "e"):
            return PI if name == "pi" else E_
        function = FUNCTIONS.get(SAME_AS.get(name, name))
        if function is None:
            near = get_close_matches(name, [*FUNCTIONS, *SAME_AS], 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: x, pi, e, {', '.join(sorted(FUNCTIONS))}"
            if name in VARIABLES:
                hint = f"the variable is already called {self.variable!r}" if self.variable else "write x*(...)"
            raise InputError(f"expression: unknown name {name[:40]!r} at character {place}; {hint}")
        if not self.take("("):
            raise self.wrong(f"the bracket of {name}(...)")
        args = [self.sum(depth + 1)]
        while self.take(","):
            args.append(self.sum(depth + 1))
        if not self.take(")"):
            raise self.wrong("a comma or a closing bracket")
        return function.build(*args)


def read_number(token: str, place: int) -> Expr:
    """The exact decimal; long ones and far exponents are refused before they are built."""
    _, _, exponent = token.lower().partition("e")
    if len(token) > LONGEST_NUMBER or (exponent and abs(int(exponent)) > 300):
        raise InputError(f"expression: the number at character {place} is too long or too large")
    return number(token)
