"""What a compression found, layer by layer: what all kinds of network have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiberscope.equivalence.certificate import Certificate

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True)
class LayerReport:
    """Units of one hidden layer: before, after, and what became of them.

    ``dead``: nowhere positive on the domain, or read by nobody; ``constant``: no input reaches them; ``duplicate``: a
    multiple of another; ``folded``: linear on the domain and carried by fewer units; ``open``: not decided, kept.
    A layer without an activation that was merged with the next one has no unit left.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Compression:
    """The result of `fiberscope.compress`.

    ``network`` computes the same function in float64; `save` writes it in the original's format and dtype and returns
    the certificate about that very file, where there is one (``no_certificate`` says why not). ``error_bound``: a
    rigorous bound of |original - saved| on the domain in real arithmetic, 0 when the weights are exact, None when none
    is known. ``scale``: the largest output seen. ``notes``: sentences about what stays although it is redundant.
    """

    original: Network = field(repr=False)
    network: Network = field(repr=False)
    layers: tuple[LayerReport, ...]
    methods: dict[str, int]
    error_bound: float | None
    scale: float
    domain: Any
    seconds: float
    seed: int
    no_certificate: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def units_before(self) -> int:
        return sum(layer.before for layer in self.layers)

    @property
    def units_after(self) -> int:
        return sum(layer.after for layer in self.layers)

    @property
    def open_units(self) -> int:
        return sum(layer.open for layer in self.layers)

    @property
    def parameters_after(self) -> int:
        """Weights and biases of what is written."""
        return self.network.parameters

    @property
    def proved(self) -> bool:
        """Whether every unit was decided and a certificate can be had."""
        return self.open_units == 0 and self.no_certificate is None

    def save(self, path: str | Path) -> Certificate | None:
        """Writes the smaller network; returns the certificate about that file, if there is one."""
        return self.written(path)[0]

    def written(self, path: str | Path) -> tuple[Certificate | None, str | None]:
        """The same, with the reason when there is no certificate."""
        raise NotImplementedError

    def bound_in_words(self) -> str:
        """One half line about how far the outputs may move."""
        return f"|error| <= {self.error_bound:.3g}" if self.error_bound is not None else "no error bound"

    def __repr__(self) -> str:
        where = "all inputs" if self.domain == "all" else "a polytope" if "G" in self.domain else "a box"
        parameters = f"{self.original.parameters:,} -> {self.parameters_after:,} parameters"
        return (
            f"Compression: {self.units_before} -> {self.units_after} hidden units on {where}\n"
            f"  {parameters}; {self.bound_in_words()}\n"
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
            "proved": self.proved,
            "error_bound": self.error_bound,
            "output_scale": self.scale,
            "domain": self.domain,
            "methods": self.methods,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "no_certificate": self.no_certificate,
            "notes": list(self.notes),
        }
