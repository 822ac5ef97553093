"""A group element as certificates state it: per axis of a weight, a permutation, signs and powers of scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import aligned, mode_exponents, order_of, walk
from fiberscope.symmetry.axes import Axis, Leaf, Product, Sum
from fiberscope.symmetry.element import Element
from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


class NotMonomial(Exception):
    """The element cannot be written axis by axis: one axis moves differently along another."""


@dataclass(frozen=True)
class AxisProfile:
    """new[j] = old[source[j]] * sign[j] * prod_k scale_k[j]**exponent_k[j] along one axis."""

    source: Array
    sign: Array
    scales: tuple[tuple[Array, Array], ...]

    @property
    def trivial(self) -> bool:
        """True for the identity."""
        still = np.array_equal(self.source, np.arange(len(self.source))) and bool((self.sign == 1).all())
        return still and not self.scales

    @property
    def dyadic(self) -> bool:
        """True when every scale is a power of two, so that products are exact."""
        return all(bool((np.frexp(s)[0] == 0.5).all()) for s, _ in self.scales)

    def apply(self, values: Array, axis: int) -> Array:
        """Transform one axis of an array in its own precision."""
        out = np.take(values, self.source, axis=axis)
        shape = [1] * values.ndim
        shape[axis] = -1
        factor = self.sign.astype(values.dtype)
        for scale, exponent in self.scales:
            factor = factor * scale.astype(values.dtype) ** exponent
        return out * factor.reshape(shape)

    def to_step(self, prefix: str, arrays: dict[str, Array]) -> dict[str, Any]:
        """Return the JSON entry of this axis; its arrays are added under names that begin with ``prefix``."""
        entry: dict[str, Any] = {"source": None, "sign": None, "scale": None, "exponent": None}
        if not np.array_equal(self.source, np.arange(len(self.source))):
            arrays[f"{prefix}p"] = self.source.astype(np.int64)
            entry["source"] = f"{prefix}p"
        if not (self.sign == 1).all():
            arrays[f"{prefix}s"] = self.sign.astype(np.int8)
            entry["sign"] = f"{prefix}s"
        names: list[tuple[str, str]] = []
        for k, (scale, exponent) in enumerate(self.scales):
            arrays[f"{prefix}l{k}"] = scale.astype(np.float64)
            arrays[f"{prefix}q{k}"] = exponent.astype(np.int64)
            names.append((f"{prefix}l{k}", f"{prefix}q{k}"))
        if len(names) == 1:
            entry["scale"], entry["exponent"] = names[0]
        elif names:
            entry["scale"], entry["exponent"] = [n for n, _ in names], [q for _, q in names]
        return entry


def axis_profiles(element: Element, sym: Symmetries, name: str) -> tuple[AxisProfile, ...]:
    """Return the profile of every axis of one weight; NotMonomial when the axes do not act independently."""
    return tuple(_profile(element, sym, axis) for axis in sym.layouts[name])


def _profile(element: Element, sym: Symmetries, axis: Axis) -> AxisProfile:
    n = axis.size
    source = _run(np.arange(n, dtype=np.float64), axis, element, sym, "source").astype(np.int64)
    sign = np.rint(_run(np.ones(n), axis, element, sym, "sign"))
    scales = []
    for atom in _atoms(axis):  # factors of one axis may carry scales of different exponents
        for mode in range(len(sym.groups[atom].log_modes)):
            scale = _run(np.ones(n), axis, element, sym, "scale", mode, atom)
            exponent = np.rint(_run(np.zeros(n), axis, element, sym, "exponent", mode, atom)).astype(np.int64)
            scale = np.where(exponent == 0, 1.0, scale)
            if (scale != 1).any():
                scales.append((scale, exponent))
    return AxisProfile(source, sign, tuple(scales))


def _atoms(axis: Axis) -> list[int]:
    """The atoms of one axis, each once."""
    match axis:
        case Leaf(atom):
            return [atom.id]
        case Product(inner) | Sum(inner):
            return list(dict.fromkeys(a for part in inner for a in _atoms(part)))
        case _:
            return []


def _run(
    start: Array, axis: Axis, element: Element, sym: Symmetries, what: str, mode: int = 0, atom: int | None = None
) -> Array:
    groups = sym.groups

    def visit(values: Array, axes: list[Axis]) -> Array:
        for i in order_of(axes, groups):
            leaf = axes[i]
            assert isinstance(leaf, Leaf)
            group = groups[leaf.atom.id]
            part = element.parts[leaf.atom.id]
            here = {a.atom.id for a in axes if isinstance(a, Leaf)}
            if any(c.id not in here for c in group.context):
                raise NotMonomial
            if what == "source" and part.source is not None:
                index = np.broadcast_to(aligned(part.source, group, axes, i, values.ndim), values.shape)
                values = np.take_along_axis(values, index, axis=i)
            exponents, parities = mode_exponents(leaf, group)
            if what == "sign" and part.sign is not None:
                for field, odd in zip(part.sign, parities, strict=True):
                    if odd:
                        values = values * aligned(field, group, axes, i, values.ndim)
            if leaf.atom.id == atom and mode < len(exponents) and exponents[mode] and part.log is not None:
                if what == "scale":
                    values = values * aligned(part.log[mode], group, axes, i, values.ndim)
                elif what == "exponent":
                    values = values + exponents[mode]
        return values

    return walk(start, [axis], groups, visit)
