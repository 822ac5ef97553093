"""Views: row-major factors of all axes regrouped under a new shape."""

from __future__ import annotations

import math

from fiberscope.symmetry.axes import Axis, Product, Uniform, product, resolve
from fiberscope.symmetry.rules.call import Call, Rule, shape_of
from fiberscope.symmetry.typed import Inference, Stacked, Typed, Value, fixed
from fiberscope.symmetry.unify import Mismatch


def view(inf: Inference, node: Call) -> Value:
    """Regroup the row-major factors of all axes under the new shape."""
    x, shape = inf.typed(node.args[0]), shape_of(node)
    if x.shape == shape:
        return x
    try:
        stack = inf.stack_dims.get(node.name)
        if stack is not None:
            made = _stacked_view(inf, x, shape, stack)
            if made is not None:
                return made
        return Typed(tuple(regroup(inf, list(x.axes), shape)), x.constant, x.zero)
    except Mismatch:
        inf.freeze(x)
        return fixed(shape, inf.facts.where, constant=x.constant)


def regroup(inf: Inference, axes: list[Axis], shape: tuple[int, ...]) -> list[Axis]:
    """Distribute row-major factors over new axis sizes, splitting factors where needed."""
    queue: list[Axis] = []
    for axis in axes:
        axis = resolve(axis)
        queue.extend(axis.factors if isinstance(axis, Product) else (axis,))
    queue = [f for f in queue if not (isinstance(f, Uniform) and f.size == 1)]
    out: list[Axis] = []
    for size in shape:
        parts: list[Axis] = []
        taken = 1
        if size == 1 and queue and queue[0].size == 1:
            parts.append(queue.pop(0))
        while taken < size:
            factor = resolve(queue.pop(0))
            if isinstance(factor, Product):
                queue[:0] = factor.factors
                continue
            if factor.size == 1:
                inf.facts.vanish(factor)
                continue
            need = size // taken
            if need * taken != size:
                raise Mismatch
            if factor.size > need:
                factor, rest = inf.facts.split(factor, need)
                queue.insert(0, rest)
            parts.append(factor)
            taken *= factor.size
        if taken != size:
            raise Mismatch
        out.append(product(parts))
    for factor in queue:
        inf.facts.vanish(factor)
    return out


def _stacked_view(inf: Inference, x: Typed, shape: tuple[int, ...], dim: int) -> Stacked | None:
    """Split one axis as outer x m x inner where the m slices will be taken apart: a direct sum of m types."""
    group = _source_group(x.shape, shape, dim)
    if group is None:
        return None
    source, first, last = group
    outer_shape, m, inner_shape = shape[first:dim], shape[dim], shape[dim + 1 : last]
    outer, rest = inf.facts.split(x.axes[source], math.prod(outer_shape))
    inner = math.prod(inner_shape)
    pieces: list[Axis] = []
    for _ in range(m):
        head, rest = inf.facts.cut(rest, inner)
        pieces.append(head)
    items = []
    for piece in pieces:
        axes = [
            *x.axes[:source],
            *regroup(inf, [outer], outer_shape),
            *regroup(inf, [piece], inner_shape),
            *x.axes[source + 1 :],
        ]
        if len(axes) != len(shape) - 1:
            return None
        items.append(Typed(tuple(axes), x.constant))
    return Stacked(dim, tuple(items))


def _source_group(old: tuple[int, ...], new: tuple[int, ...], dim: int) -> tuple[int, int, int] | None:
    """Find the old axis that the new axis ``dim`` came from, and the range of new axes that it became."""
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            if j == dim:
                return None
            i, j = i + 1, j + 1
            continue
        first, taken = j, 1
        while j < len(new) and taken < old[i]:
            taken *= new[j]
            j += 1
        if taken != old[i]:
            return None
        if first <= dim < j:
            return i, first, j
        i += 1
    return None


RULES: dict[str, Rule] = dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten"), view)
