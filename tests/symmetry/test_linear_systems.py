"""Null spaces of the charge equations against exact linear algebra and against enumeration."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.symmetry.linear_systems import parity_modes, rational_modes

VARIABLES = 5
forms = st.lists(st.integers(-2, 2), min_size=VARIABLES, max_size=VARIABLES)
systems = st.tuples(st.lists(forms, max_size=4), st.lists(forms, min_size=1, max_size=5))


def sparse(form: list[int]) -> list[tuple[int, Fraction]]:
    return [(v, Fraction(q)) for v, q in enumerate(form) if q]


def rank(rows: list[list[int]]) -> int:
    return fmpq_mat([[fmpq(x) for x in r] for r in rows]).rank() if rows and rows[0] else 0


@given(systems)
def test_rational_modes_span_the_solutions_seen_on_the_occurrences(system: tuple[list[list[int]], list[list[int]]]):
    equations, occurrences = system
    modes = rational_modes([sparse(e) for e in equations], [sparse(o) for o in occurrences])
    # the solutions x with E x = 0, seen as O x: dimension rank([E; O]) - rank(E)
    assert len(modes) == rank(equations + occurrences) - rank(equations)
    assert rank([list(m) for m in modes]) == len(modes)
    for mode in modes:  # O x = mode and E x = 0 is solvable
        zeros = [[*e, 0] for e in equations]
        wide = zeros + [[*o, q] for o, q in zip(occurrences, mode, strict=True)]
        assert rank(wide) == rank(equations + occurrences)
        assert np.gcd.reduce(mode) == 1


@given(systems)
def test_parity_modes_against_enumeration(system: tuple[list[list[int]], list[list[int]]]):
    equations, occurrences = ([frozenset(v for v, q in enumerate(f) if q % 2) for f in part] for part in system)
    seen = set()
    for bits in itertools.product((0, 1), repeat=VARIABLES):
        if all(sum(bits[v] for v in e) % 2 == 0 for e in equations):
            seen.add(tuple(sum(bits[v] for v in o) % 2 for o in occurrences))
    modes = parity_modes(equations, occurrences)
    spanned = set()
    for choice in itertools.product((0, 1), repeat=len(modes)):
        picked = [m for m, c in zip(modes, choice, strict=True) if c]
        spanned.add(tuple(sum(column) % 2 for column in zip(*picked, strict=True)) or (0,) * len(occurrences))
    assert spanned == seen
    assert len(spanned) == 2 ** len(modes), "the modes are dependent"


def test_relu_and_square_layers_by_hand():
    """relu: W1 ~ a, W2 ~ -a; relu(..)**2: W2 ~ -2 a."""
    written, read = [(0, Fraction(1))], [(1, Fraction(1))]
    assert rational_modes([[(0, Fraction(1)), (1, Fraction(1))]], [written, read]) in ([(1, -1)], [(-1, 1)])
    assert rational_modes([[(0, Fraction(2)), (1, Fraction(1))]], [written, read]) in ([(1, -2)], [(-1, 2)])
    assert rational_modes([[(0, Fraction(1))], [(1, Fraction(1))]], [written, read]) == []
