"""Compress a chain of ReLUs on a box or a polytope: prove units linear, fold them, bound what is lost by rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fiberscope.equivalence.bounds import slope
from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.compression.bisection import Claim
from fiberscope.equivalence.compression.carrier import Carriers, checker_chain
from fiberscope.equivalence.compression.carrying import Unfit
from fiberscope.equivalence.compression.dual import DualClaim
from fiberscope.equivalence.compression.fold import Folded, fold
from fiberscope.equivalence.compression.known import Region, Stable, region_of
from fiberscope.equivalence.compression.stable import stable_units
from fiberscope.equivalence.compression.witness import Sides
from fiberscope.equivalence.domain import Domain
from fiberscope.numerics.tolerance import COMPRESSION_ERROR, COMPRESSION_LOOSE

NOTHING = 1e-280
"""A bound below it is that of a network whose outputs are zero."""


@dataclass(frozen=True, eq=False)
class OnBox:
    """What was proved, the smaller chain as it will be stored, and a rigorous bound of |a - b| on the domain."""

    region: Region
    stable: Stable
    folded: Folded
    claims: dict[str, list[Claim | DualClaim]]
    error_bound: float
    scale: float  # largest output of a seen on the domain


def compress_on_box(
    original: Any,
    chain: Chain,
    domain: Domain,
    *,
    dtype: type,
    seconds: float,
    seed: int,
    say: Callable[[str], None],
    before: OnBox | None = None,
) -> OnBox:
    """Prove, fold and bound. ``original``: the chain as the checker reads it. The answer ``before`` on the same domain
    saves the proofs (another dtype)."""
    from fiberscope_verify.compressed import Comparison
    from fiberscope_verify.compressed import Relation as Checked

    assert domain.box is not None
    region = region_of(domain.box, domain.polytope) if before is None else before.region
    lo, hi = box = region.lo, region.hi
    sides = Sides(chain, domain, seed=seed)
    stable = stable_units(original, region, sides, seconds=seconds, say=say) if before is None else before.stable
    slopes = [float(slope(name) or 0.0) for name in chain.activations]
    activations = [layer.activation for layer in original.layers]
    largest = np.abs(chain.run(sides.points)).max(initial=0.0)

    def made(split: tuple[int, ...]) -> tuple[Folded, Carriers, float]:
        carriers = Carriers(activations, slopes, box, dtype=dtype, samples=sides.points[:1024])
        ranges = Ranges(lo, hi)
        with np.errstate(all="ignore"):
            folded = fold(chain.floats(), stable.status, slopes, carriers.settle, ranges, dtype=dtype, split=split)
        if not all(np.isfinite(part).all() for layer in folded.layers for part in layer):
            raise Unfit
        smaller = with_output(folded, activations)
        status = carriers.status(folded.layers[:-1])
        checked = [Checked(r.alive, r.unit, r.scale, r.lift, r.offset) for r in folded.relations]
        bound = Comparison(original, smaller, stable.status, status, checked).bound(lo[None], hi[None])[0]
        return folded, carriers, float(bound)

    folded, carriers, bound = made(())
    if bound > COMPRESSION_ERROR * largest and folded.computed:
        finer = made(folded.computed)
        if finer[2] < 0.5 * bound:
            folded, carriers, bound = finer
    if not bound <= max(COMPRESSION_LOOSE * largest, NOTHING):
        raise Unfit
    return OnBox(
        region,
        stable,
        folded,
        {"a": stable.claims, "b": [claim for layer in carriers.claims for claim in layer]},
        bound * (1 + 2.0**-20),
        float(largest),
    )


class Ranges:
    """How far the values below a hidden layer range: the box itself below the first, alike above (units are scaled)."""

    def __init__(self, lo: np.ndarray, hi: np.ndarray) -> None:
        half = 0.5 * (hi - lo)
        self.half = np.where(half > 0, half, 1.0)  # an input that stands still is still read

    def __call__(self, layer: int) -> np.ndarray:
        return self.half if layer == 0 else np.ones(1)


def with_output(folded: Folded, activations: list[Any]) -> Any:
    """The smaller chain as the checker reads it."""
    chain = checker_chain(folded.layers, activations)
    chain.layers.pop()
    return chain
