"""Are two networks with one hidden layer the same function on a box? Normal forms against sampling and against a MILP.

    python benchmarks/shallow_equality.py [--units 10 20 30 50] [--inputs 5] [--pairs 4] [--seconds 30]

Every pair of ReLU networks is planted: equal (units permuted, scaled by powers of two, a doubled unit joined), or
different by very little: one weight by one unit in the last place, one weight by a millionth, a fold that
only cuts a corner off the box, a spike of width 1e-7 and height 1e-4. Peers, both in floats and so with a tolerance:

- sampling: 10^6 uniform inputs, "different" when the largest difference is above 1e-12 of the largest output;
- MILP: maximise f_a - f_b and f_b - f_a over the box with one binary variable per unit (HiGHS, big-M from interval
  bounds); "different" when the maximum is above 1e-6, the solver's feasibility tolerance, "equal" when the bound is
  below; no answer when the time is over.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array

from fiberscope.shallow.equality import same_function
from fiberscope.shallow.model import ShallowModel

KINDS = ("equal", "one ulp", "a millionth", "a corner", "a spike")


def planted(kind: str, units: int, inputs: int, rng: np.random.Generator) -> tuple[ShallowModel, ShallowModel]:
    """A pair on [-1, 1]^n that is equal, or different in the way that ``kind`` says."""
    base = units - 5
    W, b, q = rng.standard_normal((base, inputs)), 0.5 * rng.standard_normal(base), rng.standard_normal((1, base))
    q = np.round(q * 2.0**20) * 2.0**-20  # so that adding 0.25 is exact
    a = [np.vstack([W, W[:1]]), np.append(b, b[0]), np.hstack([q, [[0.25]]]), np.zeros(1)]
    scale = 2.0 ** rng.integers(-2, 3, base)
    U, v, p = W * scale[:, None], b * scale, q / scale
    p[0, 0] += 0.25 / scale[0]
    if kind == "one ulp":
        p[0, 1] = np.nextafter(p[0, 1], 9)
    if kind == "a millionth":
        U[1, 0] *= 1 + 1e-6
    if kind == "a corner":  # <(1, ..., 1), x> > n - 0.05 has volume (0.025)^n / n! of the box
        U, v, p = np.vstack([U, np.ones((1, inputs))]), np.append(v, 0.05 - inputs), np.hstack([p, [[1.0]]])
    if kind == "a spike":
        w = rng.standard_normal(inputs)
        U = np.vstack([U, w, w, w])
        v, p = np.append(v, [1e-7, 0.0, -1e-7]), np.hstack([p, np.array([[1.0, -2.0, 1.0]]) * 1e3])
    order = rng.permutation(len(v))
    return ShallowModel(*a), ShallowModel(U[order], v[order], p[:, order], np.zeros(1))


def by_normal_form(a: ShallowModel, b: ShallowModel) -> str:
    return same_function(a, b, box=(-1, 1)).answer


def by_sampling(a: ShallowModel, b: ShallowModel, count: int = 1_000_000) -> str:
    rng = np.random.default_rng(0)
    worst = size = 0.0
    for _ in range(count // 50_000):
        x = rng.uniform(-1, 1, (50_000, a.inputs))
        f, g = (np.maximum(x @ m.W1.T + m.b1, 0) @ m.W2.T + m.b2 for m in (a, b))
        worst, size = max(worst, float(np.abs(f - g).max())), max(size, float(np.abs(f).max()))
    return "different" if worst > 1e-12 * size else "equal"


def by_milp(a: ShallowModel, b: ShallowModel, seconds: float) -> str:
    """Variables x, h (post-activations), z (which units are active)."""
    W, t = np.vstack([a.W1, b.W1]), np.append(a.b1, b.b1)
    q = np.append(a.W2[0], -b.W2[0])
    n, d = a.inputs, len(t)
    top, bottom = t + np.abs(W).sum(axis=1), t - np.abs(W).sum(axis=1)
    A, lower, upper = lil_array((3 * d, n + 2 * d)), np.full(3 * d, -np.inf), np.full(3 * d, np.inf)
    for i in range(d):
        A[i, :n], A[i, n + i], lower[i] = -W[i], 1, t[i]  # h >= <w, x> + t
        big = max(-bottom[i], 0.0)
        A[d + i, :n], A[d + i, n + i], A[d + i, n + d + i], upper[d + i] = -W[i], 1, big, t[i] + big
        A[2 * d + i, n + i], A[2 * d + i, n + d + i], upper[2 * d + i] = 1, -max(top[i], 0.0), 0.0
    least, most = (
        np.concatenate([-np.ones(n), np.zeros(2 * d)]),
        np.concatenate([np.ones(n), np.maximum(top, 0), np.ones(d)]),
    )
    bounds = Bounds(least, most)  # pyright: ignore[reportArgumentType]
    constant = float(a.b2[0] - b.b2[0])
    answers = []
    for sign in (1, -1):
        cost = np.concatenate([np.zeros(n), -sign * q, np.zeros(d)])
        done = milp(
            cost,
            constraints=LinearConstraint(A.tocsr(), lower, upper),  # pyright: ignore[reportArgumentType]
            bounds=bounds,
            integrality=np.concatenate([np.zeros(n + d), np.ones(d)]),
            options={"time_limit": seconds / 2},
        )
        if done.x is not None and -done.fun + sign * constant > 1e-6:
            return "different"
        answers.append(done.mip_dual_bound is not None and -done.mip_dual_bound + sign * constant <= 1e-6)
    return "equal" if all(answers) else "no answer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[10, 20, 30, 50])
    parser.add_argument("--inputs", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    ways = {
        "normal form": by_normal_form,
        "sampling": by_sampling,
        "MILP": lambda a, b: by_milp(a, b, arguments.seconds),
    }
    by_normal_form(*planted("equal", 10, 2, np.random.default_rng(0)))  # imports do not count
    for units in arguments.units:
        right = {name: dict.fromkeys(KINDS, 0) for name in ways}
        seconds = {name: [] for name in ways}
        for kind in KINDS:
            for pair in range(arguments.pairs):
                a, b = planted(kind, units, arguments.inputs, np.random.default_rng([units, pair]))
                for name, way in ways.items():
                    start = time.perf_counter()
                    answer = way(a, b)
                    seconds[name].append(time.perf_counter() - start)
                    right[name][kind] += answer == ("equal" if kind == "equal" else "different")
        print(f"{units} units, {arguments.inputs} inputs, {arguments.pairs} pairs of each kind: right answers")
        print(f"  {'':<12}" + "".join(f"{kind:>13}" for kind in KINDS) + f"{'median s':>12}{'ratio':>10}")
        for name in ways:
            counts = "".join(f"{right[name][kind]:>13}" for kind in KINDS)
            middle = median(seconds[name])
            print(f"  {name:<12}{counts}{middle:>12.4f}{middle / median(seconds['normal form']):>10.0f}")


if __name__ == "__main__":
    main()
