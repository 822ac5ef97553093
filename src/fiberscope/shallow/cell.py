"""One cell of the fiber: what every unit does, so that within the cell only linear equations remain.

The role of a unit is one of

    "Z"                  nothing reads it (q = 0), its (w, b) is free
    "N", "P"             w = 0 and b <= 0, or b > 0; q != 0
    ("fold", j, s)       on fold j of the function, active on its side s = +1 or -1
    ("fresh", g, s)      on the g-th hyperplane that is no fold, where all kinks cancel

with q r != 0 on hyperplanes. Fresh hyperplanes are numbered by their first unit, and for n > 1, where a normal has no
preferred sign, that unit has s = +1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fiberscope.shallow.fiber_equation import FiberEquation, State, fresh_freedom

Role = str | tuple[str, int, int]


@dataclass(frozen=True)
class Cell:
    """``roles[i]``: what unit i does."""

    roles: tuple[Role, ...]

    def __repr__(self) -> str:
        return f"Cell({' '.join(_written(role) for role in self.roles)})"

    def to_json(self) -> list[str]:
        """One word per unit, such as "Z", "fold 0 +", "fresh 1 -"."""
        return [_written(role, " ") for role in self.roles]

    @cached_property
    def classes(self) -> dict[tuple[str, int, int], tuple[int, ...]]:
        """The units of every side of every hyperplane."""
        out: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        for i, role in enumerate(self.roles):
            if not isinstance(role, str):
                out[role].append(i)
        return {key: tuple(members) for key, members in out.items()}

    @cached_property
    def fresh(self) -> dict[int, tuple[int, ...]]:
        """The sides that occur on every fresh hyperplane."""
        out: dict[int, list[int]] = defaultdict(list)
        for kind, g, s in self.classes:
            if kind == "fresh":
                out[g].append(s)
        return {g: tuple(sorted(sides, reverse=True)) for g, sides in out.items()}

    def shape(self, folds: int, inputs: int) -> tuple:
        """The cell modulo permutations of units: how many units have q = 0, or w = 0 and b <= 0, or b > 0; the numbers
        on both sides of every fold; those on fresh hyperplanes, sorted (and without order of the sides for n > 1)."""
        idle = tuple(self.roles.count(role) for role in ("Z", "N", "P"))
        size = {key: len(members) for key, members in self.classes.items()}
        sides = tuple((size.get(("fold", j, 1), 0), size.get(("fold", j, -1), 0)) for j in range(folds))
        pairs = [(size.get(("fresh", g, 1), 0), size.get(("fresh", g, -1), 0)) for g in self.fresh]
        return idle, sides, tuple(sorted((max(p), min(p)) if inputs > 1 else p for p in pairs))

    def signs(self, folds: int) -> tuple[int, ...] | None:
        """The orientation of every fold, 0 for mixed; None if a fold has no unit."""
        out = []
        for j in range(folds):
            sides = [s for s in (1, -1) if ("fold", j, s) in self.classes]
            if not sides:
                return None
            out.append(0 if len(sides) == 2 else sides[0])
        return tuple(out)


def _written(role: Role, gap: str = "") -> str:
    if isinstance(role, str):
        return role
    kind, number, side = role
    return f"{kind if gap else kind[:2]}{gap}{number}{gap}{'+' if side > 0 else '-'}"


def cell_dimension(equation: FiberEquation, cell: Cell) -> int | None:
    """The dimension of the largest piece of the cell, None if it is empty.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> equation = FiberEquation.of(normal_form(reversed_pair().truth, exact=True))
    >>> cell_dimension(equation, Cell((("fold", 0, 1), ("fold", 1, -1), "Z")))
    4
    """
    found = pieces(equation, cell)
    return None if found is None else max(value for value in found[1:] if isinstance(value, int))


def pieces(equation: FiberEquation, cell: Cell) -> tuple[State, int | None, int | None] | None:
    """``(state, carrying, idle)``: the dimensions of the pieces of the cell in which fresh hyperplanes with units on
    both sides carry weight, or do not; None for a piece that is empty, and for a cell that is."""
    signs = cell.signs(equation.folds)
    if signs is None:
        return None
    for g, sides in cell.fresh.items():
        if sum(len(cell.classes["fresh", g, s]) for s in sides) < 2:
            return None
    mixed = [g for g, sides in cell.fresh.items() if len(sides) == 2]
    state = equation.state(signs)
    if state.rank > len(mixed):
        return None
    carrying, idle = fresh_freedom(equation, state, len(mixed))
    if any(len(cell.classes["fresh", g, s]) == 1 for g in mixed for s in (1, -1)):
        idle = None
    if any(len(cell.classes["fold", j, s]) == 1 for j, s in state.empty):
        idle = None
    if carrying is None and idle is None:
        return None
    n, k = equation.inputs, equation.outputs
    base = sum(len(members) + k * (len(members) - 1) for members in cell.classes.values())
    base += n * (len(cell.fresh) - len(mixed))
    base += sum({"Z": n + 1, "N": k + 1, "P": k + 1}[role] for role in cell.roles if isinstance(role, str))
    return state, None if carrying is None else carrying + base, None if idle is None else idle + base


def all_cells(equation: FiberEquation, units: int) -> Iterator[Cell]:
    """Every nonempty cell of networks with ``units`` labelled units, lazily (their number grows like a factorial)."""
    spare = units - equation.folds

    def extend(roles: list[Role], missing: frozenset[int], fresh: int) -> Iterator[list[Role]]:
        left = units - len(roles)
        if len(missing) > left:
            return
        if left == 0:
            yield roles
            return
        options: list[Role] = ["Z", "N", "P"]
        options += [("fold", j, s) for j in range(equation.folds) for s in (1, -1)]
        options += [("fresh", g, s) for g in range(fresh) for s in (1, -1)]
        options += [("fresh", fresh, s) for s in ((1, -1) if equation.inputs == 1 else (1,))]
        for role in options:
            opened = not isinstance(role, str) and role[0] == "fresh" and role[1] == fresh
            held = missing - {role[1]} if not isinstance(role, str) and role[0] == "fold" else missing
            yield from extend([*roles, role], held, fresh + opened)

    if spare < 0:
        return
    for roles in extend([], frozenset(range(equation.folds)), 0):
        cell = Cell(tuple(roles))
        if pieces(equation, cell) is not None:
            yield cell


def replaced(equation: FiberEquation, cell: Cell, unit: int, role: Role) -> Cell:
    """The cell with another role for one unit, fresh hyperplanes numbered and oriented as they should be."""
    roles = [*cell.roles[:unit], role, *cell.roles[unit + 1 :]]
    seen: dict[int, tuple[int, int]] = {}
    out: list[Role] = []
    for r in roles:
        if not isinstance(r, str) and r[0] == "fresh":
            number, turn = seen.setdefault(r[1], (len(seen), r[2] if equation.inputs > 1 else 1))
            r = ("fresh", number, r[2] * turn)
        out.append(r)
    return Cell(tuple(out))
