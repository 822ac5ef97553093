"""A normal form that proves identities between elementary functions of one variable.

A switch-free expression becomes a quotient of polynomials over Q in generators: ``x``, ``pi``, free parameters, and
*kernels*. Each rewriting is an identity of functions, so equal forms prove equality (the converse is not claimed):

    exp(sum q_m m) = product of exp(m/D)^(q_m D)      over the monomials m of the argument, D a common denominator
    sin, cos of such a sum by the addition theorem, sin^2 = 1 - cos^2, exact at multiples of pi/2
    tanh(u) = (exp(2u) - 1)/(exp(2u) + 1),  sigmoid(u) = exp(u)/(1 + exp(u)),  softplus(u) = log(1 + exp(u))
    log(u) = sum e_i log|f_i|                         over the irreducible factors, log(exp(m)) = m
    erf, arctan, arcsinh are odd;  (u^(1/b))^b = u

Numerators and denominators are ``flint.fmpq_mpoly``. Two generators are never assumed to be independent.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, lcm
from typing import Any

from fiberscope.activations.expression import SWITCHES, Expr

GENERATORS = 40
LARGEST_FORM = 20_000
MOST_TERMS_TO_FACTOR = 200
MOST_TURNS = 64


class Unprovable(Exception):
    """The normal form does not reach: nothing is proved."""


class NeedRoot(Exception):
    """A kernel ``exp(m)`` or the angle ``m`` has to be split into more equal parts; start again with them."""

    def __init__(self, key: Any, parts: int) -> None:
        super().__init__(str(key))
        self.key, self.parts = key, parts


def vanishes(e: Expr) -> bool:
    """Whether the normal form proves that a switch-free expression is the zero function.

    >>> from fiberscope.activations.parser import parse
    >>> vanishes(parse("softplus(x) - softplus(-x) - x")), vanishes(parse("sin(x)**2 - 1"))
    (True, False)
    """
    parts: dict[Any, int] = {}
    for _ in range(30):
        try:
            return Field(parts).is_zero(e)
        except NeedRoot as need:
            parts[need.key] = lcm(parts.get(need.key, 1), need.parts)
        except (Unprovable, ZeroDivisionError, OverflowError):
            return False
    return False


class Quotient:
    """``num / den`` in lowest terms, ``den`` with leading coefficient 1."""

    __slots__ = ("den", "num")

    def __init__(self, num: Any, den: Any) -> None:
        if den.is_zero():
            raise Unprovable
        common = num.gcd(den)
        if not common.is_one():
            num, den = num // common, den // common
        lead = den.leading_coefficient()
        if lead != 1:
            num, den = num / lead, den / lead
        if len(num) + len(den) > LARGEST_FORM:
            raise Unprovable
        self.num, self.den = num, den

    def __add__(self, other: Quotient) -> Quotient:
        return Quotient(self.num * other.den + other.num * self.den, self.den * other.den)

    def __mul__(self, other: Quotient) -> Quotient:
        if len(self.num) * len(other.num) > 50 * LARGEST_FORM:
            raise Unprovable
        return Quotient(self.num * other.num, self.den * other.den)

    def inverse(self) -> Quotient:
        return Quotient(self.den, self.num)

    def __pow__(self, n: int) -> Quotient:
        base = self if n >= 0 else self.inverse()
        if (len(base.num) + len(base.den)) ** 2 * abs(n) > 100 * LARGEST_FORM:
            raise Unprovable
        return Quotient(base.num ** abs(n), base.den ** abs(n))

    @property
    def key(self) -> tuple[str, str]:
        return str(self.num), str(self.den)


class Field:
    """The generators met so far, and the rewriting of one expression into them."""

    def __init__(self, parts: dict[Any, int]) -> None:
        from flint import Ordering, fmpq_mpoly_ctx

        self.parts = parts
        self.context = fmpq_mpoly_ctx.get([f"k{i}" for i in range(GENERATORS)], Ordering.lex)
        self.gens = self.context.gens()
        self.index: dict[Any, int] = {}
        self.relations: dict[int, tuple[int, Quotient]] = {}  # generator -> (b, its b-th power)
        self.logs: dict[int, Any] = {}  # generator log|f| -> f
        self.exponents: dict[int, tuple[Quotient, Any]] = {}  # generator exp(m/D) -> (m/D, m's key)
        self.done: dict[Expr, Quotient] = {}

    def constant(self, value: Any) -> Quotient:
        from flint import fmpq

        if isinstance(value, Fraction):
            value = fmpq(value.numerator, value.denominator)
        return Quotient(self.context.constant(value), self.context.constant(1))

    def generator(self, key: Any) -> int:
        if key not in self.index:
            if len(self.index) == GENERATORS:
                raise Unprovable
            self.index[key] = len(self.index)
        return self.index[key]

    def variable(self, key: Any) -> Quotient:
        return Quotient(self.gens[self.generator(key)], self.context.constant(1))

    def is_zero(self, e: Expr) -> bool:
        return self.reduced(self.form(e).num).is_zero()

    def reduced(self, poly: Any) -> Any:
        """The polynomial with powers of roots and sines lowered by their relations (times a nonzero function)."""
        for g in sorted(self.relations, reverse=True):
            b, value = self.relations[g]
            total = self.context.constant(0)
            top = poly.degrees()[g] // b
            for exponents, coefficient in poly.to_dict().items():
                turns, rest = divmod(exponents[g], b)
                kept = (*exponents[:g], rest, *exponents[g + 1 :])
                term = self.context.from_dict({kept: coefficient})
                total += term * value.num**turns * value.den ** (top - turns)
            poly = total
        return poly

    def form(self, e: Expr) -> Quotient:
        if e not in self.done:
            self.done[e] = self._form(e)
        return self.done[e]

    def _form(self, e: Expr) -> Quotient:
        if e.number is not None:
            return self.constant(e.number)
        if e.op in ("x", "pi", "parameter"):
            return self.variable((e.op, e.value))
        if e.op in SWITCHES:
            raise Unprovable
        args = [self.form(a) for a in e.args]
        u = args[0]
        match e.op:
            case "add":
                return u + args[1]
            case "mul":
                return u * args[1]
            case "div":
                return u * args[1].inverse()
            case "pow" if isinstance(e.value, Fraction):
                return self.root(u, e.value.denominator) ** e.value.numerator
            case "sqrt":
                return self.root(u, 2)
            case "exp":
                return self.exp(u)
            case "sin":
                return self.angle(u)[1]
            case "cos":
                return self.angle(u)[0]
            case "tanh":
                square = self.exp(self.constant(2) * u)
                return (square + self.constant(-1)) * (square + self.constant(1)).inverse()
            case "sigmoid":
                return self.exp(u) * (self.exp(u) + self.constant(1)).inverse()
            case "softplus":
                return self.log(self.exp(u) + self.constant(1))
            case "log":
                return self.log(u)
            case "erf" | "arctan" | "arcsinh":
                return self.odd(e.op, u)
        raise Unprovable

    def odd(self, name: str, u: Quotient) -> Quotient:
        if u.num.is_zero():
            return u
        sign = 1 if u.num.leading_coefficient() > 0 else -1
        return self.constant(sign) * self.variable((name, (self.constant(sign) * u).key))

    def root(self, u: Quotient, b: int) -> Quotient:
        if b == 1 or u.num.is_zero():
            return u
        if b == 2 and u.num.is_constant() and u.den.is_constant():
            q = u.num.leading_coefficient()
            p, r = isqrt(int(q.p)), isqrt(int(q.q))
            if p * p == q.p and r * r == q.q:
                return self.constant(Fraction(p, r))
        out = self.variable(("root", b, u.key))
        self.relations[self.index["root", b, u.key]] = (b, u)
        return out

    def monomials(self, u: Quotient) -> list[tuple[Any, Quotient, Fraction]] | None:
        """``u`` as a sum of rational multiples of monomials (key, monomial, factor); None if it has a denominator."""
        if not u.den.is_constant():
            return None
        names = list(self.index)
        out = []
        for exponents, factor in u.num.to_dict().items():
            key = tuple((names[i], n) for i, n in enumerate(exponents) if n)
            monomial = Quotient(self.context.from_dict({exponents: 1}), self.context.constant(1))
            out.append((key, monomial, Fraction(int(factor.p), int(factor.q))))
        return out

    def turns(self, key: Any, factor: Fraction) -> int:
        """The whole number ``factor * D``; asks for a larger D where it is none."""
        n = factor * self.parts.get(key, 1)
        if n.denominator > 1:
            raise NeedRoot(key, factor.denominator)
        return int(n)

    def exp(self, u: Quotient) -> Quotient:
        terms = self.monomials(u)
        if terms is None:
            sign = 1 if u.num.leading_coefficient() > 0 else -1
            return self.variable(("exp", (self.constant(sign) * u).key)) ** sign
        out = self.constant(1)
        for key, monomial, factor in terms:
            out = out * (self.exp_of_log(key, factor) or self.exp_of_monomial(key, monomial, factor))
        return out

    def exp_of_monomial(self, key: Any, monomial: Quotient, factor: Fraction) -> Quotient:
        n = self.turns(("exp", key), factor)
        g = self.generator(("exp", key))
        parts = self.parts.get(("exp", key), 1)
        self.exponents[g] = monomial * self.constant(Fraction(1, parts)), key
        return self.variable(("exp", key)) ** n

    def exp_of_log(self, key: Any, factor: Fraction) -> Quotient | None:
        """``exp(n log|f|) = f^n`` for even n, or for f a sum of positive terms."""
        if len(key) != 1 or key[0][1] != 1 or factor.denominator > 1:
            return None
        f = self.logs.get(self.index[key[0][0]])
        if f is None or (factor.numerator % 2 and not self.positive(f)):
            return None
        return Quotient(f, self.context.constant(1)) ** factor.numerator

    def positive(self, f: Any) -> bool:
        """Whether every term is a positive multiple of exponentials."""
        return all(c > 0 and all(not n or i in self.exponents for i, n in enumerate(m)) for m, c in f.to_dict().items())

    def angle(self, u: Quotient) -> tuple[Quotient, Quotient]:
        """Cosine and sine."""
        terms = self.monomials(u)
        if terms is None:
            sign = 1 if u.num.leading_coefficient() > 0 else -1
            c, s = self.circle(("angle", (self.constant(sign) * u).key))
            return c, self.constant(sign) * s
        out = self.constant(1), self.constant(0)
        for key, _, factor in terms:
            out = rotated(out, self.turned(key, factor), self.constant(-1))
        return out

    def turned(self, key: Any, factor: Fraction) -> tuple[Quotient, Quotient]:
        """Cosine and sine of a rational multiple of one monomial."""
        if key == ((("pi", None), 1),) and (2 * factor).denominator == 1:
            quarter = int(2 * factor) % 4
            return self.constant((1, 0, -1, 0)[quarter]), self.constant((0, 1, 0, -1)[quarter])
        n = self.turns(("angle", key), factor)
        if abs(n) > MOST_TURNS:
            raise Unprovable
        c, s = self.circle(("angle", key))
        out = self.constant(1), self.constant(0)
        for _ in range(abs(n)):
            out = rotated(out, (c, s), self.constant(-1))
        return out[0], out[1] if n >= 0 else self.constant(-1) * out[1]

    def circle(self, key: Any) -> tuple[Quotient, Quotient]:
        c, s = self.variable(("cos", key)), self.variable(("sin", key))
        self.relations[self.index["sin", key]] = (2, self.constant(1) + self.constant(-1) * c * c)
        return c, s

    def log(self, u: Quotient) -> Quotient:
        if len(u.num) + len(u.den) > MOST_TERMS_TO_FACTOR or u.num.is_zero():
            raise Unprovable
        out = self.constant(0)
        for poly, sign in ((u.num, 1), (u.den, -1)):
            unit, factors = poly.factor()
            for f, power in factors:
                lead = f.leading_coefficient()
                unit *= lead**power
                out = out + self.constant(sign * power) * self.log_of_factor(f / lead)
            out = out + self.constant(sign) * self.log_of_number(Fraction(abs(int(unit.p)), int(unit.q)))
        return out

    def log_of_factor(self, f: Any) -> Quotient:
        support = [i for i, n in enumerate(f.degrees()) if n]
        if len(f) == 1 and len(support) == 1 and support[0] in self.exponents:
            return self.exponents[support[0]][0]
        out = self.variable(("log", str(f)))
        self.logs[self.index["log", str(f)]] = f
        return out

    def log_of_number(self, q: Fraction) -> Quotient:
        from flint import fmpz

        out = self.constant(0)
        for n, sign in ((q.numerator, 1), (q.denominator, -1)):
            if n.bit_length() > 64:
                raise Unprovable
            for prime, power in fmpz(n).factor():
                out = out + self.constant(sign * int(power)) * self.variable(("log", int(prime)))
        return out


def rotated(a: tuple[Quotient, Quotient], b: tuple[Quotient, Quotient], minus: Quotient) -> tuple[Quotient, Quotient]:
    """Cosine and sine of the sum of two angles."""
    return a[0] * b[0] + minus * a[1] * b[1], a[1] * b[0] + a[0] * b[1]
