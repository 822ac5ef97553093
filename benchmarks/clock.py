"""Time several things side by side in one run, taking turns, so that a ratio does not depend on the hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def race(things: dict[str, Callable[[], Any]], *, rounds: int, warm: int = 1) -> dict[str, float]:
    """Median seconds of each thing over `rounds`, run in turns after `warm` rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warm + rounds):
        for name, thing in things.items():
            start = time.perf_counter()
            thing()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def show(title: str, seconds: dict[str, float], against: str, goal: float | None = None) -> None:
    """Print one line per thing: milliseconds, and the ratio to the named peer (names `peer: what` are not judged)."""
    print(title)
    for name, value in seconds.items():
        ratio = value / seconds[against]
        peer = name.split(":")[0] == against.split(":")[0]
        verdict = "" if goal is None or peer else f"   goal <= {goal:g}: {'yes' if ratio <= goal else 'NO'}"
        print(f"  {name:<58} {1e3 * value:10.2f} ms   x {ratio:8.3f}{verdict}")
    print()
