"""Axis types: direct sums of tensor products of atoms.

An atom indexes a space (or a fixed set such as pixels: mixing ``none``). Two atoms found to
be the same are merged (union-find); an atom found to have structure is bound to a
product (from a view) or a sum (from a split), and everything that uses it follows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from fiberscope.symmetry.charge import NEUTRAL, Charge
from fiberscope.symmetry.groups import Mixing

_ids = itertools.count()

INPUT = "input"
PIXEL = "pixel"
OUTPUT = "output"


class Atom:
    """An index set whose group is being inferred; ``find()`` gives its representative."""

    __slots__ = ("activations", "frozen_by", "id", "kind", "mixing", "parent", "parts", "size")

    def __init__(self, size: int, mixing: Mixing = Mixing.general_linear, frozen_by: str | None = None) -> None:
        self.id = next(_ids)
        self.size = size
        self.mixing = mixing
        self.frozen_by = frozen_by
        self.parent: Atom | None = None
        self.kind: str | None = None  # "product" or "sum" once bound
        self.parts: tuple[Axis, ...] = ()
        self.activations: list[str] = []

    def find(self) -> Atom:
        """Return the representative of the merged class, shortening the path on the way."""
        root = self
        while root.parent is not None:
            root = root.parent
        node = self
        while node.parent is not None:
            node.parent, node = root, node.parent
        return root

    def __repr__(self) -> str:
        return f"Atom({self.id}, size={self.size}, {self.mixing.name})"


@dataclass(frozen=True)
class Leaf:
    """An axis indexed by one atom, scaling with ``charge``."""

    atom: Atom
    charge: Charge = NEUTRAL

    @property
    def size(self) -> int:
        return self.atom.size


@dataclass(frozen=True)
class Uniform:
    """An axis along which the tensor is constant (a broadcast)."""

    size: int


@dataclass(frozen=True)
class Product:
    """A row-major tensor product of axes."""

    factors: tuple[Axis, ...]

    @property
    def size(self) -> int:
        n = 1
        for f in self.factors:
            n *= f.size
        return n


@dataclass(frozen=True)
class Sum:
    """A direct sum (concatenation) of axes."""

    terms: tuple[Axis, ...]

    @property
    def size(self) -> int:
        return sum(t.size for t in self.terms)


Axis = Leaf | Uniform | Product | Sum


def with_charge(axis: Axis, charge: Charge) -> Axis:
    """Add ``charge`` to a bound atom's parts, each part getting its own copy of the variables."""
    match axis:
        case Leaf(atom, own):
            return Leaf(atom, own + charge)
        case Product(factors):
            return Product(tuple(with_charge(f, charge.at(i)) for i, f in enumerate(factors)))
        case Sum(terms):
            return Sum(tuple(with_charge(t, charge.at(i)) for i, t in enumerate(terms)))
        case _:
            return axis


def resolve(axis: Axis) -> Axis:
    """Replace merged atoms by their representative and bound atoms by their structure, flattened."""
    match axis:
        case Leaf(atom, charge):
            root = atom.find()
            if root.kind is None:
                return axis if root is atom else Leaf(root, charge)
            made = Product(root.parts) if root.kind == "product" else Sum(root.parts)
            return resolve(with_charge(made, charge))
        case Product(factors):
            return product(resolve(f) for f in factors)
        case Sum(terms):
            return direct_sum(resolve(t) for t in terms)
        case _:
            return axis


def product(factors: Iterator[Axis] | list[Axis] | tuple[Axis, ...]) -> Axis:
    """Tensor product, flattened; trivial axes of size one vanish."""
    flat: list[Axis] = []
    for f in factors:
        if isinstance(f, Product):
            flat.extend(f.factors)
        elif not (isinstance(f, Uniform) and f.size == 1):
            flat.append(f)
    if not flat:
        return Uniform(1)
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def direct_sum(terms: Iterator[Axis] | list[Axis] | tuple[Axis, ...]) -> Axis:
    """Direct sum, flattened; empty terms vanish."""
    flat: list[Axis] = []
    for t in terms:
        flat.extend(t.terms if isinstance(t, Sum) else (t,) if t.size else ())
    if not flat:
        return Uniform(0)
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def leaves(axis: Axis) -> Iterator[Leaf]:
    """Yield every leaf of a resolved axis, left to right."""
    match axis:
        case Leaf():
            yield axis
        case Product(parts) | Sum(parts):
            for p in parts:
                yield from leaves(p)
        case _:
            return


def fixed_axis(size: int, reason: str | None = None) -> Axis:
    """Return an axis that no symmetry may touch (a batch, a pixel, a class, an input feature)."""
    return Uniform(1) if size == 1 else Leaf(Atom(size, Mixing.none, reason))
