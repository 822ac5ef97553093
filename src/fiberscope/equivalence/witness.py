"""Search an input on which two networks differ.

Random points first, then gradient ascent of ``|a - b|``; for chains also points chosen to switch on exactly the units
whose weights differ, since a difference in a unit that is active on a small region only is invisible elsewhere.
A candidate counts only after ``fiberscope_verify`` has enclosed both outputs rigorously.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.difference import Difference, Unit
from fiberscope.equivalence.domain import Domain
from fiberscope.equivalence.pair import Pair, pull
from fiberscope.equivalence.rigorous import NoEnclosure, enclose_outputs
from fiberscope.equivalence.verdict import Witness


def ascend(
    x: np.ndarray,
    objective: Callable[[np.ndarray], np.ndarray],
    gradient: Callable[[np.ndarray], np.ndarray],
    domain: Domain,
    steps: int,
    until: float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Projected gradient ascent with a step per point that halves after every failure; points and their objective."""
    best = objective(x)
    if domain.box is not None:
        reach = np.broadcast_to(0.25 * (domain.box[1] - domain.box[0]), x.shape).copy()
    else:
        reach = np.broadcast_to(0.25 * np.maximum(np.abs(x).max(axis=1, keepdims=True), 0.1), x.shape).copy()
    direction = gradient(x)
    for _ in range(steps):
        largest = np.abs(direction).max(axis=1, keepdims=True)
        move = reach * (direction / np.where(largest > 0, largest, 1.0))
        trial = domain.clip(x + move)
        at = objective(trial)
        better = at > best
        x = np.where(better[:, None], trial, x)
        best = np.where(better, at, best)
        reach = np.where(better[:, None], reach * 1.3, reach * 0.4)
        if bool((best > until).any()):
            break
        if better.any():
            direction[better] = gradient(x[better])
    return x, best


