"""Gated units v sigma(g): what may be done to the value v and the gate g of one unit.

    (b v) sigma(g) = b v sigma(g)            every b != 0 (the value enters linearly)
    v sigma(s g)   = s^p v sigma(g)          where sigma scales; s < 0 where it has a parity
    v g = g v                                bilinear units may swap value and gate

A flip of a sigmoid gate, v sigma(-g) = v - v sigma(g), leaves a linear term in v: no symmetry without a linear path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiberscope.activations.table import LAWS
from fiberscope.errors import InputError

GATES = {"glu": "sigmoid", "bilinear": "identity", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
"""The gate's activation of every gated unit that is known by name."""


@dataclass(frozen=True)
class Gated:
    """A gated unit; ``gate`` is the activation of its gate.

    >>> gated("reglu").laws
    (('b!=0', '1', 'b'), ('1', 'b>0', 'b'))
    """

    name: str
    gate: str

    @property
    def laws(self) -> tuple[tuple[str, str, str], ...]:
        """(value scale, gate scale, factor): (r v) sigma(s g) = factor v sigma(g)."""
        law = LAWS[self.gate]
        out = [("b!=0", "1", "b")]
        if law.log is not None:
            power = "b" if law.log == 1 else f"b**{law.log}"
            out.append(("1", "b!=0" if law.sign else "b>0", power))
        elif law.sign:
            out.append(("1", "-1", "-1" if law.sign == "odd" else "1"))
        return tuple(out)

    @property
    def swap(self) -> bool:
        """Whether value and gate may trade places."""
        return LAWS[self.gate].linear

    def to_json(self) -> dict[str, Any]:
        """The keys of an activation, with laws on (value, gate); nothing was searched."""
        law = LAWS[self.gate]
        return {
            "name": self.name,
            "expression": f"v*{self.gate}(g)",
            "same_as": None,
            "group": {"mixing": "permutation", "scaling": "nonzero"},
            "gate_scaling": law.scaling,
            "swap": self.swap,
            "one_unit": [
                {"beta": value, "gamma": 0, "gate": gate, "lambda": factor, "mu": 0, "proved": True}
                for value, gate, factor in self.laws
            ],
            "symmetries": [],
            "reflection": None,
            "almost_everywhere": [],
            "dictionary": None,
            "complete": False,
            "theorem": "laws of one unit only; relations between several gated units are not searched",
            "families": [],
            "source": "the value enters linearly; the gate's scalings are those of its activation",
        }


def gated(name: str) -> Gated:
    """A gated unit by its name; `InputError` for an unknown one.

    >>> gated("bilinear").swap
    True
    """
    if name not in GATES:
        raise InputError(f"unknown gated unit {name[:60]!r}; expected one of: {', '.join(sorted(GATES))}")
    return Gated(name, GATES[name])
