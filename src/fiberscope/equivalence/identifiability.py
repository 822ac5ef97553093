"""What a unit means: how far the function determines the direction that a hidden unit stands for.

    exact            as it is (up to which unit carries it)
    sign             up to its sign                            tanh: (w, b) and -(w, b)
    positive_scale   up to a positive factor                   ReLU
    nonzero_scale    up to any factor
    rotation         up to a rotation inside its space         RMSNorm, LayerNorm, rotary pairs
    general_linear   up to any invertible map of its space     a linear chain: no direction means anything
    none             not at all: the unit does nothing, or no input reaches it

A symmetry that was found is an ambiguity that is there, so what is listed is never too precise because of a symmetry
that Fiberscope knows; one that it does not know can only make a direction less determined. Where a theorem says that
there are no others, ``complete`` says so and names it. A space frozen by an operation that is not understood has null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.redundancy import Redundancy
    from fiberscope.symmetry.space import Space
    from fiberscope.symmetry.symmetries import Symmetries

_SCALED = {"one": "exact", "sign": "sign", "positive": "positive_scale", "nonzero": "nonzero_scale"}
TANH_TYPE = frozenset({"tanh", "sigmoid", "erf", "arctan", "atan", "softsign"})
LARGEST = 200_000
"""Weights up to which the theorems on whole networks are tried (they read the network unit by unit)."""


def of_space(space: Space) -> str | None:
    """The word for the units of a space, None where an unknown operation froze it.

    A tanh-like unit whose flip is affine (a sigmoid: s(-t) = 1 - s(t)) is determined up to sign as well.
    """
    if space.mixing is Mixing.general_linear:
        return "general_linear"
    if space.mixing in (Mixing.orthogonal, Mixing.orthogonal_fixing_ones, Mixing.complex_scalar):
        return "rotation"
    if space.frozen_by is not None and space.mixing is Mixing.none and space.scaling == "one":
        return None
    if space.scaling == "one" and space.activation in ("sigmoid", "hardsigmoid", "relu6"):
        return "sign"
    return _SCALED[space.scaling]


@dataclass(frozen=True)
class Identifiability:
    """One word per space, units that differ from it, and whether a theorem says that nothing else is ambiguous."""

    spaces: dict[str, str | None]
    units: dict[str, dict[int, str]]
    complete: bool
    theorem: str | None
    reason: str | None
    copies: (
        str | None
    )  # how many networks of these widths compute the function, a decimal number, where a theorem says so

    def to_json(self) -> dict[str, Any]:
        """The key ``identifiability`` of the whole model."""
        return {"complete": self.complete, "theorem": self.theorem, "reason": self.reason, "copies": self.copies}


def identifiability(net: Network, sym: Symmetries, redundant: Redundancy) -> Identifiability:
    """How far the function determines each unit's direction.

    >>> import torch, fiberscope.network as fn
    >>> from fiberscope.equivalence.inspection import inspect
    >>> layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    >>> inspect(fn.load(layers.eval(), (torch.zeros(2, 3),))).identifiability.spaces
    {'s0': 'sign'}
    """
    spaces = {space.id: of_space(space) for space in sym.spaces}
    units: dict[str, dict[int, str]] = {}
    for space, unit in (*redundant.dead, *redundant.constant):
        units.setdefault(space, {})[unit] = "none"
    complete, theorem, reason, copies = _theorem(net, sym, redundant)
    return Identifiability(spaces, units, complete, theorem, reason, copies)


def _theorem(net: Network, sym: Symmetries, redundant: Redundancy) -> tuple[bool, str | None, str | None, str | None]:
    """Whether the known symmetries are all, by the theory of networks on graphs."""
    names = {space.activation for space in sym.spaces}
    if not names or not names <= TANH_TYPE:
        return False, None, "no theorem says that networks of these units have no further symmetries", None
    if net.parameters > LARGEST:
        return False, None, f"more than {LARGEST:,} weights: `fiberscope enumerate` decides", None
    from fiberscope.affine.count import count_networks, decimal
    from fiberscope.affine.from_network import from_network
    from fiberscope.errors import FiberscopeError

    try:
        found = count_networks(from_network(net))
    except FiberscopeError as error:
        return False, None, str(error), None
    if found.reduction.units_before != found.reduction.units_after:
        return False, None, "some units are redundant: `fiberscope reduce` gives the irreducible form", None
    return found.complete, found.theorem, found.reason, decimal(found.count) if found.complete else None
