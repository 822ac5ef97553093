"""The triangle relaxation of the layers below a hidden unit on one leaf, as a linear program.

Variables: the inputs x, the values h of every earlier layer, a slack for each constraint of the domain and for each
side that the leaf assumes. A unit that bends on the leaf lies between its two lines and its chord, any other is
linear. The solution guides (where to look for an input, which unit to branch on); its dual is turned into the
multipliers that `fiberscope_verify.dual` bounds with, and only that bound counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PENALTY = 1e4
"""What a slack costs, as a multiple of the largest slope that the form can have in it."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Of minimising sign * z: the value, the inputs, the multipliers of all hidden units below and of the rows, and
    how much the bend of each unit below and the width of each input cost."""

    value: float
    x: np.ndarray
    multipliers: np.ndarray
    mu: np.ndarray
    cost: np.ndarray
    spread: np.ndarray


class Program:
    """Built once for a leaf; `minimise` takes the unit.

    ``chain`` is the checker's, ``relaxed`` the lines of `fiberscope_verify.stable.relax` there, ``sides`` [H] the
    sides assumed, ``lo, hi`` the box, ``G, h`` the rows of the domain.
    """

    def __init__(
        self,
        weights: list[tuple[np.ndarray, np.ndarray]],
        slopes: list[float],
        relaxed: list[Any],
        sides: np.ndarray,
        lo: np.ndarray,
        hi: np.ndarray,
        G: np.ndarray,
        h: np.ndarray,
    ) -> None:
        from scipy import sparse

        self.weights, self.slopes, self.sides = weights, slopes, sides
        self.relaxed = [tuple(part[0] for part in lines) for lines in relaxed]
        n, widths = len(lo), [len(b) for _, b in weights]
        self.n, self.widths, self.hidden = n, widths, sum(widths)
        self.at = np.cumsum([0, *widths])
        self.bends = [lines[3] > 0 for lines in self.relaxed]
        self.assumed = np.flatnonzero(sides != 0)
        self.scale = np.where(np.linalg.norm(G, axis=1) > 0, np.linalg.norm(G, axis=1), 1.0)
        slack = len(h) + len(self.assumed)
        columns = n + self.hidden + slack
        low, high = np.full(columns, -np.inf), np.full(columns, np.inf)
        low[:n], high[:n], low[n + self.hidden :] = lo, hi, 0.0
        above, below, equal = [], [], []  # rows (matrix, limit) of M v <= limit, M v = limit
        self.line_rows: list[tuple[np.ndarray, int | None, int]] = []
        position = 0
        for l, (w, b) in enumerate(weights):
            start = 0 if l == 0 else n + self.at[l - 1]
            here = n + self.at[l]
            z = sparse.lil_matrix((len(b), columns))
            z[:, start : start + w.shape[1]] = w
            z = z.tocsr()
            own = sparse.csr_matrix((np.ones(len(b)), (np.arange(len(b)), here + np.arange(len(b)))), z.shape)
            bend, over, offset, s = self.bends[l], self.relaxed[l][2], self.relaxed[l][3], slopes[l]
            line = np.flatnonzero(~bend)
            equal.append((own[line] - z[line].multiply(over[line, None]), over[line] * b[line]))
            bent = np.flatnonzero(bend)
            above += [(z[bent] - own[bent], -b[bent])]
            first = position
            position += len(bent)
            second = None
            if s == 0.0:
                low[here + bent] = 0.0
            else:
                second = position
                above += [(z[bent] * s - own[bent], -s * b[bent])]
                position += len(bent)
            above += [(own[bent] - z[bent].multiply(over[bent, None]), over[bent] * b[bent] + offset[bent])]
            position += len(bent)
            self.line_rows.append((bent, second, first))
            side = np.flatnonzero(sides[self.at[l] : self.at[l + 1]])
            if len(side):
                sign = sides[self.at[l] + side]
                place = n + self.hidden + len(h) + np.searchsorted(self.assumed, self.at[l] + side)
                loose = sparse.csr_matrix((np.ones(len(side)), (np.arange(len(side)), place)), (len(side), columns))
                below.append((-z[side].multiply(sign[:, None]) - loose, sign * b[side]))
        self.side_row = position
        position += len(self.assumed)
        self.row_row = position
        if len(h):
            cut = sparse.lil_matrix((len(h), columns))
            cut[:, :n] = G / self.scale[:, None]
            cut[:, n + self.hidden : n + self.hidden + len(h)] = -np.eye(len(h))
            below.append((cut.tocsr(), h / self.scale))
        rows = [r for r in [*above, *below] if r[0].shape[0]]
        equal = [r for r in equal if r[0].shape[0]]
        self.limits = np.column_stack([low, high])
        self.upper = sparse.vstack([r[0] for r in rows]).tocsr() if rows else None
        self.upper_limit = np.concatenate([r[1] for r in rows]) if rows else None
        self.equal = sparse.vstack([r[0] for r in equal]).tocsr() if equal else None
        self.equal_limit = np.concatenate([r[1] for r in equal]) if equal else None

    def minimise(self, w: np.ndarray, b: float, seconds: float) -> Answer | None:
        """Minimise ``w h + b``, h the last layer below; None when no optimum was found in time."""
        from scipy.optimize import linprog

        cost = np.zeros(len(self.limits))
        last = 0 if not self.widths else self.n + self.at[-2]
        cost[last : last + len(w)] = w
        cost[self.n + self.hidden :] = PENALTY * self.steepest(w)
        done = linprog(
            cost,
            A_ub=self.upper,
            b_ub=self.upper_limit,
            A_eq=self.equal,
            b_eq=self.equal_limit,
            bounds=self.limits,
            method="highs",
            options={"time_limit": max(seconds, 0.01)},
        )
        if done.status != 0:
            return None
        return self.read(done, b)

    def steepest(self, w: np.ndarray) -> float:
        """About the largest slope of the form in a pre-activation below or an input."""
        size, form = 1e-12 + np.abs(w).max(initial=0.0), np.abs(w)
        for (v, _), lines in zip(reversed(self.weights), reversed(self.relaxed), strict=True):
            form = (form * np.maximum(lines[2], 0.0)) @ np.abs(v)
            size = max(size, float(form.max(initial=0.0)))
        return size

    def read(self, done: Any, b: float) -> Answer:
        """The multipliers of a solution: alpha is the share of the line z in what holds a unit from below."""
        n, dual = self.n, np.zeros(0) if self.upper is None else np.maximum(-done.ineqlin.marginals, 0.0)
        multipliers, cost = np.zeros(self.hidden), np.zeros(self.hidden)
        x, v = done.x[:n], done.x[n : n + self.hidden]
        h = x
        for l, (w, bias) in enumerate(self.weights):
            bent, second, first = self.line_rows[l]
            s, here = self.slopes[l], self.at[l] + bent
            steep = dual[first : first + len(bent)]
            flat = done.lower.marginals[n + here] if second is None else dual[second : second + len(bent)]
            flat = np.maximum(flat, 0.0)
            held = steep + flat
            default = np.where(self.relaxed[l][0][bent] > s, 1.0, s)
            multipliers[here] = np.where(held > 0, (steep + s * flat) / np.where(held > 0, held, 1.0), default)
            chord = dual[first + (1 if second is None else 2) * len(bent) :][: len(bent)]
            z = h @ w[bent].T + bias[bent]
            gap = v[here] - np.maximum(z, s * z)
            cost[here] = chord * np.maximum(gap, 0.0)
            h = v[self.at[l] : self.at[l + 1]]
        multipliers = np.clip(multipliers, 0.0, 1.0)
        multipliers[self.assumed] = dual[self.side_row : self.side_row + len(self.assumed)]
        edge = np.abs(done.lower.marginals[:n]) + np.abs(done.upper.marginals[:n])
        spread = edge * (self.limits[:n, 1] - self.limits[:n, 0])
        mu = dual[self.row_row : self.row_row + len(self.scale)] / self.scale
        return Answer(float(done.fun) + b, np.array(x), multipliers, mu, cost, spread)
