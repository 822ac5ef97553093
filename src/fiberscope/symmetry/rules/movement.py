"""Ops that only move entries: views, permutations, slices, concatenations, padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fiberscope.symmetry.axes import Axis, Leaf, Product, Uniform, direct_sum, fixed_axis, leaves, product, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.typed import Inference, Stacked, Typed, Value, fixed
from fiberscope.symmetry.unify import Mismatch

if TYPE_CHECKING:
    import torch.fx

    Node = torch.fx.Node


def _shape(node: Node) -> tuple[int, ...]:
    return tuple(int(n) for n in node.meta["val"].shape)


def lift(rule: Callable[[Inference, Node, Typed], Typed]) -> Callable[[Inference, Any], Value]:
    """Make a rule of one tensor collapse a stacked input first."""
    return lambda inf, node: rule(inf, node, inf.typed(node.args[0]))


def view(inf: Inference, node: Node) -> Value:
    """Regroup the row-major factors of all axes under the new shape."""
    x, shape = inf.typed(node.args[0]), _shape(node)
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


def permute(inf: Inference, node: Node) -> Value:
    """Reorder the axes."""
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    rank = len(_shape(node))
    dims = [d % rank for d in node.args[1]]  # type: ignore[union-attr]
    return permuted(value if isinstance(value, Stacked) else inf.typed(node.args[0]), dims)


def permuted(value: Stacked | Typed, dims: list[int]) -> Value:
    """Reorder the axes of a typed or stacked tensor."""
    if isinstance(value, Typed):
        return Typed(tuple(value.axes[d] for d in dims), value.constant, value.zero)
    inner = [d - (d > value.dim) for d in dims if d != value.dim]
    items = tuple(Typed(tuple(t.axes[d] for d in inner), t.constant) for t in value.items)
    return Stacked(dims.index(value.dim), items)


def transpose(inf: Inference, node: Node) -> Value:
    """Swap two axes (``t`` swaps the only two)."""
    rank = len(_shape(node))
    dims = list(range(rank))
    i, j = (node.args[1] % rank, node.args[2] % rank) if len(node.args) > 2 else (0, rank - 1)  # type: ignore[operator]
    dims[i], dims[j] = dims[j], dims[i]
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    return permuted(value if isinstance(value, Stacked) else inf.typed(node.args[0]), dims)


def unsqueeze(inf: Inference, node: Node) -> Value:
    """Insert an axis of size one."""
    dim = node.args[1] % len(_shape(node))  # type: ignore[operator]
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    if isinstance(value, Stacked):
        inner = dim - (dim > value.dim)
        items = tuple(Typed((*t.axes[:inner], Uniform(1), *t.axes[inner:]), t.constant) for t in value.items)
        return Stacked(value.dim + (dim <= value.dim), items)
    x = inf.typed(node.args[0])
    return Typed((*x.axes[:dim], Uniform(1), *x.axes[dim:]), x.constant, x.zero)


def squeeze(inf: Inference, node: Node) -> Value:
    """Drop axes of size one."""
    source = node.args[0].meta["val"].shape  # type: ignore[union-attr]
    rank = len(source)
    given = node.args[1] if len(node.args) > 1 else list(range(rank))
    dims = [given] if isinstance(given, int) else list(given)  # type: ignore[arg-type]
    drop = {d % rank for d in dims if int(source[d]) == 1}
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    if isinstance(value, Stacked) and value.dim not in drop:
        inner = {d - (d > value.dim) for d in drop}
        items = tuple(Typed(tuple(a for i, a in enumerate(t.axes) if i not in inner), t.constant) for t in value.items)
        return Stacked(value.dim - sum(d < value.dim for d in drop), items)
    x = inf.typed(node.args[0])
    kept = _shape(node)
    if all(isinstance(x.axes[d], Uniform) for d in drop):
        return Typed(tuple(a for i, a in enumerate(x.axes) if i not in drop), x.constant, x.zero)
    return Typed(tuple(regroup(inf, list(x.axes), kept)), x.constant, x.zero)


def same(inf: Inference, node: Node) -> Value:
    """Copies and aliases keep a stacked tensor stacked."""
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    return value if isinstance(value, Stacked) else inf.typed(node.args[0])


def expand(inf: Inference, node: Node, x: Typed) -> Typed:
    """Broadcast axes of size one."""
    shape = _shape(node)
    padded = (Uniform(1),) * (len(shape) - len(x.axes)) + x.axes
    axes = tuple(inf.stretch(a, Uniform(n))[0] for a, n in zip(padded, shape, strict=True))
    return Typed(axes, x.constant, x.zero)


def select(inf: Inference, node: Node) -> Value:
    """Take one index of an axis."""
    rank = len(node.args[0].meta["val"].shape)  # type: ignore[union-attr]
    dim, index = node.args[1] % rank, node.args[2]  # type: ignore[operator]
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    if isinstance(value, Stacked) and value.dim == dim:
        return value.items[index]  # type: ignore[index]
    x = inf.typed(node.args[0])
    if not isinstance(x.axes[dim], Uniform):
        inf.facts.freeze(x.axes[dim])
    return Typed((*x.axes[:dim], *x.axes[dim + 1 :]), x.constant, x.zero)


def slice_(inf: Inference, node: Node) -> Value:
    """Take a range of an axis: a part of a direct sum."""
    rank = len(node.args[0].meta["val"].shape)  # type: ignore[union-attr]
    dim, start, end, step = [*node.args[1:], *(0, None, None, 1)[len(node.args) - 1 :]]
    dim = dim % rank  # type: ignore[operator]
    size = int(node.args[0].meta["val"].shape[dim])  # type: ignore[union-attr]
    low, high, stride = slice(start, end, step).indices(size)
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    if isinstance(value, Stacked) and value.dim == dim:
        return Stacked(dim, value.items[low:high:stride])
    x = inf.typed(node.args[0])
    axes = list(x.axes)
    axes[dim] = take_range(inf, axes[dim], low, high, stride)
    return Typed(tuple(axes), x.constant, x.zero)


def take_range(inf: Inference, axis: Axis, low: int, high: int, step: int = 1) -> Axis:
    """Return the type of a slice of an axis."""
    axis = resolve(axis)
    n = len(range(low, high, step))
    if n == axis.size:
        return axis
    if isinstance(axis, Uniform):
        return Uniform(n)
    known = all(leaf.charge.trivial and leaf.atom.mixing is Mixing.none for leaf in leaves(axis))
    if step == 1 and not known:
        try:
            _, tail = inf.facts.cut(axis, low)
            head, _ = inf.facts.cut(tail, n)
            return head
        except Mismatch:
            pass
    inf.facts.freeze(axis)
    return fixed_axis(n, inf.facts.where)


def split(inf: Inference, node: Node) -> Value:
    """Take an axis apart into consecutive parts."""
    x = inf.typed(node.args[0])
    dim = (node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)) % len(x.axes)  # type: ignore[operator]
    out, start = [], 0
    for part in node.meta["val"]:
        n = int(part.shape[dim])
        axes = list(x.axes)
        axes[dim] = take_range(inf, axes[dim], start, start + n)
        out.append(Typed(tuple(axes), x.constant))
        start += n
    return tuple(out)


def unbind(inf: Inference, node: Node) -> Value:
    """Take every index of an axis."""
    rank = len(node.args[0].meta["val"].shape)  # type: ignore[union-attr]
    dim = (node.args[1] if len(node.args) > 1 else 0) % rank  # type: ignore[operator]
    value = inf.env[node.args[0].name]  # type: ignore[union-attr]
    if isinstance(value, Stacked) and value.dim == dim:
        return value.items
    x = inf.typed(node.args[0])
    inf.facts.freeze(x.axes[dim])
    rest = Typed((*x.axes[:dim], *x.axes[dim + 1 :]), x.constant)
    return tuple(rest for _ in range(x.axes[dim].size))


def cat(inf: Inference, node: Node) -> Typed:
    """Concatenate: a direct sum along one axis, equality along the others."""
    tensors = [inf.typed(t) for t in node.args[0]]  # type: ignore[union-attr]
    tensors = [t for t in tensors if t.shape != (0,)]
    rank = len(tensors[0].axes)
    dim = (node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)) % rank  # type: ignore[operator]
    constant = all(t.constant for t in tensors)
    axes = list(tensors[0].axes)
    for t in tensors[1:]:
        for i in range(rank):
            if i != dim:
                axes[i] = inf.facts.equal(axes[i], t.axes[i])
    axes[dim] = direct_sum([_solid(t.axes[dim]) for t in tensors])
    if all(_inert(a) for a in (t.axes[dim] for t in tensors)):
        axes[dim] = fixed_axis(axes[dim].size)
    return Typed(tuple(resolve(a) for a in axes), constant)


def _solid(axis: Axis) -> Axis:
    """A uniform axis may be permuted freely, also inside a direct sum."""
    return fixed_axis(axis.size) if isinstance(axis, Uniform) and axis.size > 1 else _one(axis)


def _one(axis: Axis) -> Axis:
    from fiberscope.symmetry.axes import Atom

    return Leaf(Atom(1, Mixing.none)) if isinstance(axis, Uniform) else axis


def _inert(axis: Axis) -> bool:
    return isinstance(axis, Uniform) or all(
        leaf.charge.trivial and leaf.atom.find().mixing is Mixing.none for leaf in leaves(axis)
    )


def pad(inf: Inference, node: Node, x: Typed) -> Typed:
    """Pad with a constant: zeros keep the charges of the other axes."""
    widths = list(node.args[1])  # type: ignore[arg-type]
    value = node.args[2] if len(node.args) > 2 else node.kwargs.get("value", 0)
    axes = list(x.axes)
    for k in range(len(widths) // 2):
        before, after = int(widths[2 * k]), int(widths[2 * k + 1])
        i = len(axes) - 1 - k
        if before == after == 0:
            continue
        if before < 0 or after < 0:
            inf.facts.freeze(axes[i])
            axes[i] = fixed_axis(axes[i].size + before + after, inf.facts.where)
            continue
        terms = [fixed_axis(n) if n > 1 else _one(Uniform(1)) for n in (before,) if n]
        terms.append(_solid(axes[i]))
        terms += [fixed_axis(n) if n > 1 else _one(Uniform(1)) for n in (after,) if n]
        axes[i] = fixed_axis(sum(t.size for t in terms)) if _inert(axes[i]) else direct_sum(terms)
    if value:
        for axis in axes:
            inf.facts.vanish(axis)
            inf.facts.lower(axis, Mixing.permutation)
    return Typed(tuple(axes), x.constant)


def gather_axis(inf: Inference, node: Node, x: Typed) -> Typed:
    """Pick entries of one axis by constant indices (index_select, flip): that axis is fixed."""
    dims = node.args[1]
    chosen = [dims] if isinstance(dims, int) else list(dims)  # type: ignore[arg-type]
    axes, shape = list(x.axes), _shape(node)
    for d in chosen:
        d %= len(axes)
        if not isinstance(axes[d], Uniform):
            inf.facts.freeze(axes[d])
        axes[d] = fixed_axis(shape[d])
    return Typed(tuple(axes), x.constant)


def index(inf: Inference, node: Node, x: Typed) -> Typed:
    """x[:, idx, ...] with weight-free index tensors on leading-contiguous axes."""
    picks = list(node.args[1])  # type: ignore[arg-type]
    used = [i for i, p in enumerate(picks) if p is not None]
    shape = _shape(node)
    if any(not inf.typed(picks[i]).constant for i in used):
        for i in used:
            inf.freeze(inf.typed(picks[i]))
        inf.freeze(x)
        return fixed(shape, inf.facts.where)
    for i in used:
        inf.facts.freeze(x.axes[i])
    contiguous = used == list(range(used[0], used[-1] + 1))
    rank = len(shape) - (len(x.axes) - len(used))
    new = [fixed_axis(n) for n in (shape[used[0] : used[0] + rank] if contiguous else shape[:rank])]
    rest = [(i, a) for i, a in enumerate(x.axes) if i not in used]
    if not contiguous:
        return Typed((*new, *(a for _, a in rest)), x.constant)
    before = [a for i, a in rest if i < used[0]]
    after = [a for i, a in rest if i > used[0]]
    return Typed((*before, *new, *after), x.constant)


def repeat(inf: Inference, node: Node, x: Typed) -> Typed:
    """Tile: repeated axes become uniform times the axis."""
    times = [int(n) for n in node.args[1]]  # type: ignore[union-attr]
    padded = (Uniform(1),) * (len(times) - len(x.axes)) + x.axes
    axes = tuple(product([Uniform(n), a]) if n > 1 else a for n, a in zip(times, padded, strict=True))
    return Typed(tuple(a if a.size else fixed_axis(0) for a in axes), x.constant, x.zero)


RULES: dict[str, Callable[[Inference, Any], Any]] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten"), view),
    **dict.fromkeys(("alias", "clone", "detach", "contiguous", "lift_fresh_copy"), same),
    "permute": permute,
    "transpose": transpose,
    "t": transpose,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    "expand": lift(expand),
    "select": select,
    "slice": slice_,
    "split_with_sizes": split,
    "split": split,
    "unbind": unbind,
    "cat": cat,
    "constant_pad_nd": lift(pad),
    "index_select": lift(gather_axis),
    "flip": lift(gather_axis),
    "index": lift(index),
    "repeat": lift(repeat),
}
