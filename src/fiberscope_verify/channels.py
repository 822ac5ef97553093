"""How the units along one axis of a tensor of network a are read off the same tensor of a smaller network b.

``a[.., i, ..] = scale[i] b[.., unit[i], ..] + shift[i]`` for every place of the other axes; unit -1 (CONSTANT) says
``a[.., i, ..] = shift[i]``, unit -2 (OPEN) says nothing. Every rule returns what holds of the result; what it cannot
derive is OPEN, which only matters where somebody reads it. A unit may also be known as a sum of several of b's (see
`channel_combinations`): ``sums`` lists these, and a rule that does not pass them on loses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from flint import fmpq

from .channel_combinations import Sums, both, with_stored
from .channel_combinations import with_shared as sums_with_shared
from .channel_constants import Rows, difference, ratio, rows, uniform
from .laws import exact_value, law
from .report import Reject, need

CONSTANT, OPEN = -1, -2
ZERO, ONE = fmpq(0), fmpq(1)
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Relation:
    """See the module; None in place of a Relation says that both tensors are equal."""

    axis: int
    unit: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    sums: Sums = field(default_factory=dict)

    def at(self, axis: int) -> Relation:
        return replace(self, axis=axis)

    def knowing(self, sums: Sums) -> Relation:
        return replace(self, sums=sums)


def filled(count: int, value: fmpq) -> np.ndarray:
    out = np.empty(count, dtype=object)
    out[:] = [value] * count
    return out


def same(axis: int, count: int) -> Relation:
    """Equality, written as a relation along an axis."""
    return Relation(axis, np.arange(count), filled(count, ONE), filled(count, ZERO))


def clean(relation: Relation, other: int) -> Relation | None:
    """None where the relation is equality; `other` is the length of b's axis."""
    count = len(relation.unit)
    plain = count == other and np.array_equal(relation.unit, np.arange(count))
    plain = plain and bool(np.all(relation.scale == 1)) and bool(np.all(relation.shift == 0))
    return None if plain else relation


def agree(p: Relation | None, q: Relation | None) -> bool:
    """Whether two relations say the same, sums of several units apart."""
    if p is None or q is None:
        return p is q
    parts = ((p.unit, q.unit), (p.scale, q.scale), (p.shift, q.shift))
    return p.axis == q.axis and all(len(x) == len(y) and bool(np.all(x == y)) for x, y in parts)


@dataclass(frozen=True, eq=False)
class Operand:
    """One argument in both networks: data with its relation, or constants x of a and y of b; shapes of both."""

    shape: Shape
    other: Shape
    relation: Relation | None = None
    x: np.ndarray | None = None
    y: np.ndarray | None = None

    @property
    def constant(self) -> bool:
        return self.x is not None

    @property
    def equal(self) -> bool:
        """Whether both networks have the very same here."""
        if self.x is None or self.y is None:
            return self.relation is None and self.shape == self.other
        return self.x.shape == self.y.shape and bool(np.all(self.x == self.y))


def along(operand: Operand, axis: int, rank: int) -> Relation | None:
    """A data operand's relation along an axis of the result; None where the axis is broadcast (it is shared)."""
    lift = rank - len(operand.shape)
    if operand.relation is not None:
        need(operand.relation.axis + lift == axis, "two axes are cut at once")
        return operand.relation
    i = axis - lift
    if i < 0 or operand.shape[i] == 1 == operand.other[i]:
        return None
    need(operand.shape[i] == operand.other[i], "operands of different lengths")
    return same(axis, operand.shape[i])


def map_rule(relation: Relation | None, function: str, parameters: tuple[str, ...]) -> Relation | None:
    """An elementwise function: scales that it lets through, constants to their images."""
    if relation is None:
        return None
    unit, scale, shift = relation.unit.copy(), relation.scale.copy(), relation.shift.copy()
    table: dict = {}
    for i, (u, s, c) in enumerate(zip(unit.tolist(), scale, shift, strict=True)):
        if u == OPEN:
            continue
        key = (u >= 0, int(s.p), int(s.q), int(c.p), int(c.q))
        if key not in table:
            table[key] = mapped(u >= 0, s, c, function, parameters)
        if table[key] is None:
            unit[i], scale[i], shift[i] = OPEN, ONE, ZERO
        else:
            scale[i], shift[i] = table[key]
    return Relation(relation.axis, unit, scale, shift)


def mapped(linear: bool, s: fmpq, c: fmpq, function: str, parameters: tuple[str, ...]) -> tuple[fmpq, fmpq] | None:
    """(scale, shift) after a function, or None."""
    if function == "float":
        return s, c
    if function == "neg":
        return s, -c
    if not linear:
        value = exact_value(function, parameters, c)
        return None if value is None else (ONE, value)
    passed = law(function, parameters, s) if c == 0 else None
    return None if passed is None else (passed, ZERO)


