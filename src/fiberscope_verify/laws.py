"""Activations: which scale factors pass through them, and their exact values where these are rational.

rho(s t) = lambda(s) rho(t) for all t. Source: intertwiner groups, Godfrey et al. 2022 (arXiv 2205.14258); each law
below is an identity that holds for every real t.
"""

from __future__ import annotations

from flint import fmpq

ODD = {
    "tanh",
    "erf",
    "sin",
    "atan",
    "hardshrink",
    "softshrink",
    "sinh",
    "tan",
    "asin",
    "asinh",
    "atanh",
    "round",
}  # odd
POSITIVE = {"relu", "leaky_relu"}  # rho(s t) = s rho(t) for s > 0
ONE, MINUS = fmpq(1), fmpq(-1)


def number(text: str) -> float:
    """A parameter, kept as hexadecimal text so that it is exact and hashable."""
    return float.fromhex(text)


def law(function: str, parameters: tuple[str, ...], s: fmpq) -> fmpq | None:
    """lambda(s), or None if no such factor exists (or none is known)."""
    if s == ONE:
        return ONE
    if s == 0:
        return None
    if function in POSITIVE:
        return s if s > 0 else None
    if function in ODD:
        return MINUS if s == MINUS else None
    if function == "clip":
        low, high = map(number, parameters)
        if s == MINUS and low == -high:
            return MINUS
        return s if s > 0 and {low, high} <= {0.0, float("inf"), float("-inf")} else None
    if function in ("neg", "float"):
        return s
    if function == "abs":
        return abs(s)
    if function == "square":
        return s * s
    if function == "power":
        return s ** int(number(parameters[0]))
    if function == "reciprocal":
        return 1 / s
    if function == "sign":
        return ONE if s > 0 else MINUS
    if function == "heaviside":
        return ONE if s > 0 else None
    if function == "cos":
        return ONE if s == MINUS else None
    if function == "sqrt" and s > 0:
        return root(s)
    if function == "rsqrt" and s > 0:
        r = root(s)
        return None if r is None else 1 / r
    return None


def root(s: fmpq) -> fmpq | None:
    """The square root of a positive rational if it is rational."""
    p, q = s.p.isqrt(), s.q.isqrt()
    return fmpq(p, q) if p * p == s.p and q * q == s.q else None


def exact_value(function: str, parameters: tuple[str, ...], t: fmpq) -> fmpq | None:
    """rho(t) where it is rational and simple, else None."""
    if function == "relu":
        return t if t > 0 else fmpq(0)
    if function == "leaky_relu":
        return t if t > 0 else t * fmpq(*number(parameters[0]).as_integer_ratio())
    if function == "clip":
        low, high = map(number, parameters)
        if low != float("-inf") and t < fmpq(*low.as_integer_ratio()):
            t = fmpq(*low.as_integer_ratio())
        return fmpq(*high.as_integer_ratio()) if high != float("inf") and t > fmpq(*high.as_integer_ratio()) else t
    if function == "neg":
        return -t
    if function == "float":
        return t
    if function == "abs":
        return abs(t)
    if function == "square":
        return t * t
    if function == "power":
        return t ** int(number(parameters[0]))
    if function == "reciprocal":
        return 1 / t if t != 0 else None
    if function == "sign":
        return fmpq((t > 0) - (t < 0))
    if function == "heaviside":
        return fmpq(int(t > 0))
    if function in ("hardshrink", "softshrink"):
        edge = fmpq(*number(parameters[0]).as_integer_ratio())
        if -edge <= t <= edge:
            return fmpq(0)
        return t if function == "hardshrink" else t - edge if t > 0 else t + edge
    if t == 0 and function in ("tanh", "erf", "sin", "atan", "gelu", "gelu_tanh", "expm1", "sqrt"):
        return fmpq(0)
    if t == 0 and function in ("exp", "cos"):
        return fmpq(1)
    if t == 0 and function == "sigmoid":
        return fmpq(1, 2)
    return None
