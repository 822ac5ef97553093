"""The least number of hidden units with which a function can be written, with proof, and a network that does.

On R^n, with m folds (R_D(s), the residual of orientations s and doubled folds D, is defined in ``orientation``):

    N_min = m + min over D, s of  |D| + 2 rank( R_D(s) modulo span{u_j: j in D} ),

on a bounded box N_min = m + min_s rank R(s). Lower bound: every fold carries a unit, those with two or more are D, and
each hyperplane that is no fold carries two (one, if it misses the box) and adds one rank. Upper bound: two opposite
units on a fold, or a pair p sigma(z) - p sigma(-z) = 2 mean p z, do it. For k = 1 the answer is m, m + 1 or m + 2
(Dereich and Kassing, "On minimal representations of shallow ReLU networks", 2022). "Is it m?" is NP-complete, hence
the budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from fiberscope.shallow.bend import bend
from fiberscope.shallow.box import Box
from fiberscope.shallow.low_rank import low_rank_signs
from fiberscope.shallow.minimal_network import Rounded, minimal_network, rounded
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm, normal_form
from fiberscope.shallow.orientation import Choice, Problem
from fiberscope.shallow.rational_solve import reduced
from fiberscope.shallow.sign_equation import solve_signs
from fiberscope.shallow.written import written

MOST_TASKS = 20_000
"""Most sets of doubled folds looked at per number of units (fewer than all are no proof, and are not taken for one)."""


@dataclass(frozen=True, eq=False)
class MinimalWidth:
    """``lower <= N_min <= upper``, and ``proved`` when they agree.

    ``units`` is the number of units given, ``folds`` is m, ``method`` how the bounds were got, ``network`` an exact
    model (rationals) with ``upper`` units and the same function, checked against the normal form ``form``.
    """

    units: int
    folds: int
    lower: int
    upper: int
    method: str
    network: ShallowModel = field(repr=False)
    form: NormalForm = field(repr=False)

    @property
    def proved(self) -> bool:
        """Whether the minimum is known."""
        return self.lower == self.upper

    @property
    def minimal_units(self) -> int | None:
        """N_min, or None when only bounds are known."""
        return self.upper if self.proved else None

    def rounded(self) -> Rounded:
        """The network in float64, and how far that is from it."""
        return rounded(self.network)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "units": self.units,
            "folds": self.folds,
            "minimal_units": self.minimal_units,
            "lower": self.lower,
            "upper": self.upper,
            "proved": self.proved,
            "method": self.method,
            "rounding": self.rounded().error,
        }

    def __repr__(self) -> str:
        found = f"{self.upper} units (proved)" if self.proved else f"between {self.lower} and {self.upper} units"
        return f"MinimalWidth: {found}, {self.folds} folds, {self.units} given\n  {self.method}"


def minimal_width(model: ShallowModel, *, box: Any = None, budget: float = 60.0) -> MinimalWidth:
    """The least number of hidden units for the function of a model on R^n or a box (the output bias is free).

    ``budget``: seconds after which the bounds reached so far are returned, within [m, m + 2 min(k, n)].
    Errors: WeightError, InputError as in :func:`normal_form`.

    >>> one, minus = np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0]])
    >>> line = ShallowModel(one, np.zeros(2), minus, np.zeros(1))  # f(x) = x
    >>> minimal_width(line).minimal_units, minimal_width(line, box=(-1, 1)).minimal_units
    (2, 1)
    """
    deadline = time.monotonic() + budget
    domain = None if box is None else Box.of(box, model.inputs)
    form = normal_form(model, exact=True, box=domain)
    problem = Problem(form, bend(model.activation))
    given = written(model, form)
    lower, choice, method = _Search(problem, given.choice, deadline).run()
    network = minimal_network(problem, choice, given.rows, model.activation)
    upper = network.units
    if upper > model.units:  # a stopped search: the given network is then the better bound, if it has no idle units
        network, upper = model, model.units
    if form.folds + lower > upper:
        raise AssertionError("a network with fewer units than the proved bound")
    return MinimalWidth(model.units, form.folds, form.folds + lower, upper, method, network, form)


class _Search:
    """Costs from the lower bound upwards; each level is every (D, rank) that would reach it."""

    def __init__(self, problem: Problem, start: Choice, deadline: float) -> None:
        self.problem, self.deadline = problem, deadline
        self.m = problem.form.folds
        self.best = start
        if problem.cost(start) > problem.least:
            plain = Choice((), start.signs)
            self.best = min((start, plain, self.spanning(start.signs)), key=problem.cost)
        self.methods: list[str] = []
        self.truncated = False

    def run(self) -> tuple[int, Choice, str]:
        """The lower bound proved for the cost, the best choice found, and the methods used."""
        lower = self.problem.least
        proving = True
        for cost in range(self.problem.least, self.problem.cost(self.best)):
            found = self.level(cost)
            if isinstance(found, Choice):
                self.best = found
                break
            proving = proving and found
            if proving:
                lower = cost + 1
        if proving:
            lower = self.problem.cost(self.best)
        return lower, self.best, ", ".join(dict.fromkeys(self.methods)) or "linear algebra"

    def spanning(self, signs: np.ndarray) -> Choice:
        """Doubling a basis of the normals absorbs all that can be absorbed (pointless on a box)."""
        if self.problem.bounded or not self.m:
            return Choice((), signs)
        return Choice(tuple(reduced(self.problem.directions.T)[1]), signs)

    def level(self, cost: int) -> Choice | bool:
        """A choice of this cost; True: proved that there is none; False: not settled."""
        self.truncated = False
        tasks = list(self.tasks(cost))
        for share in (0.25, 1.0):  # first a short look at every task, then the rest of the time for what is left
            unsettled = []
            for number, (doubled, r) in enumerate(tasks):
                left = self.deadline - time.monotonic()
                limit = time.monotonic() + share * left / (len(tasks) - number)
                found = self.solve(doubled, r, limit) if left > 0 else None
                if isinstance(found, Choice):
                    return found
                if found is None:
                    unsettled.append((doubled, r))
            if not unsettled:
                return not self.truncated
            tasks = unsettled
        return False

    def tasks(self, cost: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """(D, r) with |D| + price r = cost, one D per span of normals; ``truncated`` says that there are more."""
        if self.problem.bounded:
            yield (), cost
            return
        count = 0
        for size in range(cost % 2, cost + 1, 2):
            seen = set()
            for doubled in combinations(range(self.m), size):
                rows, pivots = reduced(self.problem.directions[list(doubled)])
                key = tuple(map(tuple, rows.tolist()))
                if len(pivots) == size and key not in seen:
                    seen.add(key)
                    yield doubled, (cost - size) // 2
                count += 1
                if count > MOST_TASKS or time.monotonic() > self.deadline:
                    self.truncated = True
                    return

    def solve(self, doubled: tuple[int, ...], r: int, deadline: float) -> Choice | bool | None:
        """A choice with these doubled folds and rank <= r; False: proved none; None: not settled."""
        T, M = self.problem.modulo(doubled)
        free = [j for j in range(self.m) if j not in doubled and bool((M[j] != 0).any())]
        signs = np.ones(self.m, dtype=np.int64)
        if r >= min(T.shape):
            return Choice(doubled, signs)
        if r == 0:
            columns = np.empty((T.size, len(free)), dtype=object)
            for c, j in enumerate(free):
                columns[:, c] = M[j].ravel()
            answer = solve_signs(columns, T.ravel(), deadline)
            found, part = answer.found, answer.signs
            self.methods.append(answer.method)
        else:
            found, part = low_rank_signs(T, [M[j] for j in free], r, deadline)
            self.methods.append("ranks of all sums")
        if not found:
            return found
        assert part is not None
        signs[free] = part
        return Choice(doubled, signs)
