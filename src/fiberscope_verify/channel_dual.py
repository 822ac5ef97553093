"""Bounds of values of a graph from given multipliers: weak duality for the triangle relaxation of its ReLUs.

Going back, a ReLU that bends lies above a z for every a between its slope and 1, with an a of its own for every value
that is bounded; the rows G x <= h of a polytope give mu (h - G x) >= 0. Any multipliers in their ranges give a true
bound; the best give the value of the linear program (Wong and Kolter 2018, arXiv 1711.00851).
"""

from __future__ import annotations

import numpy as np

from .bound import TINY, U, outward
from .channel_backward import MOST, Ends, Plan, descend, finished, forward, per_input
from .dual import Rows
from .report import need


def hidden(plan: Plan, u: int) -> list[int]:
    """The (leaky) ReLUs below a value, in the order in which their multipliers stand."""
    return [w for w in plan.below(u) if w in plan.slope]


def least(
    plan: Plan,
    known: Ends,
    u: int,
    rows: np.ndarray,
    signs: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    cut: Rows,
    multipliers: np.ndarray,
    mu: np.ndarray,
) -> np.ndarray:
    """Rigorous lower bounds [R] of ``signs`` times entries ``rows`` of value u on a box with rows.

    ``multipliers`` [R, H]: slopes of the lines below all ReLUs below u (read where they bend), ``mu`` [R, rows of G].
    Reject unless 0 <= multipliers <= 1 and mu >= 0.
    """
    need(bool(np.all((multipliers >= 0) & (multipliers <= 1)) and np.all(mu >= 0)), "a multiplier is out of its range")
    below = hidden(plan, u)
    at = np.cumsum([0, *(plan.size(w) for w in below)])
    need(multipliers.shape == (len(rows), at[-1]) and mu.shape == (len(rows), len(cut.b)), "multipliers do not fit")
    here = forward(plan, lo[None], hi[None], known, u)
    mid = lo * 0.5 + hi * 0.5
    rad = np.maximum(hi - mid, mid - lo) * (1 + 4 * U) + TINY
    many = max(1, MOST // max(plan.size(w) for w in plan.below(u)))
    out = []
    with np.errstate(all="ignore"):
        for start in range(0, len(rows), many):
            part = slice(start, start + many)
            r = len(rows[part])
            g = np.zeros((1, r, plan.size(u)))
            g[0, np.arange(r), rows[part]] = -signs[part]
            slopes = {
                w: multipliers[part, at[i] : at[i + 1]].reshape(1, r, *plan.graph.shape(w)) for i, w in enumerate(below)
            }
            down = descend(here, u, g.reshape(1, r, *plan.graph.shape(u)), slopes)
            form = per_input(plan, down.coefficients, len(lo))[0]
            size = per_input(plan, {w: np.abs(c) for w, c in down.coefficients.items()}, len(lo))[0]
            lost = down.slack[0] + outward(sum(plan.size(w) for w in plan.graph.inputs)) * (size @ (np.abs(mid) + rad))
            out.append(-highest(form, size, down.c[0], lost, mid, rad, cut, mu[part]))
    return np.concatenate(out)


def highest(
    form: np.ndarray,
    size: np.ndarray,
    c: np.ndarray,
    slack: np.ndarray,
    mid: np.ndarray,
    rad: np.ndarray,
    cut: Rows,
    mu: np.ndarray,
) -> np.ndarray:
    """Upper bounds [R] of form x + c (+- slack) over |x - mid| <= rad and A x <= b; ``size`` >= |form| [R, n]."""
    unit = outward(form.shape[1] + len(cut.b) + 8)
    reach = np.abs(mid) + rad
    size = (size + mu @ np.abs(cut.a) + TINY) @ reach + np.abs(c) + (mu + TINY) @ np.abs(cut.b)
    form = form - mu @ cut.a
    c = c + mu @ cut.b + form @ mid + np.abs(form) @ rad
    return finished(c, slack + unit * size)
