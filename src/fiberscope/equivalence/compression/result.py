"""What a compression found, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class LayerReport:
    """Units of one hidden layer: before, after, and what became of them.

    ``dead``: nowhere positive on the domain, or read by nobody; ``constant``: no input reaches them; ``duplicate``: a
    multiple of another; ``folded``: linear on the domain and carried by fewer units; ``open``: not decided, kept.
    """

    before: int
    after: int
    dead: int = 0
    constant: int = 0
    duplicate: int = 0
    folded: int = 0
    open: int = 0

    def to_json(self) -> dict[str, int]:
        return dict(self.__dict__)


@dataclass(frozen=True, eq=False)
class Compression:
    """The result of `fiberscope.compress`.

    ``network`` computes the same function in float64; `save` writes it as small as it is, in the original's format
    and dtype, and keeps in ``certificate`` the proof about that very file. ``error_bound``: a rigorous bound of
    |original - saved| on the domain in real arithmetic, 0 when the weights are exact.
    """

    original: Network = field(repr=False)
    network: Network = field(repr=False)
    layers: tuple[LayerReport, ...]
    parameters_after: int
    methods: dict[str, int]
    error_bound: float
    scale: float
    domain: Any
    seconds: float
    seed: int
    stored: tuple[tuple[np.ndarray, np.ndarray], ...] = field(repr=False)
    activations: tuple[str, ...] = field(repr=False)
    prove: Any = field(repr=False)

    @property
    def units_before(self) -> int:
        return sum(layer.before for layer in self.layers)

    @property
    def units_after(self) -> int:
        return sum(layer.after for layer in self.layers)

    @property
    def open_units(self) -> int:
        return sum(layer.open for layer in self.layers)

    def save(self, path: str | Path) -> Certificate:
        """Writes the smaller network in the original's format and dtype; returns the certificate about that file."""
        from fiberscope.network import load
        from fiberscope.network.stack import write_stack

        path = Path(path)
        if self.units_after == self.units_before and not self.methods:
            self.original.save(path)
        else:
            write_stack(self.original, self.stored, self.activations, path)
        return self.prove(load(path))

    def __repr__(self) -> str:
        where = "all inputs" if self.domain == "all" else "a box"
        parameters = f"{self.original.parameters:,} -> {self.parameters_after:,} parameters"
        return (
            f"Compression: {self.units_before} -> {self.units_after} hidden units on {where}\n"
            f"  {parameters}; |error| <= {self.error_bound:.3g}\n"
            f"  {self.open_units} units open, {self.seconds:.1f} s"
        )

    def to_json(self) -> dict[str, Any]:
        """The dict that the command prints."""
        return {
            "units_before": self.units_before,
            "units_after": self.units_after,
            "parameters_before": self.original.parameters,
            "parameters_after": self.parameters_after,
            "layers": [layer.to_json() for layer in self.layers],
            "open_units": self.open_units,
            "proved": self.open_units == 0,
            "error_bound": self.error_bound,
            "output_scale": self.scale,
            "domain": self.domain,
            "methods": self.methods,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
        }
