"""Reductions and pooling."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from fiberscope.symmetry.axes import PIXEL, Uniform, fixed_axis, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule, argument, shape_of
from fiberscope.symmetry.rules.elementwise import law
from fiberscope.symmetry.typed import Inference, Typed


def _dims(node: Call, rank: int) -> tuple[set[int], bool]:
    given, keep = argument(node, 1, "dim"), bool(argument(node, 2, "keepdim", False))
    if given is None or given == []:
        return set(range(rank)), keep
    dims = [given] if isinstance(given, int) else list(given)
    return {d % rank for d in dims}, keep


def reduce(inf: Inference, node: Call, x: Typed) -> Typed:
    """Drop the reduced axes, which must not scale and may at most be permuted."""
    dims, keep = _dims(node, len(x.axes))
    axes = []
    for i, axis in enumerate(x.axes):
        if i not in dims:
            axes.append(resolve(axis))
            continue
        inf.pooled.append(axis)
        inf.facts.lower(axis, Mixing.permutation)
        inf.facts.vanish(axis)
        if keep:
            axes.append(Uniform(1))
    return Typed(tuple(axes), x.constant)


def linear_reduction(inf: Inference, node: Call) -> Typed:
    """sum, mean: linear along the other axes."""
    return reduce(inf, node, inf.typed(node.args[0]))


def homogeneous_reduction(inf: Inference, node: Call) -> Typed:
    """amax, amin: positively homogeneous along the other axes."""
    return reduce(inf, node, law(inf, inf.typed(node.args[0]), Fraction(1), None))


def blunt_reduction(inf: Inference, node: Call) -> Typed:
    """any, all: permutations only."""
    return reduce(inf, node, law(inf, inf.typed(node.args[0]), None, None))


def vector_norm(inf: Inference, node: Call) -> Typed:
    """A p-norm over some axes: absolutely homogeneous along the others (p = 0 counts, and does not scale)."""
    order = argument(node, 1, "ord", 2)
    x = law(inf, inf.typed(node.args[0]), Fraction(1 if order else 0), "even")
    dims, keep = argument(node, 2, "dim"), bool(argument(node, 3, "keepdim", False))
    rank = len(x.axes)
    chosen = {d % rank for d in dims} if isinstance(dims, (list, tuple)) else set(range(rank))
    axes = []
    for i, axis in enumerate(x.axes):
        if i not in chosen:
            axes.append(axis)
            continue
        inf.pooled.append(axis)
        inf.facts.vanish(axis)
        if keep:
            axes.append(Uniform(1))
    return Typed(tuple(axes), x.constant)


def variance(inf: Inference, node: Call) -> Typed:
    """var: quadratic along the other axes; along the reduced ones it sees the differences."""
    x = inf.typed(node.args[0])
    given = argument(node, 1, "dim")
    dims = {d % len(x.axes) for d in given} if isinstance(given, (list, tuple)) else set(range(len(x.axes)))
    for i in dims:
        inf.pooled.append(x.axes[i])
        inf.facts.lower(x.axes[i], Mixing.permutation)
        inf.facts.vanish(x.axes[i])
    out = law(inf, inf.typed(node.args[0]), Fraction(2), "even")
    shape = shape_of(node)
    axes = []
    for i, axis in enumerate(out.axes):
        if i in dims:
            if len(shape) == len(out.axes):
                axes.append(Uniform(1))
        else:
            axes.append(axis)
    return Typed(tuple(axes), out.constant)


def _pixels(inf: Inference, node: Call, x: Typed, shape: tuple[int, ...], spatial: int) -> Typed:
    """Replace the last ``spatial`` axes by fixed ones."""
    keep = len(x.axes) - spatial
    inf.facts.fix_pixels(*x.axes[keep:])
    inf.facts.apart(*x.axes[:keep])
    return Typed((*x.axes[:keep], *(fixed_axis(n, PIXEL) for n in shape[keep:])), x.constant)


def max_pool(inf: Inference, node: Call) -> tuple[Typed, Typed]:
    """Max pooling: positively homogeneous on channels, pixels fixed."""
    shape = tuple(int(n) for n in node.meta["val"][0].shape)
    spatial = len(node.args[1])
    x = law(inf, inf.typed(node.args[0]), Fraction(1), None)
    out = _pixels(inf, node, x, shape, spatial)
    picked = law(inf, out, Fraction(0), None)
    return out, picked


def linear_pool(spatial: int) -> Callable[[Inference, Any], Typed]:
    """Average pooling and interpolation: linear on channels, pixels fixed."""

    def rule(inf: Inference, node: Any) -> Typed:
        shape = shape_of(node)
        return _pixels(inf, node, inf.typed(node.args[0]), shape, spatial)

    return rule


def full(inf: Inference, node: Call) -> Typed:
    """A constant tensor filled with one number."""
    value = {"zeros": 0, "zeros_like": 0, "ones": 1, "ones_like": 1}.get(_name(node))
    if value is None:
        value = node.args[0] if _name(node) == "scalar_tensor" else node.args[1]
    shape = node.meta["val"].shape
    return Typed(tuple(Uniform(int(n)) for n in shape), True, zero=value == 0)


def _name(node: Call) -> str:
    return node.target.__name__.split(".")[0]


RULES: dict[str, Rule] = {
    "sum": linear_reduction,
    "mean": linear_reduction,
    "amax": homogeneous_reduction,
    "amin": homogeneous_reduction,
    "var": variance,
    "max_pool2d_with_indices": max_pool,
    "max_pool3d_with_indices": max_pool,
    "avg_pool1d": linear_pool(1),
    "avg_pool2d": linear_pool(2),
    "avg_pool3d": linear_pool(3),
    "_adaptive_avg_pool2d": linear_pool(2),
    "_adaptive_avg_pool3d": linear_pool(3),
    "upsample_nearest1d": linear_pool(1),
    "upsample_nearest2d": linear_pool(2),
    "upsample_bilinear2d": linear_pool(2),
    "upsample_bicubic2d": linear_pool(2),
    "any": blunt_reduction,
    "all": blunt_reduction,
    "linalg_vector_norm": vector_norm,
    **dict.fromkeys(("full", "full_like", "zeros", "zeros_like", "ones", "ones_like", "scalar_tensor"), full),
}
