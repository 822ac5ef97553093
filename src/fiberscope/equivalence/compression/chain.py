"""The compression of a chain of fully connected layers: arrays, and the proof about the file they are written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.compression.result import Compression, LayerReport
from fiberscope.errors import FiberscopeError
from fiberscope.network.stack import stacked, write_stack

if TYPE_CHECKING:
    from fiberscope.network import Network

Arrays = tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ChainCompression(Compression):
    """``memory``: the affine maps in float64; ``stored``: as they are written; ``prove(saved)``: the certificate about
    the file, loaded."""

    network: Network = field(init=False, repr=False)  # made when first asked for
    error_bound: float
    memory: Arrays = field(repr=False)
    stored: Arrays = field(repr=False)
    activations: tuple[str, ...] = field(repr=False)
    prove: Callable[[Network], Certificate] = field(repr=False)
    changed: bool = True

    def __getattr__(self, name: str) -> Any:
        """Only ``network`` is ever missing: the smaller network in float64 takes a while to trace."""
        if name != "network":
            raise AttributeError(name)
        made = stacked(self.original, self.memory, self.activations) if self.changed else self.original
        object.__setattr__(self, "network", made)
        return made

    @property
    def parameters_after(self) -> int:
        return sum(w.size + b.size for w, b in self.stored) if self.changed else self.original.parameters

    def written(self, path: str | Path) -> tuple[Certificate | None, str | None]:
        """Writes the smaller network in the original's format and dtype, or the original's bytes if nothing changed."""
        from fiberscope.network import load

        path = Path(path)
        if self.changed:
            write_stack(self.original, self.stored, self.activations, path)
        else:
            self.original.save(path)
        return self.prove(load(path)), None


def merged(chain: Chain) -> int:
    """How many affine maps without an activation in front of them the chain has taken into the next."""
    return sum(len(layer.inner or ()) for layer in chain.layers)


def with_merged(chain: Chain, layers: tuple[LayerReport, ...], *, gone: bool) -> tuple[LayerReport, ...]:
    """The reports of the chain's hidden layers, with those of the layers taken into the next at their places."""
    out: list[LayerReport] = []
    for affine, report in zip(chain.layers, [*layers, None], strict=True):
        out += [
            LayerReport(width, 0, folded=width) if gone else LayerReport(width, width) for width in affine.inner or ()
        ]
        out += [] if report is None else [report]
    return tuple(out)


def untouched(chain: Chain) -> tuple[LayerReport, ...]:
    """The reports of a network that is left as it is."""
    return with_merged(chain, tuple(LayerReport(width, width) for width in chain.widths[1:-1]), gone=False)


def compared(net: Network, saved: Network, seed: int) -> Certificate:
    """The certificate that `compare` finds."""
    from fiberscope.equivalence.compare import compare

    verdict = compare(net, saved, seed=seed)
    if verdict.answer != "equal" or not isinstance(verdict.certificate, Certificate):
        raise FiberscopeError(
            f"{saved.name}: the saved model is not proved equal to the original, so it is not kept; please report it"
        )
    return verdict.certificate


def rounded(layers: list[tuple[np.ndarray, np.ndarray]], dtype: type) -> Arrays:
    """The affine maps in the type in which they are stored."""
    return tuple((w.astype(dtype), b.astype(dtype)) for w, b in layers)


def stored_dtype(net: Network) -> type:
    """The float type of the stored weights: the widest one among them."""
    sizes = {str(t.dtype).removeprefix("torch.") for t in net.weights.values() if t.dtype.is_floating_point}
    return np.float64 if "float64" in sizes else np.float16 if sizes == {"float16"} else np.float32
