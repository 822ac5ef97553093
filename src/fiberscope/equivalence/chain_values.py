"""What a tensor of the graph can be on the way to a chain: a constant, an affine map, or something pending."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fiberscope.equivalence.chain import Affine, Source
from fiberscope.network.elementwise import Expression


class NotAChain(Exception):
    """Raised inside the walk; ``extract`` turns it into None."""


@dataclass(frozen=True, eq=False)
class Base:
    """What affine maps are affine in: the input (``parent`` None) or the output of an activation."""

    size: int
    parent: Map | None = None
    activation: str = ""


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input; ``place`` is the flat index in weight ``name``."""

    values: torch.Tensor
    place: torch.Tensor | None
    name: str

    def source(self, index: np.ndarray) -> Source:
        """Provenance in this weight, for entries at flat places ``index``."""
        return Source(self.name, str(self.values.dtype).removeprefix("torch."), index)


@dataclass(frozen=True, eq=False)
class Map:
    """Entry ``index`` of the flat rows of ``affine`` (None: the base itself), for every position of the tensor."""

    base: Base
    affine: Affine | None
    rows: int
    index: torch.Tensor


@dataclass(frozen=True, eq=False)
class Elementwise:
    """An elementwise expression of a map."""

    of: Map
    expression: Expression


@dataclass(frozen=True, eq=False)
class Product:
    """A map times a stored weight, entry by entry: half of a matrix-vector product if a sum follows."""

    of: Map
    constant: Constant
    shape: tuple[int, ...]


Value = Constant | Map | Elementwise | Product


def same(left: Map, right: Map) -> bool:
    same = left.base is right.base and left.affine is right.affine
    return same and left.index.shape == right.index.shape and torch.equal(left.index, right.index)


def single_number(constant: Constant) -> float | None:
    """The one number a constant without provenance is filled with, or None."""
    values = constant.values
    if (constant.place is not None and values.numel() != 1) or values.numel() == 0:
        return None
    first = values.reshape(-1)[0]
    return float(first) if bool((values == first).all()) else None


def doubles(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as float64, exactly."""
    if tensor.dtype in (torch.int64, torch.uint64) and tensor.numel() and int(tensor.abs().max()) > 2**53:
        raise NotAChain("an integer constant beyond 2**53")
    return tensor.to(torch.float64).numpy().copy()
