"""A hidden space and its group, as reported to the user."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fiberscope.activations.table import scaling_name
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.solve import Group, Occurrence


@dataclass(frozen=True)
class Space:
    """One hidden space: ``size`` units, the group acting on them, and the weights that carry it.

    ``copies`` independent group elements of this kind exist (one per unit of the spaces named in
    ``within``). ``log_modes`` and ``sign_modes`` are integer exponents, one per entry of
    ``occurrences``: under a mode with field lambda the axis scales as lambda**exponent.
    A second scaling of the same units is listed as its own space, with ``permuted_with`` naming the first.
    """

    id: str
    size: int
    mixing: Mixing
    scaling: str
    activation: str | None
    weights: tuple[tuple[str, int], ...]
    frozen_by: str | None = None
    copies: int = 1
    within: str | None = None
    permuted_with: str | None = None
    atom: int = -1
    context: tuple[int, ...] = ()
    occurrences: tuple[Occurrence, ...] = field(default=(), repr=False)
    log_modes: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    sign_modes: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    orbit_dimension: int | None = field(default=None, repr=False)

    @property
    def dimension(self) -> int:
        """Dimension of the orbit through generic weights that this group generates, all copies."""
        if self.mixing is Mixing.general_linear:
            one = self.orbit_dimension if self.orbit_dimension is not None else self.size**2
            return self.copies * one
        return self.copies * (self.mixing.dimension(self.size) + len(self.log_modes) * self.size)

    @property
    def log10_order(self) -> float:
        """log10 of the number of connected components of the group."""
        signs = 0 if self.mixing is Mixing.general_linear else len(self.sign_modes)
        return self.copies * (self.mixing.log10_components(self.size) + signs * self.size * math.log10(2))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form of the report."""
        return {
            "id": self.id,
            "size": self.size,
            "mixing": self.mixing.name,
            "scaling": self.scaling,
            "activation": self.activation,
            "weights": [{"name": n, "axis": a} for n, a in self.weights],
            "frozen_by": self.frozen_by,
            "copies": self.copies,
            "within": self.within,
            "permuted_with": self.permuted_with,
        }


def scaling_of(group: Group) -> str:
    """Name the scaling of a group's first mode; mixings that contain scalings name what they contain."""
    if group.mixing is Mixing.general_linear:
        return "nonzero"
    if group.mixing is Mixing.orthogonal:
        return "sign"
    return scaling_name(bool(group.log_modes), bool(group.sign_modes))
