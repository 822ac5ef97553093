"""Cut axes through operations that only place numbers elsewhere, pool them or put them side by side."""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq

from .channel_combinations import Sums, bare, keeping, multiplied, renamed
from .channels import CONSTANT, ONE, OPEN, ZERO, Relation, Shape, agree, clean, each, same
from .core import Node
from .report import Reject, need

MAX_PLACES = 1 << 24


def move(node: Node, other: Node, relation: Relation | None, before: Shape, other_before: Shape) -> Relation | None:
    """reshape, permute, expand, take."""
    assert node.shape is not None and other.shape is not None
    if relation is None:
        need(node.attrs == other.attrs, f"the networks differ in the settings of {node.op}")
        return None
    axis = relation.axis
    if node.op == "permute":
        need(node.attrs == other.attrs, "axes are permuted differently")
        return relation.at(node.attrs[0].index(axis))
    if node.op == "expand":
        need(before[axis] == node.shape[axis] and other_before[axis] == other.shape[axis], "a cut axis is repeated")
        return relation
    if node.op == "take":
        return taken(node, other, relation)
    return reshaped(relation, before, other_before, node.shape, other.shape)


def taken(node: Node, other: Node, relation: Relation) -> Relation | None:
    """Some positions of one axis."""
    (axis, places), (other_axis, others) = node.attrs, other.attrs
    need(axis == other_axis, "positions of different axes are taken")
    if axis != relation.axis:
        need(places == others, "different positions are taken")
        return relation
    index = np.array(places, dtype=np.int64)
    where = {place: i for i, place in reversed(list(enumerate(others)))}
    unit = np.array([where.get(u, OPEN) if u >= 0 else u for u in relation.unit[index].tolist()], dtype=np.int64)
    sums = renamed(relation.sums, dict(enumerate(index.tolist())), where)
    return clean(Relation(axis, unit, relation.scale[index], relation.shift[index], sums), len(others))


def reshaped(relation: Relation, before: Shape, other_before: Shape, after: Shape, other_after: Shape) -> Relation:
    """Where every number goes, in both networks; what results must again be one axis."""
    need(math.prod(before) <= MAX_PLACES, "a tensor too large to follow a reshape")
    need(len(after) == len(other_after), "the networks are reshaped differently")
    axis = relation.axis
    shape = [-1 if i == axis else 1 for i in range(len(before))]
    label = np.broadcast_to(np.arange(before[axis]).reshape(shape), before).reshape(after)
    strides = np.array([math.prod(other_before[i + 1 :]) for i in range(len(before))])
    place = np.zeros((1,) * len(before), dtype=np.int64)
    for i, n in enumerate(before):
        index = np.where(relation.unit >= 0, relation.unit, 0) if i == axis else np.arange(n)
        place = place + (index * strides[i]).reshape([-1 if k == i else 1 for k in range(len(before))])
    place = np.broadcast_to(place, before).reshape(after)
    for k in range(len(after)):
        if after[:k] + after[k + 1 :] != other_after[:k] + other_after[k + 1 :]:
            continue
        found = one_axis(relation, label, place, k, after, other_after)
        if found is not None:
            return found.knowing(sums_along(relation, k, before, other_before, after, other_after))
    raise Reject("a cut axis is reshaped into parts that are no axis")


