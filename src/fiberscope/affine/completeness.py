"""When are the listed symmetries all? Recorded theorems, each with its proof in a few lines.

*Complete* means: every relation sum alpha_s rho(beta_s t + gamma_s) = constant + linear t, beta_s != 0, with real
numbers is a linear combination of images, under t -> b t + g, of the listed laws and of the named families. In each
proof the terms are first reduced by the one-unit laws (and the reflection law), so that no two of them are images of
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fiberscope.activations.functions import FUNCTIONS
from fiberscope.activations.proof import is_zero
from fiberscope.activations.table import LAWS, read_name
from fiberscope.affine.activation import Activation, activation
from fiberscope.errors import InputError

PAPER = "Vlacic and Boelcskei, Affine symmetries and neural network identifiability (Adv. Math. 2021)"
SUSSMANN = "Sussmann, Uniqueness of the weights for minimal feedforward nets (Neural Networks 1992)"
DERIVED = "proved in fiberscope.affine.completeness"


@dataclass(frozen=True)
class Theorem:
    """Whether the list is complete for a function, why, where the argument is from, and families it names."""

    complete: bool
    text: str
    source: str
    families: tuple[str, ...] = ()
    same_as: str | None = None


_NEAREST = (
    "on each vertical line the term with the largest |beta| has the pole nearest to the real axis, which no other term "
    "has; remove it and repeat"
)
_KINKS = "two terms left have different kinks t0 = -gamma/beta, and a term is the only one not smooth at its own"
_TAIL = "every beta > 0; at -infinity the terms decay at different rates, so the slowest one has coefficient 0"
_GERM = (
    "near its kink t0 a term differs on the right from the continuation of its left side by a combination of 1, "
    "s = t - t0 and e^(c s), and terms with the same kink have different c != 0: each coefficient is 0"
)
_GAUSS = "exponentials of different quadratic polynomials are independent over polynomials (compare growth)"
_REFINE = "hat functions at different scales refine one another, so there are infinitely many; no list is claimed"

_ROWS: list[tuple[tuple[str, ...], bool, str, str, tuple[str, ...]]] = [
    (("identity",), True, "all rho(beta t + gamma) lie in the span of 1 and t", DERIVED, ()),
    (("tanh", "sigmoid"), True, f"only sign pairs: {_NEAREST}", SUSSMANN, ()),
    (("tanhshrink",), True, "t - tanh(t): only sign pairs, as for tanh", SUSSMANN, ()),
    (
        ("softplus", "logsigmoid"),
        True,
        f"only the reflection law; the derivative is a sigmoid: {_NEAREST}",
        SUSSMANN,
        (),
    ),
    (
        ("silu",),
        True,
        f"only the reflection law: {_NEAREST} (the residue there is u != 0 times a constant)",
        DERIVED,
        (),
    ),
    (
        ("mish",),
        True,
        "none at all: poles where e^u = -1 +- i; on each vertical line the largest |beta| has the nearest ones, shared "
        "only by beta and -beta; their residues are R/beta and -conj(R)/beta with R = (log(2)/2 + 3 pi i/4)/(1 + i) "
        "neither real nor imaginary, so both coefficients are 0",
        DERIVED,
        (),
    ),
    (("erf",), True, f"only sign pairs; the derivative is a Gaussian: {_GAUSS}", DERIVED, ()),
    (("gaussian",), True, f"only sign pairs: {_GAUSS}", DERIVED, ()),
    (("gelu",), True, f"only the reflection law; the second derivative is (2 - u^2) e^(-u^2/2): {_GAUSS}", DERIVED, ()),
    (
        ("gelu_tanh",),
        True,
        f"only the reflection law, by which {_TAIL} (their exponents are different cubics)",
        DERIVED,
        (),
    ),
    (
        ("arctan",),
        True,
        "only sign pairs: the derivative has poles (+-i - gamma)/beta, its own for each term",
        DERIVED,
        (),
    ),
    (
        ("softsign",),
        True,
        "only sign pairs: at a kink t0 the terms jump by -2 b^2 s^2/(1 - b^2 s^2), with different poles s = +-1/b",
        DERIVED,
        (),
    ),
    (("relu", "leaky_relu", "prelu"), True, f"scalings and the reflection law: {_KINKS}", DERIVED, ()),
    (("abs",), True, f"scalings and the sign: {_KINKS}", DERIVED, ()),
    (("sign",), True, "scalings and the sign: two terms left jump at different points", DERIVED, ()),
    (
        ("heaviside",),
        True,
        "scalings: at a jump t0 at most rho(t - t0) and rho(t0 - t) are left; no jump means equal coefficients, and "
        "both are 0 at t0 itself, so these are 0 (apart from single points, rho(t) + rho(-t) = 1 holds as well)",
        DERIVED,
        (),
    ),
    (("elu", "celu", "selu"), True, f"none at all: {_GERM}", DERIVED, ()),
    (
        ("exp",),
        True,
        "rho(t + g) = e^g rho(t): exponentials with different beta, 1 and t are independent",
        DERIVED,
        (),
    ),
    (
        ("sin", "cos"),
        True,
        "for each frequency |beta| the terms span two dimensions, and different frequencies, 1 and t are independent",
        DERIVED,
        ("rho(t + h) + rho(t - h) = 2 cos(h) rho(t) for every h",),
    ),
    (
        ("square", "cube"),
        False,
        "the relations are those between the coefficients of (beta t + gamma)^p: any p + 1 terms with different "
        "-gamma/beta are dependent modulo constants (p modulo constants and t)",
        DERIVED,
        ("the p-th difference of rho with any step h is p! h^p",),
    ),
    (("hardtanh",), False, _REFINE, PAPER, ("sum over j < N of rho(N t + N - 1 - 2 j) = N rho(t) for every N",)),
    (("relu6",), False, _REFINE, PAPER, ("sum over j < N of rho(N t - 6 j) = N rho(t) for every N",)),
    (("hardsigmoid",), False, _REFINE, PAPER, ("sum over j < N of rho(N t + 3 (N - 1 - 2 j)) = N rho(t) for every N",)),
]
_THEOREMS = {
    name: Theorem(complete, text, source, families)
    for names, complete, text, source, families in _ROWS
    for name in names
}
NOTHING = "no theorem is recorded for this function: the search says what it found, not that there is no more"


def theorem(rho: Activation) -> Theorem:
    """What is recorded about an activation, or about the built-in one that it is proved to be equal to.

    >>> from fiberscope.affine.activation import from_expression
    >>> theorem(from_expression("x/(1 + exp(-x))")).same_as, theorem(activation("hardswish")).complete
    ('silu', False)
    """
    found = named(rho)
    if found is None:
        return Theorem(False, NOTHING, "search")
    name, own = found
    base = name.partition("(")[0]
    if base not in _THEOREMS:
        return Theorem(False, NOTHING, "search", same_as=None if own else name)
    row = _THEOREMS[base]
    return Theorem(row.complete, row.text, row.source, row.families, None if own else name)


def named(rho: Activation) -> tuple[str, bool] | None:
    """The built-in activation that this one is, and whether it goes by that name itself."""
    if rho.expression is None:
        return None
    try:
        law, parameter = read_name(rho.name)
        if activation(rho.name).expression == rho.expression:
            return simplest_name(law.name, parameter), True
    except InputError:
        pass
    for name, other in builtins():
        if other.expression is not None and agree(rho, other) and is_zero(rho.expression - other.expression):
            return name, False
    return None


def simplest_name(name: str, parameter: str | None) -> str:
    """The name under which the theorems know a parameter's special values."""
    value = LAWS[name].parameter if parameter is None else float(parameter)
    if name in ("leaky_relu", "prelu") and value in (0.0, 1.0, -1.0):
        return {0.0: "relu", 1.0: "identity", -1.0: "abs"}[value]
    return "relu" if name == "elu" and value == 0.0 else name


@lru_cache(maxsize=1)
def builtins() -> tuple[tuple[str, Activation], ...]:
    """Every built-in activation with its default parameter."""
    return tuple((name, activation(name)) for name in LAWS if name in FUNCTIONS)


def agree(a: Activation, b: Activation) -> bool:
    """Whether two activations may be equal, from a few values."""
    from flint import ctx

    with ctx.workdps(30):
        return all((a.ball(x) - b.ball(x)).contains(0) for x in (0.37, -0.81, 2.3, -4.9, 7.7))
