"""How cells of the fiber meet: units die, and fresh hyperplanes slide onto others.

Close a cell by allowing p_i = 0. Its points with p_i = 0 are networks in which unit i is free to go; where that forces
other sums to vanish, their units go as well. A fresh hyperplane may tend to a fold, or to another fresh hyperplane, if
the equation can still be solved there. Read backwards, a unit is born, or a hyperplane splits off; a unit that dies on
a fold with units on both sides, after another was born there, has reversed the fold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fiberscope.errors import InputError
from fiberscope.shallow.cell import Cell, Role, pieces, replaced
from fiberscope.shallow.fiber_equation import FiberEquation, fresh_freedom

Step = tuple[str, tuple[int, ...], Cell]


def settled(equation: FiberEquation, cell: Cell) -> Cell | None:
    """The cell itself if it is not empty, else the one that remains when every unit whose p is forced to be 0 goes;
    None if nothing solves the equation.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> equation = FiberEquation.of(normal_form(reversed_pair().truth, exact=True))
    >>> settled(equation, Cell((("fold", 0, 1), ("fold", 1, -1), ("fresh", 0, 1))))
    Cell(fo0+ fo1- Z)
    """
    while pieces(equation, cell) is None:
        doomed = _doomed(equation, cell)
        if not doomed:
            return None
        for i in doomed:
            cell = replaced(equation, cell, i, "Z")
    return cell


def _doomed(equation: FiberEquation, cell: Cell) -> list[int]:
    """Units of an empty cell whose p is forced to be 0; none if the equation has no solution."""
    signs = cell.signs(equation.folds)
    if signs is None:
        return []
    alone = [cell.classes["fresh", g, s[0]][0] for g, s in cell.fresh.items() if len(s) == 1]
    alone = [i for i in alone if len(cell.classes[_place(cell.roles[i])]) == 1]
    if alone:
        return alone
    mixed = [g for g, sides in cell.fresh.items() if len(sides) == 2]
    state = equation.state(signs)
    carrying, idle = fresh_freedom(equation, state, len(mixed))
    if carrying is not None or idle is None:
        return []
    places = [("fresh", g, s) for g in mixed for s in (1, -1)] + [("fold", j, s) for j, s in state.empty]
    return [cell.classes[place][0] for place in places if len(cell.classes[place]) == 1]


def _place(role: Role) -> tuple[str, int, int]:
    assert not isinstance(role, str)
    return role


def steps_down(equation: FiberEquation, cell: Cell) -> list[Step]:
    """Cells that the closure of ``cell`` meets: ``("dies", units that go, cell)`` and ``("slides", units of the
    hyperplane that moves, cell)``.

    Errors: InputError for an empty cell.
    """
    if pieces(equation, cell) is None:
        raise InputError(f"{cell!r} is empty for this function")
    found: dict[tuple[str, Cell], Step] = {}
    for i, role in enumerate(cell.roles):
        if role != "Z":
            other = settled(equation, replaced(equation, cell, i, "Z"))
            if other is not None:
                gone = tuple(u for u, r in enumerate(cell.roles) if r != "Z" and other.roles[u] == "Z")
                found.setdefault(("dies", other), ("dies", gone, other))
    for g in cell.fresh:
        moving = tuple(i for s in cell.fresh[g] for i in cell.classes["fresh", g, s])
        for kind, number in sorted({(k, h) for k, h, _ in cell.classes if (k, h) != ("fresh", g)}):
            for turn in (1, -1) if equation.inputs > 1 else (1,):
                roles = list(cell.roles)
                for i in moving:
                    roles[i] = (kind, number, turn * _place(roles[i])[2])
                merged = replaced(equation, Cell(tuple(roles)), 0, roles[0])
                other = settled(equation, merged)
                if other is not None:
                    found.setdefault(("slides", other), ("slides", tuple(sorted(moving)), other))
    return list(found.values())


def cell_graph(equation: FiberEquation, cells: Iterable[Cell], *, max_cells: int = 20_000) -> Any:
    """The ``networkx.Graph`` of cells that meet by one step, each edge with its ``step`` and ``units``.

    Errors: InputError for more than ``max_cells`` cells.

    >>> from fiberscope.shallow.cell import all_cells
    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> equation = FiberEquation.of(normal_form(reversed_pair().truth, exact=True))
    >>> graph = cell_graph(equation, all_cells(equation, 3))
    >>> import networkx as nx
    >>> len(graph), nx.number_connected_components(graph)
    (48, 2)
    """
    import networkx as nx

    graph = nx.Graph()
    for cell in cells:
        graph.add_node(cell)
        if len(graph) > max_cells:
            raise InputError(f"more than {max_cells} cells: raise max_cells, or ask for their number only")
    for cell in list(graph):
        for step, units, other in steps_down(equation, cell):
            if other in graph and other != cell:
                graph.add_edge(cell, other, step=step, units=units)
    return graph
