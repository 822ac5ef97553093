r"""What one unit's activation lets through, as this package needs it: ``rho(t) = mu + lam * core(beta t + gamma)``.

``core`` is odd or even where rho has a flip: the sigmoid is ``1/2 + tanh(t/2)/2`` and ReLU6 is ``3 + c(t - 3)`` with c
odd. So a unit can be turned round, ``(w, b) -> (-w, flip_gamma - b)``, with

    rho(flip_gamma - t) = flip_lam * rho(t) + flip_mu.

``degree`` k: ``core(s t) = s^k core(t)`` for s > 0. ``linear`` L: ``rho(t) - rho(-t) = L t`` (the reflection law).
Reference: V. Vlacic and H. Boelcskei, Affine symmetries and neural network identifiability, Adv. Math. 376 (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from fiberscope.activations.table import canonical_name, parse_activation
from fiberscope.affine.scalar import Exact, exact, nearest, over, plus, times

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class UnitLaw:
    """One activation; see the module's page for the fields. Any activation can be given as such an object.

    ``pieces``: for a piecewise linear rho its points ``((t, value), ...)`` between which it is linear, and the two
    outer slopes. ``expansion``: ``rho(t) = C + sum c base(p t + q)`` as ``(C, base, ((c, p, q), ...))`` for a rho that
    is a finite sum of copies of a named activation. ``function`` computes a rho that has no name here, ``enclose``
    does so for python-flint balls, and ``prover`` proves its affine symmetries.

    >>> unit_law("sigmoid").flip
    (-1.0, 0.0, 1.0)
    """

    name: str
    core: str
    parity: Literal["odd", "even"] | None = None
    beta: Exact = 1.0
    gamma: Exact = 0.0
    lam: Exact = 1.0
    mu: Exact = 0.0
    degree: int | None = None
    linear: Exact | None = None
    pieces: tuple[tuple[tuple[Exact, Exact], ...], Exact, Exact] | None = None
    expansion: tuple[Exact, str, tuple[tuple[Exact, Exact, Exact], ...]] | None = None
    function: Function | None = None
    prover: Callable[[Any], bool] | None = field(default=None, compare=False)
    enclose: Callable[[Any], Any] | None = field(default=None, compare=False)

    def value(self, t: np.ndarray) -> np.ndarray:
        """rho elementwise in float64, same shape."""
        if self.function is not None:
            return self.function(t)
        if self.expansion is not None:
            constant, base, terms = self.expansion
            total = np.full(np.shape(t), nearest(constant))
            for c, p, q in terms:
                total = total + nearest(c) * unit_law(base).value(nearest(p) * t + nearest(q))
            return total
        return function(self.name)(t)

    @property
    def flip(self) -> tuple[Exact, Exact, Exact] | None:
        """``(lam, gamma, mu)`` with ``rho(gamma - t) = lam rho(t) + mu`` for all t, or None."""
        if self.parity is None:
            return None
        gamma = over(times(-2.0, self.gamma), self.beta)
        return (-1.0, gamma, times(2.0, self.mu)) if self.parity == "odd" else (1.0, gamma, 0.0)

    @property
    def tanh_type(self) -> bool:
        """One of tanh, sigmoid, erf, arctan, softsign: sign flips are all their affine symmetries."""
        return self.core in TANH_TYPE

    def core_value(self, t: Exact) -> Exact | None:
        """``core(t)`` where it is known to be rational, else None."""
        if self.core in ("tanh", "erf", "arctan", "sin", "tanhshrink", "gelu", "gelu_tanh", "silu", "mish", "selu"):
            return 0.0 if t == 0 else None
        if self.core == "softsign":
            return over(t, plus(1.0, t if t >= 0 else times(-1.0, t)))
        if self.core in ("relu", "abs", "identity"):
            return t if t >= 0 or self.core == "identity" else (0.0 if self.core == "relu" else times(-1.0, t))
        if self.core.startswith("leaky_relu") and self.linear is not None:
            return t if t >= 0 else times(t, plus(self.linear, -1.0))
        if self.core == "square":
            return times(t, t)
        if self.core == "cube":
            return times(t, times(t, t))
        if self.core == "clamp":  # relu6, hardtanh and hardsigmoid about their centres
            low, high = plus(t, self._reach) <= 0, plus(t, -self._reach) >= 0
            return -self._reach if low else self._reach if high else t
        return None

    @property
    def _reach(self) -> float:
        return {"relu6": 3.0, "hardsigmoid": 3.0}.get(self.name, 1.0)

    def core_at(self, t: float) -> float:
        """``core(t)`` in float64."""
        at = (t - nearest(self.gamma)) / nearest(self.beta)
        return (float(self.value(np.array([at]))[0]) - nearest(self.mu)) / nearest(self.lam)

    @property
    def core_name(self) -> str:
        """The name under which equal cores are recognised across activations."""
        return f"clamp{self._reach:g}" if self.core == "clamp" else self.core


TANH_TYPE = ("tanh", "erf", "arctan", "softsign")
_CLAMPS = {
    "hardtanh": (((-1.0, -1.0), (1.0, 1.0)), 0.0, 0.0),
    "relu6": (((0.0, 0.0), (6.0, 6.0)), 0.0, 0.0),
    "hardsigmoid": (((-3.0, 0.0), (3.0, 1.0)), 0.0, 0.0),
}


@lru_cache(maxsize=512)
def unit_law(name: str) -> UnitLaw:
    """The law of an activation by name; `InputError` for an unknown one.

    >>> unit_law("tanh").parity, unit_law("relu6").flip, unit_law("gelu").flip
    ('odd', (-1.0, 6.0, 6.0), None)
    """
    name = canonical_name(name)
    row, parameter = parse_activation(name)
    reflection, below = row.reflection(parameter), row.slope_below(parameter)
    linear = None if reflection is None else exact(reflection)
    if row.name == "sigmoid":
        return UnitLaw(name, "tanh", "odd", beta=0.5, lam=0.5, mu=0.5)
    if row.name == "relu6":
        return UnitLaw(name, "clamp", "odd", gamma=-3.0, mu=3.0, pieces=_CLAMPS["relu6"])
    if row.name == "hardsigmoid":
        return UnitLaw(name, "clamp", "odd", lam=exact(Fraction(1, 6)), mu=0.5, pieces=_CLAMPS["hardsigmoid"])
    if row.name == "hardtanh":
        return UnitLaw(name, "clamp", "odd", pieces=_CLAMPS["hardtanh"])
    if below is not None and not row.linear:
        left = exact(below)
        core = name if row.parameter is None else f"leaky_relu({left!r})"
        return UnitLaw(name, core, row.sign, degree=1, pieces=(((0.0, 0.0),), left, 1.0), linear=linear)
    degree = None if row.log is None or row.log <= 0 else int(row.log)
    return UnitLaw(name, name, row.sign, degree=degree, linear=linear)


@lru_cache(maxsize=512)
def function(name: str) -> Function:
    """An activation elementwise on float64 arrays, by name."""
    if name == "tanh":
        return np.tanh
    if name == "arctan":
        return np.arctan
    if name == "softsign":
        return lambda t: t / (1.0 + np.abs(t))
    if name == "relu":
        return lambda t: np.maximum(t, 0.0)
    import torch

    from fiberscope.activations.in_torch import torch_function

    known = torch_function(name)
    return lambda t: known(torch.from_numpy(np.ascontiguousarray(t, dtype=np.float64))).numpy()


def checked_activation(name: str) -> str:
    """The canonical spelling of an activation that Fiberscope knows by name; `InputError` for any other."""
    return canonical_name(name)
