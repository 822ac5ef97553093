"""Signs s_j = +-1 with sum_j s_j a_j = t, for rational vectors a_j: found, or proved not to exist.

The equation is a vector form of PARTITION, so no method is fast always. First it is split: the columns of a matrix
fall into the connected components of its linear matroid, whose spans are in direct sum, and t splits along with them.
Each part then goes through methods from cheap to dear. Whatever is found is checked, and every "none" is a proof.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.integer_signs import integer_signs
from fiberscope.shallow.rational_solve import reduced


@dataclass(frozen=True, eq=False)
class Signs:
    """``found`` is True with ``signs`` (m,) in {-1, +1}, False (proved: there are none), or None (not settled)."""

    found: bool | None
    signs: np.ndarray | None = None
    method: str = ""


def solve_signs(columns: np.ndarray, target: np.ndarray, deadline: float = np.inf) -> Signs:
    """Signs with ``columns @ s = target``; columns (r x m), target (r,), floats or rationals.

    ``deadline`` is a value of time.monotonic() after which the search gives up (found = None).

    >>> solve_signs(np.array([[3.0, 1.0, 2.0]]), np.array([0.0])).signs.tolist() in ([1, -1, -1], [-1, 1, 1])
    True
    >>> solve_signs(np.array([[3.0, 1.0, 1.0]]), np.array([0.0])).found
    False
    """
    columns, target = rationals(columns), rationals(target)
    m = columns.shape[1]
    signs = np.ones(m, dtype=np.int64)
    rows, pivots = reduced(np.concatenate([columns, target[:, None]], axis=1))
    if m in pivots:
        return Signs(False, None, "linear algebra")
    methods = ["linear algebra"]
    unsettled = False
    parts = components(rows[:, :m], pivots)
    for part_rows, part in sorted(parts, key=lambda p: len(p[1])):
        if not part_rows:
            continue  # zero columns: any sign
        if len(part_rows) == len(part):  # one independent column
            if abs(rows[part_rows[0], m]) != 1:
                return Signs(False, None, "linear algebra")
            signs[part] = int(rows[part_rows[0], m].p)
            continue
        own = [pivots[i] for i in part_rows]  # the part of t in the span of these columns, in the given coordinates
        goal = columns[:, own] @ rows[part_rows, m]
        some = reduced(columns[:, own].T)[1]
        outcome = integer_signs(columns[np.ix_(some, part)], goal[some], deadline)
        methods.append(outcome.method)
        if outcome.found is False:
            return Signs(False, None, outcome.method)
        if outcome.found is None:
            unsettled = True
        else:
            assert outcome.signs is not None
            signs[part] = outcome.signs
    used = ", ".join(dict.fromkeys(methods[1:] or methods))
    if unsettled:
        return Signs(None, None, used)
    assert (columns @ rationals(signs.astype(float)) == target).all()
    return Signs(True, signs, used)


def components(echelon: np.ndarray, pivots: list[int]) -> list[tuple[list[int], list[int]]]:
    """The connected components of the columns' linear matroid: (rows, columns) of each, from the reduced echelon form.

    A row and a column are linked where the entry is not 0: a column is joined to its fundamental circuit.

    >>> components(np.array([[1, 0, 1, 0], [0, 1, 0, 0]]), [0, 1])
    [([0], [0, 2]), ([1], [1]), ([], [3])]
    """
    import networkx as nx

    links = nx.Graph()
    links.add_nodes_from(("column", j) for j in range(echelon.shape[1]))
    for i, j in np.argwhere(np.asarray(echelon != 0, dtype=bool)).tolist():
        links.add_edge(("row", i), ("column", j))
    out = []
    for part in nx.connected_components(links):
        names = sorted(part)
        out.append(([i for kind, i in names if kind == "row"], [j for kind, j in names if kind == "column"]))
    return sorted(out, key=lambda p: p[1])


def time_left(deadline: float) -> float:
    """Seconds until the deadline (0 when it has passed)."""
    return max(0.0, deadline - time.monotonic())
