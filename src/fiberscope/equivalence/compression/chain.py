"""The compression of a chain of fully connected layers: arrays, and the proof about the file they are written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.compression.result import Compression

if TYPE_CHECKING:
    from fiberscope.network import Network

Arrays = tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ChainCompression(Compression):
    """``stored``: the affine maps as they are written; ``prove(saved)``: the certificate about the file, loaded."""

    error_bound: float
    stored: Arrays = field(repr=False)
    activations: tuple[str, ...] = field(repr=False)
    prove: Callable[[Network], Certificate] = field(repr=False)
    changed: bool = True

    @property
    def parameters_after(self) -> int:
        return sum(w.size + b.size for w, b in self.stored) if self.changed else self.original.parameters

    def written(self, path: str | Path) -> tuple[Certificate | None, str | None]:
        """Writes the smaller network in the original's format and dtype, or the original's bytes if nothing changed."""
        from fiberscope.network import load
        from fiberscope.network.stack import write_stack

        path = Path(path)
        if self.changed:
            write_stack(self.original, self.stored, self.activations, path)
        else:
            self.original.save(path)
        return self.prove(load(path)), None


def rounded(layers: list[tuple[np.ndarray, np.ndarray]], dtype: type) -> Arrays:
    """The affine maps in the type in which they are stored."""
    return tuple((w.astype(dtype), b.astype(dtype)) for w, b in layers)


def stored_dtype(net: Network) -> type:
    """The float type of the stored weights: the widest one among them."""
    sizes = {str(t.dtype).removeprefix("torch.") for t in net.weights.values() if t.dtype.is_floating_point}
    return np.float64 if "float64" in sizes else np.float16 if sizes == {"float16"} else np.float32
