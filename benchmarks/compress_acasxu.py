"""Proofs of linear units on ACAS Xu 1_1, ours against a MILP per unit with HiGHS; what compression saves a verifier.

The peer (Serra, Kumar and Ramalingam 2020, arXiv 2001.00218) maximises and minimises every pre-activation by a mixed
integer program: one binary per ReLU of the earlier layers that its big-M interval leaves open, M from interval
arithmetic. HiGHS through scipy.optimize.milp, at most 20 seconds for a unit, on a sample of the units.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, lil_matrix

import fiberscope as fs
from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.vnnlib import input_box

CAP = 20.0
Layers = list[tuple[np.ndarray, np.ndarray]]


def intervals(layers: Layers, lo: np.ndarray, hi: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ranges of every layer's pre-activations by interval arithmetic."""
    out = []
    for w, b in layers:
        up, down = np.maximum(w, 0), np.minimum(w, 0)
        low, high = up @ lo + down @ hi + b, up @ hi + down @ lo + b
        out.append((low, high))
        lo, hi = np.maximum(low, 0), np.maximum(high, 0)
    return out


class Program:
    """Constraints of the hidden layers: h >= z, h >= 0, h <= z - l (1 - d), h <= u d, with d in {0, 1} where l < 0 < u
    (relaxed: the triangle, d in [0, 1])."""

    def __init__(self, layers: Layers, lo: np.ndarray, hi: np.ndarray):
        ranges = intervals(layers, lo, hi)
        low, high, whole = [lo], [hi], [np.zeros(len(lo))]
        start, inputs, count, rows = 0, len(lo), len(lo), []
        for (w, b), (l, u) in zip(layers, ranges, strict=True):
            h, d = count, count + len(b)
            for i in range(len(b)):
                z = {start + j: float(v) for j, v in enumerate(w[i]) if v}
                if u[i] <= 0:
                    rows.append(({h + i: 1.0}, 0.0, 0.0))
                elif l[i] >= 0:
                    rows.append(({h + i: 1.0} | {k: -v for k, v in z.items()}, b[i], b[i]))
                else:
                    minus = {k: -v for k, v in z.items()}
                    rows.append(({h + i: 1.0} | minus, b[i], np.inf))
                    rows.append(({h + i: 1.0, d + i: -l[i]} | minus, -np.inf, b[i] - l[i]))
                    rows.append(({h + i: 1.0, d + i: -u[i]}, -np.inf, 0.0))
            low += [np.zeros(len(b)), np.zeros(len(b))]
            high += [np.maximum(u, 0), np.ones(len(b))]
            whole += [np.zeros(len(b)), np.ones(len(b))]
            start, inputs, count = h, len(b), count + 2 * len(b)
        self.start, self.inputs, self.count = start, inputs, count
        matrix = lil_matrix((max(len(rows), 1), count))
        for r, (row, _, _) in enumerate(rows):
            for k, v in row.items():
                matrix[r, k] = v
        self.matrix = csr_matrix(matrix)
        self.least: Any = np.array([r[1] for r in rows] or [0.0])
        self.most: Any = np.array([r[2] for r in rows] or [0.0])
        ends: list[Any] = [np.concatenate(low), np.concatenate(high)]
        self.bounds = Bounds(*ends)
        self.whole = np.concatenate(whole)

    def extreme(self, w: np.ndarray, b: float, sign: int, integer: bool, limit: float) -> tuple[float, bool]:
        """A bound of max sign (w h + b), and whether it is the optimum."""
        c = np.zeros(self.count)
        c[self.start : self.start + self.inputs] = -sign * w
        result = milp(
            c,
            integrality=self.whole * integer,
            bounds=self.bounds,
            constraints=LinearConstraint(self.matrix, self.least, self.most),
            options={"time_limit": max(limit, 0.1)},
        )
        bound = result.mip_dual_bound if integer else result.fun
        if bound is None:
            return np.inf, False
        return -float(bound) + sign * b, result.status == 0


def plain_milp(layers: Layers, lo: np.ndarray, hi: np.ndarray, sample: list[tuple[int, int]]) -> tuple[int, float]:
    """Units of the sample decided (linear with its sign, or shown to bend), and the seconds it took."""
    decided, start, programs = 0, time.perf_counter(), {}
    for l, unit in sample:
        begin = time.perf_counter()
        if l not in programs:
            programs[l] = Program(layers[:l], lo, hi)
        w, b = layers[l][0][unit], layers[l][1][unit]
        high, done = programs[l].extreme(w, b, 1, True, CAP)
        if high <= 0:
            decided += 1
            continue
        low, ended = programs[l].extreme(w, b, -1, True, CAP - (time.perf_counter() - begin))
        decided += low <= 0 or (done and ended)
    return decided, time.perf_counter() - start


def ranges_of_outputs(layers: Layers, lo: np.ndarray, hi: np.ndarray, integer: bool, limit: float) -> tuple[float, int]:
    """Seconds for the range of every output, and how many of the two ends each were finished."""
    start, finished = time.perf_counter(), 0
    program = Program(layers[:-1], lo, hi)
    for w, b in zip(*layers[-1], strict=True):
        for sign in (1, -1):
            finished += program.extreme(w, b, sign, integer, limit)[1]
    return time.perf_counter() - start, finished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=24, help="units given to the MILP")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one end of one output")
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("FIBERSCOPE_DATA", root.parent / "shared" / "data")) / "acasxu"
    if not data.is_dir():
        sys.exit(f"no ACAS Xu networks at {data}")
    net = fs.load(data / "original" / "ACASXU_run2a_1_1_batch_2000.onnx")
    chain = chain_of(net)
    assert chain is not None
    layers = chain.floats()
    rng = np.random.default_rng(0)
    for name in ("prop_3", "prop_1"):
        lo, hi = input_box(data / "specs" / "properties" / f"{name}.vnnlib", net.n_in)
        result = fs.compress(net, box=(lo, hi), budget=120)
        decided = result.units_before - result.open_units
        print(f"{name}: {result.units_before} -> {result.units_after} units, {result.open_units} open, "
              f"{result.seconds:.1f} s: {decided / result.seconds:.1f} units decided a second")  # fmt: skip
        sample = [(l, int(u)) for l in range(6) for u in rng.choice(50, options.sample // 6, replace=False)]
        done, seconds = plain_milp(layers, lo, hi, sample)
        rate = done / seconds
        ratio = decided / result.seconds / rate if rate else np.inf
        print(f"  MILP per unit: {done} of {len(sample)} in {seconds:.0f} s, {rate:.3f} a second; ratio {ratio:.0f}")
        small = chain_of(result.network)
        assert small is not None
        for word, integer in (("LP", False), ("MILP", True)):
            before, ends = ranges_of_outputs(layers, lo, hi, integer, options.limit)
            after, ends_after = ranges_of_outputs(small.floats(), lo, hi, integer, options.limit)
            print(f"  {word} ranges of the outputs: {before:.2f} s ({ends} of 10 ends) before, "
                  f"{after:.2f} s ({ends_after} of 10) after: ratio {before / after:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
