"""The staircase over Q: ranks of all products and a flow basis without any rounding, by reduced echelon forms.

Sweep ``l = 1 .. L`` with an invertible ``B_l`` (d_l x d_l) whose columns are grouped by birth as in the orthogonal
staircase. The reduced row echelon form of ``M = W_l B_{l-1}`` takes the leftmost possible pivot columns, so the number
of pivots in the groups ``0 .. b`` is the rank of ``W_l`` on the image of ``W_{l-1~b}``. So with the basis
``B_l = [M[:, pivots], unit vectors]``

    B_l^{-1} W_l B_{l-1} = [rref rows; 0],

whose pivot columns are the identity: the backward sweep needs no solve. Floats enter as the dyadic rationals they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.linear.bars_from_pivots import bars_from_pivots
from fiberscope.linear.exact import from_flint, to_flint
from fiberscope.linear.flow import Flow
from fiberscope.linear.modular import barcode_of, completed, generic_barcode, leading_columns, modular_barcode
from fiberscope.numerics.exact import rationals


@dataclass(frozen=True)
class ExactStep:
    """One factor in the bases: ``echelon`` (r x d_{l-1}) has identity columns at ``pivots``; ``basis`` is ``B_l``."""

    basis: Any  # fmpq_mat, d_l x d_l
    echelon: np.ndarray
    pivots: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.pivots)


@dataclass(frozen=True)
class ExactStaircase:
    """All steps, from the input to the output."""

    steps: tuple[ExactStep, ...]
    first_width: int

    @cached_property
    def bars(self) -> tuple[tuple[Bar, ...], list[np.ndarray]]:
        """The bars one by one, and for each layer the bar number of each column of ``B_j``."""
        return bars_from_pivots(self.first_width, [(step.pivots, step.basis.nrows()) for step in self.steps])

    @property
    def barcode(self) -> Barcode:
        """The bars counted."""
        return barcode_of(self.bars[0], len(self.steps))


def exact_staircase(factors: Sequence[np.ndarray]) -> ExactStaircase:
    """Reduce ``[W_1, ..., W_L]`` (floats, integers or rationals) over Q.

    >>> exact_staircase([np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])]).barcode.bars
    ((0, 1, 1), (1, 2, 1))
    """
    from flint import fmpq_mat

    steps: list[ExactStep] = []
    for factor in factors:
        matrix = to_flint(factor)
        if steps:
            matrix = matrix * steps[-1].basis
        reduced, rank = matrix.rref()
        echelon = from_flint(reduced)[:rank]
        pivots = leading_columns(echelon, rank)
        steps.append(ExactStep(completed(matrix, pivots, fmpq_mat), echelon, tuple(pivots)))
    return ExactStaircase(tuple(steps), factors[0].shape[1])


def exact_barcode(factors: Sequence[np.ndarray]) -> Barcode:
    """The barcode over Q: ranks modulo a prime where these are the largest possible, echelon forms over Q otherwise."""
    bound = modular_barcode(factors)
    return bound if bound == generic_barcode(bound.widths) else exact_staircase(factors).barcode


def exact_flow(stairs: ExactStaircase) -> Flow:
    """A flow basis over Q: ``W_j F_{j-1} = F_j P_j`` without error; bars in order of birth, longer ones first."""
    one, zero = rationals(np.array([1.0, 0.0]))
    width = stairs.steps[-1].basis.nrows()
    inner = np.full((width, width), zero, dtype=object)
    np.fill_diagonal(inner, one)
    coordinates = [inner]
    for step in reversed(stairs.steps):
        size, rank = step.echelon.shape[1], step.rank
        ends = [c for c in range(size) if c not in set(step.pivots)]
        before = np.full((size, size), zero, dtype=object)
        before[np.ix_(step.pivots, step.pivots)] = inner[:rank, :rank]
        before[np.ix_(step.pivots, ends)] = -step.echelon[:, ends]
        before[ends, ends] = one
        inner = before
        coordinates.append(inner)
    coordinates.reverse()
    bars, numbers = stairs.bars
    bases, columns = [], []
    for layer, (inner, number) in enumerate(zip(coordinates, numbers, strict=True)):
        order = np.argsort(number)
        flint = to_flint(inner[:, order])
        bases.append(from_flint(stairs.steps[layer - 1].basis * flint if layer else flint))
        columns.append(tuple(number[order].tolist()))
    return Flow(bars, tuple(columns), tuple(bases))
