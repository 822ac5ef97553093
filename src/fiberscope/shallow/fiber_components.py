"""Connected components of the fiber, from the orientations of the folds alone.

Close a cell by allowing p_i = 0. A closed cell is connected, because given the fresh hyperplanes it is linear in p, and
two of them meet only where p_i = 0 (the unit is then free to go anywhere) or where fresh hyperplanes meet others. So
one may take away units down to one per class and keep the rest as spares: a state is an orientation of the folds with G
fresh hyperplanes, one unit on either side, and the steps are

    a mixed fold becomes pure,   a fresh hyperplane is given up,   a fresh hyperplane slides onto a pure fold,

and back, whenever both ends solve the equation. A spare unit can take the part of any other, so all labellings of a
component with a spare are connected. A state without spare and without steps stands alone, once for every labelling;
and twice if n > 1 and its G fresh hyperplanes carry a residual of rank G > 0, for then det V != 0 has two signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

from fiberscope.shallow.fiber_equation import MAX_STATES, FiberEquation, State

Node = tuple[tuple[int, ...], int]


@dataclass(frozen=True)
class Components:
    """Numbers of connected components: of labelled networks, and modulo permutations of the units."""

    labelled: int
    modulo_permutations: int


def count_components(equation: FiberEquation, units: int, *, max_states: int = MAX_STATES) -> Components:
    """The connected components of the fiber of ``equation`` in the networks with ``units`` units.

    Errors: InputError when the folds have more than ``max_states`` orientations to look at.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> count_components(FiberEquation.of(normal_form(four_hyperplanes(), exact=True)), 5)
    Components(labelled=4, modulo_permutations=4)
    """
    spare = units - equation.folds
    if spare < 0:
        return Components(0, 0)
    states: dict[tuple[int, ...], State] = {s.signs: s for s in equation.states(spare, max_states)}
    parent: dict[Node, Node] = {}
    for state in states.values():
        for fresh in range(state.rank, (spare - len(state.mixed)) // 2 + 1):
            parent[state.signs, fresh] = (state.signs, fresh)

    def root(node: Node) -> Node:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for signs, fresh in list(parent):
        for target in _steps(signs, fresh):
            if target in parent:
                parent[root(target)] = root((signs, fresh))
    groups: dict[Node, list[Node]] = {}
    for node in parent:
        groups.setdefault(root(node), []).append(node)
    labelled = 0
    for members in groups.values():
        if any(spare > signs.count(0) + 2 * fresh for signs, fresh in members):
            labelled += 1
            continue
        (signs, fresh) = members[0]
        flips = 1 if equation.inputs == 1 else 2**fresh
        pieces = 2 if equation.inputs > 1 and 0 < fresh == states[signs].rank else 1
        labelled += factorial(units) // (flips * factorial(fresh)) * pieces
    return Components(labelled, len(groups))


def _steps(signs: tuple[int, ...], fresh: int) -> list[Node]:
    """The states one step down from this one, whether or not they solve the equation."""
    out: list[Node] = [(signs, fresh - 1)] if fresh else []
    for j, s in enumerate(signs):
        if s == 0:
            out += [((*signs[:j], side, *signs[j + 1 :]), fresh) for side in (1, -1)]
        elif fresh:
            out.append(((*signs[:j], 0, *signs[j + 1 :]), fresh - 1))
    return out