def switch_on(
    chain: Chain, units: tuple[Unit, ...], domain: Domain, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Points of the domain that drive the lowest pre-activation of some hidden units up."""
    lengths = [float(np.linalg.norm(chain.floats()[l][0][unit])) or 1.0 for l, unit in units]

    def levels(pre: list[np.ndarray]) -> np.ndarray:
        columns = [pre[l][:, unit] / length for (l, unit), length in zip(units, lengths, strict=True)]
        return np.nan_to_num(np.stack(columns, axis=1), nan=-np.inf)

    def lowest(points: np.ndarray) -> np.ndarray:
        return levels(chain.preactivations(points)).min(axis=1)

    def slope(points: np.ndarray) -> np.ndarray:
        pre = chain.preactivations(points)
        parts = []
        for (l, unit), length in zip(units, lengths, strict=True):
            seed = np.zeros((len(points), chain.widths[l + 1]))
            seed[:, unit] = 1.0 / length
            parts.append(pull(chain, pre, seed, l))
        g = parts[0]
        if len(parts) == 2:
            level = levels(pre)
            # the shortest convex combination raises both; far apart, only the lower one matters
            gap = parts[0] - parts[1]
            size = np.einsum("ij,ij->i", gap, gap)
            share = -np.einsum("ij,ij->i", gap, parts[1]) / np.where(size > 0, size, 1.0)
            share = np.where(np.abs(level[:, 0] - level[:, 1]) > np.abs(level).min(axis=1), -1.0, np.clip(share, 0, 1))
            share = np.where(share < 0, (level[:, 0] < level[:, 1]).astype(float), share)[:, None]
            g = share * parts[0] + (1.0 - share) * parts[1]
        flat = np.abs(g).max(axis=1, initial=0.0) == 0
        g[flat] = rng.standard_normal((int(flat.sum()), g.shape[1]))
        return g

    x = domain.sample(rng, 16 * count)
    x = x[np.argsort(-lowest(x))[:count]]
    return ascend(x, lowest, slope, domain, 30)[0]


def search(
    pair: Pair,
    *,
    rng: np.random.Generator,
    above: float,
    deadline: float,
    difference: Difference | None,
    tried: list[str],
) -> Witness | None:
    """The best witness found, or None; stops early once a rigorous gap exceeds ``above`` (the tolerance asked)."""
    found: Witness | None = None
    domain = pair.domain
    judge = _Judge(pair, tried)

    def consider(x: np.ndarray, gap: np.ndarray, noise: np.ndarray, most: int) -> bool:
        nonlocal found
        order = np.argsort(-(gap - noise))[:most]
        for i in order:
            if found is not None and gap[i] <= found.gap * 1.01:
                break
            witness = judge(x[i])
            if witness is not None and (found is None or witness.gap > found.gap):
                found = witness
            if found is not None and found.gap > above:
                return True
            if time.perf_counter() > deadline:
                break
        return False

    def climb(x: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if domain.integer.all():
            gap, noise = pair.gaps(x)
            return x, gap, noise
        until = 2.0 * above if above > 0 else np.inf
        x, _ = ascend(x, lambda p: pair.gaps(p)[0], pair.gradient, domain, steps, until)
        gap, noise = pair.gaps(x)
        return x, gap, noise

    # 1. random points, then ascent from the best of them
    count = 256 if pair.chains is not None else 64
    x = domain.sample(rng, count)
    gap, noise = pair.gaps(x)
    tried.append(f"{count} random inputs")
    best = np.argsort(-gap)[: 16 if pair.chains is not None else 4]
    clear = gap > np.maximum(above, 4 * noise)
    near = np.arange(count) < count // 2
    if domain.box is None and bool((clear & near).any()):  # inputs of ordinary size make the better witness
        x, gap, noise, clear = x[near], gap[near], noise[near], clear[near]
        best = np.argsort(-gap)[: len(best)]
    if bool(clear.any()):
        # a clear difference: a short climb makes the gap more telling
        y, gap_y, noise_y = climb(x[best[:8]], 6)
        if consider(y, gap_y, noise_y, 3):
            return found
        if consider(x, gap, noise, 3):
            return found
    x, gap, noise = climb(x[best], 30)
    tried.append("gradient ascent")
    if consider(x, gap, noise, 4):
        return found
    # 2. points where the changed weights matter, judged by the difference carried through the layers
    if difference is not None:
        tried.append("inputs that switch on the units that differ")
        targets = difference.targets(64)
        for depth in range(8):
            starts = max(16, min(4096, 64 * 4**depth) * 4 // max(4, len(targets)))
            reached = [x, domain.sample(rng, 256 * 4**depth if depth < 4 else 20_000)]
            for units in targets:
                points = switch_on(difference.b, units, domain, rng, starts)
                reached.append(points)
                if time.perf_counter() > deadline:
                    break
            points = np.concatenate(reached)
            gap = difference.gaps(points)
            best = np.argsort(-gap)[:12]
            if gap[best[0]] > 0:
                points = np.concatenate([points[best], climb(points[best], 20)[0]])
                gap = difference.gaps(points)
                if consider(points, gap, np.zeros(len(gap)), 6):
                    return found
                if above == 0.0 or depth >= 1:
                    break  # below what the checker can resolve, or below the tolerance: more points will not help
            if time.perf_counter() > deadline or not targets:
                break
        if targets or found is not None:
            return found
    # 3. more of everything while there is time
    rounds = 0
    limit = 6 if found is None else 2
    while time.perf_counter() < deadline and rounds < limit:
        rounds += 1
        x = domain.sample(rng, 4 * count)
        gap, noise = pair.gaps(x)
        x, gap, noise = climb(x[np.argsort(-gap)[:24]], 40)
        if consider(x, gap, noise, 3):
            return found
    if rounds:
        tried.append(f"{rounds} more rounds of random inputs and ascent")
    return found


class _Judge:
    """Rigorous evaluation of candidates."""

    def __init__(self, pair: Pair, tried: list[str]) -> None:
        self.pair = pair
        self.tried = tried

    def __call__(self, x: np.ndarray) -> Witness | None:
        try:
            (mid_a, rad_a), (mid_b, rad_b) = enclose_outputs(self.pair.a, x), enclose_outputs(self.pair.b, x)
        except NoEnclosure as reason:
            note = f"no rigorous evaluation ({reason})"
            if note not in self.tried:
                self.tried.append(note)
            return None
        with np.errstate(invalid="ignore", over="ignore"):
            lower = np.abs(mid_a - mid_b) * (1.0 - 2.0**-50) - (rad_a + rad_b) * (1.0 + 2.0**-50)
        lower = np.where(np.isfinite(lower), lower, 0.0)
        gap = float(lower.max(initial=0.0)) * (1.0 - 2.0**-40)
        if gap <= 0.0:
            return None
        return Witness(_plain(x), _plain(mid_a), _plain(mid_b), gap)


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in np.asarray(values).reshape(-1))


__all__ = ["Pair", "ascend", "search", "switch_on"]
