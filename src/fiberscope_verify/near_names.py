r"""Names up to rounding: strength "rounding" of method "names".

**What is shown.** Each of the two networks can be changed, every stored weight and bias by at most ``max_ulp`` units in
the last place of its own value (zeros not at all), so that the changed networks compute exactly the same function. The
units are those of the precision in which the second network stores its weights, for the first network too where they
are finer than its own: as everywhere, B is A up to the rounding of B.

**How.** A row is the form that enters one unit (or is an output); every weight stored for that row alone can move one
coefficient of it, independently of all other rows. Rows are grouped into classes (`NearTable.unit`; any grouping would
be sound). Then, for every class, one target is fixed for each coefficient and for the constant, and every row of the
class must be able to reach it: a coefficient by a change of t times its ulps, abs(t) <= max_ulp, spread over its own
weights; the constant by its own biases, after what those changes did to it (`settle`). By induction along the table all
units of a class are then the same function. A weight that is used twice, or other than linearly, or on a sum of several
entries, does not move. Constant units stay as they are; their values are Arb balls.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from flint import arb, fmpq

from .exact import rational
from .fine import Values, as_ball, precision
from .form import ONE, Form, Move, Slot, scaled, total
from .names import Table, odd
from .report import need
from .scalar import Number, number, times
from .scalars import split

BITS = 320
ZERO = fmpq(0)


@dataclass(eq=False)
class Row:
    """``sign`` times the form that enters a unit: coefficients by entry, the constant part, and what moves them."""

    terms: dict[int, Number]
    constant: Form
    moves: list[Move]

    @cached_property
    def reach(self) -> dict[int, fmpq]:
        """How far its weights move each coefficient per unit in the last place, if all of them may."""
        return reaches(self.moves)


def reaches(moves: Iterable[Move]) -> dict[int, fmpq]:
    """The change of each coefficient that one unit in the last place of every weight makes."""
    reach: dict[int, fmpq] = {}
    for m in moves:
        if m.entry is not None:
            pull = rational(m.ulp) if abs(m.factor) == 1 else abs(rational(m.factor)) * rational(m.ulp)
            reach[m.entry] = reach[m.entry] + pull if m.entry in reach else pull
    return reach


class NearTable(Table):
    """A table whose rows may move by ``max_ulp`` units in the last place."""

    tracking = True

    def __init__(self, n_inputs: int, max_ulp: int, limit: int, finer: Sequence[str] = ()) -> None:
        super().__init__(n_inputs, limit)
        self.finer = tuple(finer)  # the precisions of the second network
        self.most = fmpq(max_ulp)
        self.worst = 0.0  # the largest |t| that was needed
        self.classes: dict[int, list[Row]] = {}
        self.constants_only: list[Row] = []  # rows that must lose all their coefficients
        self.near: dict[tuple, list[int]] = {}
        self.seen: dict[tuple, Form] = {}
        self.fixed: set[Slot] = set()
        self.values = Values(self, (), BITS)

    # -- what moves -------------------------------------------------------------------------------------------------

    def freeze(self, *forms: Form) -> None:
        for form in forms:
            self.fixed.update(move.slot for move in form.moves)

    def freeze_slot(self, slot: Slot) -> None:
        self.fixed.add(slot)

    def product(self, x: Form, y: Form) -> Form:
        """A stored number times a form that depends on one entry moves its coefficient; otherwise it stays fixed."""
        for p, q in ((x, y), (y, x)):
            single = None if p.terms or not p.moves or q.moves else split(self, q)
            if single is None or any(m.entry is not None or m.shift.terms for m in p.moves):
                continue
            entry, factor, rest = single
            moves = tuple(
                Move(m.slot, m.ulp, entry, times(m.shift.const, factor), scaled(rest, m.shift.const)) for m in p.moves
            )
            made = scaled(q, p.const)
            return Form(made.const, made.terms, moves)
        return super().product(x, y)

    # -- classes ----------------------------------------------------------------------------------------------------

    def unit(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        """A function of one form, named by the class of its row."""
        if not self.depends(form):
            self.freeze(form)
            return super().unit(function, parameters, form)
        signature = tuple((m.slot, m.entry, m.factor, m.shift.key) for m in form.moves)
        where = (function, parameters, form.key, signature)
        if where not in self.seen:
            self.seen[where] = self.classified(function, parameters, form)
        return self.seen[where]

    def classified(self, function: str, parameters: tuple[str, ...], form: Form) -> Form:
        row = self.row(form)
        kept = [i for i, c in row.terms.items() if abs(rational(c)) > self.most * row.reach.get(i, ZERO)]
        if not kept:
            return super().unit(function, parameters, self.emptied(row))
        passed, flip = fmpq(1), form.terms[min(kept)] < 0
        if flip and function != "sigmoid":
            law = odd(function, parameters, fmpq(-1))
            passed, flip = (fmpq(1), False) if law is None else (law, True)
        row = self.row(scaled(form, -1.0)) if flip else row
        name = (function, parameters, tuple(sorted(kept)))
        self.spend(len(form.terms) + len(self.near.get(name, ())))
        for i in self.near.setdefault(name, []):
            if self.close(row, self.classes[i][0]):
                break
        else:
            i = self.add((function, *parameters), (), True)
            self.near[name].append(i)
        self.classes.setdefault(i, []).append(row)
        unit = Form(0.0, {i: number(passed)})
        return total([ONE, scaled(unit, -1.0)]) if flip and function == "sigmoid" else unit

    def row(self, form: Form) -> Row:
        """A form with its constants apart."""
        constants = {i: c for i, c in form.terms.items() if not self.proper[i]}
        terms = {i: c for i, c in form.terms.items() if self.proper[i]}
        return Row(terms, Form(form.const, constants), [m for m in form.moves if m.ulp != 0.0])

    def close(self, x: Row, y: Row) -> bool:
        """Whether two rows look as if they could meet (`settle` decides)."""
        for i in chain(x.terms, y.terms):
            p, q = x.terms.get(i, 0.0), y.terms.get(i, 0.0)
            if p != q:
                gap = abs(rational(p) - rational(q))
                if gap > self.most * (x.reach.get(i, ZERO) + y.reach.get(i, ZERO)):
                    return False
        gap = self.ball(difference(x.constant, y.constant))
        with precision(BITS):
            room = as_ball(number(self.most)) * sum(map(self.pull, (*x.moves, *y.moves)), arb(0))
        return not abs(gap) > room

    def pull(self, move: Move) -> arb:
        """How far a stored number moves the constant per unit in the last place."""
        return abs(self.ball(move.shift)) * as_ball(move.ulp) if move.shift.key != (0.0,) else arb(0)

    def ball(self, form: Form) -> arb:
        """The value of a constant form."""
        return self.values.form(form)

    def emptied(self, row: Row) -> Form:
        """The constant that a row becomes when its coefficients, zero up to rounding, are moved to zero."""
        self.constants_only.append(row)
        return self.shifted_constant(row, {i: times(c, -1.0) for i, c in row.terms.items()}, row.moves)

    def shifted_constant(self, row: Row, changes: dict[int, Number], movable: Sequence[Move]) -> Form:
        """The constant part after its coefficients changed, each change spread over the weights by their ulps."""
        parts, reach = [row.constant], reaches(movable)
        for i, change in changes.items():
            if change == 0.0:
                continue
            need(reach.get(i, ZERO) != 0, "a weight would have to move that cannot")
            share = number(rational(change) / reach[i])
            for m in movable:
                if m.entry == i and (m.shift.const != 0.0 or m.shift.terms):
                    sign = 1.0 if m.factor > 0 else -1.0
                    parts.append(scaled(m.shift, times(share, times(sign, m.ulp))))
        return total(parts)

    # -- the proof --------------------------------------------------------------------------------------------------

    def settle(self, outputs: Sequence[tuple[Form, Form]]) -> None:
        """Every class of rows, and every pair of outputs, reaches one target; Reject otherwise."""
        pairs = [[self.row(p), self.row(q)] for p, q in outputs]
        groups = [*self.classes.values(), *pairs]
        rows = [row for group in groups for row in group] + self.constants_only
        uses = Counter(m.slot for row in rows for m in row.moves)
        for row in self.constants_only:
            need(all(uses[m.slot] == 1 and m.slot not in self.fixed for m in row.moves), "a weight is used twice")
            for i, c in row.terms.items():
                self.count(abs(rational(c)), row.reach.get(i, ZERO))
        for group in groups:
            if len(group) > 1:
                movable = [[m for m in r.moves if uses[m.slot] == 1 and m.slot not in self.fixed] for r in group]
                self.meet(group, movable)

    def count(self, change: fmpq, reach: fmpq) -> None:
        """A coefficient changes by so much: within ``max_ulp`` times its reach."""
        need(change <= self.most * reach, "two numbers differ by more than the rounding allowed")
        if change != 0:
            self.worst = max(self.worst, upward(change / reach))

    def meet(self, rows: list[Row], movable: list[list[Move]]) -> None:
        """Fix the targets of one class."""
        room_of = [reaches(moves) for moves in movable]
        changes: list[dict[int, Number]] = [{} for _ in rows]
        for i in set().union(*(row.terms for row in rows)):
            values = [rational(row.terms.get(i, 0.0)) for row in rows]
            if all(v == values[0] for v in values):
                continue
            room = [reach.get(i, ZERO) for reach in room_of]
            low, high = (f(v + s * self.most * r for v, r in zip(values, room, strict=True)) for f, s in ENDS)
            target = min(max(values[room.index(min(room))], low), high)
            for change, v, r in zip(changes, values, room, strict=True):
                self.count(abs(target - v), r)
                change[i] = number(target - v)
        constants = [
            self.shifted_constant(row, change, moves) for row, change, moves in zip(rows, changes, movable, strict=True)
        ]
        self.meet_constants(constants, movable)

    def meet_constants(self, constants: list[Form], movable: list[list[Move]]) -> None:
        """One target for the constants, which only weights of constants (biases above all) move."""
        if all(difference(c, constants[0]).key == (0.0,) for c in constants):
            return
        found = math.inf
        with precision(BITS):
            room = [sum((self.pull(m) for m in moves if m.entry is None), arb(0)) for moves in movable]
            balls = [self.ball(c) for c in constants]
            most = as_ball(number(self.most))
            low = max((float((b - most * r).mid()) for b, r in zip(balls, room, strict=True)))
            high = min((float((b + most * r).mid()) for b, r in zip(balls, room, strict=True)))
            middle = [Form((low + high) / 2)] if math.isfinite(low + high) else []
            for target in (*constants[:4], *middle):
                gaps = [abs(self.ball(difference(c, target))) for c in constants]
                if all(gap <= most * r for gap, r in zip(gaps, room, strict=True)):
                    shares = [(gap / r).upper() for gap, r in zip(gaps, room, strict=True) if not gap.is_zero()]
                    found = min(found, max((upward(share.fmpq()) for share in shares), default=0.0))
        need(found < math.inf, "two constants differ by more than the rounding allowed")
        self.worst = max(self.worst, found)


def upward(x: fmpq) -> float:
    """The least float64 that is not below a rational."""
    near = int(x.p) / int(x.q)
    return near if rational(near) >= x else math.nextafter(near, math.inf)


ENDS = ((max, -1), (min, 1))


def difference(x: Form, y: Form) -> Form:
    """x - y without moves."""
    return total([x.plain(), scaled(y.plain(), -1.0)])
