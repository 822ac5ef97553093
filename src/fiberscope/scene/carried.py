"""Which hidden spaces each box hands on, read off the axis types of its last operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fiberscope.scene.boxes import Box

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.axes import Atom, Axis
    from fiberscope.symmetry.symmetries import Symmetries
    from fiberscope.symmetry.typed import Value


def carried(net: Network, symmetries: Symmetries, boxes: Sequence[Box]) -> list[tuple[str, ...]]:
    """The ids of the spaces that index the features leaving each box; empty where all axes are fixed.

    The graph is typed once more, and the atoms of the two passes are paired through the weights, which both typed.
    """
    from fiberscope.symmetry.axes import resolve
    from fiberscope.symmetry.infer import infer

    named = {space.atom: space.id for space in symmetries.spaces if space.permuted_with is None}
    inference, weights = infer(net)
    space_of: dict[int, str] = {}
    for name, typed in weights.items():
        for old, new in zip(symmetries.layouts[name], typed.axes, strict=True):
            for was, now in zip(_atoms(old), _atoms(resolve(new)), strict=True):
                if was.id in named:
                    space_of[now.id] = named[was.id]
    out = []
    for box in boxes:
        axes = _axes(inference.env[box.last]) if box.last in inference.env else []
        atoms = [atom.id for axis in axes for atom in _atoms(resolve(axis))]
        out.append(tuple(dict.fromkeys(space_of[atom] for atom in atoms if atom in space_of)))
    return out


def _axes(value: Value) -> list[Axis]:
    """All axes of a typed value, whether one tensor, a stack of slices or several outputs."""
    from fiberscope.symmetry.typed import Stacked, Typed

    if isinstance(value, Typed):
        return list(value.axes)
    items = value.items if isinstance(value, Stacked) else value
    return [axis for item in items if item is not None for axis in _axes(item)]


def _atoms(axis: Axis) -> Iterator[Atom]:
    """The atoms of a resolved axis type, left to right."""
    from fiberscope.symmetry.axes import Leaf, Product, Sum

    match axis:
        case Leaf(atom):
            yield atom.find()
        case Product(parts) | Sum(parts):
            for part in parts:
                yield from _atoms(part)
        case _:
            return


def innermost(leaving: Sequence[str], spaces: Mapping[str, Any]) -> list[str]:
    """The spaces without those that others among them sit inside: the inner space of heads, not the heads."""
    outer = {spaces[space].get("within") for space in leaving}
    return [space for space in leaving if space not in outer]
