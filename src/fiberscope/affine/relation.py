"""Affine symmetries as objects: sum of alpha_s rho(beta_s t + gamma_s) = constant + linear * t for all t.

A relation is *minimal* (a circuit) if no proper subfamily of its terms is dependent modulo constants (and modulo t
where ``linear`` is not 0). With one term on each side it is a one-unit law rho(beta t + gamma) = lambda rho(t) + mu.
Reference: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fiberscope.activations.evaluation import ball_value
from fiberscope.activations.expression import Expr, X, expr, number

Term = tuple[Expr, Expr, Expr]
ZERO = number(0)


@dataclass(frozen=True)
class Relation:
    """``sum alpha rho(beta t + gamma) = constant + linear t``; the numbers are exact constants.

    ``proved``: by exact algebra. ``error_bound``: an upper bound of |left - right| / max(1, sum of |terms|) over the
    fresh points where it was checked in ball arithmetic (None: not checked). ``except_at``: single points at which a
    relation of a discontinuous function fails although it holds everywhere else.
    """

    terms: tuple[Term, ...]
    constant: Expr = ZERO
    linear: Expr = ZERO
    proved: bool = False
    error_bound: float | None = None
    except_at: tuple[Fraction, ...] = ()

    @classmethod
    def of(cls, terms: Any, constant: Any = 0, linear: Any = 0) -> Relation:
        """From plain numbers or expressions: triples ``(alpha, beta, gamma)``.

        >>> print(Relation.of([(1, 1, 0), (-1, -1, 0)], linear=1))
        rho(t) - rho(-t) = t
        """
        rows = tuple((expr(a), expr(b), expr(g)) for a, b, g in terms)
        return cls(rows, expr(constant), expr(linear))

    def residual(self, rho: Expr) -> Expr:
        """Left side minus right side, for an activation given as an expression."""
        out = -self.constant - self.linear * X
        for alpha, beta, gamma in self.terms:
            out = out + alpha * rho.at(beta * X + gamma)
        return out

    def balls(self, rho: Any, t: Any) -> tuple[Any, Any]:
        """Enclosures of left minus right and of the sum of |terms| at the ball ``t``; ``rho`` maps balls to balls."""
        total = -(self.linear_ball * t) - value(self.constant)
        size = abs(self.linear_ball * t) + abs(value(self.constant))
        for alpha, beta, gamma in self.terms:
            term = value(alpha) * rho(value(beta) * t + value(gamma))
            total, size = total + term, size + abs(term)
        return total, size

    @property
    def linear_ball(self) -> Any:
        return value(self.linear)

    def __str__(self) -> str:
        left = " ".join(_term(i, *term) for i, term in enumerate(self.terms))
        return f"{left} = {_line(self.linear, self.constant)}"

    def to_json(self) -> dict[str, Any]:
        """``terms [[alpha, beta, gamma]]``, ``constant``, ``linear``, ``proved``, ``error_bound``, ``text``."""
        out: dict[str, Any] = {
            "terms": [[plain(v) for v in term] for term in self.terms],
            "constant": plain(self.constant),
            "linear": plain(self.linear),
            "proved": self.proved,
            "error_bound": self.error_bound,
            "text": str(self),
        }
        if self.except_at:
            out["except_at"] = [float(x) for x in self.except_at]
        return out


@dataclass(frozen=True)
class OneUnit:
    """``rho(beta t + gamma) = lambda rho(t) + mu``; ``condition`` on the parameter where it is a family.

    The parameters are b (a scale), g (a shift) and k (an integer).
    """

    beta: Expr
    gamma: Expr
    factor: Expr | str
    shift: Expr
    condition: str | None = None
    proved: bool = False

    def relation(self) -> Relation:
        """The same as a relation of two terms."""
        assert isinstance(self.factor, Expr), "a family over the integers is not one relation"
        terms = ((number(1), self.beta, self.gamma), (-self.factor, number(1), number(0)))
        return Relation(terms, self.shift, proved=self.proved)

    def __str__(self) -> str:
        factor = f"{self.factor} " if isinstance(self.factor, str) else _factor(self.factor)
        right = f"{ {'1*': '', '-1*': '-'}.get(factor, factor) }rho(t)"
        mu = self.shift
        end = "" if mu.number == 0 else f" - {-mu}" if (mu.number or 0) < 0 else f" + {mu}"
        return f"rho({_line(self.beta, self.gamma)}) = {right}{end}" + (
            f"   ({self.condition})" if self.condition else ""
        )

    def to_json(self) -> dict[str, Any]:
        """``beta``, ``gamma``, ``lambda``, ``mu``: numbers, or strings in the parameter of a family."""
        beta = plain(self.beta)
        if self.condition and isinstance(beta, str):
            beta = self.condition.replace(" ", "")
        return {
            "beta": beta,
            "gamma": plain(self.gamma),
            "lambda": plain(self.factor),
            "mu": plain(self.shift),
            "proved": self.proved,
            "text": str(self),
        }


def value(e: Expr) -> Any:
    """The ball of a constant expression."""
    from flint import arb

    return ball_value(e, arb(0))


def has_parameter(e: Expr) -> bool:
    return e.op == "parameter" or any(has_parameter(a) for a in e.args)


def plain(e: Expr | str) -> int | float | str:
    """A constant as a JSON number, or as text where it has a parameter."""
    if isinstance(e, str):
        return e
    if e.number is not None:
        return int(e.number) if e.number.denominator == 1 else float(e.number)
    return str(e).replace(" ", "") if has_parameter(e) else float(value(e))


def _factor(alpha: Expr) -> str:
    """``alpha*`` with brackets where they are needed."""
    shown = str(alpha)
    return f"({shown})*" if any(s in shown[1:] for s in " /") and not shown.endswith(")") else f"{shown}*"


def _term(i: int, alpha: Expr, beta: Expr, gamma: Expr) -> str:
    minus = alpha.number is not None and alpha.number < 0
    size = -alpha if minus else alpha
    shown = f"{'' if size.number == 1 else _factor(size)}rho({_line(beta, gamma)})"
    if not minus and shown.startswith("-"):
        minus, shown = True, shown[1:]
    if not i:
        return f"-{shown}" if minus else shown
    return f"- {shown}" if minus else f"+ {shown}"


def _line(slope: Expr, constant: Expr) -> str:
    """``slope t + constant``."""
    if slope.number == 0:
        return str(constant)
    if slope.number in (1, -1):
        line = "t" if slope.number == 1 else "-t"
    else:
        line = f"{_factor(slope)}t"
    if constant.number == 0:
        return line
    shown = str(constant)
    return f"{line} - {shown[1:]}" if shown.startswith("-") else f"{line} + {shown}"
