"""Ops that move whole axes: permutations, axes of size one, copies, broadcasts, concatenations, padding."""

from __future__ import annotations

from fiberscope.symmetry.axes import Atom, Axis, Leaf, Uniform, direct_sum, fixed_axis, leaves, product, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule, argument, lift, rank_of, shape_of
from fiberscope.symmetry.rules.views import regroup
from fiberscope.symmetry.typed import Inference, Stacked, Typed, Value


def permute(inf: Inference, node: Call) -> Value:
    """Reorder the axes."""
    value = inf.env[node.args[0].name]
    rank = rank_of(node)
    dims = [d % rank for d in node.args[1]]
    return permuted(value if isinstance(value, Stacked) else inf.typed(node.args[0]), dims)


def permuted(value: Stacked | Typed, dims: list[int]) -> Value:
    """Reorder the axes of a typed or stacked tensor."""
    if isinstance(value, Typed):
        return Typed(tuple(value.axes[d] for d in dims), value.constant, value.zero)
    inner = [d - (d > value.dim) for d in dims if d != value.dim]
    items = tuple(Typed(tuple(t.axes[d] for d in inner), t.constant) for t in value.items)
    return Stacked(dims.index(value.dim), items)


def transpose(inf: Inference, node: Call) -> Value:
    """Swap two axes (``t`` swaps the only two)."""
    rank = rank_of(node)
    dims = list(range(rank))
    i, j = argument(node, 1, "dim0", 0) % rank, argument(node, 2, "dim1", rank - 1) % rank
    dims[i], dims[j] = dims[j], dims[i]
    value = inf.env[node.args[0].name]
    return permuted(value if isinstance(value, Stacked) else inf.typed(node.args[0]), dims)


def unsqueeze(inf: Inference, node: Call) -> Value:
    """Insert an axis of size one."""
    dim = node.args[1] % rank_of(node)
    value = inf.env[node.args[0].name]
    if isinstance(value, Stacked):
        inner = dim - (dim > value.dim)
        items = tuple(Typed((*t.axes[:inner], Uniform(1), *t.axes[inner:]), t.constant) for t in value.items)
        return Stacked(value.dim + (dim <= value.dim), items)
    x = inf.typed(node.args[0])
    return Typed((*x.axes[:dim], Uniform(1), *x.axes[dim:]), x.constant, x.zero)


def squeeze(inf: Inference, node: Call) -> Value:
    """Drop axes of size one."""
    source = node.args[0].meta["val"].shape
    rank = len(source)
    given = argument(node, 1, "dim", list(range(rank)))
    dims = [given] if isinstance(given, int) else list(given)
    drop = {d % rank for d in dims if int(source[d]) == 1}
    value = inf.env[node.args[0].name]
    if isinstance(value, Stacked):
        inner = {d - (d > value.dim) for d in drop if d != value.dim}
        items = tuple(_without(inf, item, inner) for item in value.items)
        return items[0] if value.dim in drop else Stacked(value.dim - sum(d < value.dim for d in drop), items)
    x = inf.typed(node.args[0])
    kept = shape_of(node)
    if all(isinstance(x.axes[d], Uniform) for d in drop):
        return Typed(tuple(a for i, a in enumerate(x.axes) if i not in drop), x.constant, x.zero)
    return Typed(tuple(regroup(inf, list(x.axes), kept)), x.constant, x.zero)


def _without(inf: Inference, item: Typed, drop: set[int]) -> Typed:
    for d in drop:
        inf.facts.vanish(item.axes[d])
    return Typed(tuple(a for i, a in enumerate(item.axes) if i not in drop), item.constant)


def same(inf: Inference, node: Call) -> Value:
    """Copies and aliases keep a stacked tensor stacked."""
    value = inf.env[node.args[0].name]
    return value if isinstance(value, Stacked) else inf.typed(node.args[0])


def expand(inf: Inference, node: Call, x: Typed) -> Typed:
    """Broadcast axes of size one."""
    shape = shape_of(node)
    padded = (Uniform(1),) * (len(shape) - len(x.axes)) + x.axes
    axes = tuple(inf.stretch(a, Uniform(n))[0] for a, n in zip(padded, shape, strict=True))
    return Typed(axes, x.constant, x.zero)


def cat(inf: Inference, node: Call) -> Typed:
    """Concatenate: a direct sum along one axis, equality along the others."""
    tensors = [inf.typed(t) for t in node.args[0]]
    tensors = [t for t in tensors if t.shape != (0,)]
    rank = len(tensors[0].axes)
    dim = argument(node, 1, "dim", 0) % rank
    constant = all(t.constant for t in tensors)
    axes = list(tensors[0].axes)
    for t in tensors[1:]:
        for i in range(rank):
            if i != dim:
                axes[i] = inf.facts.equal(axes[i], t.axes[i])
    axes[dim] = direct_sum([_solid(t.axes[dim]) for t in tensors])
    if all(_inert(a) for a in (t.axes[dim] for t in tensors)):
        inf.facts.apart(*(a for i, a in enumerate(axes) if i != dim))
        axes[dim] = fixed_axis(axes[dim].size)
    return Typed(tuple(resolve(a) for a in axes), constant)


def _solid(axis: Axis) -> Axis:
    """A uniform axis may be permuted freely, also inside a direct sum."""
    return _places(axis.size) if isinstance(axis, Uniform) else axis


def _places(size: int) -> Axis:
    """Return fixed places, solid also when there is only one."""
    return Leaf(Atom(size, Mixing.none))


def _inert(axis: Axis) -> bool:
    return isinstance(axis, Uniform) or all(
        leaf.charge.trivial and leaf.atom.find().mixing is Mixing.none for leaf in leaves(axis)
    )


def pad(inf: Inference, node: Call, x: Typed) -> Typed:
    """Pad with a constant: zeros keep the charges of the other axes."""
    widths = list(node.args[1])
    value = argument(node, 2, "value", 0)
    axes = list(x.axes)
    for k in range(len(widths) // 2):
        before, after = int(widths[2 * k]), int(widths[2 * k + 1])
        i = len(axes) - 1 - k
        if before == after == 0:
            continue
        if before < 0 or after < 0:
            inf.facts.freeze(axes[i])
            inf.facts.apart(*axes[:i], *axes[i + 1 :])
            axes[i] = fixed_axis(axes[i].size + before + after, inf.facts.where)
            continue
        terms = [_places(before)] if before else []
        terms.append(_solid(axes[i]))
        terms += [_places(after)] if after else []
        if _inert(axes[i]):
            inf.facts.apart(*axes[:i], *axes[i + 1 :])
            axes[i] = fixed_axis(sum(t.size for t in terms))
        else:
            axes[i] = direct_sum(terms)
    if value:
        for axis in axes:
            inf.facts.vanish(axis)
            inf.facts.lower(axis, Mixing.permutation)
    return Typed(tuple(axes), x.constant)


def repeat(inf: Inference, node: Call, x: Typed) -> Typed:
    """Tile: repeated axes become uniform times the axis."""
    times = [int(n) for n in node.args[1]]
    padded = (Uniform(1),) * (len(times) - len(x.axes)) + x.axes
    axes = tuple(product([Uniform(n), a]) if n > 1 else a for n, a in zip(times, padded, strict=True))
    return Typed(tuple(a if a.size else fixed_axis(0) for a in axes), x.constant, x.zero)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("alias", "clone", "detach", "contiguous", "lift_fresh_copy"), same),
    "permute": permute,
    "transpose": transpose,
    "t": transpose,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    "expand": lift(expand),
    "cat": cat,
    "constant_pad_nd": lift(pad),
    "repeat": lift(repeat),
}
