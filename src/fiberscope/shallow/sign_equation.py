"""Signs s_j = +-1 with sum_j s_j a_j = t, for rational vectors a_j: found, or proved not to exist.

The equation is a vector form of PARTITION, so no method is fast always. First it is split: the columns of a matrix
fall into the connected components of its linear matroid, whose spans are in direct sum, and t splits along with them.
Each part then goes through methods from cheap to dear. Whatever is found is checked, and every "none" is a proof.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from fiberscope.numerics.exact import rationals
from fiberscope.shallow.integer_signs import integer_signs
from fiberscope.shallow.rational_solve import PRIME, reduced

ELIMINATION_MOST = 10**9
"""Largest rank^3 * unknowns for an elimination over Q: minutes and gigabytes beyond."""


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
    rank_modulo, unique = _modulo_prime(columns, target)
    if unique is not None:
        if len(unique) and not (columns @ rationals(unique.astype(float)) != target).any():
            return Signs(True, unique, "linear algebra")
        return Signs(False, None, "linear algebra modulo a prime")
    if rank_modulo**3 * m > ELIMINATION_MOST or time.monotonic() > deadline:
        return Signs(None, None, "too large for exact elimination")
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


def _modulo_prime(columns: np.ndarray, target: np.ndarray) -> tuple[int, np.ndarray | None]:
    """The rank modulo a prime, and what is settled there: the only possible signs, an empty array for none, or None.

    Signs that solve the equation solve it modulo every prime, the equations made whole.
    """
    from flint import nmod_mat

    r, m = columns.shape
    entries = []
    for row in np.concatenate([columns, target[:, None]], axis=1).tolist():
        common = math.lcm(*(int(v.q) for v in row))
        entries += [int(v.p) * (common // int(v.q)) % PRIME for v in row]
    if not r or not m:
        return 0, None
    echelon, size = nmod_mat(r, m + 1, entries, PRIME).rref()
    table = [[int(echelon[i, j]) for j in range(m + 1)] for i in range(size)]
    if not any(table[-1][:m] if table else [1]):
        return size, np.empty(0, dtype=np.int64)
    if size < m:
        return size, None
    values = [row[m] for row in table]
    if any(v not in (1, PRIME - 1) for v in values):
        return size, np.empty(0, dtype=np.int64)
    return size, np.array([1 if v == 1 else -1 for v in values])


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
