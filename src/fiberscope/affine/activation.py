"""Activations as objects: values in three arithmetics, exact pieces, and their affine symmetries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.activations.evaluation import ball_value, float_value, rational_value
from fiberscope.activations.expression import Expr, X, number
from fiberscope.activations.functions import FUNCTIONS
from fiberscope.activations.parser import parse
from fiberscope.activations.pieces import Piece, pieces
from fiberscope.activations.table import LAWS, canonical_name, read_name
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.affine.discovery.findings import Findings
    from fiberscope.affine.relation import Relation

PROBES = tuple(Fraction(p) for p in ("0", "1", "-1", "7/3", "-7/3", "40", "-40"))


@dataclass(frozen=True)
class Activation:
    """A function rho of one real variable.

    ``expression`` is None for a Python function that could not be recorded; then ``function`` maps balls to balls
    (``rigorous``) or approximates them, and only a ``prover`` of its own can prove anything about it;
    ``floats`` is the same function on float64 arrays where that is faster.

    >>> rho = activation("silu")
    >>> rho.value(np.array([0.0, 1.0])).round(4).tolist(), rho.exact(Fraction(0)), rho.breakpoints
    ([0.0, 0.7311], Fraction(0, 1), ())
    """

    name: str
    expression: Expr | None = None
    function: Callable[[Any], Any] | None = None
    rigorous: bool = True
    given_breakpoints: tuple[Fraction, ...] = ()
    prover: Callable[[Relation], bool] | None = None
    floats: Callable[[np.ndarray], np.ndarray] | None = None

    def value(self, x: np.ndarray) -> np.ndarray:
        """rho elementwise in float64, same shape."""
        if self.expression is not None:
            return float_value(self.expression, x)
        if self.floats is not None:
            return self.floats(np.asarray(x, dtype=np.float64))
        flat = np.asarray(x, dtype=np.float64)
        return np.array([float(self.ball(Fraction(v)).mid()) for v in flat.ravel()]).reshape(flat.shape)

    def ball(self, x: Any) -> Any:
        """An enclosure of rho at a ``flint.arb``, a Fraction, an int or a float, in flint's current precision."""
        from fiberscope.activations.evaluation import ball

        if self.expression is not None:
            return ball_value(self.expression, ball(x))
        assert self.function is not None
        return self.function(ball(x))

    def exact(self, x: Fraction) -> Fraction | None:
        """rho at a rational point where it is known to be rational, else None."""
        return None if self.expression is None else rational_value(self.expression, Fraction(x))

    @cached_property
    def pieces(self) -> list[Piece] | None:
        """The exact pieces, or None where they are not known."""
        return None if self.expression is None else pieces(self.expression)

    @property
    def breakpoints(self) -> tuple[Fraction, ...]:
        """Where one piece ends and the next begins, as far as known."""
        if self.pieces is None:
            return self.given_breakpoints
        return tuple(p.high for p in self.pieces if p.high is not None)

    @cached_property
    def findings(self) -> Findings:
        """Its affine symmetries: see `fiberscope.affine.discovery.search.discover`."""
        from fiberscope.affine.discovery.search import discover

        return discover(self)

    def __repr__(self) -> str:
        return f"Activation({self.name!r}, rho(x) = {self.expression or 'a Python function'})"


@lru_cache(maxsize=256)
def activation(name: str) -> Activation:
    """A built-in activation by its name, with its parameter in brackets where it takes one.

    Errors: `InputError` for an unknown name or a bad parameter.

    >>> activation("leaky_relu(0.5)").value(np.array([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    """
    law, parameter = read_name(name)
    args = [] if parameter is None else [number(repr(float(parameter)))]  # the decimal that is meant, not its float64
    return checked(Activation(canonical_name(name), FUNCTIONS[law.name].build(X, *args)))


def from_expression(text: str, name: str | None = None) -> Activation:
    """An activation given by an expression in ``x``, such as ``x*sigmoid(x)``; nothing in it is executed.

    Errors: `InputError` for anything outside the grammar, or a function that is not finite everywhere.

    >>> from_expression("x*sigmoid(1.702*x)").value(np.array([0.0])).tolist()
    [0.0]
    """
    return checked(Activation(name or text.strip(), parse(text)))


def from_function(function: Callable[[Any], Any], name: str = "rho", breakpoints: tuple[Any, ...] = ()) -> Activation:
    """An activation given by a Python function of one number.

    It is called with an expression first (operators, numpy's and torch's functions are recorded), so that everything
    can be proved. A function that cannot be recorded is called with ``flint.arb`` balls, and, where that fails, with
    ``mpmath.mpf`` numbers, which carry no error bounds. ``breakpoints`` name the places where it is not smooth; values
    between them are sampled on every piece.

    Errors: `InputError` for a function that accepts none of these, or is not finite everywhere.

    >>> from_function(lambda x: x * np.tanh(x)).expression
    Expr(x*tanh(x))
    """
    try:
        recorded = function(X)
        if isinstance(recorded, Expr):
            if recorded.constant:
                raise InputError(f"activation {name!r} does not depend on x: an activation has to")
            return checked(Activation(name, recorded))
    except InputError:
        raise
    except Exception:  # a foreign function that does not accept an expression
        pass
    ends = tuple(sorted(Fraction(b) for b in breakpoints))
    return checked(Activation(name, None, *_callable(function, name), given_breakpoints=ends))


def _callable(function: Callable[[Any], Any], name: str) -> tuple[Callable[[Any], Any], bool]:
    """The function on balls, and whether its enclosures are rigorous."""
    from flint import arb

    try:
        if isinstance(function(arb(1) / 3), arb):
            return function, True
    except Exception:  # a foreign function that does not accept balls
        pass
    from flint import ctx

    def through_mpmath(x: Any) -> Any:
        import mpmath

        with mpmath.workdps(ctx.dps + 5):
            out = function(mpmath.mpf(x.mid().str(ctx.dps + 5, radius=False)))
            return arb(mpmath.nstr(out, ctx.dps + 5)).mid() if isinstance(out, mpmath.mpf) else None

    try:
        if through_mpmath(arb(1) / 3) is not None:
            return through_mpmath, False
    except Exception:  # a foreign function that does not accept mpf
        pass
    raise InputError(
        f"activation {name!r}: the function has to accept an expression, a flint.arb or an mpmath.mpf and return the "
        "same; float64 is not precise enough to tell symmetries from coincidences"
    )


def checked(rho: Activation) -> Activation:
    """The activation itself, once it is finite at some points; `InputError` otherwise."""
    from flint import ctx

    with ctx.workdps(30):
        for x in PROBES:
            try:
                value = rho.ball(x)
            except ZeroDivisionError:
                value = None
            if value is None or not value.is_finite():
                raise InputError(f"activation {rho.name[:60]!r} is not finite at x = {x}; it has to be, everywhere")
    return rho


def names() -> list[str]:
    """Every built-in activation.

    >>> len(names()) > 30
    True
    """
    return sorted(LAWS)