def pointwise(op: str, operands: list[Operand], rank: int) -> Relation | None:
    """add, mul, max, min of two operands that broadcast to `rank` axes."""
    if all(operand.equal for operand in operands):
        return None
    axes = {o.relation.axis + rank - len(o.shape) for o in operands if o.relation is not None}
    need(len(axes) == 1, "constants differ where no unit was taken out" if not axes else "two axes are cut at once")
    (axis,) = axes
    data = [o for o in operands if not o.constant]
    if len(data) == 2:
        p, q = (along(o, axis, rank) for o in data)
        if p is None or q is None:
            left = p if p is not None else q
            assert left is not None
            found = each(left, lambda i, u, s, c: with_shared(op, u, s, c)).at(axis)
            return found.knowing(sums_with_shared(op, left.sums))
        need(len(p.unit) == len(q.unit), "operands of different lengths")
        found = each(p, lambda i, u, s, c: joined(op, (u, s, c), (int(q.unit[i]), q.scale[i], q.shift[i]))).at(axis)
        return found.knowing(both(op, p.sums, q.sums))
    left = along(data[0], axis, rank)
    constant = next(o for o in operands if o.constant)
    assert left is not None and constant.x is not None and constant.y is not None
    x, y = rows(constant.x, axis, rank), rows(constant.y, axis, rank)
    found = each(left, lambda i, u, s, c: with_constant(op, u, s, c, x.of(i), y.of(u) if u >= 0 else None)).at(axis)
    return found.knowing(with_stored(op, left.sums, x.of, y.of))


Entry = tuple[int, fmpq, fmpq]
UNKNOWN: Entry = (OPEN, ONE, ZERO)


def each(relation: Relation, rule: Callable[[int, int, fmpq, fmpq], Entry]) -> Relation:
    """A rule unit by unit."""
    entries = [
        rule(i, u, s, c)
        for i, (u, s, c) in enumerate(zip(relation.unit.tolist(), relation.scale, relation.shift, strict=True))
    ]
    scale, shift = filled(len(entries), ONE), filled(len(entries), ZERO)
    scale[:], shift[:] = [e[1] for e in entries], [e[2] for e in entries]
    return Relation(relation.axis, np.array([e[0] for e in entries], dtype=np.int64), scale, shift)


def with_shared(op: str, u: int, s: fmpq, c: fmpq) -> Entry:
    """A unit with a number that both networks have and that every unit gets."""
    if op == "mul":
        return (u, s, c) if u != OPEN and c == 0 else UNKNOWN
    if op == "add":
        return (u, s, c) if u >= 0 and s == 1 else UNKNOWN
    return (u, s, c) if u >= 0 and s == 1 and c == 0 else UNKNOWN


def joined(op: str, p: Entry, q: Entry) -> Entry:
    """Two data operands."""
    (u, s, c), (v, t, d) = p, q
    if op == "mul" and ((u == CONSTANT and c == 0) or (v == CONSTANT and d == 0)):
        return CONSTANT, ONE, ZERO
    if u == OPEN or u != v:
        return UNKNOWN
    if u == CONSTANT:
        return CONSTANT, ONE, {"add": c + d, "mul": c * d, "max": max(c, d), "min": min(c, d)}[op]
    if op == "add" and s == t:
        return u, s, c + d
    if op == "mul" and c == 0 and d == 0:
        return u, s * t, ZERO
    if op in ("max", "min") and s == t and c == d and s > 0:
        return u, s, c
    return UNKNOWN


def with_constant(op: str, u: int, s: fmpq, c: fmpq, x: Rows, y: Rows | None) -> Entry:
    """A unit with stored numbers: x in a, y at its unit of b."""
    k = uniform(x)
    if op == "mul" and k == 0:
        return CONSTANT, ONE, ZERO
    if u == OPEN:
        return UNKNOWN
    if u == CONSTANT:
        if op == "mul" and c == 0:
            return CONSTANT, ONE, ZERO
        if not isinstance(k, fmpq):
            return UNKNOWN
        return CONSTANT, ONE, {"add": c + k, "mul": c * k, "max": max(c, k), "min": min(c, k)}[op]
    assert y is not None
    if op == "add":
        d = difference(x, y, s)
        return UNKNOWN if d is None else (u, s, c + d)
    if op == "mul":
        t = ratio(x, y)
        if t is None or t == 0 or (c != 0 and not isinstance(k, fmpq)):
            return UNKNOWN
        return u, s * t, c * k if c != 0 and isinstance(k, fmpq) else ZERO
    if op in ("max", "min"):  # max(s b + c, x) = s max(b, y) + c where x = s y + c, s > 0
        return (u, s, c) if s > 0 and difference(x, y, s) == c else UNKNOWN
    raise Reject(f"no rule for {op}")
