"""How a function's folds may be written with units: orientations, doubled folds, and what they leave to be made up.

Let sigma(z) = mean z + jump |z| / 2 and f have folds kink_j |<u_j, x> + t_j| / 2 and linear part A. One unit on fold j
with orientation s_j adds s_j (mean / jump) kink_j u_j^T to the linear part. With D the folds that get two opposite
units, whose difference is free, what is left is, times jump / mean,

    R_D(s) = T - sum_{j not in D} s_j M_j,      T = (jump / mean) A,  M_j = kink_j u_j^T      (k x n)

and only modulo span{u_j: j in D}. Each unit of rank of it costs a pair of opposite units on R^n, one unit that never
changes sign on a bounded box. For ReLU jump / mean = 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rationals
from fiberscope.shallow.bend import Bend
from fiberscope.shallow.normal_form import NormalForm
from fiberscope.shallow.polytope import Polytope
from fiberscope.shallow.rational_solve import null_space, rank
from fiberscope.shallow.sums import as_rational, exact_product


@dataclass(frozen=True, eq=False)
class Choice:
    """Orientations ``signs`` (m,) and the ``doubled`` folds D (their signs do not matter)."""

    doubled: tuple[int, ...]
    signs: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """An exact normal form on R^n or a box, and the activation whose units are counted."""

    form: NormalForm
    law: Bend

    def __post_init__(self) -> None:
        if not self.form.exact:
            raise InputError("minimal width: needs the exact normal form; compute it with exact=True")
        if isinstance(self.form.domain, Polytope):
            raise InputError("minimal width: is known on all inputs and on boxes; give a box")
        if not self.bounded and self.law.mean == 0 and (self.form.linear != 0).any():
            raise InputError(
                "minimal width: sums of |<w, x> + b| have no linear part; no network of abs units has this form"
            )

    @property
    def bounded(self) -> bool:
        """Whether one unit can be affine: on a box, or because the activation has no bend at all."""
        return self.form.domain is not None or self.law.jump == 0

    @property
    def price(self) -> int:
        """Units per unit of rank."""
        return 1 if self.bounded else 2

    @cached_property
    def ratio(self) -> Any:
        """mean / jump, or 1 where one of them is 0 (then orientations do nothing)."""
        return as_rational(self.law.mean / self.law.jump if self.law.mean and self.law.jump else 1)

    @cached_property
    def target(self) -> np.ndarray:
        """T (k x n)."""
        return self.form.linear / self.ratio

    @cached_property
    def matrices(self) -> list[np.ndarray]:
        """M_j (k x n) for every fold; 0 when both orientations have the same linear part."""
        weight = as_rational(1 if self.law.mean else 0)
        return [k[:, None] * u[None, :] * weight for k, u in zip(self.form.kinks, self.form.normals, strict=True)]

    @cached_property
    def directions(self) -> np.ndarray:
        """The normals u_j as primitive integer vectors (m x n), which is what eliminations like."""
        out = self.form.normals.copy()
        for j, row in enumerate(out):
            common = math.lcm(*(int(v.q) for v in row))
            out[j] = row * as_rational(common)
        return out

    def residual(self, choice: Choice) -> np.ndarray:
        """R_D(s), k x n."""
        left = self.target
        for j, matrix in enumerate(self.matrices):
            if j not in choice.doubled:
                left = left - matrix * as_rational(int(choice.signs[j]))
        return left

    def quotient(self, doubled: tuple[int, ...]) -> np.ndarray:
        """A basis Q (n x q) of the vectors orthogonal to u_j, j in D: R Q is R modulo their span."""
        return null_space(self.directions[list(doubled)])

    def modulo(self, doubled: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
        """T and all M_j modulo span{u_j: j in D} (k x q each)."""
        if not doubled:
            return self.target, self.matrices
        Q = self.quotient(doubled)
        rows = exact_product(self.directions, Q) if Q.size else np.empty((self.form.folds, 0), dtype=object)
        weight = as_rational(1 if self.law.mean else 0)
        M = []
        for kink, normal, whole, row in zip(self.form.kinks, self.form.normals, self.directions, rows, strict=True):
            lead = int((normal != 0).argmax())
            M.append((kink * (weight * normal[lead] / whole[lead]))[:, None] * row[None, :])
        return self.target @ Q, M

    def cost(self, choice: Choice) -> int:
        """|D| + price * rank(R_D(s) modulo span(u_D)): the units beyond one per fold."""
        left = self.residual(choice)
        if choice.doubled:
            left = left @ self.quotient(choice.doubled)
        return len(choice.doubled) + self.price * rank(rationals(left))

    @cached_property
    def least(self) -> int:
        """A lower bound for every cost: no choice changes T modulo the span of all normals."""
        if rank(self.directions) == self.form.inputs:
            return 0
        return self.price * rank(rationals(self.target @ self.quotient(tuple(range(self.form.folds)))))
