"""Parts of axes: one index, a range, consecutive pieces, entries picked by constant indices."""

from __future__ import annotations

from fiberscope.symmetry.axes import Axis, Uniform, fixed_axis, leaves, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule, argument, lift, rank_of, shape_of
from fiberscope.symmetry.typed import Inference, Stacked, Typed, Value, fixed
from fiberscope.symmetry.unify import Mismatch


def select(inf: Inference, node: Call) -> Value:
    """Take one index of an axis."""
    rank = rank_of(node.args[0])
    dim, index = node.args[1] % rank, node.args[2]
    value = inf.env[node.args[0].name]
    if isinstance(value, Stacked) and value.dim == dim:
        return value.items[index]
    x = inf.typed(node.args[0])
    if not isinstance(x.axes[dim], Uniform):
        inf.facts.freeze(x.axes[dim])
    return Typed((*x.axes[:dim], *x.axes[dim + 1 :]), x.constant, x.zero)


def range_of(inf: Inference, node: Call) -> Value:
    """Take a range of an axis: a part of a direct sum."""
    rank = rank_of(node.args[0])
    start, end, step = (argument(node, i, n, d) for i, n, d in ((2, "start", None), (3, "end", None), (4, "step", 1)))
    dim = argument(node, 1, "dim", 0) % rank
    size = int(node.args[0].meta["val"].shape[dim])
    low, high, stride = slice(start, end, step).indices(size)
    value = inf.env[node.args[0].name]
    if isinstance(value, Stacked) and value.dim == dim:
        return Stacked(dim, value.items[low:high:stride])
    x = inf.typed(node.args[0])
    return Typed(take_range(inf, x.axes, dim, low, high, stride), x.constant, x.zero)


def take_range(
    inf: Inference, axes: tuple[Axis, ...], dim: int, low: int, high: int, step: int = 1
) -> tuple[Axis, ...]:
    """Return the axes of a tensor after slicing one of them."""
    sliced = _part(inf, axes[dim], low, high, step)
    before, after = axes[:dim], axes[dim + 1 :]
    if sliced is None:
        inf.facts.apart(*before, *after)
        sliced = fixed_axis(len(range(low, high, step)), inf.facts.where)
    return (*before, sliced, *after)


def _part(inf: Inference, axis: Axis, low: int, high: int, step: int) -> Axis | None:
    """Return the part of a direct sum that a range takes; None where the places are frozen instead."""
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
    return None


def split(inf: Inference, node: Call) -> Value:
    """Take an axis apart into consecutive parts."""
    x = inf.typed(node.args[0])
    dim = argument(node, 2, "dim", 0) % len(x.axes)
    out, start = [], 0
    for part in node.meta["val"]:
        n = int(part.shape[dim])
        out.append(Typed(take_range(inf, x.axes, dim, start, start + n), x.constant))
        start += n
    return tuple(out)


def unbind(inf: Inference, node: Call) -> Value:
    """Take every index of an axis."""
    rank = rank_of(node.args[0])
    dim = argument(node, 1, "dim", 0) % rank
    value = inf.env[node.args[0].name]
    if isinstance(value, Stacked) and value.dim == dim:
        return value.items
    x = inf.typed(node.args[0])
    inf.facts.freeze(x.axes[dim])
    rest = Typed((*x.axes[:dim], *x.axes[dim + 1 :]), x.constant)
    return tuple(rest for _ in range(x.axes[dim].size))


def gather_axis(inf: Inference, node: Call, x: Typed) -> Typed:
    """Pick entries of one axis by indices (index_select, flip): that axis is fixed."""
    for index in node.args[2:]:
        inf.freeze(inf.typed(index))
    dims = node.args[1]
    chosen = [dims] if isinstance(dims, int) else list(dims)
    axes, shape = list(x.axes), shape_of(node)
    for d in chosen:
        d %= len(axes)
        if not isinstance(axes[d], Uniform):
            inf.facts.freeze(axes[d])
        axes[d] = fixed_axis(shape[d])
    inf.facts.apart(*(a for i, a in enumerate(axes) if i not in {d % len(axes) for d in chosen}))
    return Typed(tuple(axes), x.constant)


def index(inf: Inference, node: Call, x: Typed) -> Typed:
    """x[:, idx, ...] with weight-free index tensors on leading-contiguous axes."""
    picks = list(node.args[1])
    used = [i for i, p in enumerate(picks) if p is not None]
    shape = shape_of(node)
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
    inf.facts.apart(*(a for _, a in rest))
    if not contiguous:
        return Typed((*new, *(a for _, a in rest)), x.constant)
    before = [a for i, a in rest if i < used[0]]
    after = [a for i, a in rest if i > used[0]]
    return Typed((*before, *new, *after), x.constant)


RULES: dict[str, Rule] = {
    "select": select,
    "slice": range_of,
    "split_with_sizes": split,
    "split": split,
    "unbind": unbind,
    "index_select": lift(gather_axis),
    "flip": lift(gather_axis),
    "index": lift(index),
}
