"""How many cells the fiber has in every dimension, without listing them: exponential generating functions.

A cell says of every unit which class it belongs to. Classes of labelled units multiply as power series in x / (units)!
(Flajolet and Sedgewick, Analytic Combinatorics, ch. II), and a second variable y counts dimensions: a class of size s
on a hyperplane has its s scalings and k (s - 1) ways to share its sum of p, a unit with q = 0 has n + 1 free numbers,
one with w = 0 has k + 1, a hyperplane that is no fold has n.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache
from math import factorial

from fiberscope.shallow.fiber_equation import MAX_STATES, FiberEquation, fresh_freedom

Series = dict[tuple[int, int], Fraction]  # (units, dimension) -> coefficient


def count_cells(equation: FiberEquation, units: int, *, max_states: int = MAX_STATES) -> dict[int, int]:
    """``{dimension: number of cells}`` of the fiber of ``equation`` in the networks with ``units`` labelled units.

    Errors: InputError when the folds have more than ``max_states`` orientations to look at.

    >>> from fiberscope.shallow.examples import reversed_pair
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> count_cells(FiberEquation.of(normal_form(reversed_pair().truth, exact=True)), 4)
    {5: 120, 6: 436}
    """
    n, k, m = equation.inputs, equation.outputs, equation.folds
    spare = units - m
    if spare < 0:
        return {}
    kinds = _Kinds(n, k, units)
    patterns: Counter[tuple] = Counter()
    for state in equation.states(spare, max_states):
        single = Counter(sum((j, s) in state.empty for s in (1, -1)) for j in state.mixed)
        restricted = (single[0], single[1], single[2])
        for fresh in range(state.rank, (spare - len(state.mixed)) // 2 + 1):
            patterns[(m - len(state.mixed), restricted, fresh, *fresh_freedom(equation, state, fresh))] += 1
    total: Counter[int] = Counter()
    for (pure, restricted, fresh, carrying, idle), number in patterns.items():
        # Where some fresh hyperplane carries weight nothing is forced; where none does, its classes have sums 0.
        loose = kinds.assignments(pure, (sum(restricted), 0, 0), fresh, False)
        tight = kinds.assignments(pure, restricted, fresh, True)
        for (size, dimension), value in loose.items():
            if size == units and carrying is not None:
                total[dimension + carrying] += int(number * value * factorial(units))
        for (size, dimension), value in tight.items():
            if size == units and idle is not None:
                count = int(number * value * factorial(units))
                if carrying is None:
                    total[dimension + idle] += count
                elif idle > carrying:  # such a cell has pieces of both kinds; the larger one counts
                    total[dimension + carrying] -= count
                    total[dimension + idle] += count
    return {d: c for d, c in sorted(total.items()) if c}


class _Kinds:
    """Power series of the kinds of classes, up to ``units`` units."""

    def __init__(self, n: int, k: int, units: int) -> None:
        self.n, self.k, self.units = n, k, units
        self.assignments = lru_cache(maxsize=None)(self._assignments)
        self.power = lru_cache(maxsize=None)(self._power)
        one, two = self.side(1), self.side(2)
        half = Fraction(1) if n == 1 else Fraction(1, 2)  # the normal of a fresh hyperplane has no sign for n > 1
        self.base: dict[str, Series] = {
            "one": one,
            "both": self.times(one, one),
            "both, one side full": self.times(one, two),
            "both, two sides full": self.times(two, two),
            "fresh": {key: value * half for key, value in self.times(one, one).items()},
            "fresh, full": {key: value * half for key, value in self.times(two, two).items()},
        }
        loose: Series = {(1, n + 1): Fraction(1)}  # a silent unit; then one that is constant, with b <= 0 or b > 0
        loose[1, k + 1] = loose.get((1, k + 1), Fraction(0)) + 2
        alone = {(s, dim + n): value * 2 * half for (s, dim), value in two.items()}
        self.rest = self.times(self.exponential(loose), self.exponential(alone))

    def side(self, least: int) -> Series:
        """A class of at least ``least`` units on one side of a hyperplane."""
        sizes = range(least, self.units + 1)
        return {(s, s + self.k * (s - 1)): Fraction(1, factorial(s)) for s in sizes}

    def times(self, a: Series, b: Series) -> Series:
        out: dict[tuple[int, int], Fraction] = {}
        for (s, dim), u in a.items():
            for (t, extra), v in b.items():
                if s + t <= self.units:
                    key = (s + t, dim + extra)
                    out[key] = out.get(key, Fraction(0)) + u * v
        return out

    def exponential(self, a: Series) -> Series:
        out: Series = {(0, 0): Fraction(1)}
        term = dict(out)
        for number in range(1, self.units + 1):
            term = {key: value / number for key, value in self.times(term, a).items()}
            for key, value in term.items():
                out[key] = out.get(key, Fraction(0)) + value
        return out

    def _power(self, name: str, exponent: int) -> Series:
        if exponent == 0:
            return {(0, 0): Fraction(1)}
        return self.times(self.power(name, exponent - 1), self.base[name])

    def _assignments(self, pure: int, restricted: tuple[int, int, int], fresh: int, idle: bool) -> Series:
        """All ways to fill the classes; ``idle``: fresh hyperplanes whose classes have sum 0, hence two units each."""
        out = self.times(self.rest, self.power("one", pure))
        names = ("both", "both, one side full", "both, two sides full")
        for name, exponent in zip(names, restricted, strict=True):
            out = self.times(out, self.power(name, exponent))
        out = self.times(out, self.power("fresh, full" if idle else "fresh", fresh))
        return {key: value / factorial(fresh) for key, value in out.items()}