def one_axis(
    relation: Relation, label: np.ndarray, place: np.ndarray, k: int, after: Shape, other_after: Shape
) -> Relation | None:
    """The relation along axis k of the result, or None where the numbers do not lie along it."""
    head = tuple(slice(None) if i == k else 0 for i in range(len(after)))
    wide = [-1 if i == k else 1 for i in range(len(after))]
    source = label[head]
    if not bool(np.all(label == source.reshape(wide))):
        return None
    inner = math.prod(other_after[k + 1 :])
    unit = np.where(relation.unit[source] >= 0, place[head] // inner, relation.unit[source])
    if not bool(np.all(unit < other_after[k])):
        return None
    expected = np.zeros((1,) * len(after), dtype=np.int64)
    for i, n in enumerate(after):
        index = np.maximum(unit, 0) if i == k else np.arange(n)
        step = math.prod(other_after[i + 1 :])
        expected = expected + (index * step).reshape([-1 if j == i else 1 for j in range(len(after))])
    linear = np.broadcast_to((unit >= 0).reshape(wide), after)
    if not bool(np.all((expected == place) | ~linear)):
        return None
    return Relation(k, unit, relation.scale[source], relation.shift[source])


def sums_along(
    relation: Relation, k: int, before: Shape, other_before: Shape, after: Shape, other_after: Shape
) -> Sums:
    """Sums after a reshape: position p of axis k holds unit i and places r of the others, b's then the same r."""
    if not relation.sums:
        return {}
    axis, names = relation.axis, []
    for old, new in ((before, after), (other_before, other_after)):
        rest = tuple(1 if i == axis else n for i, n in enumerate(old))
        wide = [-1 if i == axis else 1 for i in range(len(old))]
        unit = np.broadcast_to(np.arange(old[axis]).reshape(wide), old).reshape(new)
        place = np.broadcast_to(np.arange(math.prod(rest)).reshape(rest), old).reshape(new)
        unit, place = (np.moveaxis(v, k, 0).reshape(new[k], -1) for v in (unit, place))
        one = unit.min(axis=1) == unit.max(axis=1)
        names.append([(int(p), int(unit[p, 0]), place[p].tobytes()) for p in np.flatnonzero(one)])
    where: dict[bytes, dict[int, int]] = {}
    for q, u, r in names[1]:
        where.setdefault(r, {})[u] = q
    out: Sums = {}
    for p, u, r in names[0]:
        if u in relation.sums:
            out |= renamed(relation.sums, {p: u}, where.get(r, {}))
    return out


def padded(node: Node, other: Node, relation: Relation | None) -> Relation | None:
    """New places around other axes hold one number: units follow where their scale and constant keep it."""
    need(node.attrs == other.attrs, "the networks are padded differently")
    if relation is None:
        return None
    widths, value = node.attrs[0], fmpq(*float.fromhex(node.attrs[1]).as_integer_ratio())
    need(not any(widths[relation.axis]), "a cut axis is padded")

    def rule(i: int, u: int, s: fmpq, c: fmpq):
        fits = c == value if u == CONSTANT else s * value + c == value
        return (u, s, c) if u != OPEN and fits else (OPEN, ONE, ZERO)

    return each(relation, rule).knowing(keeping(relation.sums, value))


def pooled(node: Node, other: Node, relation: Relation | None) -> Relation | None:
    """Windows over trailing axes."""
    need(node.attrs == other.attrs, "the networks are pooled differently")
    if relation is None:
        return None
    kind, kernel, _, pads, *_ = node.attrs
    assert node.shape is not None
    need(relation.axis < len(node.shape) - len(kernel), "a cut axis is pooled over")
    within = not any(any(p) for p in pads)

    def rule(i: int, u: int, s: fmpq, c: fmpq):
        fits = (u == CONSTANT or s > 0) if kind == "max" else within or c == 0
        return (u, s, c) if u != OPEN and fits else (OPEN, ONE, ZERO)

    mean = {} if kind == "max" else relation.sums if within else bare(relation.sums)
    return each(relation, rule).knowing(mean)


def reduced(node: Node, other: Node, relation: Relation | None, before: Shape) -> Relation | None:
    """A sum, mean or extreme over other axes."""
    need(node.attrs == other.attrs, "the networks are summed differently")
    if relation is None:
        return None
    kind, axes = node.attrs
    need(relation.axis not in axes, "a cut axis is summed over")
    count = math.prod(before[a] for a in axes)

    def rule(i: int, u: int, s: fmpq, c: fmpq):
        fits = kind in ("sum", "mean") or (kind in ("max", "min") and (u == CONSTANT or s > 0))
        return (u, s, c * count if kind == "sum" else c) if u != OPEN and fits else (OPEN, ONE, ZERO)

    linear = {"sum": multiplied(relation.sums, fmpq(count)), "mean": relation.sums}
    return each(relation, rule).knowing(linear.get(kind, {}))


def cumulated(node: Node, other: Node, relation: Relation | None) -> Relation | None:
    """Running sums along another axis."""
    need(node.attrs == other.attrs, "the networks are summed differently")
    if relation is None:
        return None
    need(relation.axis != node.attrs[0], "a cut axis is summed up step by step")
    found = each(relation, lambda i, u, s, c: (u, s, c) if u != OPEN and c == 0 else (OPEN, ONE, ZERO))
    return found.knowing(bare(relation.sums))


def concatenated(
    node: Node, other: Node, parts: list[Relation | None], shapes: list[Shape], others: list[Shape]
) -> Relation | None:
    """Side by side along one axis."""
    need(node.attrs == other.attrs, "the networks join different axes")
    axis = node.attrs[0]
    if all(p is None for p in parts) and shapes == others:
        return None
    if all(p is None or p.axis == axis for p in parts):
        unit, scale, shift, at, start = [], [], [], 0, 0
        sums: Sums = {}
        for part, shape, there in zip(parts, shapes, others, strict=True):
            here = part or same(axis, shape[axis])
            names = {k: k + at for k in range(there[axis])}
            sums |= renamed(here.sums, {i + start: i for i in here.sums}, names)
            start += shape[axis]
            unit.append(np.where(here.unit >= 0, here.unit + at, here.unit))
            scale.append(here.scale)
            shift.append(here.shift)
            at += there[axis]
        return Relation(axis, np.concatenate(unit), np.concatenate(scale), np.concatenate(shift), sums)
    first = parts[0]
    need(all(agree(first, p) for p in parts[1:]), "joined tensors are cut differently")
    return first if first is None else first.knowing({})


def paired(p: Relation | None, q: Relation | None, inner: tuple[int, int], counts: tuple[int, int]) -> None:
    """A product of two data tensors summed over a cut axis: the same units go on both sides, and what goes is zero."""
    left, right = (r or same(k, counts[0]) for r, k in zip((p, q), inner, strict=True))
    need((left.axis, right.axis) == inner, "two axes are cut at once")
    covered = np.zeros(counts[1], dtype=np.int64)
    for u, s, c, v, t, d in zip(
        left.unit.tolist(), left.scale, left.shift, right.unit.tolist(), right.scale, right.shift, strict=True
    ):
        if (u == CONSTANT and c == 0) or (v == CONSTANT and d == 0):
            continue
        need(u == v and u >= 0 and s * t == 1 and c == 0 == d, "a product over units that are cut differently")
        covered[u] += 1
    need(bool(np.all(covered == 1)), "a product over units that are cut differently")
