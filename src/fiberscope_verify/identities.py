"""Affine symmetries of an activation, ``sum alpha rho(beta t + gamma) = constant + linear t``: proved, then applied.

Step {"step": "identity", "function", "parameters", "terms", "constant", "linear"} of method "names": numbers are texts
p/q, parameters hexadecimal floats. An identity is accepted if it is proved here

* by names: the laws of one unit, and the reflection law rho(t) - rho(-t) = L t, turn the sum into the line; or
* for a piecewise linear rho: the difference is linear between the break points, and zero at all of them and beyond.

A unit that would complete an identity whose other terms are all named already is written through those. So networks
that arise from one another by modifications with these identities get equal names (Vlacic and Boelcskei, Affine
symmetries and neural network identifiability, Adv. Math. 376, 2021, call them rho-isomorphic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flint import fmpq

from .certificate import fields
from .exact import parse_rational, rational
from .form import Form, scaled, total
from .laws import exact_value
from .laws import number as hexadecimal
from .names import LIMIT, TOTAL, Table
from .report import Reject, need
from .scalar import number, over

REFLECTED = {"relu", "gelu", "gelu_tanh", "softplus"}  # rho(t) - rho(-t) = t
BREAKS = {"relu", "leaky_relu", "clip", "abs"}
MAX_TERMS, MAX_IDENTITIES = 64, 64


@dataclass(frozen=True)
class Identity:
    """``sum alpha rho(beta t + gamma) = constant + linear t`` for ``terms = ((alpha, beta, gamma), ...)``."""

    function: str
    parameters: tuple[str, ...]
    terms: tuple[tuple[fmpq, fmpq, fmpq], ...]
    constant: fmpq
    linear: fmpq


def read_identity(step: dict) -> Identity:
    """A step, proved; Reject otherwise."""
    keys = ("function", "parameters", "terms", "constant", "linear")
    function, parameters, terms, *ends = fields(step, "identity", *keys)
    if not isinstance(function, str) or function not in TOTAL or not isinstance(parameters, list):
        raise Reject("an identity names a function and its parameters")
    need(len(parameters) <= 3 and all(isinstance(p, str) and len(p) < 40 for p in parameters), "parameters are texts")
    try:
        texts = tuple(float.fromhex(p).hex() for p in parameters)
    except (ValueError, OverflowError):
        raise Reject("a parameter is no hexadecimal float") from None
    if not isinstance(terms, list) or not all(isinstance(t, list) and len(t) == 3 for t in terms):
        raise Reject("the terms of an identity are triples")
    need(2 <= len(terms) <= MAX_TERMS, "an identity has from 2 to 64 terms")
    numbers = [tuple(parse_rational(v) for v in term) for term in terms]
    triples = tuple((a, b, c) for a, b, c in numbers)
    need(all(a != 0 and b != 0 for a, b, _ in triples), "an identity has a term that is no term")
    constant, linear = (parse_rational(v) for v in ends)
    identity = Identity(function, texts, triples, constant, linear)
    need(by_names(identity) or by_pieces(identity), f"the identity is not proved for {function}")
    return identity


class Reflecting(Table):
    """One input t; functions with a reflection law are written at a positive slope."""

    def unit(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        slope = form.terms.get(0, 0.0)
        plain = function != "softplus" or (hexadecimal(parameters[0]) > 0 and hexadecimal(parameters[1]) == math.inf)
        if function in REFLECTED and plain and slope < 0:
            return total([self.unit(function, parameters, scaled(form, -1.0)), form])
        return super().unit(function, parameters, form)


def by_names(identity: Identity) -> bool:
    """Whether the sum minus the line has the name 0."""
    table = Reflecting(1, LIMIT)
    parts = [Form(number(-identity.constant), {0: number(-identity.linear)} if identity.linear != 0 else {})]
    for alpha, beta, gamma in identity.terms:
        inner = Form(number(gamma), {0: number(beta)})
        parts.append(scaled(table.unary(identity.function, identity.parameters, inner), number(alpha)))
    return total(parts).key == (0.0,)


def by_pieces(identity: Identity) -> bool:
    """The same for functions that are linear between break points."""
    if identity.function not in BREAKS:
        return False
    ends = [rational(p) for p in map(hexadecimal, identity.parameters) if math.isfinite(p)]
    breaks = ends if identity.function == "clip" else [fmpq(0)]
    places = sorted({(t - gamma) / beta for _, beta, gamma in identity.terms for t in breaks})
    if not places or (identity.function == "clip" and ends != sorted(ends)):
        return False
    for t in (places[0] - 1, *places, places[-1] + 1):
        value = -identity.constant - identity.linear * t
        for alpha, beta, gamma in identity.terms:
            at = exact_value(identity.function, identity.parameters, beta * t + gamma)
            if at is None:
                return False
            value += alpha * at
        if value != 0:
            return False
    return True


class Missing(Exception):
    """A name that is not in the table."""


class Related(Table):
    """A table that knows proved identities."""

    def __init__(self, n_inputs: int, limit: int, identities: list[Identity]) -> None:
        super().__init__(n_inputs, limit)
        self.identities: dict[tuple, list[Identity]] = {}
        for identity in identities:
            self.identities.setdefault((identity.function, identity.parameters), []).append(identity)
        self.through: dict[tuple, Form] = {}  # units written through other units
        self.looking = False

    def entry(self, name: tuple, forms) -> int:
        if self.looking and (name, tuple(form.key for form in forms)) not in self.by_name:
            raise Missing
        return super().entry(name, forms)

    def unary(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        known = self.identities.get((function, parameters), ())
        where = (function, parameters, form.key)
        if not known or self.looking or not self.depends(form) or self.find(function, parameters, form) is not None:
            return self.through[where] if where in self.through else super().unary(function, parameters, form)
        for identity in known:
            for s, (alpha, beta, gamma) in enumerate(identity.terms):
                tau = scaled(total([form, Form(number(-gamma))]), over(1.0, number(beta)))
                others = self.others(identity, s, tau)
                if others is not None:
                    line = [Form(number(identity.constant)), scaled(tau, number(identity.linear)), scaled(others, -1.0)]
                    self.through[where] = scaled(total(line), number(1 / alpha))
                    return self.through[where]
        return super().unary(function, parameters, form)

    def others(self, identity: Identity, s: int, tau: Form) -> Form | None:
        """The sum of all terms but one at tau, if all of them are named."""
        found = []
        for k, (alpha, beta, gamma) in enumerate(identity.terms):
            if k != s:
                inner = total([scaled(tau, number(beta)), Form(number(gamma))])
                value = self.find(identity.function, identity.parameters, inner)
                if value is None:
                    return None
                found.append(scaled(value, number(alpha)))
        return total(found)

    def find(self, function: str, parameters: tuple[str, ...], form: Form) -> Form | None:
        """The value of a unit that the table has already."""
        self.looking = True
        try:
            return self.unary(function, parameters, form)
        except Missing:
            return None
        finally:
            self.looking = False
