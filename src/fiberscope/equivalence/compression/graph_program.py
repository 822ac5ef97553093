"""The linear program of the triangle relaxation of a graph's ReLUs on a box with rows, and its multipliers.

The graph is taken apart at its ReLUs: their arguments are affine in the inputs and in earlier ReLUs, which going back
as far as these shows, row by row. A value that is neither affine nor a ReLU is a variable of its own with its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = 6_000
"""More variables than this are not put into a program."""
PENALTY = 1e6


@dataclass(frozen=True, eq=False)
class Answer:
    """A least value, where it is reached, and the multipliers: slopes of all ReLUs below [H], of the rows [R]."""

    value: float
    x: np.ndarray
    slopes: np.ndarray
    mu: np.ndarray


class GraphProgram:
    """All values below ``u`` on one domain; ``known``: intervals of the graph."""

    def __init__(self, plan: Any, known: Any, u: int, lo: np.ndarray, hi: np.ndarray, G: np.ndarray, h: np.ndarray):
        from scipy import sparse

        from fiberscope_verify.channel_backward import forward
        from fiberscope_verify.channel_dual import hidden

        self.plan, self.u, self.n = plan, u, len(lo)
        self.here = forward(plan, lo[None], hi[None], known, u)
        self.relus = hidden(plan, u)
        others = [
            w for w in plan.below(u) if w not in plan.affine and w not in plan.slope and w not in plan.graph.inputs
        ]
        self.place: dict[int, int] = {}
        at = self.n
        for w in [*self.relus, *others]:
            self.place[w] = at
            at += plan.size(w)
        self.width = at
        low, high = (
            np.concatenate([lo, np.full(at - self.n, -np.inf)]),
            np.concatenate([hi, np.full(at - self.n, np.inf)]),
        )
        for w, start in self.place.items():
            part = slice(start, start + plan.size(w))
            low[part], high[part] = (e.reshape(-1) for e in self.here.ends[w])
        length = np.linalg.norm(G, axis=1)
        self.scale = np.where(length > 0, length, 1.0)
        blocks, limits, equal, values = [], [], [], []
        if len(h):
            wide = np.zeros((len(h), at))
            wide[:, : self.n] = G / self.scale[:, None]
            blocks.append(sparse.csr_matrix(wide))
            limits.append(h / self.scale)
        self.bent: dict[int, tuple[np.ndarray, int]] = {}  # ReLU -> its entries that bend, the first row of z <= h
        count = len(h)
        for w in self.relus:
            z = plan.graph.nodes[w].args[0]
            under, _, over, above = (line.reshape(-1) for line in self.here.lines[w])
            slope, start = plan.slope[w], self.place[w]
            bends = np.flatnonzero(above > 0)
            still = np.flatnonzero(above <= 0)
            form, c = self.forms(z, np.arange(plan.size(z)))
            one = sparse.csr_matrix(
                (np.ones(plan.size(w)), (np.arange(plan.size(w)), start + np.arange(plan.size(w)))), (plan.size(w), at)
            )
            if len(still):
                equal.append(one[still] - form[still].multiply(under[still, None]))
                values.append(under[still] * c[still])
                low[start + still], high[start + still] = -np.inf, np.inf
            if len(bends):
                low[start + bends], high[start + bends] = -np.inf, np.inf
                self.bent[w] = bends, count
                blocks += [form[bends] - one[bends], form[bends].multiply(slope) - one[bends]]
                limits += [-c[bends], -slope * c[bends]]
                blocks.append(one[bends] - form[bends].multiply(over[bends, None]))
                limits.append(over[bends] * c[bends] + above[bends])
                count += 3 * len(bends)
        self.bounds = np.column_stack([low, high])
        self.upper = sparse.vstack(blocks).tocsr() if blocks else None
        self.limit = np.concatenate(limits) if limits else None
        self.equal = sparse.vstack(equal).tocsr() if equal else None
        self.values = np.concatenate(values) if values else None
        self.default = np.concatenate([self.here.lines[w][0].reshape(-1) for w in self.relus] or [np.zeros(0)])

    def forms(self, z: int, rows: np.ndarray) -> tuple[Any, np.ndarray]:
        """Entries of an affine value over all variables [R, width], and their constants."""
        from scipy import sparse

        from fiberscope_verify.channel_backward import MOST, descend, per_input

        plan, parts, constants = self.plan, [], []
        many = max(1, MOST // max(plan.size(w) for w in plan.below(z)))
        for start in range(0, len(rows), many):
            part = rows[start : start + many]
            g = np.zeros((1, len(part), plan.size(z)))
            g[0, np.arange(len(part)), part] = 1.0
            down = descend(self.here, z, g.reshape(1, len(part), *plan.graph.shape(z)), affine_only=True)
            wide = np.zeros((len(part), self.width))
            inputs = {w: c for w, c in down.coefficients.items() if w in plan.graph.inputs}
            if inputs:
                wide[:, : self.n] = per_input(plan, inputs, self.n)[0]
            for w, c in down.coefficients.items():
                if w not in inputs:
                    wide[:, self.place[w] : self.place[w] + plan.size(w)] = c.reshape(len(part), -1)
            parts.append(sparse.csr_matrix(wide))
            constants.append(down.c[0])
        return sparse.vstack(parts).tocsr(), np.concatenate(constants)

    def minimise(self, row: int, sign: int, seconds: float) -> Answer | None:
        """The least of ``sign`` times an entry of u; None when no optimum was found in time."""
        from scipy.optimize import linprog

        form, c = self.forms(self.u, np.array([row]))
        if self.limit is not None and not np.isfinite(self.limit).all():
            return None  # beyond what a program can hold
        done = linprog(
            sign * form.toarray()[0],
            A_ub=self.upper,
            b_ub=self.limit,
            A_eq=self.equal,
            b_eq=self.values,
            bounds=self.bounds,
            method="highs",
            options={"time_limit": max(seconds, 0.01)},
        )
        if done.status != 0:
            return None
        dual = np.zeros(0) if self.upper is None else np.maximum(-done.ineqlin.marginals, 0.0)
        slopes, at = np.clip(self.default, 0.0, 1.0), 0
        for w in self.relus:
            if w in self.bent:
                bends, first = self.bent[w]
                steep, flat = dual[first : first + len(bends)], dual[first + len(bends) : first + 2 * len(bends)]
                held, slope = steep + flat, self.plan.slope[w]
                share = (steep + slope * flat) / np.where(held > 0, held, 1.0)
                slopes[at + bends] = np.where(held > 0, np.clip(share, 0.0, 1.0), slopes[at + bends])
            at += self.plan.size(w)
        return Answer(
            sign * float(c[0]) + float(done.fun),
            np.array(done.x[: self.n]),
            slopes,
            dual[: len(self.scale)] / self.scale,
        )


def fits(plan: Any, u: int, n: int) -> bool:
    """Whether a program below a value has few enough variables."""
    free = [w for w in plan.below(u) if w not in plan.affine and w not in plan.graph.inputs]
    return n + sum(plan.size(w) for w in free) <= LARGEST
